//! What a derived credential needs of its source: a token to ask with, and another one when that is refused.
//!
//! The source lends its token for one fetch. If the platform refuses it, the source is told, and the next fetch waits
//! for the token after it. That is a claim like anybody's: the source verifies it with the platform's cheapest call, so
//! that a platform which refuses for another reason does not make us rotate one live token after the other. Refusals in
//! a row are minutes apart.

use super::doubt::WORTH_WAITING;
use super::{Context, Credential, Plan};
use crate::budget::Cause;
use crate::failure::{Class, Failure, FailureKind};
use crate::secret::Secret;
use crate::semantics::FetchKind;
use crate::time::{Boot, Now, Span};
use crate::view::Trouble;

/// The token of the credential from which another is derived, as that one sees it.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// The credential is fetched with its secret and needs nobody's token.
    #[default]
    Unneeded,
    /// This is the one to ask with.
    Token {
        /// The token.
        token: Secret,
        /// Its generation.
        generation: u64,
    },
    /// There is none yet, and one is on its way.
    Awaited,
    /// There is none, and nobody knows when there will be one.
    Missing,
}

/// What a derived credential wants its source to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceWish {
    /// Fetch a token: somebody waits for what is derived from it.
    Token,
    /// Find out whether the token of this generation is dead: it was refused.
    Doubt {
        /// The generation.
        generation: u64,
    },
}

/// The token that the newest attempt asked with, and how it fared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Borrowed {
    /// Its generation; 0 where none is needed.
    generation: u64,
    /// The platform refused it.
    refused: bool,
    /// The next attempt is made as soon as there is another one.
    awaited: bool,
    /// The source is at work on it.
    coming: bool,
}

/// How long a derived credential waits for news of its source before it looks by itself.
const LOOK_AGAIN: Span = Span::seconds(30);
/// How long the source has to find out whether its token is dead, before the same one is asked with again.
const VERIFYING: Span = Span::seconds(3);
/// The least time between two fetches whose token is refused, if it is no other.
const REFUSED_AGAIN: Span = Span::minutes(2);

impl Credential {
    /// Its token, for what is derived from it.
    #[must_use]
    pub fn lend(&self, now: Now) -> Source {
        if let Some(held) = self.usable(now.boot) {
            return Source::Token { token: held.token.clone(), generation: held.generation };
        }
        let under_way = self.attempt.is_running()
            || self.is_keeping_back()
            || self.probe.in_flight_since().is_some()
            || self.borrowed.coming;
        if under_way || self.plan.at <= now.boot + WORTH_WAITING { Source::Awaited } else { Source::Missing }
    }

    /// Takes the source's token for the attempt that begins. `None` when there is none.
    pub(super) fn borrow_token(&mut self, cx: &Context<'_>) -> Option<Option<Secret>> {
        match &cx.source {
            Source::Unneeded => Some(None),
            Source::Token { token, generation } => {
                self.borrowed.generation = *generation;
                self.stop_waiting_for_source();
                Some(Some(token.clone()))
            }
            Source::Awaited | Source::Missing => None,
        }
    }

    /// The source has no token: the plan waits until it has one. Says whether one is on its way.
    pub(super) fn wait_for_source(&mut self, plan: Plan, cx: &mut Context<'_>) -> bool {
        self.borrowed.awaited = true;
        self.plan = Plan { at: cx.now.boot + LOOK_AGAIN, ..plan };
        cx.source_wish = Some(SourceWish::Token);
        self.dirty = true;
        self.watch_source(cx);
        self.borrowed.coming
    }

    /// Whoever waits is told whether there is a use in waiting.
    fn watch_source(&mut self, cx: &Context<'_>) {
        let coming = self.borrowed.awaited && matches!(cx.source, Source::Awaited);
        self.dirty |= self.borrowed.coming != coming;
        self.borrowed.coming = coming;
        if !self.borrowed.awaited || !matches!(cx.source, Source::Missing) {
            return;
        }
        let passing = |trouble: &Trouble| {
            let kind = trouble.failure.kind;
            kind.class() == Class::Transient && kind != FailureKind::SourceUnavailable
        };
        if self.trouble.as_deref().is_none_or(passing) {
            let detail = "there is no usable token of the credential that this one is derived from";
            self.set_trouble(Failure::new(FailureKind::SourceUnavailable, detail), cx.now.wall);
        }
    }

    /// A fetch failed. If it was the source's token, the next one waits for the token after it, and if it was so before,
    /// for minutes: returned is the least time until then.
    pub(super) fn note_refused_source(&mut self, kind: FailureKind, cx: &mut Context<'_>) -> Span {
        if kind != FailureKind::SourceRefused {
            return Span::ZERO;
        }
        let again = core::mem::replace(&mut self.borrowed.refused, true);
        self.borrowed.awaited = true;
        cx.source_wish = Some(SourceWish::Doubt { generation: self.borrowed.generation });
        if again { REFUSED_AGAIN } else { VERIFYING }
    }

    /// Whether a failure is the first refusal of the source's token, upon which another attempt follows in any case.
    pub(super) fn is_first_refusal(&self, kind: FailureKind) -> bool {
        kind == FailureKind::SourceRefused && !self.borrowed.refused
    }

    /// A fetch succeeded: whatever was refused before, it was made good.
    pub(super) fn forget_refused_source(&mut self) {
        self.borrowed.refused = false;
        self.stop_waiting_for_source();
    }

    /// The next attempt depends on something else.
    pub(super) fn stop_waiting_for_source(&mut self) {
        self.borrowed.awaited = false;
        self.borrowed.coming = false;
    }

    /// Whether an attempt will follow as soon as the source has a token, and that is soon.
    pub(super) fn is_waiting_for_source(&self, now: Boot) -> bool {
        self.borrowed.awaited && (self.borrowed.coming || self.plan.at <= now + WORTH_WAITING)
    }

    /// Whether the source is at work on the token that the next attempt needs.
    pub(super) fn is_source_coming(&self) -> bool {
        self.borrowed.coming
    }

    /// The source shows something new: perhaps the token that is waited for.
    pub(super) fn on_source_changed(&mut self, cx: &mut Context<'_>) {
        let Source::Token { generation, .. } = cx.source else { return self.watch_source(cx) };
        let another = generation != self.borrowed.generation;
        if !self.borrowed.awaited || !self.may_begin() || (self.borrowed.refused && !another) {
            return;
        }
        self.stop_waiting_for_source();
        let missing = |trouble: &Trouble| trouble.failure.kind == FailureKind::SourceUnavailable;
        if self.trouble.as_deref().is_some_and(missing) {
            self.clear_trouble();
        }
        let cause = if self.usable(cx.now.boot).is_some() { self.plan.cause } else { Cause::Person };
        self.plan = Plan::new(cx.now.boot, cause, FetchKind::Plain);
    }
}
