//! Asking again too early: how an SDK that saw a refused token lets it be known.
//!
//! SDKs do not report; they fetch again. So a caller that was handed a token and comes back long before its end
//! may have seen it refused somewhere, and the token is worth a look: the platform's cheapest call, once in half
//! a minute for each credential, and not at all while calls with that token go through.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokenward_core::fleet::CredentialId;
use tokenward_core::time::{Boot, Span};

/// What was handed out to whom.
#[derive(Debug, Default)]
pub struct Hints {
    credentials: Mutex<HashMap<CredentialId, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    looked: Option<Boot>,
    /// Few callers share a credential: they are looked through.
    holders: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    caller: Box<str>,
    generation: u64,
    since: Boot,
    told_end: Boot,
}

/// A token that is about to be handed out.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The credential.
    pub id: CredentialId,
    /// Who asks.
    pub caller: &'a str,
    /// The generation that would be handed out.
    pub generation: u64,
    /// Until when its holder would be told to rely on it.
    pub told_end: Boot,
    /// Whether the caller says outright that it wants another token.
    pub forced: bool,
    /// When the platform last took a call with that token.
    pub accepted: Option<Boot>,
}

/// Whoever comes back sooner shares a configuration with somebody else, and has not tried the token yet.
const SOONEST: Span = Span::seconds(5);
/// Between two looks at one credential.
const SPACING: Span = Span::seconds(30);

impl Hints {
    /// Notes that a token is asked for, and says whether it should be looked at first.
    pub fn note(&self, ask: Ask<'_>, now: Boot) -> bool {
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = credentials.entry(ask.id).or_default();
        let early = seen.note_holder(&ask, now);
        let works = ask.accepted.is_some_and(|at| now - at < SOONEST);
        let lately = seen.looked.is_some_and(|at| now - at < SPACING);
        let worth = (early || ask.forced) && !works && !lately;
        if worth {
            seen.looked = Some(now);
        }
        worth
    }
}

impl Seen {
    /// Whether this caller was given the same token before, long enough ago to have tried it, and well before its
    /// end.
    fn note_holder(&mut self, ask: &Ask<'_>, now: Boot) -> bool {
        let fresh =
            |caller| Holder { caller, generation: ask.generation, since: now, told_end: ask.told_end };
        let Some(holder) = self.holders.iter_mut().find(|holder| &*holder.caller == ask.caller) else {
            self.holders.push(fresh(ask.caller.into()));
            return false;
        };
        if holder.generation != ask.generation {
            *holder = fresh(std::mem::take(&mut holder.caller));
            return false;
        }
        // SDKs come back ahead of the end on their own account: the second half is theirs.
        let half = (holder.told_end - holder.since).part(1, 2);
        now - holder.since >= SOONEST && now < holder.since + half
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(generation: u64) -> Ask<'static> {
        Ask {
            id: CredentialId(1),
            caller: "orders",
            generation,
            told_end: Boot(3_600_000),
            forced: false,
            accepted: None,
        }
    }

    #[test]
    fn coming_back_early_is_a_hint_once_in_half_a_minute() {
        let hints = Hints::default();
        let asks = [(0, false), (4_000, false), (5_000, true), (20_000, false), (35_000, true)];
        for (at, worth) in asks {
            assert_eq!(hints.note(ask(1), Boot(at)), worth, "after {at} ms");
        }
    }

    #[test]
    fn another_caller_another_generation_and_the_second_half_of_its_life_are_no_hints() {
        let hints = Hints::default();
        assert!(!hints.note(ask(1), Boot(0)));
        assert!(!hints.note(Ask { caller: "members", ..ask(1) }, Boot(10_000)));
        assert!(!hints.note(ask(2), Boot(20_000)));
        assert!(!hints.note(ask(2), Boot(2_000_000)));
    }

    #[test]
    fn a_token_that_is_being_accepted_is_not_looked_at() {
        let hints = Hints::default();
        assert!(!hints.note(ask(1), Boot(0)));
        assert!(!hints.note(Ask { accepted: Some(Boot(9_000)), ..ask(1) }, Boot(10_000)));
        assert!(hints.note(Ask { accepted: Some(Boot(9_000)), ..ask(1) }, Boot(14_000)));
    }

    #[test]
    fn who_says_so_outright_is_believed_at_once() {
        let hints = Hints::default();
        assert!(hints.note(Ask { forced: true, ..ask(1) }, Boot(0)));
        assert!(!hints.note(Ask { forced: true, ..ask(1) }, Boot(1_000)));
    }
}
