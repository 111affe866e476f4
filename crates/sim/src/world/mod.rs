//! The world of one seed: a queue of things to come, played in order until the end.

mod accidents;
mod disk;
mod exchange;
mod life;
mod readers;
mod ticket;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokenward_core::effect::Effect;
use tokenward_core::event::Event;
use tokenward_core::fleet::{CredentialId, Effects};
use tokenward_core::policy::Policy;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::{Boot, Now, Span, Wall};
use tokenward_core::view::Reading;
use tokenward_store::{Fault, Memory, Write};

use crate::node::{ID, Node, Policies, number};
use crate::oracle::{Holder, Oracle, Violation};
use crate::platform::Platform;
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
    Hear(u32, CredentialId, Event),
    /// The store carries out a write of that life.
    Store(u32, CredentialId, Box<Write>, Ack),
    /// A fetch arrives at the platform.
    Fetch { life: u32, attempt: u64, kind: FetchKind },
    /// A request for a ticket arrives at the platform.
    Ticket { life: u32, attempt: u64, token: u64 },
    /// A probe arrives at the platform.
    Probe { life: u32, probe: u64, token: u64 },
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
    policies: Policies,
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
    /// When the last write arrives that is on its way to the store.
    last_write: Boot,
    boot_id: u64,
    /// Nobody could know when tickets up to this one end.
    excused_tickets: u64,
    trace_length: usize,
    /// Since when readers of the token are given one.
    token_shown_since: Option<Boot>,
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
        let policies = Policies {
            token: Arc::new(scenario.policy.clone()),
            ticket: scenario.ticket.then(|| Arc::new(scenario.ticket_policy())),
        };
        let Policy { semantics, overlap, renew_window, .. } = *policies.token;
        // Somewhere within a week, so that midnights are met at any point.
        let start = Wall(1_795_140_000_000 + random.between(0, 7 * 86_400_000));
        World {
            platform: Platform::new(semantics, scenario.life, overlap, renew_window),
            now: Now { boot: Boot(random.between(0, 100_000_000)), wall: start },
            random,
            scenario,
            policies,
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
            last_write: Boot(0),
            boot_id: 1,
            excused_tickets: 0,
            trace_length: TRACE,
            token_shown_since: None,
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
        self.check_recovered()?;
        self.check_ticket_recovered()
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
            Coming::Hear(life, id, event) => self.hear(life, id, event),
            Coming::Store(life, id, write, ack) => self.carry_out_write(life, id, &write, ack),
            Coming::Fetch { life, attempt, kind } => self.fetch(life, attempt, kind),
            Coming::Ticket { life, attempt, token } => self.ticket(life, attempt, token),
            Coming::Probe { life, probe, token } => self.probe(life, probe, token),
            Coming::Read => self.read().and_then(|()| self.read_ticket()),
            Coming::Use(holder) => self.use_token(holder),
            Coming::Accident(accident) => self.happen(accident),
            Coming::Restart => self.start_node(),
        }
    }
}

fn has_fetch(effects: &Effects) -> bool {
    effects
        .iter()
        .any(|(id, effect)| *id == ID && matches!(effect, Effect::Fetch { .. } | Effect::Intend { .. }))
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
