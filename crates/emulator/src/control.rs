//! The control calls for code in the same process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use crate::clock;
use crate::event::Event;
use crate::fault::{ActiveFault, Fault};
use crate::machine::{Machine, UnknownApp};
use crate::moment::Moment;
use crate::stats::Stats;

/// Events that a slow listener may lag behind before it loses the oldest.
const EVENT_BACKLOG: usize = 1_024;

/// Moves a running emulator about. Clones speak of the same emulator, also after it was stopped.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    machine: Mutex<Machine>,
    events: broadcast::Sender<Event>,
    /// Rung when the clock was moved.
    moved: Notify,
}

impl Control {
    pub(crate) fn new(machine: Machine) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        Self { shared: Arc::new(Shared { machine: Mutex::new(machine), events, moved: Notify::new() }) }
    }

    /// Everything that happens from now on. A receiver that lags more than a thousand events behind loses the
    /// oldest and is told so.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// The emulator's clock.
    pub fn now(&self) -> Moment {
        self.with(|machine, wall| machine.now(wall))
    }

    /// Moves the emulator's clock forward.
    pub fn advance(&self, by: Duration) {
        self.with(|machine, wall| machine.advance(wall, by));
    }

    /// Makes every platform forget the tokens of one app, or of all, and returns how many of them were still
    /// alive.
    ///
    /// # Errors
    /// When there is no such app.
    pub fn invalidate(&self, app_id: Option<&str>) -> Result<usize, UnknownApp> {
        self.with(|machine, wall| machine.invalidate(wall, app_id))
    }

    /// Adds a fault and returns its id.
    ///
    /// # Errors
    /// When the fault is narrowed to an app that does not exist.
    pub fn inject(&self, fault: Fault) -> Result<u64, UnknownApp> {
        self.with(|machine, wall| machine.inject(wall, fault))
    }

    /// The active faults, in the order of their injection.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.with(|machine, wall| machine.faults(wall))
    }

    /// Ends all faults and returns how many there were.
    pub fn clear_faults(&self) -> usize {
        self.with(|machine, wall| machine.clear_faults(wall))
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.with(|machine, wall| machine.stats(wall))
    }

    /// Returns when the clock was moved, also if that was since the last time. One may wait at a time.
    pub(crate) async fn time_moves(&self) {
        self.shared.moved.notified().await;
    }

    /// Lets `act` at the machine and passes on what happened. The lock is never held across an await.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Machine, Moment) -> T) -> T {
        let mut machine = self.shared.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let advanced = machine.advanced();
        let result = act(&mut machine, clock::wall_now());
        if machine.advanced() != advanced {
            self.shared.moved.notify_one();
        }
        for event in machine.take_events() {
            // Nobody listening is the normal case.
            let _ = self.shared.events.send(event);
        }
        result
    }
}
