//! A granted token on its way into the store and to the readers: kept first, then published.

use super::{Context, Credential, Exposure, HOLD, Held, Plan};
use crate::effect::{Effect, Happening};
use crate::event::Grant;
use crate::semantics::FetchKind;
use crate::time::{Boot, Span};

/// A token that the platform granted and the store does not have yet.
#[derive(Clone, Debug)]
pub(super) struct Unkept {
    attempt: u64,
    held: Held,
    tries: u32,
    /// `None` while a keep is on its way.
    retry_at: Option<Boot>,
    /// When the token is published even if it is not kept: the one before it is about to die.
    publish_by: Boot,
    published: bool,
}

impl Unkept {
    pub(super) fn next_wakeup(&self) -> Boot {
        let publish = if self.published { Boot::NEVER } else { self.publish_by };
        self.retry_at.unwrap_or(Boot::NEVER).min(publish)
    }

    pub(super) fn is_published(&self) -> bool {
        self.published
    }
}

/// How long a stalled store may keep a token from readers who have no other.
pub(super) const STALLED: Span = Span::seconds(5);

/// Between two tries to store a token before the process ends.
const DRAIN_PAUSE: Span = Span(200);

impl Credential {
    /// The process is about to end: a token that waits to be stored again waits no longer.
    pub fn hurry(&mut self, cx: &mut Context<'_>) {
        if let Some(retry_at) = self.unkept.as_deref_mut().and_then(|unkept| unkept.retry_at.as_mut()) {
            *retry_at = cx.now.boot;
        }
        self.advance(cx);
    }

    /// Whether a token was granted that readers do not have yet, because it is being stored.
    pub(super) fn is_keeping_back(&self) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| !unkept.is_published())
    }

    pub(super) fn is_keeping(&self, attempt: u64) -> bool {
        self.unkept.as_ref().is_some_and(|unkept| unkept.attempt == attempt)
    }

    /// Whether what was just granted may have killed the token in hand at once: it was forced, or a fetch before it
    /// may have been granted, too.
    fn grant_may_have_killed(&self) -> bool {
        self.attempt.kind == FetchKind::Forced || self.exposure.count > 0
    }

    /// The token in hand was found dead: what was granted waits for the store no longer than readers do.
    pub(super) fn publish_soon(&mut self, now: Boot) {
        if let Some(unkept) = self.unkept.as_deref_mut() {
            let soon = if unkept.tries > 0 { now } else { now + HOLD };
            unkept.publish_by = unkept.publish_by.min(soon);
        }
    }

    /// Reserves a generation for what was granted and has it stored.
    pub(super) fn keep(&mut self, grant: Grant, cx: &mut Context<'_>) {
        let issued = self.attempt.started;
        let end = issued + grant.life;
        self.reserved += 1;
        let generation = self.reserved;
        let due = self.policy.due(self.name.as_str(), generation, issued, end, cx.now);
        let token = grant.token;
        let held = Held {
            token,
            generation,
            issued,
            end,
            due,
            revoked: false,
            suspect: false,
            unsure: false,
            over: false,
        };
        let publish_by = match self.usable(cx.now.boot) {
            Some(old) if self.grant_may_have_killed() => old.end.min(cx.now.boot + HOLD),
            Some(old) if self.policy.semantics.is_exclusive(self.attempt.kind) => {
                old.end.min(issued + self.policy.safe_part)
            }
            Some(old) => old.end,
            None => cx.now.boot + STALLED,
        };
        self.plan = Plan::planned(due);
        self.unkept = Some(Box::new(Unkept {
            attempt: self.attempt.id,
            held,
            tries: 0,
            retry_at: None,
            publish_by,
            published: false,
        }));
        self.send_keep(cx);
    }

    fn send_keep(&mut self, cx: &mut Context<'_>) {
        let mut record = self.record(cx.now, cx.boot_id);
        if let Some(unkept) = self.unkept.as_deref_mut() {
            unkept.retry_at = None;
            record.attempt = unkept.attempt;
            record.token = Some(super::restore::token_record(&unkept.held, cx.now));
            record.exposure = None;
            record.trouble = None;
            cx.effects.push(Effect::Keep {
                attempt: unkept.attempt,
                record: Box::new(record),
                token: unkept.held.token.clone(),
            });
        }
    }

    /// Publishes what cannot wait for the store any longer, and tries to store again.
    pub(super) fn advance_keep(&mut self, cx: &mut Context<'_>) {
        let Some(unkept) = self.unkept.as_deref() else { return };
        let publish = !unkept.published && cx.now.boot >= unkept.publish_by;
        let retry = unkept.retry_at.is_some_and(|at| cx.now.boot >= at);
        if publish {
            self.publish_unkept(false, cx);
        }
        if retry {
            self.send_keep(cx);
        }
    }

    pub(super) fn on_kept(&mut self, attempt: u64, cx: &mut Context<'_>) {
        if !self.is_keeping(attempt) {
            return;
        }
        let late = self.unkept.as_ref().is_some_and(|unkept| unkept.published);
        if !late {
            self.publish_unkept(true, cx);
        }
        self.unkept = None;
        if late {
            cx.effects.push(Effect::Tell(Happening::KeptLate));
            // Much may have happened to it since that record was made.
            self.note(cx);
        }
        self.dirty = true;
    }

    pub(super) fn on_keep_failed(&mut self, attempt: u64, cx: &mut Context<'_>) {
        if !self.is_keeping(attempt) {
            return;
        }
        cx.effects.push(Effect::Tell(Happening::KeepFailed));
        let (usable, killed) = (self.usable(cx.now.boot).is_some(), self.grant_may_have_killed());
        if let Some(unkept) = self.unkept.as_deref_mut() {
            unkept.tries = unkept.tries.saturating_add(1);
            let backoff = self.policy.backoff(cx.salt, self.name.as_str(), unkept.tries, usable);
            let pause = if cx.draining { DRAIN_PAUSE } else { backoff };
            unkept.retry_at = Some(cx.now.boot + pause);
            if !usable || killed {
                unkept.publish_by = cx.now.boot;
            }
        }
        self.dirty = true;
    }

    /// Another node's newer attempt is stored: ours is not the current token any more.
    pub(super) fn on_keep_superseded(&mut self, attempt: u64, cx: &mut Context<'_>) {
        if !self.is_keeping(attempt) {
            return;
        }
        self.unkept = None;
        cx.effects.push(Effect::Tell(Happening::LateAnswerDropped));
        let pause = self.policy.backoff(cx.salt, self.name.as_str(), 1, false);
        self.plan = Plan::planned(cx.now.boot + pause);
        self.dirty = true;
    }

    fn publish_unkept(&mut self, kept: bool, cx: &mut Context<'_>) {
        let Some(unkept) = self.unkept.as_deref_mut() else { return };
        unkept.published = true;
        let held = unkept.held.clone();
        let (generation, life) = (held.generation, held.end - held.issued);
        self.plan = Plan::planned(held.due);
        self.held = Some(held);
        self.exposure = Exposure::default();
        self.probe.forget();
        self.clear_trouble();
        self.dirty = true;
        cx.effects.push(Effect::Tell(Happening::Rotated { generation, life, kept }));
    }
}
