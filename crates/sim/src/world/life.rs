//! The node: starting, crashing, hearing of events, having effects carried out.

use tokenward_core::effect::Effect;
use tokenward_core::event::Event;
use tokenward_core::fleet::{CredentialId, Effects};
use tokenward_core::time::{Boot, Span};
use tokenward_store::{Stored, Write};

use super::{Ack, Coming, Played, World, brief, describe};
use crate::node::{ID, Node, TICKET, number};

impl World {
    pub(super) fn start_node(&mut self) -> Played {
        self.store = self.store.reopen();
        let salt = self.random.next();
        let rebooted = self.random.per_mille(300);
        self.boot_id += u64::from(rebooted);
        let (node, [stored, ticket]) = Node::start(&self.store, &self.policies, salt, self.boot_id, self.now);
        let life = node.life;
        self.note(format!("node starts its life {life}"));
        let of_another_boot = |stored: &Stored| stored.record.clocks.boot_id != self.boot_id;
        if ticket.as_ref().is_some_and(of_another_boot) && self.wall_was_moved {
            // Only the wall clock tells how old a stored ticket is, and it was set.
            self.excused_tickets = self.platform.newest_ticket();
        }
        if let Some(stored) = stored
            && let Some(token) = stored.record.token
        {
            let left = stored.record.clocks.booted + (self.now.boot - Boot(0));
            let live = token.ends > left && !token.revoked;
            let same_boot = stored.record.clocks.boot_id == self.boot_id;
            if !same_boot && self.wall_was_moved {
                // Only the wall clock tells how old the record is, and it was set.
                self.oracle.excuse(self.platform.newest_token());
            }
            if live
                && (same_boot || !self.wall_was_moved)
                && stored.record.exposure.is_none()
                && node.view.offer.is_none()
            {
                return Err("promise 5: a stored live token is not served after a restart".to_owned());
            }
        }
        self.node = Some(node);
        self.poll()
    }

    pub(super) fn crash(&mut self) {
        if self.node.take().is_some() {
            self.note("node crashes".to_owned());
            self.token_shown_since = None;
            self.summary.crashes += 1;
            self.oracle.crash(self.platform.newest_token());
            self.attempts_in_flight = 0;
            let longest = self.scenario.life.part(3, 2).0;
            let down = if self.random.per_mille(700) { 2_000 } else { longest };
            let down = Span(self.random.between(1, down));
            self.come(down, Coming::Restart);
        }
    }

    pub(super) fn poll(&mut self) -> Played {
        let now = self.now;
        let Some(node) = self.node.as_mut() else { return Ok(()) };
        let mut effects = Effects::new();
        node.fleet.poll(now, 100, &mut effects);
        self.carry_out(effects)
    }

    pub(super) fn hear(&mut self, life: u32, id: CredentialId, event: Event) -> Played {
        let now = self.now;
        let Some(node) = self.node.as_mut().filter(|node| node.life == life) else { return Ok(()) };
        let mut effects = Effects::new();
        let line = format!("{} hears {}", who(id), brief(&event));
        if id == ID && matches!(event, Event::Granted { .. } | Event::Failed { .. }) {
            self.oracle.fetch_over();
            self.attempts_in_flight = self.attempts_in_flight.saturating_sub(1);
        }
        node.fleet.handle(id, event, now, &mut effects);
        self.note(line);
        self.carry_out(effects)
    }

    pub(super) fn carry_out(&mut self, effects: Effects) -> Played {
        for (id, effect) in effects {
            if self.crashes_here() {
                self.crash();
                return Ok(());
            }
            self.act(id, effect)?;
            if self.crashes_here() {
                self.crash();
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) fn crashes_here(&mut self) -> bool {
        !self.calm && self.random.per_mille(self.scenario.crashes)
    }

    pub(super) fn act(&mut self, id: CredentialId, effect: Effect) -> Played {
        let Some(life) = self.node.as_ref().map(|node| node.life) else { return Ok(()) };
        match effect {
            Effect::Intend { record } => {
                let attempt = record.attempt;
                self.write(life, id, Write::Intend(*record), Ack::Intent(attempt));
            }
            Effect::Keep { attempt, record, token } => {
                let sealed = token.expose().as_bytes().to_vec();
                self.write(life, id, Write::Keep(*record, sealed), Ack::Keep(attempt));
            }
            Effect::Note { record } => self.write(life, id, Write::Note(*record), Ack::Nothing),
            Effect::Fetch { attempt, source, .. } if id == TICKET => {
                self.send_for_ticket(life, attempt, source.as_ref())?;
            }
            Effect::Fetch { attempt, kind, .. } => self.send(life, attempt, kind)?,
            Effect::Probe { probe, token } => {
                let delay = Span(self.random.between(1, 500));
                self.come(delay, Coming::Probe { life, probe, token: number(&token) });
            }
            Effect::Publish { view } => {
                let line = format!(
                    "{} publishes generation {} {:?} {}",
                    who(id),
                    view.generation,
                    view.state,
                    describe(&view)
                );
                if id == ID {
                    let shown = view.offer.is_some();
                    self.token_shown_since = self.token_shown_since.or(Some(self.now.boot)).filter(|_| shown);
                }
                if let Some(node) = self.node.as_mut() {
                    node.show(id, *view);
                }
                self.note(line);
            }
            Effect::Tell(happening) => self.note(format!("{} tells {happening:?}", who(id))),
            Effect::RereadSecret => {}
        }
        Ok(())
    }
}

fn who(id: CredentialId) -> &'static str {
    if id == ID { "token" } else { "ticket" }
}
