//! What readers see: a snapshot of one credential, published whole, read without a lock.
//!
//! Invariant: a reader with a view and the time can answer every question without asking the core. A view
//! never offers a token beyond its end, however old the view is.

use std::sync::Arc;

use crate::failure::Failure;
use crate::secret::Secret;
use crate::time::{Boot, Span, Wall};

/// A snapshot of one credential.
#[derive(Clone, Debug)]
pub struct View {
    /// What it is called now.
    pub state: State,
    /// The generation of the token in hand; 0 when there is none.
    pub generation: u64,
    /// The token that may be handed out, if there is one.
    pub offer: Option<Offer>,
    /// When the next attempt is planned; `None` when only a person can help, or one is running.
    pub next_fetch: Option<Boot>,
    /// Whether an attempt is running, or what it was granted is being stored.
    pub fetching: bool,
    /// The last failure, if nothing has succeeded since.
    pub trouble: Option<Arc<Trouble>>,
    /// Foreign refreshes.
    pub foreign: ForeignView,
    /// What is left of the day's budget; `None` where there is no limit.
    pub budget_remaining: Option<u32>,
    /// What was used of the day's budget.
    pub budget_used: u32,
    /// Whether the published token is not stored yet because the store fails.
    pub unkept: bool,
}

/// A token that may be handed out, and for how long holders may rely on it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The token.
    pub token: Secret,
    /// Its generation.
    pub generation: u64,
    /// When it was asked for.
    pub issued: Boot,
    /// Its true end.
    pub end: Boot,
    /// What limits its told life.
    pub told: Told,
    /// Whether somebody else fetches for the same app, so that nobody is told more than two minutes.
    pub contested: bool,
}

/// What limits the told life of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing but its true end.
    TrueEnd,
    /// No exclusive fetch begins before this moment; its safe part follows.
    Planned {
        /// When the next fetch is planned.
        fetch: Boot,
        /// How long the token is good after that.
        safe_part: Span,
    },
    /// An exclusive fetch is running or has an unknown outcome: good until this moment.
    Until {
        /// The end of the safe part.
        end: Boot,
        /// Until when a reader does better to wait for the fetch than to take the token after `end`.
        hold: Boot,
    },
    /// The token may be dead already, and nobody can say.
    Doubtful {
        /// Until when a reader does better to wait for news.
        hold: Boot,
    },
}

/// What a credential is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// There is no token yet; the first is being fetched.
    Pending,
    /// There is a usable token and nothing is wrong.
    Live,
    /// There is a usable token and refreshing it failed; it is tried again.
    Retrying,
    /// Somebody else keeps fetching tokens for the same app.
    Contested,
    /// Trying again is no use until somebody acts or a wait is over. There may be a usable token still.
    Blocked,
    /// There is no usable token.
    Expired,
}

/// The last failure.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What happened.
    pub failure: Failure,
    /// When.
    pub at: Wall,
    /// How many attempts failed in a row.
    pub failures: u32,
}

/// Deaths of our tokens that were not our doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ForeignView {
    /// How often today (UTC+8).
    pub times_today: u32,
    /// The last time.
    pub last: Option<Wall>,
}

/// What a reader may do now.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// Hand this out; holders may rely on it until the moment named.
    Token(&'a Offer, Boot),
    /// Wait for a new view until the moment named, then look again.
    Wait(Boot),
    /// There is nothing to hand out.
    Nothing,
}

impl State {
    /// All states.
    pub const ALL: [State; 6] =
        [State::Pending, State::Live, State::Retrying, State::Contested, State::Blocked, State::Expired];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Live => "live",
            State::Retrying => "retrying",
            State::Contested => "contested",
            State::Blocked => "blocked",
            State::Expired => "expired",
        }
    }
}

impl View {
    /// Before anything is known.
    #[must_use]
    pub fn pending() -> View {
        View {
            state: State::Pending,
            generation: 0,
            offer: None,
            next_fetch: None,
            fetching: false,
            trouble: None,
            foreign: ForeignView::default(),
            budget_remaining: None,
            budget_used: 0,
            unkept: false,
        }
    }

    /// What a reader may do at `now`.
    #[must_use]
    pub fn read(&self, now: Boot) -> Reading<'_> {
        match &self.offer {
            Some(offer) if now < offer.end => match offer.hold(now) {
                Some(until) => Reading::Wait(until),
                None => Reading::Token(offer, offer.told_end(now)),
            },
            _ => Reading::Nothing,
        }
    }
}

impl Offer {
    /// Until when a holder who asks at `now` may rely on the token. Never after its end.
    #[must_use]
    pub fn told_end(&self, now: Boot) -> Boot {
        let doubtful = now + crate::policy::DOUBTFUL_LIFE;
        let told = match self.told {
            Told::TrueEnd => self.end,
            Told::Planned { fetch, safe_part } => fetch.max(now) + safe_part,
            Told::Until { end, .. } if end > now => end,
            Told::Until { .. } | Told::Doubtful { .. } => doubtful,
        };
        let told = if self.contested { told.min(now + crate::policy::CONTESTED_LIFE) } else { told };
        told.min(self.end)
    }

    /// Whether a reader does better to wait for news, and until when.
    fn hold(&self, now: Boot) -> Option<Boot> {
        let hold = match self.told {
            Told::Until { end, hold } if end <= now => hold,
            Told::Doubtful { hold } => hold,
            _ => return None,
        };
        (hold > now).then_some(hold.min(self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(told: Told) -> Offer {
        Offer {
            token: Secret::new("t"),
            generation: 1,
            issued: Boot(0),
            end: Boot(7_200_000),
            told,
            contested: false,
        }
    }

    #[test]
    fn before_the_planned_fetch_the_told_end_stands_still() {
        let offer = offer(Told::Planned { fetch: Boot(3_000_000), safe_part: Span(150_000) });
        assert_eq!(offer.told_end(Boot(1)), Boot(3_150_000));
        assert_eq!(offer.told_end(Boot(3_000_000)), Boot(3_150_000));
    }

    #[test]
    fn after_the_planned_fetch_it_moves_along() {
        let offer = offer(Told::Planned { fetch: Boot(3_000_000), safe_part: Span(150_000) });
        assert_eq!(offer.told_end(Boot(4_000_000)), Boot(4_150_000));
    }

    #[test]
    fn nobody_is_told_more_than_the_true_end() {
        let offer = offer(Told::Planned { fetch: Boot(7_100_000), safe_part: Span(150_000) });
        assert_eq!(offer.told_end(Boot(0)), Boot(7_200_000));
    }

    #[test]
    fn contested_tokens_are_told_two_minutes() {
        let offer = Offer { contested: true, ..offer(Told::TrueEnd) };
        assert_eq!(offer.told_end(Boot(1_000)), Boot(121_000));
    }

    #[test]
    fn when_the_safe_part_is_over_readers_wait_for_the_fetch_and_then_take_what_there_is() {
        let told = Told::Until { end: Boot(10_000), hold: Boot(12_000) };
        let view = View { offer: Some(offer(told)), ..View::pending() };
        assert!(matches!(view.read(Boot(9_999)), Reading::Token(_, Boot(10_000))));
        assert!(matches!(view.read(Boot(10_000)), Reading::Wait(Boot(12_000))));
        assert!(matches!(view.read(Boot(12_000)), Reading::Token(_, Boot(14_000))));
    }

    #[test]
    fn an_old_view_never_offers_a_token_after_its_end() {
        let view = View { offer: Some(offer(Told::TrueEnd)), ..View::pending() };
        assert!(matches!(view.read(Boot(7_200_000)), Reading::Nothing));
    }
}
