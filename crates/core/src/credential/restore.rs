//! From the store and back: what a credential knows, in wall time.

use super::{Context, Credential, Exposure, Foreign, Held, Plan, Spec};
use crate::budget::{Budget, Cause};
use crate::effect::Effect;
use crate::record::{ExposureRecord, Record, TokenRecord, TroubleRecord};
use crate::secret::Secret;
use crate::semantics::{FetchKind, IssueSemantics};
use crate::time::{Boot, Now, Span};
use crate::view::Trouble;
use std::sync::Arc;

/// Generations that may have been published without being stored before a crash.
const UNSTORED_GENERATIONS: u64 = 64;
/// How far two readings of the same wall clock may differ without being a jump.
const CLOCK_TOLERANCE: Span = Span::seconds(2);

impl Credential {
    /// A credential as the store knows it. `token` is the stored token, if it could be unsealed; `crashed`
    /// when the last run did not end in good order.
    #[must_use]
    pub fn restore(
        spec: Spec,
        record: &Record,
        token: Option<Secret>,
        crashed: bool,
        now: Now,
    ) -> Credential {
        let mut credential = Credential::new(spec, now);
        credential.reserved = record.reserved + if crashed { UNSTORED_GENERATIONS } else { 0 };
        credential.attempt.id = record.attempt;
        credential.budget = Budget::restore(record.usage);
        if credential.fingerprint != record.fingerprint {
            // Another app, platform or scope under the same name: its token is none of ours.
            return credential;
        }
        credential.foreign = Foreign::restore(record.foreign, now);
        if let (Some(stored), Some(token)) = (record.token, token) {
            credential.held = restore_token(stored, token, now);
        }
        credential.restore_exposure(record.exposure, now);
        let due = credential.usable(now.boot).map_or(now.boot, |held| held.due);
        credential.plan.at = match credential.exposure.count {
            0 => due,
            _ => credential.exposure.last + credential.policy.retry_after_ambiguous(),
        };
        match credential.held.as_ref() {
            // What the probe says decides whether there is a fetch before the token is due.
            Some(held) if held.suspect && credential.policy.probe => credential.plan.at = held.due,
            Some(held) if held.suspect => credential.plan.at = now.boot,
            _ => {}
        }
        if let Some(trouble) = &record.trouble
            && record.config_mark == credential.config_mark
        {
            credential.restore_trouble(trouble, now);
        }
        credential
    }

    fn restore_exposure(&mut self, exposure: Option<ExposureRecord>, now: Now) {
        let Some(exposure) = exposure.filter(|_| self.held.is_some()) else { return };
        // A clock that was set back must not push the next fetch into the far future.
        let last = now.boot_of(exposure.last).min(now.boot);
        if self.policy.semantics == IssueSemantics::RotateWithOverlap {
            self.exposure = Exposure { count: exposure.count, last };
        }
    }

    /// A block holds over a restart; the wait of an ordinary backoff does not.
    fn restore_trouble(&mut self, trouble: &TroubleRecord, now: Now) {
        if !super::is_block(trouble.failure.kind) {
            return;
        }
        let longest = Span::hours(25);
        let at = trouble.retry_at.map_or(Boot::NEVER, |at| now.boot_of(at).min(now.boot + longest));
        self.failures = trouble.failures;
        self.plan = Plan { at, cause: Cause::Planned, kind: FetchKind::Plain };
        self.trouble = Some(Arc::new(Trouble {
            failure: trouble.failure.clone(),
            at: trouble.at,
            failures: trouble.failures,
        }));
    }

    /// What survives.
    #[must_use]
    pub fn record(&self, now: Now) -> Record {
        Record {
            name: self.name.clone(),
            fingerprint: self.fingerprint,
            config_mark: self.config_mark,
            attempt: self.attempt.id,
            reserved: self.reserved,
            token: self.held.as_ref().map(|held| token_record(held, now)),
            exposure: (self.exposure.count > 0).then(|| ExposureRecord {
                count: self.exposure.count,
                last: now.wall_of(self.exposure.last),
            }),
            usage: self.budget.usage(),
            trouble: self.trouble.as_ref().map(|trouble| TroubleRecord {
                failure: trouble.failure.clone(),
                at: trouble.at,
                retry_at: (self.plan.at < Boot::NEVER).then(|| now.wall_of(self.plan.at)),
                failures: trouble.failures,
            }),
            foreign: self.foreign.record(now),
        }
    }

    /// Stores what changed beside the token, unless a keep is under way that brings it all.
    pub(super) fn note(&self, cx: &mut Context<'_>) {
        if self.unkept.is_none() {
            cx.effects.push(Effect::Note { record: Box::new(self.record(cx.now)) });
        }
    }
}

pub(super) fn token_record(held: &Held, now: Now) -> TokenRecord {
    TokenRecord {
        generation: held.generation,
        issued: now.wall_of(held.issued),
        life: held.end - held.issued,
        ends: now.wall_of(held.end),
        due: now.wall_of(held.due),
        revoked: held.revoked,
    }
}

/// The stored token with what is left of it, never more than its original life.
fn restore_token(stored: TokenRecord, token: Secret, now: Now) -> Option<Held> {
    let left = (stored.ends - now.wall).min(stored.life);
    if left <= Span::ZERO || stored.revoked {
        return None;
    }
    let end = now.boot + left;
    Some(Held {
        token,
        generation: stored.generation,
        issued: end - stored.life,
        end,
        due: (end - (stored.ends - stored.due)).min(end),
        revoked: false,
        // The wall shows a time before the issue: it was set, and says nothing about what is left.
        suspect: now.wall + CLOCK_TOLERANCE < stored.issued,
        over: false,
    })
}
