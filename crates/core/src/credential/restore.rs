//! From the store and back: what a credential knows, in wall time.

use super::fetching::LAST_RESORT;
use super::keeping::STALLED;
use super::{Context, Credential, Exposure, Foreign, Held, Plan, Spec};
use crate::budget::Budget;
use crate::effect::Effect;
use crate::failure::{Failure, FailureKind};
use crate::fleet::Settings;
use crate::record::{ClockRecord, ExposureRecord, Record, TokenRecord, TroubleRecord};
use crate::secret::Secret;
use crate::semantics::IssueSemantics;
use crate::time::{Boot, Now, Span};
use crate::view::Trouble;
use std::sync::Arc;

/// Generations that one run may have published without storing them: a store that failed for six weeks.
const UNSTORED_GENERATIONS: u64 = 1_000;
/// How long a request may be on its way to the platform after its sender died.
const IN_FLIGHT: Span = Span::seconds(1);
/// How long a credential that was blocked waits after a crash in the middle of an attempt.
const AFTER_CRASH: Span = Span::minutes(1);
/// How far two readings of the same wall clock may differ without being a jump.
const CLOCK_TOLERANCE: Span = Span::seconds(2);

impl Credential {
    /// A credential of which the store knows nothing: it is new, or a run that could not store anything
    /// crashed.
    #[must_use]
    pub fn unknown(spec: Spec, settings: &Settings, now: Now) -> Credential {
        let reserved = highest_generation(None, settings.last_crash);
        let mut credential = Credential { reserved, ..Credential::new(spec, now) };
        credential.let_requests_arrive(settings, now);
        credential
    }

    /// A credential as the store knows it. `token` is the stored token, if it could be unsealed.
    #[must_use]
    pub fn restore(
        spec: Spec,
        record: &Record,
        token: Option<Secret>,
        settings: &Settings,
        now: Now,
    ) -> Credential {
        let mut credential = Credential::new(spec, now);
        credential.reserved = highest_generation(Some(record), settings.last_crash);
        credential.attempt.id = record.attempt;
        credential.budget = Budget::restore(record.usage);
        credential.let_requests_arrive(settings, now);
        if credential.fingerprint != record.fingerprint {
            // Another app, platform or scope under the same name: its token is none of ours.
            return credential;
        }
        let clocks = Clocks::since(record, settings.boot_id, now);
        credential.foreign = Foreign::restore(record.foreign, clocks.then, now.boot);
        if let (Some(stored), Some(token)) = (record.token, token) {
            credential.held = restore_token(stored, token, now, &clocks);
        }
        credential.heed_schedule(now);
        credential.restore_exposure(record.exposure, now, &clocks);
        if let Some(held) = &credential.held {
            let exposed = credential.exposure.count > 0;
            credential.plan.at = match held {
                // A dead token is kept only to be recognised, should the platform return it.
                held if held.revoked => credential.plan.at,
                // What the probe says decides whether there is a fetch before the token is due.
                held if held.suspect && credential.policy.probe => held.due,
                held if held.suspect || exposed => {
                    // The store tells when the fetch was decided; it was made when its intent was stored.
                    let apart = credential.policy.semantics == IssueSemantics::RotateWithOverlap;
                    let slack = if apart { credential.policy.safe_part.part(1, 10) } else { Span::ZERO };
                    let slack = slack.min(STALLED);
                    let earliest = (credential.earliest_after_exposure(now.boot) + slack).min(held.end);
                    if exposed { earliest.max(credential.plan.at) } else { credential.plan.at }
                }
                held => held.due,
            };
        }
        credential.allow_for_hidden_fetch(settings, now);
        if credential.exposure.count > 0
            && credential.policy.semantics == IssueSemantics::SingleUseRefreshToken
        {
            // Redeeming it a second time could revoke everything.
            let detail = "the process ended while the refresh token was being redeemed";
            credential.set_trouble(Failure::new(FailureKind::RefreshTokenInDoubt, detail), now.wall);
            credential.plan = Plan::planned(Boot::NEVER);
        }
        if let Some(trouble) = &record.trouble
            && record.config_mark == credential.config_mark
        {
            credential.restore_trouble(trouble, now, &clocks);
        }
        credential
    }

    /// The request of a run that crashed a moment ago may still be on its way. Were it answered after ours, it
    /// would take our token's place.
    fn let_requests_arrive(&mut self, settings: &Settings, now: Now) {
        if settings.has_just_crashed() && self.policy.semantics.rotates() {
            self.plan.at = now.boot + IN_FLIGHT;
        }
    }

    /// A schedule that was not there when the due time was drawn. Where a refresh harms the token, holders were told
    /// of that due time, and the schedule has to wait for the next generation.
    fn heed_schedule(&mut self, now: Now) {
        let Some(held) = self.held.as_mut().filter(|_| !self.policy.semantics.rotates()) else { return };
        let earliest = held.issued + self.policy.apart(held.end - held.issued);
        held.due = held.due.min(self.policy.next_firing(earliest.max(now.boot), now));
    }

    fn restore_exposure(&mut self, exposure: Option<ExposureRecord>, now: Now, clocks: &Clocks) {
        let single_use = self.policy.semantics == IssueSemantics::SingleUseRefreshToken;
        let Some(exposure) = exposure.filter(|_| self.held.is_some() || single_use) else { return };
        // A clock that was set back must not push the next fetch into the far future.
        let last = clocks.then.boot_of(exposure.last).min(now.boot);
        // What a run that crashed has sent may arrive a little later.
        self.exposure = Exposure { count: exposure.count, last, over: now.boot + IN_FLIGHT };
    }

    /// Shortly before the end, a store that fails does not stop a fetch. A run that crashed then may have
    /// begun one of which nothing is stored: nobody is told to rely on the token, and the next fetch keeps
    /// its distance.
    fn allow_for_hidden_fetch(&mut self, settings: &Settings, now: Now) {
        let possible =
            |held: &Held| !held.revoked && held.due <= now.boot && held.end - now.boot < LAST_RESORT;
        let overlap = self.policy.semantics == IssueSemantics::RotateWithOverlap;
        if !(settings.has_just_crashed() && overlap && self.held.as_ref().is_some_and(possible)) {
            return;
        }
        self.doubt_at_start(now);
    }

    /// Nobody knows what was fetched before this start, or when.
    pub(super) fn doubt_at_start(&mut self, now: Now) {
        self.exposure =
            Exposure { count: self.exposure.count.max(2), last: now.boot, over: now.boot + IN_FLIGHT };
        self.plan.at = self.earliest_after_exposure(now.boot);
    }

    /// A block holds over a restart; the wait of an ordinary backoff does not.
    fn restore_trouble(&mut self, trouble: &TroubleRecord, now: Now, clocks: &Clocks) {
        if !super::is_block(trouble.failure.kind) {
            return;
        }
        let longest = Span::hours(25);
        let at = trouble.retry_at.map_or(Boot::NEVER, |at| clocks.then.boot_of(at).min(now.boot + longest));
        // A fetch of unknown outcome keeps its distance, whatever else went wrong.
        let at = if self.exposure.count > 0 { at.max(self.plan.at) } else { at };
        self.failures = trouble.failures;
        self.plan = Plan::planned(at);
        self.retry_from = at;
        self.trouble = Some(Arc::new(Trouble {
            failure: trouble.failure.clone(),
            at: trouble.at,
            failures: trouble.failures,
        }));
    }

    /// What survives.
    #[must_use]
    pub fn record(&self, now: Now, boot_id: u64) -> Record {
        Record {
            name: self.name.clone(),
            fingerprint: self.fingerprint,
            config_mark: self.config_mark,
            clocks: ClockRecord { boot_id, booted: now.wall_of(Boot(0)) },
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
                retry_at: self.retry_at(now).map(|at| now.wall_of(at)),
                failures: trouble.failures,
            }),
            foreign: self.foreign.record(now),
        }
    }

    /// When a restart tries again. If it comes while an attempt is running, nobody knows how that ended.
    fn retry_at(&self, now: Now) -> Option<Boot> {
        if self.attempt.is_running() {
            return Some(now.boot + AFTER_CRASH);
        }
        (self.plan.at < Boot::NEVER).then_some(self.plan.at)
    }

    /// Stores what changed beside the token, unless a keep is under way that brings it all.
    pub(super) fn note(&self, cx: &mut Context<'_>) {
        if self.unkept.is_none() {
            cx.effects.push(Effect::Note { record: Box::new(self.record(cx.now, cx.boot_id)) });
        }
    }
}

/// The highest generation that may have been handed out: runs that crashed may have published more than they stored
/// since the record, whose attempt tells which run stored it.
#[must_use]
pub fn highest_generation(stored: Option<&Record>, last_crash: Option<u32>) -> u64 {
    let (reserved, attempt) = stored.map_or((0, 0), |record| (record.reserved, record.attempt));
    let stored_by = attempt >> 32;
    let runs = last_crash.map_or(0, |last| (u64::from(last) + 1).saturating_sub(stored_by));
    reserved + runs * UNSTORED_GENERATIONS
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

/// How the record's wall times translate into boot times.
struct Clocks {
    /// A reading of both clocks that goes together with the record's wall times.
    then: Now,
    /// The record was made in this very boot: no wall clock is needed to tell what is left of a life.
    same_boot: bool,
}

impl Clocks {
    fn since(record: &Record, boot_id: u64, now: Now) -> Clocks {
        let same_boot = boot_id != 0 && record.clocks.boot_id == boot_id;
        let then = if same_boot { Now { boot: Boot(0), wall: record.clocks.booted } } else { now };
        Clocks { then, same_boot }
    }
}

/// The stored token with what is left of it, never more than its original life.
fn restore_token(stored: TokenRecord, token: Secret, now: Now, clocks: &Clocks) -> Option<Held> {
    let left = (clocks.then.boot_of(stored.ends) - now.boot).min(stored.life);
    if left <= Span::ZERO {
        return None;
    }
    let end = now.boot + left;
    Some(Held {
        token,
        generation: stored.generation,
        issued: end - stored.life,
        end,
        due: (end - (stored.ends - stored.due)).min(end),
        revoked: stored.revoked,
        // The wall shows a time before the issue: it was set, and says nothing about what is left.
        suspect: !clocks.same_boot && now.wall + CLOCK_TOLERANCE < stored.issued,
        unsure: false,
        over: false,
    })
}
