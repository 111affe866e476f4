//! Beginning a fetch, and what follows from its outcome.

use super::doubt::WORTH_WAITING;
use super::keeping::STALLED;
use super::{Context, Credential, Held, NEAR, Phase, Plan, Source};
use crate::budget::{Budget, Cause, Exhausted};
use crate::effect::{Effect, Happening};
use crate::event::{Grant, Outcome};
use crate::failure::{Class, Failure, FailureKind};
use crate::semantics::{FetchKind, IssueSemantics};
use crate::time::{Boot, Now, Span, beijing};

/// Why a refresh that somebody asked for is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRefused {
    /// Holders were told that they may rely on the token until then; only `force` breaks that.
    WouldBreakPromise {
        /// Until when holders rely on it.
        told_until: Boot,
    },
    /// The budget allows none before this moment.
    Limited {
        /// When to ask again.
        until: Boot,
    },
    /// The token fetched before could not be stored yet; another fetch would lose it.
    StoreFails,
    /// Nothing is begun any more: the process is about to end.
    Draining,
    /// This platform's token cannot be fetched: it is pushed.
    NotFetchable,
    /// There is no token of the credential from which this one is derived.
    NoSource,
}

/// Why an attempt cannot begin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hindrance {
    Draining,
    StoreFails,
    /// There is no token to ask with.
    NoSource,
    Budget(Exhausted),
}

/// With less life than this in hand, an embedded store that fails does not stop a fetch.
pub(super) const LAST_RESORT: Span = Span::minutes(10);
/// When no fetch can be forced any more today, a plain one is made this often.
const AFTER_FORCED: Span = Span::minutes(2);
/// The platform's devices disagree about midnight for this long.
const AROUND_MIDNIGHT: Span = Span::minutes(15);
const LONGEST_RETRY_AFTER: Span = Span::hours(24);

impl Credential {
    /// An operator asks for a refresh now. `Ok(true)` when it was begun, `Ok(false)` when one is running.
    ///
    /// # Errors
    /// It would break what holders were told, or the budget forbids it.
    pub fn refresh(&mut self, force: bool, cx: &mut Context<'_>) -> Result<bool, RefreshRefused> {
        if self.policy.semantics == IssueSemantics::PushedSeed {
            return Err(RefreshRefused::NotFetchable);
        }
        if !self.may_begin() {
            return Ok(false);
        }
        let now = cx.now.boot;
        if let Some(held) = self.usable(now)
            && !force
            && self.policy.semantics.rotates()
            && let Some(until) = self.fetches_nothing_until(held, now)
        {
            let told_until = (until + self.policy.safe_part).min(held.end);
            return Err(RefreshRefused::WouldBreakPromise { told_until });
        }
        let forced = force && self.policy.semantics == IssueSemantics::IdempotentUntilNearExpiry;
        let kind = if forced { FetchKind::Forced } else { FetchKind::Plain };
        let begun = match self.begin_unplanned(Cause::Person, kind, cx) {
            Ok(()) => Ok(true),
            Err(Hindrance::NoSource) if self.wait_for_source(Plan::new(now, Cause::Person, kind), cx) => {
                Ok(true)
            }
            Err(Hindrance::NoSource) => Err(RefreshRefused::NoSource),
            Err(Hindrance::Draining) => Err(RefreshRefused::Draining),
            Err(Hindrance::StoreFails) => Err(RefreshRefused::StoreFails),
            Err(Hindrance::Budget(Exhausted { until, .. })) => Err(RefreshRefused::Limited { until }),
        };
        self.advance(cx);
        begun
    }

    /// Until when holders count on it that there is no exclusive fetch, if that is later than now: the fetch
    /// before it has just begun their overlap, or they were told of the plan.
    fn fetches_nothing_until(&self, held: &Held, now: Boot) -> Option<Boot> {
        let apart = held.issued + self.policy.safe_part;
        let planned = if self.plan_is_promised() || self.exposure.count > 0 { self.plan.at } else { now };
        Some(apart.max(planned)).filter(|until| *until > now)
    }

    /// Whether nothing stands in the way of an attempt but time.
    pub(super) fn may_begin(&self) -> bool {
        !self.attempt.is_running()
            && !self.is_keeping_back()
            && self.policy.semantics != IssueSemantics::PushedSeed
    }

    /// Begins an attempt now. If that is not possible, everything stays as it was.
    pub(super) fn begin_unplanned(
        &mut self,
        cause: Cause,
        kind: FetchKind,
        cx: &mut Context<'_>,
    ) -> Result<(), Hindrance> {
        let plan = Plan::new(cx.now.boot, cause, kind);
        self.admit(plan, cx)?;
        self.start(plan, cx);
        Ok(())
    }

    /// Begins the attempt that is planned, or moves the plan to when it may begin.
    pub(super) fn begin_planned(&mut self, cx: &mut Context<'_>) {
        match self.admit(self.plan, cx) {
            Ok(()) => self.start(self.plan, cx),
            Err(Hindrance::Draining) => {}
            Err(Hindrance::StoreFails) => self.wait_for_store(cx),
            Err(Hindrance::NoSource) => {
                self.wait_for_source(self.plan, cx);
            }
            Err(Hindrance::Budget(exhausted)) => self.on_budget_refused(exhausted, cx.now),
        }
    }

    fn admit(&mut self, plan: Plan, cx: &mut Context<'_>) -> Result<(), Hindrance> {
        if cx.draining {
            return Err(Hindrance::Draining);
        }
        if self.unkept.is_some() && !self.is_last_resort(cx) {
            // An intent stored now would fence off the token that waits to be stored.
            return Err(Hindrance::StoreFails);
        }
        if matches!(cx.source, Source::Awaited | Source::Missing) {
            return Err(Hindrance::NoSource);
        }
        self.take_budget(plan.cause, plan.kind, cx.now).map_err(|exhausted| {
            let wait = exhausted.until - cx.now.boot;
            cx.effects.push(Effect::Tell(Happening::BudgetRefused { wait }));
            Hindrance::Budget(exhausted)
        })
    }

    fn start(&mut self, Plan { at, cause, kind, .. }: Plan, cx: &mut Context<'_>) {
        let now = cx.now;
        *cx.next_attempt += 1;
        let (id, begun) = (*cx.next_attempt, now.boot);
        self.attempt = super::Attempt { id, kind, cause, begun, started: begun, phase: Phase::Intending };
        self.plan = Plan::planned(Boot::NEVER);
        self.dirty = true;
        let late = if cause == Cause::Planned { now.boot - at } else { Span::ZERO };
        cx.effects.push(Effect::Tell(Happening::FetchBegun { cause, kind, late }));
        if self.policy.semantics.is_exclusive(kind) && self.unkept.is_none() {
            let mut record = self.record(now, cx.boot_id);
            record.exposure = Some(self.exposure_with_intent(now));
            record.reserved += 1;
            cx.effects.push(Effect::Intend { record: Box::new(record) });
        } else {
            self.send(cx);
        }
    }

    fn take_budget(&mut self, cause: Cause, kind: FetchKind, now: Now) -> Result<(), Exhausted> {
        if self.foreign.is_contested(now.boot) && self.usable(now.boot).is_none() {
            // While contested and without a token, a bucket of its own takes the place of the one for reports.
            let fetches = self.foreign.with_fetch(now.boot, self.policy.limits.contested_burst)?;
            let cause = if kind == FetchKind::Forced { cause } else { cause.max(Cause::Person) };
            self.budget.take(now, self.jitter(), &self.policy.limits, cause, kind)?;
            self.foreign.set_fetches(fetches);
            return Ok(());
        }
        self.budget.take(now, self.jitter(), &self.policy.limits, cause, kind)
    }

    /// The plan moves to when the budget allows it, and nobody who waits moves it back.
    fn on_budget_refused(&mut self, exhausted: Exhausted, now: Now) {
        let due = self.usable(now.boot).map(|held| held.due);
        self.dirty = true;
        self.stop_waiting_for_source();
        self.plan = match (self.plan.cause, due) {
            // A report of a token that still counts as usable must not push the planned refresh away.
            (Cause::Report, Some(due)) => Plan::planned(if due > now.boot { due } else { exhausted.until }),
            _ if exhausted.for_today => self.plan_without_budget(exhausted.until, now),
            _ => Plan { at: exhausted.until, ..self.plan },
        };
        self.plan.limited = true;
        self.retry_from = self.plan.at;
        let far = self.plan.at > now.boot + WORTH_WAITING;
        if far && self.usable(now.boot).is_none() && self.trouble.is_none() {
            let detail = "the budget of fetches allows none now";
            self.set_trouble(Failure::new(FailureKind::BudgetUsedUp, detail), now.wall);
        }
    }

    /// Who may use the last of the day's budget: a report that found the token dead turns into people waiting, and
    /// these into a plan with long pauses.
    fn plan_without_budget(&mut self, tomorrow: Boot, now: Now) -> Plan {
        let Plan { cause, kind, .. } = self.plan;
        let (at, cause, kind, used_up) = match (cause, kind) {
            // The platform renews by itself before long, and a plain ask is what learns of it.
            (_, FetchKind::Forced) => {
                let used_up = "the budget of forced fetches for today is used up";
                (now.boot + AFTER_FORCED, Cause::Person, FetchKind::Plain, Some(used_up))
            }
            (Cause::Report, _) => (now.boot + Span::seconds(30), Cause::Person, kind, None),
            (Cause::Person, _) => (now.boot + Span::minutes(10), Cause::Planned, kind, None),
            (Cause::Planned, _) => {
                (tomorrow, cause, kind, Some("the budget of fetches for today is used up"))
            }
        };
        if let Some(detail) = used_up {
            self.set_trouble(Failure::new(FailureKind::BudgetUsedUp, detail), now.wall);
        }
        Plan::new(at, cause, kind)
    }

    /// Asks the platform.
    fn send(&mut self, cx: &mut Context<'_>) {
        let Some(source) = self.borrow_token(cx) else {
            let detail = "the token of the credential that this one is derived from came to its end";
            self.fail(Failure::new(FailureKind::SourceUnavailable, detail), Outcome::NotSent, cx);
            return;
        };
        // Storing the intent may have taken a while: a token's life begins when the platform is asked.
        self.attempt.started = cx.now.boot;
        self.attempt.phase = Phase::Fetching;
        cx.effects.push(Effect::Fetch {
            attempt: self.attempt.id,
            kind: self.attempt.kind,
            timeout: self.policy.fetch_timeout(self.attempt.kind),
            source,
        });
    }

    pub(super) fn on_intended(&mut self, attempt: u64, cx: &mut Context<'_>) {
        if self.is_running(attempt, Phase::Intending) {
            self.send(cx);
        }
    }

    pub(super) fn on_intent_failed(&mut self, attempt: u64, cx: &mut Context<'_>) {
        if !self.is_running(attempt, Phase::Intending) {
            return;
        }
        if self.is_last_resort(cx) {
            self.send(cx);
        } else {
            let detail = "the intent to fetch a token could not be stored, so nothing was fetched";
            let failure = Failure::new(FailureKind::StoreUnavailable, detail);
            self.fail(failure, Outcome::NotSent, cx);
        }
    }

    /// Whether an embedded store that fails must not stop a fetch: the life of the token is nearly over. Before it
    /// is due there is time, whoever asks: a restart must be able to tell when a fetch without an intent is possible.
    fn is_last_resort(&self, cx: &Context<'_>) -> bool {
        let now = cx.now.boot;
        cx.embedded && self.usable(now).is_none_or(|held| held.due <= now && held.end - now < LAST_RESORT)
    }

    fn wait_for_store(&mut self, cx: &mut Context<'_>) {
        self.failures = self.failures.saturating_add(1);
        let pause = self.policy.backoff(cx.salt, self.name.as_str(), self.failures, true);
        self.plan.at = cx.now.boot + pause;
        let detail = "the token before could not be stored yet, so no new one was fetched";
        self.set_trouble(Failure::new(FailureKind::StoreUnavailable, detail), cx.now.wall);
    }

    /// Somebody waits and there is no token: fetch now, unless a failure says when to try again.
    pub(super) fn on_wanted(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.boot;
        let waiting_is_planned =
            self.trouble.is_some() || self.failures > 0 || self.plan.limited || self.is_to_be_probed();
        let far = self.plan.at > now + NEAR;
        if self.usable(now).is_none() && self.may_begin() && !waiting_is_planned && far {
            self.plan = Plan::new(now, Cause::Person, self.plan.kind);
        }
    }

    fn is_running(&self, attempt: u64, phase: Phase) -> bool {
        self.attempt.id == attempt && self.attempt.phase == phase
    }

    pub(super) fn on_granted(&mut self, attempt: u64, grant: Grant, cx: &mut Context<'_>) {
        match self.attempt.phase {
            Phase::Fetching if self.attempt.id == attempt => {}
            Phase::GivenUp if self.attempt.id == attempt => {
                cx.effects.push(Effect::Tell(Happening::LateAnswerKept));
            }
            _ => {
                cx.effects.push(Effect::Tell(Happening::LateAnswerDropped));
                return;
            }
        }
        self.attempt.phase = Phase::Over;
        self.dirty = true;
        self.forget_refused_source();
        let end = self.attempt.started + grant.life;
        match &self.held {
            Some(held) if held.token == grant.token => self.on_unchanged(end, cx),
            _ => self.keep(grant, cx),
        }
    }

    /// The platform returned the token that we have already.
    fn on_unchanged(&mut self, end: Boot, cx: &mut Context<'_>) {
        cx.effects.push(Effect::Tell(Happening::Unchanged));
        let (id, started, now) = (self.attempt.id, self.attempt.started, cx.now);
        let idempotent = self.policy.semantics == IssueSemantics::IdempotentUntilNearExpiry;
        let dead = self.held.as_ref().is_some_and(|held| held.revoked);
        if dead && idempotent && self.attempt.kind == FetchKind::Plain {
            // Only a report or a probe finds a token dead: forcing comes out of what they may cost.
            self.plan = Plan::new(now.boot, Cause::Report, FetchKind::Forced);
            return;
        }
        if dead {
            let detail = "the platform returned the very token that it refuses";
            self.fail(Failure::new(FailureKind::TokenUnchanged, detail), Outcome::Refused, cx);
            return;
        }
        self.exposure = super::Exposure::default();
        self.clear_trouble();
        let Some(held) = self.held.as_mut() else { return };
        (held.suspect, held.unsure) = (false, false);
        // Rounding to seconds makes the same end look a little different each time; the earlier one is safe.
        let same = (end - held.end).0.abs() <= 2_000;
        held.end = if same { held.end.min(end) } else { end };
        held.over = now.boot >= held.end;
        held.due = if idempotent {
            let apart = self.policy.apart(held.end - held.issued);
            let again = self.policy.ask_again(self.name.as_str(), id, now.boot, held.end);
            again.min(self.policy.next_firing(started + apart, now).max(now.boot))
        } else {
            let due = self.policy.due(self.name.as_str(), id, started, held.end, now);
            due.max(now.boot + Span::seconds(1))
        };
        self.plan = Plan::planned(held.due);
        self.note(cx);
    }

    pub(super) fn on_failed(
        &mut self,
        attempt: u64,
        failure: Failure,
        outcome: Outcome,
        cx: &mut Context<'_>,
    ) {
        if self.is_running(attempt, Phase::Fetching) {
            self.fail(failure, outcome, cx);
        } else if self.is_running(attempt, Phase::GivenUp) && outcome != Outcome::Unknown {
            // Better late than never: nothing was issued after all.
            self.attempt.phase = Phase::Over;
            if self.policy.semantics.is_exclusive(self.attempt.kind) {
                self.exposure.count = self.exposure.count.saturating_sub(1);
                self.dirty = true;
                self.note(cx);
            }
        }
    }

    /// A store that says nothing is as good as one that fails.
    pub(super) fn give_up_stalled_intent(&mut self, cx: &mut Context<'_>) {
        let attempt = self.attempt;
        if attempt.phase == Phase::Intending && cx.now.boot >= attempt.begun + STALLED {
            self.on_intent_failed(attempt.id, cx);
        }
    }

    /// The fetch has taken too long: its outcome counts as unknown, a late answer stays welcome.
    pub(super) fn give_up_slow_fetch(&mut self, cx: &mut Context<'_>) {
        let timeout = self.policy.fetch_timeout(self.attempt.kind);
        if self.attempt.phase == Phase::Fetching && cx.now.boot >= self.attempt.started + timeout {
            let detail = format!("the platform did not answer within {} ms", timeout.0);
            self.fail(Failure::new(FailureKind::TimedOut, detail), Outcome::Unknown, cx);
            self.attempt.phase = Phase::GivenUp;
        }
    }

    fn fail(&mut self, failure: Failure, outcome: Outcome, cx: &mut Context<'_>) {
        let now = cx.now;
        let kind = failure.kind;
        let ambiguous = outcome == Outcome::Unknown && self.policy.semantics.is_exclusive(self.attempt.kind);
        self.attempt.phase = Phase::Over;
        self.failures = self.failures.saturating_add(1);
        cx.effects.push(Effect::Tell(Happening::FetchFailed { kind, ambiguous }));
        if outcome == Outcome::NotSent {
            self.budget.give_back(self.attempt.kind);
        }
        if kind == FailureKind::BadSecret {
            cx.effects.push(Effect::RereadSecret);
        }
        let once_more = self.is_first_refusal(kind);
        let pause = self.note_refused_source(kind, cx);
        let (at, failure) =
            if ambiguous { self.after_ambiguous(failure, cx) } else { self.after_refusal(failure, cx) };
        let at = at.max(now.boot + pause);
        self.retry_from = at;
        // A refresh ahead of time that somebody asked for and that was refused is not tried again before the token
        // is due.
        let due = self.usable(now.boot).map(|held| held.due);
        let due = due.filter(|_| !ambiguous && !once_more && self.attempt.cause == Cause::Person);
        // A forced fetch was forced because the plain one gave a dead token; what to do next is asked anew.
        self.plan = Plan::new(at.max(due.unwrap_or(at)), self.retry_cause(now.boot), FetchKind::Plain);
        self.set_trouble(failure, now.wall);
        self.note(cx);
    }

    fn retry_cause(&self, now: Boot) -> Cause {
        if self.usable(now).is_some() { Cause::Planned } else { self.attempt.cause.max(Cause::Person) }
    }

    /// Nobody knows whether the platform issued a token: the old one may be in its overlap.
    fn after_ambiguous(&mut self, failure: Failure, cx: &mut Context<'_>) -> (Boot, Failure) {
        let now = cx.now.boot;
        let count = self.exposure.count.saturating_add(1);
        self.exposure = super::Exposure { count, last: self.attempt.started, over: now };
        let usable = self.usable(now).is_some();
        let backoff = now + self.policy.backoff(cx.salt, self.name.as_str(), self.failures, usable);
        match self.policy.semantics {
            IssueSemantics::SingleUseRefreshToken => {
                let failure = Failure { kind: FailureKind::RefreshTokenInDoubt, ..failure };
                let next_step = FailureKind::RefreshTokenInDoubt.next_step().into();
                (Boot::NEVER, Failure { next_step, ..failure })
            }
            _ => {
                // At once when the old one is over, whatever the pause would be.
                let over = self.usable(now).map_or(Boot::NEVER, |held| held.end);
                (backoff.max(self.earliest_after_exposure(now)).min(over), failure)
            }
        }
    }

    /// Nothing was issued, or issuing harms nobody.
    fn after_refusal(&mut self, mut failure: Failure, cx: &Context<'_>) -> (Boot, Failure) {
        let now = cx.now;
        let usable = self.usable(now.boot).is_some();
        let backoff = self.policy.backoff(cx.salt, self.name.as_str(), self.failures, usable);
        let asked =
            failure.retry_after.map_or(Span::ZERO, |wait| wait.clamp(Span::ZERO, LONGEST_RETRY_AFTER));
        let at = match failure.kind.class() {
            Class::Transient => now.boot + backoff.max(asked),
            Class::Throttled if failure.kind == FailureKind::QuotaUsedUp => {
                self.after_quota(&mut failure, now, asked)
            }
            Class::Throttled => now.boot + asked.max(Span::minutes(1)) + backoff.part(1, 10),
            Class::Blocked(Some(wait)) => now.boot + wait.max(asked) + self.jitter().part(1, 4),
            Class::Blocked(None) => Boot::NEVER,
        };
        (at.max(self.earliest_after_exposure(now.boot)), failure)
    }

    /// After a fetch of unknown outcome the next keeps its distance, as long as there is a token to spare.
    pub(super) fn earliest_after_exposure(&self, now: Boot) -> Boot {
        let overlap = self.policy.semantics == IssueSemantics::RotateWithOverlap;
        match self.usable(now) {
            Some(held) if overlap && self.exposure.count > 0 => {
                (self.exposure.last + self.policy.retry_after_ambiguous()).min(held.end)
            }
            _ => now,
        }
    }

    /// The platform's day is used up: by us, by somebody else, or only on a device whose day has not begun.
    fn after_quota(&self, failure: &mut Failure, now: Now, asked: Span) -> Boot {
        if asked > Span::ZERO {
            return now.boot + asked;
        }
        if beijing::since_midnight(now.wall) < AROUND_MIDNIGHT {
            return now.boot + Span::minutes(5);
        }
        if self.policy.limits.guessed {
            return now.boot + Span::hours(1);
        }
        let limit = self.policy.limits.per_day;
        let ours = self.budget.usage().fetches;
        if self.attempt.kind == FetchKind::Plain && ours < limit / 2 {
            failure.next_step = format!(
                "Someone else uses this app's budget: Tokenward itself fetched {ours} times today. Look for \
                 other programs that fetch tokens for this app, and point them here."
            )
            .into();
            return now.boot + Span::hours(1);
        }
        Budget::next_day(now, self.jitter())
    }

    pub(super) fn on_secret_changed(&mut self, config_mark: [u8; 16], cx: &mut Context<'_>) {
        if self.config_mark == config_mark {
            return;
        }
        self.config_mark = config_mark;
        if self.trouble.as_ref().is_some_and(|trouble| super::is_block(trouble.failure.kind)) {
            self.clear_trouble();
            if self.may_begin() {
                self.plan = Plan::planned(self.earliest_after_exposure(cx.now.boot).max(cx.now.boot));
            }
        }
    }
}
