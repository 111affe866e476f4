//! A ticket that is fetched with the token of another credential.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod bench;

use std::collections::VecDeque;
use std::sync::Arc;

use bench::{classic, coexisting, minutes, seconds};
use tokenward_core::credential::Spec;
use tokenward_core::effect::Effect;
use tokenward_core::event::{Event, Grant, Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind};
use tokenward_core::fleet::{CredentialId, Effects, Fleet, Settings};
use tokenward_core::name::Name;
use tokenward_core::policy::Policy;
use tokenward_core::secret::Secret;
use tokenward_core::time::{Boot, Now, Span, Wall};
use tokenward_core::view::{Reading, View};

const TICKET: CredentialId = CredentialId(0);
const TOKEN: CredentialId = CredentialId(1);

/// A platform with one app, and a fleet with its token and a ticket, the ticket first.
struct Pair {
    now: Now,
    fleet: Fleet,
    views: [View; 2],
    queue: VecDeque<(CredentialId, Effect)>,
    carrying: bool,
    /// The platform refuses to issue tokens.
    blocked: bool,
    /// The platform refuses tickets to whoever asks with one of these.
    dead: Vec<String>,
    /// The platform refuses tickets whatever is asked with.
    stubborn: bool,
    /// Every second answer of a stubborn platform is that it is busy.
    moody: bool,
    /// The platform says nothing to who asks for a ticket, and this attempt is what it was asked with.
    silent: bool,
    pending: Option<u64>,
    /// Probes are answered when the test does it.
    probes_wait: bool,
    probe: u64,
    tokens: u32,
    tickets: u32,
    /// What tickets were asked for with.
    asked_with: Vec<String>,
}

impl Pair {
    /// Not begun: nothing is fetched yet.
    fn still() -> Pair {
        let now = Now { boot: Boot(0), wall: Wall(1_795_140_000_000) };
        let settings = Settings { epoch: 1, last_crash: None, salt: 1, boot_id: 1, embedded: true };
        let mut fleet = Fleet::new(settings, now);
        let mut effects = Effects::new();
        for (name, policy) in [("shop-ticket", coexisting()), ("shop", classic())] {
            let spec = spec(name, policy);
            let credential = fleet.build(spec, None, now);
            fleet.add(credential, now, &mut effects);
        }
        fleet.derive(TICKET, TOKEN).unwrap();
        let views = [View::pending(), View::pending()];
        let mut pair = Pair {
            now,
            fleet,
            views,
            queue: VecDeque::new(),
            carrying: false,
            blocked: false,
            dead: Vec::new(),
            stubborn: false,
            moody: false,
            silent: false,
            pending: None,
            probes_wait: false,
            probe: 0,
            tokens: 0,
            tickets: 0,
            asked_with: Vec::new(),
        };
        pair.carry_out(effects);
        pair
    }

    /// With a token and a ticket.
    fn live() -> Pair {
        let mut pair = Pair::still();
        pair.run_for(seconds(5));
        pair
    }

    fn run_for(&mut self, span: Span) {
        let end = self.now.boot + span;
        loop {
            let next = self.fleet.next_wakeup(self.now.boot, end).max(self.now.boot + Span(1)).min(end);
            let passed = next - self.now.boot;
            self.now = Now { boot: next, wall: self.now.wall + passed };
            let mut effects = Effects::new();
            self.fleet.poll(self.now, 100, &mut effects);
            self.carry_out(effects);
            if next >= end {
                return;
            }
        }
    }

    fn handle(&mut self, id: CredentialId, event: Event) {
        let mut effects = Effects::new();
        self.fleet.handle(id, event, self.now, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Effects) {
        self.queue.extend(effects);
        if core::mem::replace(&mut self.carrying, true) {
            return;
        }
        while let Some((id, effect)) = self.queue.pop_front() {
            match effect {
                Effect::Intend { record } => self.handle(id, Event::Intended { attempt: record.attempt }),
                Effect::Keep { attempt, .. } => self.handle(id, Event::Kept { attempt }),
                Effect::Publish { view } => self.views[id.0 as usize] = *view,
                Effect::Probe { probe, .. } if self.probes_wait => self.probe = probe,
                Effect::Probe { probe, token } => {
                    let dead = self.dead.iter().any(|dead| dead == token.expose());
                    let verdict = if dead { Verdict::Dead } else { Verdict::Alive };
                    self.handle(id, Event::Probed { probe, verdict });
                }
                Effect::Fetch { attempt, source, .. } => self.answer(id, attempt, source),
                _ => {}
            }
        }
        self.carrying = false;
    }

    fn answer(&mut self, id: CredentialId, attempt: u64, source: Option<Secret>) {
        if self.silent && id == TICKET {
            self.pending = Some(attempt);
            return;
        }
        let refused = match &source {
            Some(token) => {
                self.asked_with.push(token.expose().to_owned());
                let dead = self.dead.iter().any(|dead| dead == token.expose());
                let busy = self.moody && self.asked_with.len().is_multiple_of(2);
                let refusal = if busy { FailureKind::PlatformBusy } else { FailureKind::SourceRefused };
                (dead || self.stubborn).then_some(refusal)
            }
            None => self.blocked.then_some(FailureKind::BadSecret),
        };
        let event = match refused {
            Some(kind) => {
                let failure = Failure::new(kind, "refused");
                Event::Failed { attempt, failure, outcome: Outcome::Refused }
            }
            None => {
                let (word, count) =
                    if id == TOKEN { ("token", &mut self.tokens) } else { ("ticket", &mut self.tickets) };
                *count += 1;
                let token = Secret::new(format!("{word}-{count}"));
                Event::Granted { attempt, grant: Grant { token, life: minutes(120) } }
            }
        };
        self.handle(id, event);
    }

    fn read(&self, id: CredentialId) -> Option<String> {
        match self.views[id.0 as usize].read(self.now.boot) {
            Reading::Token(offer, _) => Some(offer.token.expose().to_owned()),
            _ => None,
        }
    }

    fn ticket(&self) -> Option<String> {
        self.read(TICKET)
    }

    /// Asks for another ticket.
    fn refresh(&mut self) {
        let mut effects = Effects::new();
        let begun = self.fleet.refresh(TICKET, false, self.now, &mut effects);
        assert_eq!(begun, Some(Ok(true)));
        self.carry_out(effects);
    }

    /// The platform forgets the token, as when somebody fetches elsewhere.
    fn kill_token(&mut self) {
        self.dead.push(self.read(TOKEN).unwrap());
    }
}

fn spec(name: &str, policy: Policy) -> Spec {
    let name = Name::parse(name).unwrap();
    Spec { name, fingerprint: [1; 32], config_mark: [1; 16], policy: Arc::new(policy) }
}

#[test]
fn a_ticket_waits_for_the_first_token() {
    let pair = Pair::live();
    assert_eq!(pair.ticket().as_deref(), Some("ticket-1"));
    assert_eq!(pair.asked_with, ["token-1"]);
}

#[test]
fn a_ticket_lives_its_own_life() {
    let mut pair = Pair::live();
    pair.run_for(minutes(100));
    assert_eq!(
        (pair.tokens, pair.tickets),
        (2, 2),
        "both are refreshed when they are due, and not by each other"
    );
    assert_eq!(pair.asked_with, ["token-1", "token-2"]);
}

#[test]
fn a_refused_token_is_replaced_and_the_ticket_asked_for_once_more() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    pair.kill_token();
    pair.refresh();
    pair.run_for(seconds(1));
    assert_eq!(pair.asked_with, ["token-1", "token-1", "token-2"]);
    assert_eq!(pair.ticket().as_deref(), Some("ticket-2"));
}

#[test]
fn the_old_ticket_is_served_while_its_token_is_replaced() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    pair.kill_token();
    pair.blocked = true;
    pair.refresh();
    pair.run_for(minutes(1));
    assert_eq!(pair.ticket().as_deref(), Some("ticket-1"));
}

#[test]
fn a_platform_that_refuses_every_token_does_not_make_us_rotate_one_after_the_other() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    pair.stubborn = true;
    pair.refresh();
    pair.run_for(minutes(10));
    assert_eq!(pair.tokens, 1, "a probe finds the token alive");
    assert!((5..=9).contains(&pair.asked_with.len()), "minutes apart: {:?}", pair.asked_with);
}

#[test]
fn without_a_token_the_ticket_says_where_to_look() {
    let mut pair = Pair::still();
    pair.blocked = true;
    pair.run_for(seconds(5));
    let trouble = pair.views[0].trouble.clone().unwrap();
    assert_eq!(trouble.failure.kind, FailureKind::SourceUnavailable);
    assert_eq!(pair.asked_with.len(), 0);
}

#[test]
fn as_soon_as_there_is_a_token_again_the_ticket_is_fetched() {
    let mut pair = Pair::still();
    pair.blocked = true;
    pair.run_for(seconds(5));
    pair.blocked = false;
    let mut effects = Effects::new();
    pair.fleet.refresh(TOKEN, false, pair.now, &mut effects);
    pair.carry_out(effects);
    assert_eq!(pair.ticket().as_deref(), Some("ticket-1"));
    assert!(pair.views[0].trouble.is_none());
}

#[test]
fn other_failures_in_between_make_no_difference() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    (pair.stubborn, pair.moody) = (true, true);
    pair.refresh();
    pair.run_for(minutes(30));
    assert_eq!(pair.tokens, 1, "not one live token is rotated");
}

#[test]
fn when_the_token_cannot_be_replaced_the_next_step_is_there() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    pair.kill_token();
    pair.blocked = true;
    // The ticket comes to its end with a dead token, and the token with a blocked app.
    pair.run_for(minutes(115));
    assert_eq!(pair.ticket(), None);
    let trouble = pair.views[0].trouble.clone().unwrap();
    assert_eq!(trouble.failure.kind, FailureKind::SourceUnavailable, "a person must act, and elsewhere");
}

#[test]
fn a_refusal_of_a_token_that_has_been_replaced_meanwhile_is_followed_by_the_new_one_at_once() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    pair.silent = true;
    pair.refresh();
    pair.kill_token();
    let mut effects = Effects::new();
    pair.fleet.report(TOKEN, 1, true, pair.now, &mut effects);
    pair.carry_out(effects);
    pair.run_for(seconds(1));
    pair.silent = false;
    let attempt = pair.pending.take().unwrap();
    let failure = Failure::new(FailureKind::SourceRefused, "refused");
    pair.handle(TICKET, Event::Failed { attempt, failure, outcome: Outcome::Refused });
    assert_eq!(pair.ticket().as_deref(), Some("ticket-2"), "without any time in between");
}

#[test]
fn a_refresh_is_at_work_until_the_second_attempt_is_over() {
    let mut pair = Pair::live();
    pair.run_for(minutes(10));
    pair.kill_token();
    pair.probes_wait = true;
    pair.refresh();
    let is_at_work = |pair: &Pair| pair.fleet.get(TICKET).unwrap().is_at_work(pair.now.boot);
    assert!(is_at_work(&pair), "the first was refused, the second waits");
    let probe = pair.probe;
    pair.handle(TOKEN, Event::Probed { probe, verdict: Verdict::Dead });
    assert!(!is_at_work(&pair));
    assert_eq!(pair.ticket().as_deref(), Some("ticket-2"));
}
