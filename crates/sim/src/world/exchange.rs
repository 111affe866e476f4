//! The platform: fetches and probes, and what becomes of their answers.

use tokenward_core::budget::Budget;
use tokenward_core::event::{Event, Grant, Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind};
use tokenward_core::policy::Policy;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::Span;
use tokenward_core::view::Reading;

use super::{Coming, Played, World};
use crate::node::ID;
use crate::platform::Asker;

impl World {
    pub(super) fn send(&mut self, life: u32, attempt: u64, kind: FetchKind) -> Played {
        let now = self.now;
        let exclusive = self.policies.token.semantics.is_exclusive(kind);
        let view = self.node.as_ref().and_then(|node| node.fleet.view(ID, now));
        let usable = view.is_some_and(|view| matches!(view.read(now.boot), Reading::Token(..)));
        let forced = self.oracle.forced_at.is_some_and(|at| now.boot - at < Span::minutes(1));
        if self.attempts_in_flight > 0 {
            // The core gave up on a slow one; only its answer is still on its way.
            self.oracle.fetch_over();
        }
        self.attempts_in_flight += 1;
        self.oracle.sent_attempt = attempt;
        self.oracle.send(exclusive, usable, forced, &self.policies.token, now.boot)?;
        self.note(format!("sends attempt {attempt:x} {kind:?}"));
        let failed =
            |kind, outcome| Event::Failed { attempt, failure: Failure::new(kind, "simulated"), outcome };
        let delay = Span(self.random.between(1, 300));
        if !self.calm && self.random.per_mille(self.scenario.lost_requests) {
            let event = failed(FailureKind::Unreachable, Outcome::NotSent);
            self.come(delay, Coming::Hear(life, ID, event));
            return Ok(());
        }
        self.come(delay, Coming::Fetch { life, attempt, kind });
        Ok(())
    }

    pub(super) fn fetch(&mut self, life: u32, attempt: u64, kind: FetchKind) -> Played {
        let now = self.now.boot;
        self.summary.fetches += 1;
        if !self.wall_was_moved && !self.calm {
            let jitter = Span::ZERO;
            self.oracle.count_fetch(Budget::day(self.now.wall, jitter), &self.loose_budget())?;
        }
        let failed =
            |kind, outcome| Event::Failed { attempt, failure: Failure::new(kind, "simulated"), outcome };
        let back = Span(self.random.between(1, 300));
        if self.platform.is_down {
            let event = match self.random.between(1, 3) {
                1 => failed(FailureKind::PlatformError, Outcome::Unknown),
                2 => failed(FailureKind::PlatformBusy, Outcome::Refused),
                // Silence: the core gives up by itself.
                _ => return Ok(()),
            };
            self.come(back, Coming::Hear(life, ID, event));
            return Ok(());
        }
        if !self.calm && self.random.per_mille(self.scenario.refusals) {
            let scaled = self.scenario.life < Span::minutes(1);
            // A used up quota blocks for a day, which a scaled scenario does not have.
            let fourth = if scaled { FailureKind::PlatformBusy } else { FailureKind::QuotaUsedUp };
            let refusal = self.random.pick(&[
                FailureKind::PlatformBusy,
                FailureKind::RateLimited,
                FailureKind::IpNotAllowed,
                fourth,
            ]);
            self.come(back, Coming::Hear(life, ID, failed(refusal, Outcome::Refused)));
            return Ok(());
        }
        let event = match self.platform.fetch(Asker::Node, kind, now) {
            None => failed(FailureKind::RateLimited, Outcome::Refused),
            Some((token, left)) => {
                self.note(format!("platform gives token {token} for {left:?}"));
                self.oracle.issue();
                let life = Span::seconds(left.whole_seconds());
                Event::Granted { attempt, grant: Grant { token: Secret::new(token.to_string()), life } }
            }
        };
        let lost = !self.calm && self.random.per_mille(self.scenario.lost_answers);
        let event = match (lost, self.random.between(1, 3)) {
            (false, _) => event,
            // Later than the core waits, perhaps later than its next attempt.
            (true, 1) => {
                let late = Span(self.random.between(1_000, self.scenario.life.part(1, 20).0.max(1_001)));
                self.come(late, Coming::Hear(life, ID, event));
                return Ok(());
            }
            (true, 2) => failed(FailureKind::ConnectionLost, Outcome::Unknown),
            (true, _) => return Ok(()),
        };
        self.come(back, Coming::Hear(life, ID, event));
        Ok(())
    }

    /// The budget's day begins up to a minute later for each credential, so that a simulated day may hold
    /// the end of one budget and the beginning of the next.
    pub(super) fn loose_budget(&self) -> Policy {
        let mut policy = self.scenario.policy.clone();
        policy.limits.per_day *= 2;
        policy
    }

    pub(super) fn probe(&mut self, life: u32, probe: u64, token: u64) -> Played {
        let verdict = if self.platform.is_down {
            Verdict::Unclear
        } else if self.platform.is_alive(token, self.now.boot) {
            Verdict::Alive
        } else {
            Verdict::Dead
        };
        let back = Span(self.random.between(1, 300));
        self.note(format!("platform says {verdict:?} of token {token}"));
        self.come(back, Coming::Hear(life, ID, Event::Probed { probe, verdict }));
        Ok(())
    }
}
