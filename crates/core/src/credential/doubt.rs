//! Doubt about the token in hand: reports that it was refused, probes, and fetches with unknown outcome.
//!
//! A report is a claim. Where refreshing harms others it is verified with the platform's cheapest call;
//! reports that come meanwhile share the answer.

use super::fetching::Hindrance;
use super::{Context, Credential, Exposure, NEAR, Plan};
use crate::budget::{Cause, Exhausted};
use crate::effect::{Effect, Happening};
use crate::event::Verdict;
use crate::failure::Class;
use crate::semantics::{FetchKind, IssueSemantics};
use crate::time::{Boot, Now, Span};
use crate::view::Trouble;

/// What becomes of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportAnswer {
    /// The reported generation is not the current one: read the current one.
    Superseded,
    /// A probe has just found the token alive.
    Alive,
    /// It is being verified or replaced: wait until [`Credential::is_settled`].
    Pending,
    /// Reports have used up their share of the budget.
    Limited {
        /// When to report again.
        until: Boot,
    },
    /// The platform could not be asked before this report either, for the reason that the view shows; what is
    /// planned about it serves the report too.
    Failing,
    /// What was set in motion is over, and whether the token is alive is not known. Never the first answer.
    Unclear,
}

/// The probing of the token in hand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probe {
    /// Counts probes, so that an answer that comes too late is not taken for that to another one.
    number: u64,
    in_flight: bool,
    /// A report waits for it.
    asked: bool,
    started: Option<Boot>,
    /// When the last probe that was answered was begun.
    answered: Option<Boot>,
    /// When the last probe that found the token alive was begun.
    alive: Option<Boot>,
}

/// A reporter waits for an attempt that is planned within this.
pub(super) const WORTH_WAITING: Span = Span::seconds(10);
/// The shell answers every probe; should it not, the probe counts as unclear after this.
const PROBE_TIMEOUT: Span = Span::seconds(10);

impl Probe {
    /// A new token: what was asked about the old one is of no interest.
    pub(super) fn forget(&mut self) {
        *self = Probe { number: self.number, started: self.started, ..Probe::default() };
    }

    /// When the first probe since `moment` was begun, if it is still in flight: news worth waiting for.
    pub(super) fn first_since(&self, moment: Boot) -> Option<Boot> {
        self.in_flight_since().filter(|_| self.answered.is_none_or(|answered| answered < moment))
    }

    pub(super) fn in_flight_since(&self) -> Option<Boot> {
        self.started.filter(|_| self.in_flight)
    }
}

impl Credential {
    /// A client says that the token of `generation` was refused. `proven` when our own gateway saw it.
    pub fn report(&mut self, generation: u64, proven: bool, cx: &mut Context<'_>) -> ReportAnswer {
        let answer = self.take_report(generation, proven, cx);
        self.advance(cx);
        answer
    }

    fn take_report(&mut self, generation: u64, proven: bool, cx: &mut Context<'_>) -> ReportAnswer {
        let now = cx.now.boot;
        let Some(held) = &self.held else {
            return if self.reserved >= generation {
                ReportAnswer::Superseded
            } else {
                ReportAnswer::Pending
            };
        };
        if held.generation != generation || now >= held.end {
            return ReportAnswer::Superseded;
        }
        if held.revoked {
            return ReportAnswer::Pending;
        }
        if proven {
            self.found_dead(cx);
            return ReportAnswer::Pending;
        }
        if self.verifies_by_probe() {
            // Reports come in crowds: those on the heels of a probe share its answer.
            let fresh = self.policy.probe_spacing(held.end - held.issued).part(1, 10);
            if !self.probe.in_flight && self.probe.alive.is_some_and(|alive| now - alive < fresh) {
                return ReportAnswer::Alive;
            }
            self.probe.asked = true;
            return ReportAnswer::Pending;
        }
        self.fetch_for_report(cx)
    }

    /// Whether a claim is verified with the platform's cheapest call, because a fetch could do harm.
    fn verifies_by_probe(&self) -> bool {
        self.policy.semantics.dies_by_foreign_fetch() && self.policy.probe
    }

    /// Fetching harms nobody (or nothing can verify the claim): fetch, within what reports may cost.
    fn fetch_for_report(&mut self, cx: &mut Context<'_>) -> ReportAnswer {
        let now = cx.now.boot;
        if !self.may_begin() {
            return ReportAnswer::Pending;
        }
        if self.trouble.is_some() && self.plan.at > now {
            return ReportAnswer::Failing;
        }
        match self.begin_unplanned(Cause::Report, FetchKind::Plain, cx) {
            Ok(()) => ReportAnswer::Pending,
            Err(Hindrance::Budget(Exhausted { until, .. })) => ReportAnswer::Limited { until },
            Err(Hindrance::NoSource) => {
                let coming = self.wait_for_source(Plan::new(now, Cause::Report, FetchKind::Plain), cx);
                if coming { ReportAnswer::Pending } else { ReportAnswer::Failing }
            }
            Err(Hindrance::StoreFails | Hindrance::Draining) => ReportAnswer::Failing,
        }
    }

    /// A reader wants more life than the token has left. Where a fetch ahead of time harms nobody it is made,
    /// within what reports may cost. Says whether a fetch is under way.
    pub fn fetch_ahead(&mut self, min_ttl: Span, cx: &mut Context<'_>) -> bool {
        let now = cx.now.boot;
        let wanted = self.usable(now).is_some_and(|held| {
            let attainable = min_ttl <= (held.end - held.issued).part(9, 10);
            attainable && held.end - now < min_ttl
        });
        let harmless = self.policy.semantics.can_fetch_ahead() && !self.policy.limits.guessed;
        if wanted && harmless && self.may_begin() {
            self.fetch_for_report(cx);
            self.advance(cx);
        }
        self.attempt.is_running() || self.is_keeping_back()
    }

    /// Whether everything that a report of `generation` set in motion is over.
    #[must_use]
    pub fn is_settled(&self, generation: u64, now: Boot) -> bool {
        let Some(held) = &self.held else {
            return !(self.attempt.is_running() || self.is_waiting_for_source(now));
        };
        if held.generation != generation {
            return true;
        }
        let verifying = self.probe.asked || self.probe.in_flight;
        let fetching = self.attempt.is_running() || self.unkept.is_some() || self.is_waiting_for_source(now);
        // Where nothing verifies a claim, every fetch answers it, also one that was planned.
        let answers = !self.verifies_by_probe() || self.attempt.cause == Cause::Report;
        // Dead, and the next attempt is far away: there is nothing to wait for.
        let replacing = held.revoked && (fetching || self.plan.at < now + WORTH_WAITING);
        !(replacing || verifying || (fetching && answers))
    }

    /// Whether the token in hand may be dead by our own doing: two exclusive fetches with unknown outcome
    /// (the second kills the oldest at once), or one whose overlap is over; a forced one leaves no overlap.
    pub(super) fn is_doubtful(&self, now: Boot) -> bool {
        let over = self.exposure.last + (self.policy.overlap - self.policy.skew).max(self.policy.safe_part);
        let unsure = self.held.as_ref().is_some_and(|held| held.unsure);
        unsure
            || match self.policy.semantics {
                IssueSemantics::RotateWithOverlap => {
                    self.exposure.count >= 2 || (self.exposure.count == 1 && now >= over)
                }
                IssueSemantics::IdempotentUntilNearExpiry => self.exposure.count > 0,
                _ => false,
            }
    }

    fn is_suspect(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.suspect)
    }

    /// Whether a probe decides if the token may be handed out.
    pub(super) fn is_to_be_probed(&self) -> bool {
        self.is_suspect() && self.policy.probe
    }

    /// When a probe may begin next; `NEVER` when nobody wants one.
    fn next_probe(&self) -> Boot {
        let Some(held) = self.held.as_ref().filter(|held| !held.revoked && self.policy.probe) else {
            return Boot::NEVER;
        };
        if self.probe.in_flight || self.attempt.is_running() {
            return Boot::NEVER;
        }
        let life = held.end - held.issued;
        let after = |spacing: Span| self.probe.started.map_or(Boot(i64::MIN), |started| started + spacing);
        if self.probe.asked || self.is_suspect() {
            after(self.policy.probe_spacing(life))
        } else if self.exposure.count >= 2 || self.foreign.contested_until().is_some() {
            after(self.policy.watch_spacing(life))
        } else {
            Boot::NEVER
        }
    }

    pub(super) fn probe_wakeup(&self) -> Boot {
        match self.probe.in_flight_since() {
            Some(since) => since + PROBE_TIMEOUT,
            None => self.next_probe(),
        }
    }

    pub(super) fn advance_probe(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.boot;
        if self.probe.in_flight_since().is_some_and(|since| now >= since + PROBE_TIMEOUT) {
            self.on_probed(self.probe.number, &Verdict::Unclear, cx);
        }
        if self.next_probe() > now {
            return;
        }
        let (asked, suspect) = (self.probe.asked, self.is_suspect());
        self.probe.started = Some(now);
        let Some(held) = self.held.as_ref().filter(|held| now < held.end) else {
            self.probe.asked = false;
            return;
        };
        let token = held.token.clone();
        self.probe.number += 1;
        let probe = self.probe.number;
        if self.budget.take_probe(cx.now, self.jitter()) {
            self.probe.in_flight = true;
            self.dirty |= self.exposure.count > 0;
            cx.effects.push(Effect::Probe { probe, token });
        } else if asked || suspect {
            self.probe.in_flight = true;
            self.on_probed(probe, &Verdict::Unclear, cx);
        }
    }

    /// How a report of `generation` ended that was made at `since`, once [`is_settled`](Self::is_settled) says so.
    #[must_use]
    pub fn outcome(&self, generation: u64, since: Boot) -> ReportAnswer {
        let is_held = self.held.as_ref().is_some_and(|held| held.generation == generation && !held.revoked);
        let is_alive = self.probe.alive.is_some_and(|alive| alive >= since);
        match is_held && self.verifies_by_probe() && !is_alive {
            true => ReportAnswer::Unclear,
            false => ReportAnswer::Alive,
        }
    }

    pub(super) fn on_probed(&mut self, probe: u64, verdict: &Verdict, cx: &mut Context<'_>) {
        if self.probe.number != probe || !self.probe.in_flight {
            return;
        }
        self.probe.in_flight = false;
        self.probe.asked = false;
        self.probe.answered = self.probe.started;
        if self.held.as_ref().is_none_or(|held| held.revoked) {
            return;
        }
        match verdict {
            Verdict::Alive => self.found_alive(cx),
            Verdict::Dead => self.found_dead(cx),
            Verdict::Unclear if self.is_suspect() && self.trouble.is_none() => self.fetch_at_once(cx),
            Verdict::Unclear => self.dirty |= self.exposure.count > 0,
        }
    }

    fn found_alive(&mut self, cx: &mut Context<'_>) {
        cx.effects.push(Effect::Tell(Happening::FoundAlive));
        if let Some(held) = self.held.as_mut().filter(|held| held.suspect) {
            // It works, and nobody knows for how long: serve it, and get one whose life is known.
            held.suspect = false;
            held.unsure = true;
            self.plan = Plan::planned(cx.now.boot);
            if self.policy.semantics == IssueSemantics::RotateWithOverlap {
                self.doubt_at_start(cx.now);
            }
        }
        let asked_at = self.probe.started.unwrap_or(cx.now.boot);
        // Alive although a whole overlap has passed since the last of them can have arrived: none was issued.
        // Before that, one of them may have been, and nobody knows which, so the doubt stays.
        // A forced one kills at once.
        let overlap = self.policy.semantics == IssueSemantics::RotateWithOverlap;
        let late = if overlap { self.policy.overlap + self.policy.skew } else { NEAR };
        if asked_at >= self.exposure.over + late {
            self.exposure = Exposure::default();
        }
        self.probe.alive = Some(asked_at);
        self.dirty = true;
    }

    /// The platform refuses the token in hand: it is never handed out again, and one fetch follows.
    pub(super) fn found_dead(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        cx.effects.push(Effect::Tell(Happening::FoundDead));
        let Some(held) = self.held.as_mut() else { return };
        held.revoked = true;
        let left = held.end - now.boot;
        let margin = self.policy.skew.max((held.end - held.issued).part(1, 20));
        // A forced fetch of ours that is under way kills it, too.
        let forcing =
            (self.attempt.is_running() || self.is_keeping_back()) && self.attempt.kind == FetchKind::Forced;
        let own_doing = self.exposure.count > 0 || forcing;
        if !own_doing && left > margin {
            self.note_foreign(cx);
        }
        self.fetch_at_once(cx);
        self.publish_soon(now.boot);
        self.note(cx);
        self.dirty = true;
    }

    /// Plans a fetch for now, or for when the last failure says that it makes sense.
    fn fetch_at_once(&mut self, cx: &mut Context<'_>) {
        if !self.may_begin() {
            return;
        }
        let transient = |trouble: &Trouble| trouble.failure.kind.class() == Class::Transient;
        let wait = self.trouble.as_ref().is_some_and(|trouble| !transient(trouble));
        let at = if wait { self.retry_from.max(cx.now.boot) } else { cx.now.boot };
        if !wait || at < self.plan.at {
            self.plan = Plan::new(at, Cause::Report, FetchKind::Plain);
        }
    }

    /// What is stored with an intent: the fetch counts as one of unknown outcome until it is known.
    pub(super) fn exposure_with_intent(&self, now: Now) -> crate::record::ExposureRecord {
        crate::record::ExposureRecord { count: self.exposure.count.saturating_add(1), last: now.wall }
    }
}
