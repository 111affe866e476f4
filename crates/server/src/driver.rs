//! The loop that owns the fleet: events in, effects out, one sleep.
//!
//! Only this task changes anything about credentials. It never waits for a platform or for the disk: effects
//! are handed to tasks, and what comes of them returns as events. It sleeps a second at most, so that a
//! machine that was suspended is noticed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokenward_core::credential::{RefreshRefused, ReportAnswer};
use tokenward_core::effect::Effect;
use tokenward_core::event::Event;
use tokenward_core::fleet::{CredentialId, Effects, Fleet};
use tokenward_core::time::{Boot, Span};
use tokenward_vault::KeyRing;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::clock;
use crate::feed::Feed;
use crate::fetch::Egress;
use crate::keeper::Job;
use crate::material::Material;
use crate::telemetry::Telemetry;
use crate::token_index::TokenIndex;

/// What the driver is told.
#[derive(Debug)]
pub enum Input {
    /// Something happened to a credential.
    Event(CredentialId, Event),
    /// A client says that a generation was refused. Answered when all that follows is settled.
    Report {
        /// The credential.
        id: CredentialId,
        /// The generation.
        generation: u64,
        /// Whether our own gateway saw the refusal.
        proven: bool,
        /// Where the outcome goes.
        reply: oneshot::Sender<ReportAnswer>,
    },
    /// An operator wants a refresh. Answered when it is begun, and again when it is over.
    Refresh {
        /// The credential.
        id: CredentialId,
        /// Even where holders rely on the token.
        force: bool,
        /// Whether it was begun.
        begun: oneshot::Sender<Result<bool, RefreshRefused>>,
        /// Closed when it is over.
        over: oneshot::Sender<()>,
    },
    /// A reader wants a longer life than the token has left.
    Longer {
        /// The credential.
        id: CredentialId,
        /// How much life it wants.
        min_ttl: Span,
        /// Whether a fetch is under way for it.
        reply: oneshot::Sender<bool>,
    },
    /// Finish what is under way and end.
    Drain,
}

/// The driver's task and what it works with.
pub struct Driver {
    /// The credentials.
    pub fleet: Fleet,
    /// Their run-time parts, by id.
    pub materials: Vec<Arc<Material>>,
    /// Where snapshots go.
    pub feed: Arc<Feed>,
    /// What must know a token before readers do.
    pub token_index: Arc<TokenIndex>,
    /// Where writes go.
    pub keeper: mpsc::UnboundedSender<Job>,
    /// The way to the platforms.
    pub egress: Egress,
    /// For the mark of a changed secret.
    pub keys: Arc<KeyRing>,
    /// Logs and metrics.
    pub telemetry: Arc<Telemetry>,
    /// For tasks to answer.
    pub inputs: mpsc::UnboundedSender<Input>,
}

/// Who waits for a credential to settle.
enum Waiter {
    Report { generation: u64, since: Boot, reply: oneshot::Sender<ReportAnswer> },
    Refresh(oneshot::Sender<()>),
}

impl Waiter {
    fn has_gone(&self) -> bool {
        match self {
            Waiter::Report { reply, .. } => reply.is_closed(),
            Waiter::Refresh(over) => over.is_closed(),
        }
    }
}

/// Exchanges with platforms under way at the most; planned fetches wait for their turn beyond that.
const EXCHANGES: usize = 1_024;
const LONGEST_SLEEP: Span = Span::seconds(1);
/// How long a graceful shutdown waits for a running fetch and its keep.
const DRAIN: Span = Span::seconds(15);
/// How often the end of what is running is looked for.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// Inputs taken before time gets its turn.
const BATCH: usize = 1_024;

struct Running {
    driver: Driver,
    effects: Effects,
    waiters: HashMap<CredentialId, Vec<Waiter>>,
    exchanges: JoinSet<()>,
}

impl Driver {
    /// Runs until drained. Returns whether everything is stored that was published.
    pub async fn run(self, mut inputs: mpsc::UnboundedReceiver<Input>) -> bool {
        let mut running = Running {
            driver: self,
            effects: Effects::new(),
            waiters: HashMap::new(),
            exchanges: JoinSet::new(),
        };
        let mut batch = Vec::new();
        let mut drain_until = None;
        loop {
            running.let_time_work();
            let busy = || running.driver.fleet.is_busy();
            if drain_until.is_some_and(|until| clock::boot() >= until || !busy()) {
                return !busy();
            }
            let sleep = if drain_until.is_some() { DRAIN_STEP } else { running.sleep() };
            tokio::select! {
                _ = inputs.recv_many(&mut batch, BATCH) => {}
                () = tokio::time::sleep(sleep) => {}
            }
            while running.exchanges.try_join_next().is_some() {}
            for input in batch.drain(..) {
                if matches!(input, Input::Drain) {
                    drain_until = Some(clock::boot() + DRAIN);
                }
                running.take(input);
            }
        }
    }
}

impl Running {
    fn let_time_work(&mut self) {
        let room = EXCHANGES.saturating_sub(self.exchanges.len());
        self.driver.fleet.poll(clock::now(), room, &mut self.effects);
        self.carry_out();
    }

    fn sleep(&self) -> Duration {
        let now = clock::boot();
        let wakeup = if self.exchanges.len() < EXCHANGES {
            self.driver.fleet.next_wakeup(now, now + LONGEST_SLEEP)
        } else {
            now + LONGEST_SLEEP
        };
        Duration::from_millis(u64::try_from((wakeup - now).0).unwrap_or(0))
    }

    fn take(&mut self, input: Input) {
        let now = clock::now();
        let fleet = &mut self.driver.fleet;
        // Whoever is answered sees what the answer speaks of: effects first, then answers. Somebody who has gone
        // does not need one.
        match input {
            Input::Event(id, event) => {
                fleet.handle(id, event, now, &mut self.effects);
                self.carry_out();
                // Also what changes nothing to be seen, like a probe without a clear answer, settles things.
                self.settle(id);
            }
            Input::Report { id, generation, proven, reply } => {
                let answer = fleet.report(id, generation, proven, now, &mut self.effects);
                self.carry_out();
                if answer == Some(ReportAnswer::Pending) {
                    self.wait(id, Waiter::Report { generation, since: now.boot, reply });
                } else {
                    let _ = reply.send(answer.unwrap_or(ReportAnswer::Superseded));
                }
            }
            Input::Refresh { id, force, begun, over } => {
                let answer = fleet.refresh(id, force, now, &mut self.effects);
                self.carry_out();
                let answer = answer.unwrap_or(Err(RefreshRefused::NotFetchable));
                if answer.is_ok() {
                    self.wait(id, Waiter::Refresh(over));
                }
                let _ = begun.send(answer);
            }
            Input::Longer { id, min_ttl, reply } => {
                let under_way = fleet.fetch_ahead(id, min_ttl, now, &mut self.effects);
                self.carry_out();
                let _ = reply.send(under_way.unwrap_or(false));
            }
            Input::Drain => {
                fleet.drain(now, &mut self.effects);
                self.carry_out();
            }
        }
    }

    fn wait(&mut self, id: CredentialId, waiter: Waiter) {
        let waiting = self.waiters.entry(id).or_default();
        // Before the list grows, those go who have given up.
        if waiting.len() == waiting.capacity() {
            waiting.retain(|waiter| !waiter.has_gone());
        }
        waiting.push(waiter);
        self.settle(id);
    }

    fn carry_out(&mut self) {
        let mut touched = Vec::new();
        let mut happenings = Vec::new();
        for (id, effect) in std::mem::take(&mut self.effects) {
            if touched.last() != Some(&id) {
                touched.push(id);
            }
            match effect {
                Effect::Tell(happening) => happenings.push((id, happening)),
                effect => self.act(id, effect),
            }
        }
        // What people are told can be seen by then.
        for (id, happening) in happenings {
            if let Some(entry) = self.driver.feed.get(id) {
                self.driver.telemetry.tell(entry, happening);
            }
        }
        for id in touched {
            self.settle(id);
        }
    }

    fn act(&mut self, id: CredentialId, effect: Effect) {
        let driver = &self.driver;
        let (Some(material), Some(entry)) = (driver.materials.get(id.0 as usize), driver.feed.get(id)) else {
            return;
        };
        match effect {
            Effect::Intend { record } => self.store(Job::Intend(id, record)),
            Effect::Keep { attempt, record, token } => self.store(Job::Keep(id, attempt, record, token)),
            Effect::Note { record } => self.store(Job::Note(record)),
            Effect::Publish { view } => {
                if let Some(offer) = &view.offer {
                    driver.token_index.note(id, offer);
                }
                entry.publish(*view);
            }
            Effect::Tell(_) => {}
            Effect::Fetch { attempt, kind, timeout, source } => {
                let (egress, material) = (driver.egress.clone(), Arc::clone(material));
                let patience = Duration::from_millis(u64::try_from(timeout.0).unwrap_or(0));
                self.spawn(id, async move { egress.fetch(material, attempt, kind, source, patience).await });
            }
            Effect::Probe { probe, token } => {
                let (egress, material) = (driver.egress.clone(), Arc::clone(material));
                self.spawn(id, async move { egress.probe(material, probe, token).await });
            }
            Effect::RereadSecret => self.reread(id, Arc::clone(material)),
        }
    }

    fn store(&self, job: Job) {
        // The keeper ends only after the driver has gone.
        drop(self.driver.keeper.send(job));
    }

    fn spawn(&mut self, id: CredentialId, exchange: impl Future<Output = Event> + Send + 'static) {
        let inputs = self.driver.inputs.clone();
        self.exchanges.spawn(async move {
            let event = exchange.await;
            drop(inputs.send(Input::Event(id, event)));
        });
    }

    /// After a refusal of the secret: perhaps it was replaced where it comes from.
    fn reread(&mut self, id: CredentialId, material: Arc<Material>) {
        let (inputs, keys) = (self.driver.inputs.clone(), Arc::clone(&self.driver.keys));
        tokio::task::spawn_blocking(move || match material.reread() {
            Ok(true) => {
                let config_mark = material.config_mark(&keys);
                drop(inputs.send(Input::Event(id, Event::SecretChanged { config_mark })));
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(credential = %material.name, %error, "cannot read the secret again"),
        });
    }

    /// Answers those whose matter is settled.
    fn settle(&mut self, id: CredentialId) {
        let Some(waiting) = self.waiters.get_mut(&id) else { return };
        let Some(credential) = self.driver.fleet.get(id) else { return };
        let now = clock::boot();
        let done = waiting.extract_if(.., |waiter| match waiter {
            Waiter::Report { generation, .. } => credential.is_settled(*generation, now),
            Waiter::Refresh(_) => !credential.is_at_work(now),
        });
        for waiter in done {
            match waiter {
                Waiter::Report { generation, since, reply } => {
                    let _ = reply.send(credential.outcome(generation, since));
                }
                Waiter::Refresh(over) => drop(over),
            }
        }
        if waiting.is_empty() {
            self.waiters.remove(&id);
        }
    }
}
