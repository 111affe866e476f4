//! What the core wants done. The shell carries effects out and answers with events.

use crate::budget::Cause;
use crate::failure::FailureKind;
use crate::record::Record;
use crate::secret::Secret;
use crate::semantics::FetchKind;
use crate::time::Span;
use crate::view::{State, View};

/// One thing to do for one credential.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Store that an exclusive fetch is about to be made, with its generation and budget, in one commit;
    /// answer `Intended` or `IntentFailed`. The record's `attempt` names it.
    Intend {
        /// What to store.
        record: Box<Record>,
    },
    /// Ask the platform for a token; answer `Granted` or `Failed`, also when it takes longer than `timeout`.
    Fetch {
        /// The attempt.
        attempt: u64,
        /// Plain or forced.
        kind: FetchKind,
        /// When the core stops waiting. A later answer is still welcome.
        timeout: Span,
        /// The token to ask with, of the credential from which this one is derived.
        source: Option<Secret>,
    },
    /// Store a token; answer `Kept`, `KeepFailed` or `KeepSuperseded`.
    Keep {
        /// The attempt that fetched it.
        attempt: u64,
        /// What to store beside the token.
        record: Box<Record>,
        /// The token, to be sealed.
        token: Secret,
    },
    /// Store what changed beside the token. Nothing depends on it: if it fails, it is lost.
    Note {
        /// What to store; the stored token stays.
        record: Box<Record>,
    },
    /// Make the platform's cheapest call with this token; answer `Probed`.
    Probe {
        /// Which probe of the credential it is: the answer to an older one is of no interest.
        probe: u64,
        /// The token.
        token: Secret,
    },
    /// Read the secret again; answer `SecretChanged` if it is another one.
    RereadSecret,
    /// Show this to readers from now on.
    Publish {
        /// What readers see.
        view: Box<View>,
    },
    /// Tell people: logs, metrics, the live view.
    Tell(Happening),
}

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A fetch began.
    FetchBegun {
        /// Why.
        cause: Cause,
        /// Plain or forced.
        kind: FetchKind,
        /// How long after its planned time.
        late: Span,
    },
    /// A new token is published.
    Rotated {
        /// Its generation.
        generation: u64,
        /// Its life.
        life: Span,
        /// Whether it is stored; if not, keeping goes on.
        kept: bool,
    },
    /// The platform returned the token that we have.
    Unchanged,
    /// A fetch failed.
    FetchFailed {
        /// Why.
        kind: FailureKind,
        /// Whether the platform may have issued a token.
        ambiguous: bool,
    },
    /// An answer came after its attempt had been given up, and was kept.
    LateAnswerKept,
    /// An answer came after a newer attempt had begun, and was dropped.
    LateAnswerDropped,
    /// The budget forbids a fetch.
    BudgetRefused {
        /// Until when, as a span from now.
        wait: Span,
    },
    /// A token could not be stored.
    KeepFailed,
    /// A token could be stored after all.
    KeptLate,
    /// A probe found the token alive.
    FoundAlive,
    /// The token was found dead.
    FoundDead,
    /// The token died long before its end without our doing.
    ForeignRefresh {
        /// How often today.
        times_today: u32,
    },
    /// The last usable token is over.
    Expired,
    /// What the credential is called now.
    StateChanged {
        /// Before.
        from: State,
        /// Now.
        to: State,
    },
}
