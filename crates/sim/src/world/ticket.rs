//! The ticket: fetched with the token, and read like it.

use tokenward_core::event::{Event, Grant, Outcome};
use tokenward_core::failure::{Failure, FailureKind};
use tokenward_core::fleet::Effects;
use tokenward_core::secret::Secret;
use tokenward_core::time::Span;
use tokenward_core::view::Reading;

use super::{Coming, Played, World};
use crate::node::{TICKET, number};

impl World {
    /// The node asks for a ticket with a token, which must be the one that it would hand out.
    pub(super) fn send_for_ticket(&mut self, life: u32, attempt: u64, token: Option<&Secret>) -> Played {
        let Some(token) = token.map(number) else {
            return Err("a ticket is asked for without a token".to_owned());
        };
        let shown = self.node.as_ref().and_then(|node| node.view.offer.as_ref());
        let shown = shown.map(|offer| number(&offer.token));
        if shown != Some(token) {
            return Err(format!("a ticket is asked for with token {token}, while {shown:?} is handed out"));
        }
        self.note(format!("asks for a ticket with token {token}"));
        let delay = Span(self.random.between(1, 300));
        self.come(delay, Coming::Ticket { life, attempt, token });
        Ok(())
    }

    /// A request for a ticket arrives at the platform.
    pub(super) fn ticket(&mut self, life: u32, attempt: u64, token: u64) -> Played {
        let now = self.now.boot;
        let failed =
            |kind, outcome| Event::Failed { attempt, failure: Failure::new(kind, "simulated"), outcome };
        let lost = !self.calm && self.random.per_mille(self.scenario.lost_answers);
        let refused = !self.calm && self.random.per_mille(self.scenario.refusals);
        let event = if self.platform.is_down {
            failed(FailureKind::PlatformBusy, Outcome::Refused)
        } else if refused {
            // Also a live token is refused now and then: it must not be rotated for that.
            let kind = self.random.pick(&[FailureKind::PlatformBusy, FailureKind::SourceRefused]);
            failed(kind, Outcome::Refused)
        } else {
            match self.platform.ticket(token, now) {
                None => failed(FailureKind::SourceRefused, Outcome::Refused),
                Some(_) if lost => failed(FailureKind::ConnectionLost, Outcome::Unknown),
                Some((ticket, life)) => {
                    Event::Granted { attempt, grant: Grant { token: Secret::new(ticket.to_string()), life } }
                }
            }
        };
        let back = Span(self.random.between(1, 300));
        self.come(back, Coming::Hear(life, TICKET, event));
        Ok(())
    }

    /// A reader of the ticket: what it is given is alive at the platform, whatever became of the token.
    pub(super) fn read_ticket(&mut self) -> Played {
        let now = self.now.boot;
        let Some(node) = self.node.as_mut().filter(|_| self.scenario.ticket) else { return Ok(()) };
        match node.ticket_view.read(now) {
            Reading::Token(offer, _) => {
                let ticket = number(&offer.token);
                if ticket <= self.excused_tickets || self.platform.is_ticket_alive(ticket, now) {
                    return Ok(());
                }
                Err(format!("promise 2: ticket {ticket} is handed out and over"))
            }
            Reading::Wait(_) => Err("promise 1: nobody waits for a ticket that is there".to_owned()),
            Reading::Nothing => {
                self.check_wakes_up()?;
                let Some(node) = self.node.as_mut() else { return Ok(()) };
                let mut effects = Effects::new();
                node.fleet.handle(TICKET, Event::Wanted, self.now, &mut effects);
                self.carry_out(effects)
            }
        }
    }

    /// A ticket that has not met any trouble of its own is fetched as soon as there is a token.
    fn check_wakes_up(&self) -> Played {
        let Some(node) = &self.node else { return Ok(()) };
        let view = &node.ticket_view;
        let waits = |kind| kind == FailureKind::SourceUnavailable;
        let no_trouble = view.trouble.as_ref().is_none_or(|trouble| waits(trouble.failure.kind));
        let since = self.token_shown_since.filter(|since| self.now.boot - *since > Span::seconds(2));
        if let (Some(since), true, false) = (since, no_trouble, view.fetching) {
            return Err(format!("a ticket is not asked for although there is a token since {since:?}"));
        }
        Ok(())
    }

    /// Long after the last accident there is a ticket.
    pub(super) fn check_ticket_recovered(&self) -> Played {
        let Some(node) = self.node.as_ref().filter(|_| self.scenario.ticket) else { return Ok(()) };
        match node.ticket_view.read(self.now.boot) {
            Reading::Token(offer, _)
                if self.platform.is_ticket_alive(number(&offer.token), self.now.boot) =>
            {
                Ok(())
            }
            other => Err(format!("promise 3: long after the last accident there is no ticket: {other:?}")),
        }
    }
}
