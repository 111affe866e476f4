//! What people and monitors see: log lines, metrics, the live stream of happenings.
//!
//! Never logged: tokens, secrets, client keys, request headers, queries, bodies, URLs of platforms.

mod log;
mod metrics;

use tokenward_core::effect::Happening;
use tokenward_core::name::Name;
use tokio::sync::broadcast;

pub use log::init as init_log;
pub use metrics::Metrics;

use crate::feed::{Counts, Entry};

/// Something that happened to a credential, for those who watch.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The credential.
    pub credential: Name,
    /// What happened.
    pub happening: Happening,
}

/// Where happenings go.
#[derive(Debug)]
pub struct Telemetry {
    watchers: broadcast::Sender<Seen>,
    /// Counters.
    pub metrics: Metrics,
}

/// A watcher that falls behind by more than this misses some.
const BACKLOG: usize = 1_024;

impl Telemetry {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Telemetry {
        Telemetry { watchers: broadcast::channel(BACKLOG).0, metrics: Metrics::new() }
    }

    /// From now on, everything that happens.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Seen> {
        self.watchers.subscribe()
    }

    /// Counts, logs and passes on what happened.
    pub fn tell(&self, entry: &Entry, happening: Happening) {
        self.count(entry, &happening);
        log::happening(entry, &happening);
        if self.watchers.receiver_count() > 0 {
            // Without watchers, nobody misses it.
            drop(self.watchers.send(Seen { credential: entry.name.clone(), happening }));
        }
    }

    fn count(&self, entry: &Entry, happening: &Happening) {
        let counts = &entry.counts;
        match happening {
            Happening::Rotated { .. } => Counts::add(&counts.rotated),
            Happening::Unchanged => Counts::add(&counts.unchanged),
            Happening::FetchFailed { ambiguous: true, .. } => Counts::add(&counts.ambiguous),
            Happening::FetchFailed { .. } => Counts::add(&counts.failed),
            Happening::ForeignRefresh { .. } => Counts::add(&counts.foreign),
            Happening::FetchBegun { late, .. } => self.metrics.observe_lateness(*late),
            _ => {}
        }
    }
}

impl Default for Telemetry {
    fn default() -> Telemetry {
        Telemetry::new()
    }
}
