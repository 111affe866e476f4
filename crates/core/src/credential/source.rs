//! What a derived credential needs of its source: a token to ask with, and another one when that is refused.
//!
//! The source lends its token for one fetch. If the platform refuses it, the source is told, which replaces it, and
//! the fetch is made again with the next one at once. A second refusal in a row is treated like any other failure,
//! and is only a claim towards the source: something else is wrong then, and must not rotate token after token.

use super::{Context, Credential, Plan};
use crate::budget::Cause;
use crate::failure::{Failure, FailureKind};
use crate::secret::Secret;
use crate::semantics::FetchKind;
use crate::time::{Now, Span};
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
    /// See to it that this generation was refused.
    Refused {
        /// The generation.
        generation: u64,
        /// Whether the refusal can have no other reason than a dead token.
        proven: bool,
    },
}

/// The token that the newest attempt asked with, and how it fared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Borrowed {
    /// Its generation; 0 where none is needed.
    generation: u64,
    /// The platform refused it.
    refused: bool,
    /// The next attempt waits for another one.
    awaited: bool,
}

/// How long a derived credential waits for news of its source before it looks by itself.
const LOOK_AGAIN: Span = Span::seconds(30);
/// What is planned within this is on its way.
const SOON: Span = Span::seconds(10);

impl Credential {
    /// Its token, for what is derived from it.
    #[must_use]
    pub fn lend(&self, now: Now) -> Source {
        if let Some(held) = self.usable(now.boot) {
            return Source::Token { token: held.token.clone(), generation: held.generation };
        }
        let under_way =
            self.attempt.is_running() || self.is_keeping_back() || self.probe.in_flight_since().is_some();
        if under_way || self.plan.at <= now.boot + SOON { Source::Awaited } else { Source::Missing }
    }

    /// Takes the source's token for the attempt that begins. `None` when there is none.
    pub(super) fn borrow_token(&mut self, cx: &Context<'_>) -> Option<Option<Secret>> {
        match &cx.source {
            Source::Unneeded => Some(None),
            Source::Token { token, generation } => {
                self.borrowed.generation = *generation;
                self.borrowed.awaited = false;
                Some(Some(token.clone()))
            }
            Source::Awaited | Source::Missing => None,
        }
    }

    /// The source has no token: the plan waits until it has one.
    pub(super) fn wait_for_source(&mut self, plan: Plan, cx: &mut Context<'_>) {
        self.borrowed.awaited = true;
        self.plan = Plan { at: cx.now.boot + LOOK_AGAIN, ..plan };
        cx.source_wish = Some(SourceWish::Token);
        self.dirty = true;
        self.miss_source(cx);
    }

    /// Whoever waits is told when there is no use in waiting.
    fn miss_source(&mut self, cx: &Context<'_>) {
        if self.borrowed.awaited && matches!(cx.source, Source::Missing) && self.trouble.is_none() {
            let detail = "there is no usable token of the credential that this one is derived from";
            self.set_trouble(Failure::new(FailureKind::SourceUnavailable, detail), cx.now.wall);
        }
    }

    /// A fetch failed: was it the source's token? If it was so for the first time, the next fetch waits for the
    /// token after it and for nothing else.
    pub(super) fn note_refused_source(&mut self, kind: FailureKind, cx: &mut Context<'_>) {
        let before = core::mem::replace(&mut self.borrowed.refused, kind == FailureKind::SourceRefused);
        if kind == FailureKind::SourceRefused {
            let generation = self.borrowed.generation;
            self.borrowed.awaited = !before;
            cx.source_wish = Some(SourceWish::Refused { generation, proven: !before });
        }
    }

    /// A fetch succeeded: whatever was refused before, it was made good.
    pub(super) fn forget_refused_source(&mut self) {
        self.borrowed.refused = false;
        self.borrowed.awaited = false;
    }

    /// The source shows something new: perhaps the token that is waited for.
    pub(super) fn on_source_changed(&mut self, cx: &mut Context<'_>) {
        let Source::Token { generation, .. } = cx.source else { return self.miss_source(cx) };
        let another = !self.borrowed.refused || generation != self.borrowed.generation;
        if !self.borrowed.awaited || !another || !self.may_begin() {
            return;
        }
        self.borrowed.awaited = false;
        let missing = |trouble: &Trouble| trouble.failure.kind == FailureKind::SourceUnavailable;
        if self.trouble.as_deref().is_some_and(missing) {
            self.clear_trouble();
        }
        let cause = if self.usable(cx.now.boot).is_some() { self.plan.cause } else { Cause::Person };
        self.plan = Plan::new(cx.now.boot, cause, FetchKind::Plain);
    }
}
