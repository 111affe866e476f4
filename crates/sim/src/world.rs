//! The world of one seed: a queue of things to come, played in order until the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokenward_core::budget::Budget;
use tokenward_core::credential::ReportAnswer;
use tokenward_core::effect::Effect;
use tokenward_core::event::{Event, Grant, Outcome, Verdict};
use tokenward_core::failure::{Failure, FailureKind};
use tokenward_core::fleet::Effects;
use tokenward_core::policy::Policy;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::{Boot, Now, Span, Wall};
use tokenward_core::view::Reading;
use tokenward_store::{Applied, Fault, Memory, Store as _, Write};

use crate::node::{ID, Node, number};
use crate::oracle::{Holder, Oracle, Violation};
use crate::platform::{Asker, Platform};
use crate::random::Random;
use crate::scenario::Scenario;

/// What one seed came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Tokens read.
    pub reads: u64,
    /// Fetches that reached the platform.
    pub fetches: u64,
    /// Crashes survived.
    pub crashes: u64,
    /// Tokens found refused by their holders.
    pub refusals: u64,
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Coming {
    /// The node hears of something, if it is still in that life.
    Hear(u32, Event),
    /// The store carries out a write of that life.
    Store(u32, Box<Write>, Ack),
    /// A fetch arrives at the platform.
    Fetch { life: u32, attempt: u64, kind: FetchKind },
    /// A probe arrives at the platform.
    Probe { life: u32, generation: u64, token: u64 },
    /// A reader reads.
    Read,
    /// A holder uses its token.
    Use(Holder),
    /// An accident.
    Accident(Accident),
    /// The node starts again.
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Ack {
    Intent(u64),
    Keep(u64),
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Accident {
    Outage,
    OutageOver,
    Rival,
    WallJump,
    Suspend,
    Operator,
    StoreHeals,
}

struct World {
    random: Random,
    scenario: Scenario,
    policy: Arc<Policy>,
    now: Now,
    queue: BTreeMap<(Boot, u64), Coming>,
    sequence: u64,
    platform: Platform,
    store: Memory,
    node: Option<Node>,
    oracle: Oracle,
    trace: VecDeque<String>,
    summary: Summary,
    /// Nothing goes wrong any more: the node must recover.
    calm: bool,
    wall_was_moved: bool,
    attempts_in_flight: u32,
    boot_id: u64,
    trace_length: usize,
}

type Played = Result<(), String>;

const TRACE: usize = 60;

/// Plays one seed. With `verbose` a violation tells the whole story, else its end.
///
/// # Errors
/// A promise was broken.
pub fn run(seed: u64, verbose: bool) -> Result<Summary, Box<Violation>> {
    let mut world = World::new(seed);
    world.trace_length = if verbose { usize::MAX } else { TRACE };
    let outcome = world.play();
    match outcome {
        Ok(()) => Ok(world.summary),
        Err(what) => Err(Box::new(Violation { seed, what, trace: world.trace.into() })),
    }
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let policy = Arc::new(scenario.policy.clone());
        let Policy { semantics, overlap, renew_window, .. } = *policy;
        // Somewhere within a week, so that midnights are met at any point.
        let start = Wall(1_795_140_000_000 + random.between(0, 7 * 86_400_000));
        World {
            platform: Platform::new(semantics, scenario.life, overlap, renew_window),
            now: Now { boot: Boot(random.between(0, 100_000_000)), wall: start },
            random,
            scenario,
            policy,
            queue: BTreeMap::new(),
            sequence: 0,
            store: Memory::new(),
            node: None,
            oracle: Oracle::default(),
            trace: VecDeque::new(),
            summary: Summary::default(),
            calm: false,
            wall_was_moved: false,
            attempts_in_flight: 0,
            boot_id: 1,
            trace_length: TRACE,
        }
    }

    fn play(&mut self) -> Played {
        let accidents = self.scenario.length;
        let end = self.now.boot + accidents;
        // After the last accident, long enough for every backoff, wait and daily budget.
        let scaled = self.scenario.life < Span::minutes(1);
        let recovery = if scaled { Span::minutes(40) } else { Span::hours(30) };
        self.start_node()?;
        self.come(Span::ZERO, Coming::Read);
        self.plan_accidents();
        self.play_until(end)?;
        self.calm_down();
        if self.node.is_none() {
            self.start_node()?;
        }
        self.play_until(end + recovery)?;
        self.check_recovered()
    }

    fn calm_down(&mut self) {
        self.calm = true;
        self.platform.is_down = false;
        self.store.set_fault(Fault::None);
        self.queue.retain(|_, coming| !matches!(coming, Coming::Accident(_) | Coming::Restart));
        self.note("-- calm --".to_owned());
    }

    fn check_recovered(&self) -> Played {
        let node = self.node.as_ref().ok_or("the node is not running at the end")?;
        match node.view.read(self.now.boot) {
            Reading::Token(offer, _) if self.platform.is_alive(number(&offer.token), self.now.boot) => Ok(()),
            Reading::Token(offer, _) => Err(format!(
                "promise 3: long after the last accident, token {} is dead",
                number(&offer.token)
            )),
            other => Err(format!("promise 3: long after the last accident there is no token: {other:?}")),
        }
    }

    /// Plays what comes, in order, with the node's wake-ups in between.
    fn play_until(&mut self, end: Boot) -> Played {
        loop {
            let next = self.queue.first_key_value().map_or(end, |((at, _), _)| (*at).min(end));
            let wakeup = self.node.as_ref().map_or(next, |node| node.fleet.next_wakeup(self.now.boot, next));
            if wakeup < next {
                self.pass(wakeup.max(self.now.boot + Span(1)));
                self.poll()?;
                continue;
            }
            self.pass(next);
            if next >= end {
                return Ok(());
            }
            self.poll()?;
            if let Some(((_, _), coming)) = self.queue.pop_first() {
                self.meet(coming)?;
            }
        }
    }

    fn pass(&mut self, to: Boot) {
        let span = Span((to - self.now.boot).0.max(0));
        self.now = Now { boot: self.now.boot + span, wall: self.now.wall + span };
    }

    fn come(&mut self, after: Span, coming: Coming) {
        self.sequence += 1;
        self.queue.insert((self.now.boot + after, self.sequence), coming);
    }

    fn note(&mut self, line: String) {
        if self.trace.len() >= self.trace_length {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:?} {line}", self.now.boot));
    }

    fn meet(&mut self, coming: Coming) -> Played {
        match coming {
            Coming::Hear(life, event) => self.hear(life, event),
            Coming::Store(life, write, ack) => self.carry_out_write(life, &write, ack),
            Coming::Fetch { life, attempt, kind } => self.fetch(life, attempt, kind),
            Coming::Probe { life, generation, token } => self.probe(life, generation, token),
            Coming::Read => self.read(),
            Coming::Use(holder) => self.use_token(holder),
            Coming::Accident(accident) => self.happen(accident),
            Coming::Restart => self.start_node(),
        }
    }

    // The node.

    fn start_node(&mut self) -> Played {
        self.store = self.store.reopen();
        let salt = self.random.next();
        let rebooted = self.random.per_mille(300);
        self.boot_id += u64::from(rebooted);
        let (node, stored) = Node::start(&self.store, &self.policy, salt, self.boot_id, self.now);
        let life = node.life;
        self.note(format!("node starts its life {life}"));
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

    fn crash(&mut self) {
        if self.node.take().is_some() {
            self.note("node crashes".to_owned());
            self.summary.crashes += 1;
            self.oracle.crash(self.platform.newest_token());
            self.attempts_in_flight = 0;
            let longest = self.scenario.life.part(3, 2).0;
            let down = if self.random.per_mille(700) { 2_000 } else { longest };
            let down = Span(self.random.between(1, down));
            self.come(down, Coming::Restart);
        }
    }

    fn poll(&mut self) -> Played {
        let now = self.now;
        let Some(node) = self.node.as_mut() else { return Ok(()) };
        let mut effects = Effects::new();
        node.fleet.poll(now, 100, &mut effects);
        self.carry_out(effects)
    }

    fn hear(&mut self, life: u32, event: Event) -> Played {
        let now = self.now;
        let Some(node) = self.node.as_mut().filter(|node| node.life == life) else { return Ok(()) };
        let mut effects = Effects::new();
        let line = format!("hears {}", brief(&event));
        if matches!(event, Event::Granted { .. } | Event::Failed { .. }) {
            self.oracle.fetch_over();
            self.attempts_in_flight = self.attempts_in_flight.saturating_sub(1);
        }
        node.fleet.handle(ID, event, now, &mut effects);
        self.note(line);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Effects) -> Played {
        for (_, effect) in effects {
            if self.crashes_here() {
                self.crash();
                return Ok(());
            }
            self.act(effect)?;
            if self.crashes_here() {
                self.crash();
                return Ok(());
            }
        }
        Ok(())
    }

    fn crashes_here(&mut self) -> bool {
        !self.calm && self.random.per_mille(self.scenario.crashes)
    }

    fn act(&mut self, effect: Effect) -> Played {
        let Some(life) = self.node.as_ref().map(|node| node.life) else { return Ok(()) };
        match effect {
            Effect::Intend { record } => {
                let attempt = record.attempt;
                self.write(life, Write::Intend(*record), Ack::Intent(attempt));
            }
            Effect::Keep { attempt, record, token } => {
                let sealed = token.expose().as_bytes().to_vec();
                self.write(life, Write::Keep(*record, sealed), Ack::Keep(attempt));
            }
            Effect::Note { record } => self.write(life, Write::Note(*record), Ack::Nothing),
            Effect::Fetch { attempt, kind, .. } => self.send(life, attempt, kind)?,
            Effect::Probe { generation, token } => {
                let delay = Span(self.random.between(1, 500));
                self.come(delay, Coming::Probe { life, generation, token: number(&token) });
            }
            Effect::Publish { view } => {
                let line =
                    format!("publishes generation {} {:?} {}", view.generation, view.state, describe(&view));
                if let Some(node) = self.node.as_mut() {
                    node.view = *view;
                }
                self.note(line);
            }
            Effect::Tell(happening) => self.note(format!("tells {happening:?}")),
            Effect::RereadSecret => {}
        }
        Ok(())
    }

    // The store.

    fn write(&mut self, life: u32, write: Write, ack: Ack) {
        let delay = if self.random.per_mille(20) { 4_000 } else { 20 };
        let delay = Span(self.random.between(1, delay));
        self.come(delay, Coming::Store(life, Box::new(write), ack));
    }

    fn carry_out_write(&mut self, life: u32, write: &Write, ack: Ack) -> Played {
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
        if !matches!(ack, Ack::Nothing) {
            self.oracle.unstored = applied.is_none();
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
        self.hear(life, event)
    }

    // The platform.

    fn send(&mut self, life: u32, attempt: u64, kind: FetchKind) -> Played {
        let now = self.now;
        let exclusive = self.policy.semantics.is_exclusive(kind);
        let view = self.node.as_ref().and_then(|node| node.fleet.view(ID, now));
        let usable = view.is_some_and(|view| matches!(view.read(now.boot), Reading::Token(..)));
        let forced = self.oracle.forced_at.is_some_and(|at| now.boot - at < Span::minutes(1));
        if self.attempts_in_flight > 0 {
            // The core gave up on a slow one; only its answer is still on its way.
            self.oracle.fetch_over();
        }
        self.attempts_in_flight += 1;
        self.oracle.send(exclusive, usable, forced, &self.policy, now.boot)?;
        self.note(format!("sends attempt {attempt:x} {kind:?}"));
        let failed =
            |kind, outcome| Event::Failed { attempt, failure: Failure::new(kind, "simulated"), outcome };
        let delay = Span(self.random.between(1, 300));
        if !self.calm && self.random.per_mille(self.scenario.lost_requests) {
            let event = failed(FailureKind::Unreachable, Outcome::NotSent);
            self.come(delay, Coming::Hear(life, event));
            return Ok(());
        }
        self.come(delay, Coming::Fetch { life, attempt, kind });
        Ok(())
    }

    fn fetch(&mut self, life: u32, attempt: u64, kind: FetchKind) -> Played {
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
            self.come(back, Coming::Hear(life, event));
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
            self.come(back, Coming::Hear(life, failed(refusal, Outcome::Refused)));
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
                self.come(late, Coming::Hear(life, event));
                return Ok(());
            }
            (true, 2) => failed(FailureKind::ConnectionLost, Outcome::Unknown),
            (true, _) => return Ok(()),
        };
        self.come(back, Coming::Hear(life, event));
        Ok(())
    }

    /// The budget's day begins up to a minute later for each credential, so that a simulated day may hold
    /// the end of one budget and the beginning of the next.
    fn loose_budget(&self) -> Policy {
        let mut policy = self.scenario.policy.clone();
        policy.limits.per_day *= 2;
        policy
    }

    fn probe(&mut self, life: u32, generation: u64, token: u64) -> Played {
        let verdict = if self.platform.is_down {
            Verdict::Unclear
        } else if self.platform.is_alive(token, self.now.boot) {
            Verdict::Alive
        } else {
            Verdict::Dead
        };
        let back = Span(self.random.between(1, 300));
        self.note(format!("platform says {verdict:?} of token {token}"));
        self.come(back, Coming::Hear(life, Event::Probed { generation, verdict }));
        Ok(())
    }

    // Readers.

    fn read(&mut self) -> Played {
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

    fn use_token(&mut self, holder: Holder) -> Played {
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
        let current = node.fleet.get(ID).map_or(0, tokenward_core::credential::Credential::generation);
        let answer = node.fleet.report(ID, holder.generation, proven, now, &mut effects);
        if holder.generation != current && (answer != Some(ReportAnswer::Superseded) || has_fetch(&effects)) {
            return Err(format!("promise 4: a report of generation {} is {answer:?}", holder.generation));
        }
        self.carry_out(effects)
    }

    // Accidents.

    fn plan_accidents(&mut self) {
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

    fn plan(&mut self, every: Option<Span>, accident: Accident) {
        if let Some(every) = every {
            let after = Span(self.random.between(1, every.0 * 2));
            self.come(after, Coming::Accident(accident));
        }
    }

    fn happen(&mut self, accident: Accident) -> Played {
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
    fn suspend(&mut self) {
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

    fn operate(&mut self) -> Played {
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

fn has_fetch(effects: &Effects) -> bool {
    effects.iter().any(|(_, effect)| matches!(effect, Effect::Fetch { .. } | Effect::Intend { .. }))
}

fn describe(view: &tokenward_core::view::View) -> String {
    view.offer.as_ref().map_or_else(
        || "nothing".to_owned(),
        |offer| format!("token {} until {:?}, {:?}", number(&offer.token), offer.end, offer.told),
    )
}

fn brief(event: &Event) -> String {
    match event {
        Event::Granted { attempt, grant } => format!("granted {attempt:x} token {}", number(&grant.token)),
        Event::Failed { attempt, failure, outcome } => {
            format!("failed {attempt:x} {} {outcome:?}", failure.kind.code())
        }
        other => format!("{other:?}"),
    }
}
