//! The store: writes arrive late, fail, or are the last thing before a crash.

use tokenward_core::event::Event;
use tokenward_core::fleet::CredentialId;
use tokenward_core::time::Span;
use tokenward_store::{Applied, Fault, Store as _, Write};

use super::{Accident, Ack, Coming, Played, World};
use crate::node::ID;

impl World {
    pub(super) fn write(&mut self, life: u32, id: CredentialId, write: Write, ack: Ack) {
        let delay = if self.random.per_mille(20) { 4_000 } else { 20 };
        let delay = Span(self.random.between(1, delay));
        // One writer: what was written first arrives first.
        let at = (self.now.boot + delay).max(self.last_write);
        self.last_write = at;
        self.come(at - self.now.boot, Coming::Store(life, id, Box::new(write), ack));
    }

    pub(super) fn carry_out_write(&mut self, life: u32, id: CredentialId, write: &Write, ack: Ack) -> Played {
        // A write that was on its way when the node died may reach the disk or not.
        let alive = self.node.as_ref().is_some_and(|node| node.life == life);
        if !alive {
            return Ok(());
        }
        if !self.calm && self.random.per_mille(self.scenario.store_failures) {
            let fault = self.random.pick(&[Fault::Full, Fault::Locked]);
            self.store.set_fault(fault);
            let heals = Span(self.random.between(1, self.scenario.life.part(1, 3).0));
            self.come(heals, Coming::Accident(Accident::StoreHeals));
        }
        let applied = pollster::block_on(self.store.apply(std::slice::from_ref(write)));
        let applied = applied.ok().and_then(|applied| applied.first().copied());
        if id == ID && !matches!(ack, Ack::Nothing) {
            self.oracle.unstored = applied.is_none();
        }
        if let (ID, Ack::Intent(attempt) | Ack::Keep(attempt), Some(_)) = (id, ack, applied) {
            self.oracle.stored_attempt = attempt;
        }
        if self.crashes_here() {
            self.crash();
            return Ok(());
        }
        let event = match (ack, applied) {
            (Ack::Nothing, _) => return Ok(()),
            (Ack::Intent(attempt), Some(Applied::Stored)) => Event::Intended { attempt },
            (Ack::Intent(attempt), _) => Event::IntentFailed { attempt },
            (Ack::Keep(attempt), Some(Applied::Stored)) => Event::Kept { attempt },
            (Ack::Keep(attempt), Some(Applied::Superseded)) => Event::KeepSuperseded { attempt },
            (Ack::Keep(attempt), None) => Event::KeepFailed { attempt },
        };
        self.hear(life, id, event)
    }
}
