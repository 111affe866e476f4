//! Readers and holders: they read, use, report, and sometimes lie.

use tokenward_core::credential::{Credential, ReportAnswer};
use tokenward_core::event::Event;
use tokenward_core::fleet::Effects;
use tokenward_core::time::Span;
use tokenward_core::view::Reading;

use super::{Coming, Played, World, has_fetch};
use crate::node::ID;
use crate::oracle::Holder;

impl World {
    pub(super) fn read(&mut self) -> Played {
        let spread = self.scenario.reads.0;
        let step = if self.calm { spread * 50 } else { spread };
        let next = Span(self.random.between(1, step * 2));
        self.come(next, Coming::Read);
        let now = self.now.boot;
        let Some(node) = self.node.as_mut() else { return Ok(()) };
        match node.view.read(now) {
            Reading::Nothing => {
                let mut effects = Effects::new();
                node.fleet.handle(ID, Event::Wanted, self.now, &mut effects);
                self.carry_out(effects)
            }
            Reading::Wait(until) => {
                if until - now > Span::seconds(3) {
                    return Err(format!("promise 1: a read waits until {until:?} although there is a token"));
                }
                Ok(())
            }
            Reading::Token(offer, told_end) => {
                self.summary.reads += 1;
                let holder = self.oracle.hand_out(offer, told_end, now)?;
                self.use_token(holder)?;
                let left = (told_end - now).0;
                if left > 1 {
                    // Near the end is where it hurts.
                    let half = self.random.per_mille(500);
                    let when = if half { left - 1 } else { self.random.between(1, left - 1) };
                    self.come(Span(when), Coming::Use(holder));
                }
                Ok(())
            }
        }
    }

    pub(super) fn use_token(&mut self, holder: Holder) -> Played {
        let accepted = self.oracle.use_token(holder, &self.platform, self.now.boot)?;
        let lies = !self.calm && self.random.per_mille(self.scenario.false_reports);
        if accepted && !lies {
            return Ok(());
        }
        self.summary.refusals += u64::from(!accepted);
        self.note(format!("generation {} is reported, accepted: {accepted}", holder.generation));
        let now = self.now;
        let proven = !accepted && self.random.per_mille(300);
        let Some(node) = self.node.as_mut() else { return Ok(()) };
        let mut effects = Effects::new();
        let current = node.fleet.get(ID).map_or(0, Credential::generation);
        let answer = node.fleet.report(ID, holder.generation, proven, now, &mut effects);
        if holder.generation != current && (answer != Some(ReportAnswer::Superseded) || has_fetch(&effects)) {
            return Err(format!("promise 4: a report of generation {} is {answer:?}", holder.generation));
        }
        self.carry_out(effects)
    }
}
