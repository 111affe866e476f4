//! What can happen to a credential.

use crate::failure::Failure;
use crate::secret::Secret;
use crate::time::Span;

/// Something happened to one credential. Duplicate, late and contradictory events change nothing.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time has passed: the moment that `next_wakeup` named has come, or any other.
    Tick,
    /// Somebody waits for a token and there is none.
    Wanted,
    /// Something about the credential whose token this one is fetched with is different now.
    SourceChanged,
    /// The intent of this attempt is stored: the exclusive fetch may begin.
    Intended {
        /// The attempt.
        attempt: u64,
    },
    /// The intent of this attempt could not be stored.
    IntentFailed {
        /// The attempt.
        attempt: u64,
    },
    /// The platform answered a fetch with a token.
    Granted {
        /// The attempt.
        attempt: u64,
        /// What was granted.
        grant: Grant,
    },
    /// A fetch came to nothing.
    Failed {
        /// The attempt.
        attempt: u64,
        /// Why.
        failure: Failure,
        /// Whether the platform may have issued a token all the same.
        outcome: Outcome,
    },
    /// The token of this attempt is stored.
    Kept {
        /// The attempt.
        attempt: u64,
    },
    /// The token of this attempt could not be stored; nothing was changed.
    KeepFailed {
        /// The attempt.
        attempt: u64,
    },
    /// The store holds the outcome of a newer attempt: ours is not current.
    KeepSuperseded {
        /// The attempt.
        attempt: u64,
    },
    /// The platform's cheapest call was made with a token.
    Probed {
        /// The probe.
        probe: u64,
        /// What came of it.
        verdict: Verdict,
    },
    /// The secret was read again after a refusal and is another one now.
    SecretChanged {
        /// See [`crate::record::Record::config_mark`].
        config_mark: [u8; 16],
    },
}

/// A token as the platform granted it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The token.
    pub token: Secret,
    /// How long it lives, counted from the moment it was asked for.
    pub life: Span,
}

/// Whether a failed fetch can have had an effect at the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request was not sent: it costs no budget.
    NotSent,
    /// The platform refused: no token was issued.
    Refused,
    /// The request was sent and nobody knows: the token may have been issued.
    Unknown,
}

/// What a probe says about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The platform accepts it.
    Alive,
    /// The platform refuses it.
    Dead,
    /// The platform could not be asked, or said something else.
    Unclear,
}
