//! One credential: the state machine behind every rule of refreshing.
//!
//! Four kinds of methods: `handle` (an event happened), commands with an answer (`report`, `refresh`),
//! getters, and `next_wakeup`. Each takes the time as an argument and writes what is to be done into a list
//! of effects. Invariants, each tested by the simulation:
//!
//! - at most one attempt is running; an answer counts only while its attempt is the newest;
//! - an exclusive fetch begins only after its intent is stored (an embedded store that fails is excepted
//!   when the life of the token is nearly over);
//! - a token is published after it is kept, or when the one before it is about to die;
//! - a failure never takes a token away: only its end, a refusal that was verified, or its successor does.
//!
//! Deliberately absent: clocks, entropy, IO, and the platforms' dialects.

mod doubt;
mod fetching;
mod foreign;
mod keeping;
mod restore;
mod source;

use std::sync::Arc;

use crate::budget::{Budget, Cause};
use crate::draw;
use crate::effect::{Effect, Happening};
use crate::event::Event;
use crate::failure::{Class, FailureKind};
use crate::name::Name;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::semantics::FetchKind;
use crate::time::{Boot, Now, Span, Wall};
use crate::view::{Offer, State, Told, Trouble, View};

use doubt::Probe;
use foreign::Foreign;
use keeping::{STALLED, Unkept};
use source::Borrowed;

pub use doubt::ReportAnswer;
pub use fetching::RefreshRefused;
pub use restore::highest_generation;
pub use source::{Source, SourceWish};

/// What a credential is told about itself by the configuration.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: Name,
    /// See [`crate::record::Record::fingerprint`].
    pub fingerprint: [u8; 32],
    /// See [`crate::record::Record::config_mark`].
    pub config_mark: [u8; 16],
    /// Its rules.
    pub policy: Arc<Policy>,
}

/// One credential. See the module's documentation.
#[derive(Debug)]
pub struct Credential {
    name: Name,
    fingerprint: [u8; 32],
    config_mark: [u8; 16],
    policy: Arc<Policy>,
    held: Option<Held>,
    /// The highest generation that may have been handed out.
    reserved: u64,
    attempt: Attempt,
    unkept: Option<Box<Unkept>>,
    exposure: Exposure,
    plan: Plan,
    /// After a failure: when it makes sense to try again, if there is a reason not to wait for the plan.
    retry_from: Boot,
    trouble: Option<Arc<Trouble>>,
    failures: u32,
    probe: Probe,
    budget: Budget,
    foreign: Foreign,
    borrowed: Borrowed,
    state: State,
    dirty: bool,
}

/// What every step is given: the time, where to write effects, and what the fleet shares.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// Where effects go.
    pub effects: &'a mut Vec<Effect>,
    /// Counts attempts over all credentials and restarts.
    pub next_attempt: &'a mut u64,
    /// Differs from node to node.
    pub salt: u64,
    /// See [`crate::record::ClockRecord::boot_id`].
    pub boot_id: u64,
    /// The process is about to end: what is running is finished, nothing new begins.
    pub draining: bool,
    /// Whether the store is ours alone, so that a fetch without a stored intent is thinkable.
    pub embedded: bool,
    /// The token to ask with, where it takes one.
    pub source: Source,
    /// What the source is to do.
    pub source_wish: Option<SourceWish>,
}

/// The token in hand.
#[derive(Clone, Debug)]
struct Held {
    token: Secret,
    generation: u64,
    issued: Boot,
    end: Boot,
    due: Boot,
    /// It was found dead: never handed out again.
    revoked: bool,
    /// The clock says it was issued in the future: not handed out before a probe.
    suspect: bool,
    /// It works, and nobody knows for how long: holders are told next to nothing.
    unsure: bool,
    /// Its end has passed and readers know.
    over: bool,
}

/// The newest attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    id: u64,
    kind: FetchKind,
    cause: Cause,
    /// When it was decided, which is what is stored with its intent. What holders were told of the old token
    /// counts from here.
    begun: Boot,
    /// When the platform was asked.
    started: Boot,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Phase {
    /// It has come to an end.
    #[default]
    Over,
    /// It has taken too long and counts as lost; its answer is welcome while it is the newest.
    GivenUp,
    /// The intent is being stored.
    Intending,
    /// The platform is being asked.
    Fetching,
}

impl Attempt {
    fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Intending | Phase::Fetching)
    }
}

/// Exclusive fetches with unknown outcome since the token in hand was kept.
#[derive(Clone, Copy, Debug, Default)]
struct Exposure {
    count: u32,
    /// When the last of them was begun.
    last: Boot,
    /// When it was given up: it can have reached the platform until then.
    over: Boot,
}

/// When the next attempt begins, and why.
#[derive(Clone, Copy, Debug)]
struct Plan {
    at: Boot,
    cause: Cause,
    kind: FetchKind,
    /// The budget allows none earlier, whoever waits.
    limited: bool,
}

impl Plan {
    fn new(at: Boot, cause: Cause, kind: FetchKind) -> Plan {
        Plan { at, cause, kind, limited: false }
    }

    /// An ordinary refresh.
    fn planned(at: Boot) -> Plan {
        Plan::new(at, Cause::Planned, FetchKind::Plain)
    }
}

/// A fetch that begins within this is worth waiting for.
const NEAR: Span = Span::seconds(1);
/// How long readers wait for a fetch that may kill the token they would get.
const HOLD: Span = Span::seconds(2);

impl Credential {
    /// A credential about which the store knows nothing.
    #[must_use]
    pub fn new(spec: Spec, now: Now) -> Credential {
        Credential {
            name: spec.name,
            fingerprint: spec.fingerprint,
            config_mark: spec.config_mark,
            policy: spec.policy,
            held: None,
            reserved: 0,
            attempt: Attempt::default(),
            unkept: None,
            exposure: Exposure::default(),
            plan: Plan::planned(now.boot),
            retry_from: now.boot,
            trouble: None,
            failures: 0,
            probe: Probe::default(),
            budget: Budget::default(),
            foreign: Foreign::default(),
            borrowed: Borrowed::default(),
            state: State::Pending,
            dirty: true,
        }
    }

    /// Something happened, or time has passed.
    pub fn handle(&mut self, event: Event, cx: &mut Context<'_>) {
        match event {
            Event::Tick => {}
            Event::Wanted => self.on_wanted(cx),
            Event::SourceChanged => self.on_source_changed(cx),
            Event::Intended { attempt } => self.on_intended(attempt, cx),
            Event::IntentFailed { attempt } => self.on_intent_failed(attempt, cx),
            Event::Granted { attempt, grant } => self.on_granted(attempt, grant, cx),
            Event::Failed { attempt, failure, outcome } => self.on_failed(attempt, failure, outcome, cx),
            Event::Kept { attempt } => self.on_kept(attempt, cx),
            Event::KeepFailed { attempt } => self.on_keep_failed(attempt, cx),
            Event::KeepSuperseded { attempt } => self.on_keep_superseded(attempt, cx),
            Event::Probed { probe, verdict } => self.on_probed(probe, &verdict, cx),
            Event::SecretChanged { config_mark } => self.on_secret_changed(config_mark, cx),
        }
        self.advance(cx);
    }

    /// Does what time alone brings about, then shows readers what changed.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) {
        self.give_up_stalled_intent(cx);
        self.give_up_slow_fetch(cx);
        self.advance_keep(cx);
        self.advance_probe(cx);
        if self.plan.at <= cx.now.boot && self.may_begin() {
            self.begin_planned(cx);
        }
        self.advance_contest(cx);
        self.notice_end(cx);
        let state = self.state_at(cx.now.boot);
        if state != self.state {
            cx.effects.push(Effect::Tell(Happening::StateChanged { from: self.state, to: state }));
            self.state = state;
            self.dirty = true;
        }
        if core::mem::take(&mut self.dirty) {
            cx.effects.push(Effect::Publish { view: Box::new(self.view(cx.now)) });
        }
    }

    fn notice_end(&mut self, cx: &mut Context<'_>) {
        let Some(held) = self.held.as_mut() else { return };
        if !held.over && cx.now.boot >= held.end {
            held.over = true;
            self.dirty = true;
            if !held.revoked {
                cx.effects.push(Effect::Tell(Happening::Expired));
            }
        }
    }

    /// The earliest moment at which `handle(Event::Tick)` would do something.
    #[must_use]
    pub fn next_wakeup(&self) -> Boot {
        let fetch = match self.attempt.phase {
            Phase::Fetching => self.attempt.started + self.policy.fetch_timeout(self.attempt.kind),
            Phase::Intending => self.attempt.begun + STALLED,
            Phase::Over | Phase::GivenUp if self.may_begin() => self.plan.at,
            Phase::Over | Phase::GivenUp => Boot::NEVER,
        };
        let keep = self.unkept.as_ref().map_or(Boot::NEVER, |unkept| unkept.next_wakeup());
        let end = match &self.held {
            Some(held) if !held.over => held.end,
            _ => Boot::NEVER,
        };
        fetch.min(keep).min(end).min(self.probe_wakeup()).min(self.foreign.next_wakeup())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The generation of the token in hand; 0 when there is none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.generation)
    }

    /// Whether a token or an outcome is waiting to be stored.
    #[must_use]
    pub fn is_unkept(&self) -> bool {
        self.unkept.is_some()
    }

    /// Whether what somebody asked for is still under way: an attempt, its token's way into the store, or the token of
    /// another credential without which there is no attempt.
    #[must_use]
    pub fn is_at_work(&self, now: Boot) -> bool {
        self.is_busy() || self.is_waiting_for_source(now)
    }

    /// Whether an attempt is running or its token not stored yet: what a graceful shutdown waits for.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.attempt.is_running() || self.unkept.is_some()
    }

    /// What readers see.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        let offer = self.usable(now.boot).map(|held| Offer {
            token: held.token.clone(),
            generation: held.generation,
            issued: held.issued,
            end: held.end,
            told: self.told(now.boot),
            contested: self.foreign.is_contested(now.boot),
        });
        View {
            state: self.state_at(now.boot),
            generation: self.generation(),
            offer,
            next_fetch: (self.plan.at < Boot::NEVER).then_some(self.plan.at),
            fetching: self.attempt.is_running() || self.is_keeping_back() || self.is_source_coming(),
            trouble: self.trouble.clone(),
            foreign: self.foreign.view(now),
            budget_remaining: self.budget.remaining(now, self.jitter(), &self.policy.limits),
            budget_used: self.budget.used(now, self.jitter()),
            unkept: self.unkept.as_ref().is_some_and(|unkept| unkept.is_published()),
        }
    }

    fn state_at(&self, now: Boot) -> State {
        let usable = self.usable(now).is_some();
        let blocked = self.trouble.as_ref().is_some_and(|trouble| is_block(trouble.failure.kind));
        if blocked {
            State::Blocked
        } else if self.foreign.is_contested(now) {
            State::Contested
        } else if usable {
            if self.trouble.is_some() { State::Retrying } else { State::Live }
        } else if self.held.is_none() && self.trouble.is_none() {
            State::Pending
        } else {
            State::Expired
        }
    }

    /// The token that may be handed out.
    fn usable(&self, now: Boot) -> Option<&Held> {
        self.held.as_ref().filter(|held| now < held.end && !held.revoked && !held.suspect)
    }

    fn told(&self, now: Boot) -> Told {
        // What was granted and is not published yet has begun to supersede the token in hand, too.
        let running = (self.attempt.is_running() || self.is_keeping_back())
            && self.policy.semantics.is_exclusive(self.attempt.kind);
        let next = if running { self.attempt.begun } else { self.plan.at.max(now) };
        if self.is_doubtful(now) {
            let probing = self.probe.first_since(self.exposure.last).map_or(now, |since| since + HOLD);
            let fetching = if next <= now { next + HOLD } else { now };
            return Told::Doubtful { hold: probing.max(fetching) };
        }
        if self.exposure.count > 0 {
            // Wait for a fetch that is running or about to begin, not for one that is far away.
            let end = self.exposure.last + self.policy.safe_part;
            let hold = if next <= now.max(end + NEAR) { next + HOLD } else { end };
            return Told::Until { end, hold };
        }
        if running {
            let end = self.attempt.begun + self.policy.safe_part;
            return Told::Until { end, hold: end };
        }
        if !self.policy.semantics.rotates() {
            return Told::TrueEnd;
        }
        let fetch = if self.plan_is_promised() { self.plan.at } else { Boot(i64::MIN) };
        Told::Planned { fetch, safe_part: self.policy.safe_part }
    }

    /// Whether holders may count on it that no fetch begins before the plan says so. Not when a failure moved
    /// the plan past its due time, or the token is not stored yet: a restart knows neither. Nor when the
    /// credential is blocked: it is refreshed as soon as somebody mends what blocks it.
    fn plan_is_promised(&self) -> bool {
        let blocked = self.trouble.as_ref().is_some_and(|trouble| is_block(trouble.failure.kind));
        !blocked && self.unkept.is_none() && self.held.as_ref().is_some_and(|held| self.plan.at <= held.due)
    }

    fn fraction(&self, number: u64, salt: u64) -> u32 {
        draw::fraction(salt, self.name.as_str(), number)
    }

    /// Up to a minute, drawn once for this credential: what keeps a fleet from waking at one midnight.
    fn jitter(&self) -> Span {
        Span::minutes(1).fraction(self.fraction(0, 2))
    }

    fn set_trouble(&mut self, failure: crate::failure::Failure, at: Wall) {
        self.trouble = Some(Arc::new(Trouble { failure, at, failures: self.failures }));
        self.dirty = true;
    }

    fn clear_trouble(&mut self) {
        self.failures = 0;
        self.dirty |= self.trouble.take().is_some();
    }
}

/// Failures that make a credential `blocked`: a person must act, or a long wait must pass.
fn is_block(kind: FailureKind) -> bool {
    match kind.class() {
        Class::Blocked(_) => true,
        Class::Throttled => kind != FailureKind::RateLimited,
        Class::Transient => false,
    }
}
