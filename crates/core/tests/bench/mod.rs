//! A bench for one credential: it owns the clock, answers every effect, and counts.
#![allow(dead_code, reason = "each suite uses its part of the bench")]

use std::collections::VecDeque;
use std::sync::Arc;

use tokenward_core::budget::Limits;
use tokenward_core::credential::{Credential, RefreshRefused, ReportAnswer, Spec};
use tokenward_core::effect::{Effect, Happening};
use tokenward_core::event::{Event, Grant, Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind};
use tokenward_core::fleet::{CredentialId, Effects, Fleet, Settings};
use tokenward_core::name::Name;
use tokenward_core::policy::{Lead, Policy};
use tokenward_core::record::Record;
use tokenward_core::schedule::{Schedule, Timetable};
use tokenward_core::secret::Secret;
use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::{Boot, Now, Span, Wall, beijing};
use tokenward_core::view::{Reading, State, View};

/// What the platform does with a fetch.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Issues a new token.
    Grant,
    /// Returns the token before, with this much life left.
    Same(Span),
    /// Issues a token and loses the answer.
    LostAfterIssue,
    /// Cannot be reached.
    NotSent,
    /// Refuses.
    Refuse(FailureKind),
    /// Is overloaded and says for how long.
    RetryAfter(Span),
    /// Says nothing at all.
    Silence,
}

pub struct Bench {
    pub now: Now,
    pub answer: Answer,
    pub verdict: Verdict,
    pub store_answers: bool,
    pub keep_answers: bool,
    pub keep_fails: bool,
    pub intend_fails: bool,
    pub probe_answers: bool,
    pub fetches: u32,
    pub forced: u32,
    pub intents: u32,
    pub probes: u32,
    pub last_attempt: u64,
    pub last_probe: u64,
    pub happenings: Vec<Happening>,
    pub fingerprint: [u8; 32],
    pub config_mark: [u8; 16],
    pub boot_id: u64,
    policy: Arc<Policy>,
    fleet: Fleet,
    view: View,
    stored: Option<(Record, Option<Secret>)>,
    epoch: u32,
    queue: VecDeque<Effect>,
    carrying: bool,
}

const ID: CredentialId = CredentialId(0);

pub fn seconds(seconds: i64) -> Span {
    Span::seconds(seconds)
}

pub fn minutes(minutes: i64) -> Span {
    Span::minutes(minutes)
}

pub fn classic() -> Policy {
    Policy {
        semantics: IssueSemantics::RotateWithOverlap,
        lead: Lead::Fixed(minutes(65)),
        schedule: None,
        overlap: minutes(5),
        skew: minutes(2),
        safe_part: Span(150_000),
        renew_window: Span::ZERO,
        probe: true,
        limits: Limits { per_day: 2000, ..Limits::default() },
    }
}

pub fn stable() -> Policy {
    Policy {
        semantics: IssueSemantics::IdempotentUntilNearExpiry,
        lead: Lead::Window,
        renew_window: minutes(5),
        ..classic()
    }
}

pub fn coexisting() -> Policy {
    Policy { semantics: IssueSemantics::Coexisting, lead: Lead::Share, probe: false, ..classic() }
}

pub fn single_use() -> Policy {
    Policy { semantics: IssueSemantics::SingleUseRefreshToken, lead: Lead::Share, probe: false, ..classic() }
}

/// Fires whenever the bench's boot clock shows a multiple of this span.
#[derive(Debug)]
struct Every(Span);

impl Timetable for Every {
    fn next_after(&self, moment: Wall) -> Option<Wall> {
        let turns = (moment - START).0.div_euclid(self.0.0) + 1;
        Some(START + Span(turns * self.0.0))
    }
}

/// The policy with a schedule in place of its lead.
pub fn every(span: Span, policy: Policy) -> Policy {
    Policy { schedule: Some(Schedule { timetable: Arc::new(Every(span)), alone: true }), ..policy }
}

/// The policy with a schedule beside its lead.
pub fn also_every(span: Span, policy: Policy) -> Policy {
    Policy { schedule: Some(Schedule { timetable: Arc::new(Every(span)), alone: false }), ..policy }
}

/// What the wall shows when the boot clock shows nought.
const START: Wall = Wall(1_795_140_000_000);

fn settings(epoch: u32, boot_id: u64) -> Settings {
    Settings { epoch, last_crash: None, salt: 1, boot_id, embedded: true }
}

impl Bench {
    pub fn new(policy: Policy) -> Bench {
        let now = Now { boot: Boot(0), wall: START };
        let fleet = Fleet::new(settings(1, 1), now);
        let mut bench = Bench {
            now,
            answer: Answer::Grant,
            verdict: Verdict::Alive,
            store_answers: true,
            keep_answers: true,
            keep_fails: false,
            intend_fails: false,
            probe_answers: true,
            fetches: 0,
            forced: 0,
            intents: 0,
            probes: 0,
            last_attempt: 0,
            last_probe: 0,
            happenings: Vec::new(),
            fingerprint: [1; 32],
            config_mark: [1; 16],
            boot_id: 1,
            policy: Arc::new(policy),
            fleet,
            view: View::pending(),
            stored: None,
            epoch: 0,
            queue: VecDeque::new(),
            carrying: false,
        };
        bench.boot(false);
        bench
    }

    fn boot(&mut self, crashed: bool) {
        self.epoch += 1;
        let last_crash = crashed.then_some(self.epoch - 1);
        let settings = Settings { last_crash, ..settings(self.epoch, self.boot_id) };
        self.fleet = Fleet::new(settings, self.now);
        let spec = Spec {
            name: Name::parse("shop").expect("a good name"),
            fingerprint: self.fingerprint,
            config_mark: self.config_mark,
            policy: Arc::clone(&self.policy),
        };
        let stored = self.stored.clone();
        let credential: Credential =
            self.fleet.build(spec, stored.as_ref().map(|(record, token)| (record, token.clone())), self.now);
        let mut effects = Effects::new();
        self.fleet.add(credential, self.now, &mut effects);
        self.carry_out(effects);
    }

    pub fn stop(&mut self) {
        self.view = View::pending();
        self.fleet = Fleet::new(settings(0, 0), self.now);
    }

    pub fn start(&mut self) {
        self.boot(false);
    }

    /// Starts again with other rules.
    pub fn restart_with(&mut self, policy: Policy) {
        self.policy = Arc::new(policy);
        self.restart();
    }

    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub fn crash(&mut self) {
        self.stop();
        self.boot(true);
    }

    pub fn pass(&mut self, span: Span) {
        self.now = Now { boot: self.now.boot + span, wall: self.now.wall + span };
    }

    pub fn set_wall_back(&mut self, span: Span) {
        self.now.wall = self.now.wall - span;
    }

    pub fn set_wall_to_midnight_plus(&mut self, span: Span) {
        self.now.wall = beijing::next_midnight(self.now.wall) + span;
    }

    pub fn run_for(&mut self, span: Span) {
        self.run_until(self.now.boot + span);
    }

    /// Jumps from one wake-up to the next.
    pub fn run_until(&mut self, end: Boot) {
        loop {
            let next = self.fleet.next_wakeup(self.now.boot, end).max(self.now.boot);
            self.pass(next - self.now.boot);
            self.poll();
            if next >= end {
                return;
            }
            if self.fleet.next_wakeup(self.now.boot, end) <= self.now.boot {
                self.pass(Span(1));
            }
        }
    }

    pub fn run_until_due(&mut self) {
        self.run_for(seconds(1));
        let fetch = self.view.next_fetch.expect("a live credential has a plan");
        self.run_until(fetch - Span(1));
    }

    pub fn run_until_fetch(&mut self) -> Boot {
        let fetches = self.fetches;
        while self.fetches == fetches {
            let next = self.wakeup();
            self.run_until(next.max(self.now.boot + Span(1)));
        }
        self.now.boot
    }

    pub fn wakeup(&self) -> Boot {
        self.fleet.next_wakeup(self.now.boot, self.now.boot + minutes(200))
    }

    fn poll(&mut self) {
        let mut effects = Effects::new();
        self.fleet.poll(self.now, 100, &mut effects);
        self.carry_out(effects);
    }

    pub fn handle(&mut self, event: Event) {
        let mut effects = Effects::new();
        self.fleet.handle(ID, event, self.now, &mut effects);
        self.carry_out(effects);
    }

    /// In order: what an effect leads to comes after the effects that were there before it.
    fn carry_out(&mut self, effects: Effects) {
        self.queue.extend(effects.into_iter().map(|(_, effect)| effect));
        if core::mem::replace(&mut self.carrying, true) {
            return;
        }
        while let Some(effect) = self.queue.pop_front() {
            match effect {
                Effect::Intend { record } => self.intend(*record),
                Effect::Fetch { attempt, kind, .. } => self.fetch(attempt, kind),
                Effect::Keep { attempt, record, token } => self.keep(attempt, *record, token),
                Effect::Note { record } => {
                    let token = self.stored.take().and_then(|(_, token)| token);
                    self.stored = Some((*record, token));
                }
                Effect::Probe { probe, .. } => {
                    self.probes += 1;
                    self.last_probe = probe;
                    if self.probe_answers {
                        self.handle(Event::Probed { probe, verdict: self.verdict.clone() });
                    }
                }
                Effect::Publish { view } => self.view = *view,
                Effect::Tell(happening) => self.happenings.push(happening),
                Effect::RereadSecret => {}
            }
        }
        self.carrying = false;
    }

    fn intend(&mut self, record: Record) {
        self.intents += 1;
        let attempt = record.attempt;
        if self.intend_fails {
            self.handle(Event::IntentFailed { attempt });
        } else if self.store_answers {
            let token = self.stored.take().and_then(|(_, token)| token);
            self.stored = Some((record, token));
            self.handle(Event::Intended { attempt });
        }
    }

    fn fetch(&mut self, attempt: u64, kind: FetchKind) {
        self.fetches += 1;
        self.forced += u32::from(kind == FetchKind::Forced);
        self.last_attempt = attempt;
        match self.answer {
            Answer::Grant => self.grant(&format!("token-{}", self.fetches), attempt),
            Answer::Same(life) if kind == FetchKind::Plain => {
                let token =
                    self.stored.as_ref().and_then(|(_, token)| token.clone()).expect("a token before");
                self.handle(Event::Granted { attempt, grant: Grant { token, life } });
            }
            Answer::Same(_) => self.grant(&format!("forced-{}", self.forced), attempt),
            Answer::LostAfterIssue => self.fail(attempt, FailureKind::ConnectionLost, Outcome::Unknown),
            Answer::NotSent => self.fail(attempt, FailureKind::Unreachable, Outcome::NotSent),
            Answer::Refuse(kind) => self.fail(attempt, kind, Outcome::Refused),
            Answer::RetryAfter(wait) => {
                let failure = Failure::new(FailureKind::RateLimited, "slow down");
                let failure = Failure { retry_after: Some(wait), ..failure };
                self.handle(Event::Failed { attempt, failure, outcome: Outcome::Refused });
            }
            Answer::Silence => {}
        }
    }

    pub fn grant(&mut self, token: &str, attempt: u64) {
        let grant = Grant { token: Secret::new(token), life: minutes(120) };
        self.handle(Event::Granted { attempt, grant });
    }

    pub fn grant_late(&mut self, token: &str) {
        self.grant(token, self.last_attempt);
    }

    pub fn fail(&mut self, attempt: u64, kind: FailureKind, outcome: Outcome) {
        self.handle(Event::Failed { attempt, failure: Failure::new(kind, "played"), outcome });
    }

    fn keep(&mut self, attempt: u64, record: Record, token: Secret) {
        if self.keep_fails {
            self.handle(Event::KeepFailed { attempt });
        } else if self.keep_answers {
            self.stored = Some((record, Some(token)));
            self.handle(Event::Kept { attempt });
        }
    }

    pub fn keep_failed(&mut self, attempt: u64) {
        self.handle(Event::KeepFailed { attempt });
    }

    pub fn probe_result(&mut self, verdict: Verdict) {
        self.handle(Event::Probed { probe: self.last_probe, verdict });
    }

    pub fn report(&mut self, generation: u64, proven: bool) -> ReportAnswer {
        let mut effects = Effects::new();
        let answer =
            self.fleet.report(ID, generation, proven, self.now, &mut effects).expect("the one credential");
        self.carry_out(effects);
        answer
    }

    pub fn refresh(&mut self, force: bool) -> Result<bool, RefreshRefused> {
        let mut effects = Effects::new();
        let answer = self.fleet.refresh(ID, force, self.now, &mut effects).expect("the one credential");
        self.carry_out(effects);
        answer
    }

    pub fn want(&mut self) {
        self.handle(Event::Wanted);
    }

    pub fn change_secret(&mut self) {
        self.config_mark = [2; 16];
        self.handle(Event::SecretChanged { config_mark: self.config_mark });
    }

    pub fn read(&self) -> Reading<'_> {
        self.view.read(self.now.boot)
    }

    pub fn token(&self) -> Option<String> {
        match self.read() {
            Reading::Token(offer, _) => Some(offer.token.expose().to_owned()),
            _ => None,
        }
    }

    pub fn told_end(&self) -> Option<Boot> {
        match self.read() {
            Reading::Token(_, end) => Some(end),
            _ => None,
        }
    }

    pub fn state(&self) -> State {
        self.view.state
    }

    pub fn generation(&self) -> u64 {
        self.view.generation
    }

    pub fn is_settled(&self, generation: u64) -> bool {
        self.fleet.get(ID).is_some_and(|credential| credential.is_settled(generation, self.now.boot))
    }

    /// How a report that was made at that moment ended.
    pub fn outcome(&self, generation: u64, since: Boot) -> Option<ReportAnswer> {
        self.fleet.get(ID).map(|credential| credential.outcome(generation, since))
    }

    pub fn is_unkept(&self) -> bool {
        self.view.unkept
    }

    pub fn next_step(&self) -> String {
        self.view.trouble.as_ref().map(|trouble| trouble.failure.next_step.to_string()).unwrap_or_default()
    }

    pub fn told(&self, happening: &Happening) -> usize {
        self.happenings.iter().filter(|told| *told == happening).count()
    }
}
