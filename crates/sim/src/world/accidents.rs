//! Accidents: outages, rivals, clock jumps, suspends, operators.

use tokenward_core::fleet::Effects;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::Span;
use tokenward_store::Fault;

use super::{Accident, Coming, Played, World};
use crate::node::ID;
use crate::platform::Asker;

impl World {
    pub(super) fn plan_accidents(&mut self) {
        let scenario = &self.scenario;
        let all = [
            (scenario.outages, Accident::Outage),
            (scenario.rivals, Accident::Rival),
            (scenario.wall_jumps, Accident::WallJump),
            (scenario.suspends, Accident::Suspend),
            (scenario.operators, Accident::Operator),
        ];
        for (every, accident) in all {
            self.plan(every, accident);
        }
    }

    pub(super) fn plan(&mut self, every: Option<Span>, accident: Accident) {
        if let Some(every) = every {
            let after = Span(self.random.between(1, every.0 * 2));
            self.come(after, Coming::Accident(accident));
        }
    }

    pub(super) fn happen(&mut self, accident: Accident) -> Played {
        self.note(format!("accident: {accident:?}"));
        let now = self.now;
        match accident {
            Accident::Outage => {
                self.platform.is_down = true;
                let length = Span(self.random.between(1, self.scenario.life.0));
                self.come(length, Coming::Accident(Accident::OutageOver));
                self.plan(self.scenario.outages, accident);
            }
            Accident::OutageOver => self.platform.is_down = false,
            Accident::Rival => {
                if self.random.per_mille(300) {
                    self.platform.forget_all(now.boot);
                } else {
                    self.platform.fetch(Asker::Rival, FetchKind::Forced, now.boot);
                }
                self.plan(self.scenario.rivals, accident);
            }
            Accident::WallJump => {
                self.wall_was_moved = true;
                let far = self.scenario.life.part(2, 1).0;
                self.now.wall = now.wall + Span(self.random.between(-far, far));
                self.plan(self.scenario.wall_jumps, accident);
            }
            Accident::Suspend => self.suspend(),
            Accident::Operator => {
                self.plan(self.scenario.operators, accident);
                return self.operate();
            }
            Accident::StoreHeals => self.store.set_fault(Fault::None),
        }
        Ok(())
    }

    /// The machine sleeps: everything that was to come meanwhile comes late, the platform goes on.
    pub(super) fn suspend(&mut self) {
        let length = Span(self.random.between(1, self.scenario.life.part(3, 2).0));
        let to = self.now.boot + length;
        let due: Vec<_> = self.queue.range(..(to, 0)).map(|(key, _)| *key).collect();
        for key in due {
            if let Some(coming) = self.queue.remove(&key) {
                // What is under way at the platform happens there in time; the node hears of it late.
                match coming {
                    Coming::Use(_) => {}
                    other => {
                        self.sequence += 1;
                        self.queue.insert((to, self.sequence), other);
                    }
                }
            }
        }
        self.pass(to);
        self.plan(self.scenario.suspends, Accident::Suspend);
    }

    pub(super) fn operate(&mut self) -> Played {
        let now = self.now;
        let force = self.random.per_mille(500);
        let Some(node) = self.node.as_mut() else { return Ok(()) };
        let mut effects = Effects::new();
        let answer = node.fleet.refresh(ID, force, now, &mut effects);
        if force && matches!(answer, Some(Ok(_))) {
            self.oracle.forced_at = Some(now.boot);
        }
        self.note(format!("operator refreshes, force {force}: {answer:?}"));
        self.carry_out(effects)
    }
}
