//! How a sink stands: what was delivered, what waits, what went wrong.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokenward_core::name::Name;
use tokenward_core::secret::Secret;
use tokenward_core::time::{Boot, Span, Wall};

use super::delivery::Delivery;
use super::target::Look;
use crate::clock;
use crate::feed::Entry;

/// What can be seen of a sink. Written by its task, read by everybody.
#[derive(Debug)]
pub struct Standing {
    /// Its name.
    pub name: Name,
    /// The word for its kind: `redis`, `file`, …
    pub kind: &'static str,
    /// Deliveries that succeeded.
    pub delivered: AtomicU64,
    /// Deliveries that failed.
    pub failed: AtomicU64,
    /// How often somebody else had removed or overwritten what was delivered.
    pub lost: AtomicU64,
    generation: AtomicU64,
    told_end: AtomicI64,
    waiting_since: AtomicI64,
    failure: ArcSwapOption<StandingFailure>,
}

/// Why a delivery failed, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SinkFailure {
    /// What happened.
    pub(crate) detail: String,
    /// What a person can do.
    pub(crate) next_step: &'static str,
}

/// The last failure, if nothing has succeeded since.
#[derive(Clone, Debug)]
pub struct StandingFailure {
    /// What happened.
    pub detail: String,
    /// What a person can do.
    pub next_step: &'static str,
    /// When.
    pub at: Wall,
}

/// Nothing waits.
const NOTHING: i64 = i64::MIN;

impl SinkFailure {
    /// Nothing can be taken over from what is written so.
    pub(super) fn unreadable(key: &str) -> SinkFailure {
        SinkFailure::new(
            format!("the token cannot be told from what stands beside it in the sink's `{key}`"),
            "Write text between the token and other values, or ${json token}; for the import alone, if you like.",
        )
    }

    pub(crate) fn new(detail: impl fmt::Display, next_step: &'static str) -> SinkFailure {
        SinkFailure { detail: detail.to_string(), next_step }
    }

    /// The same without a token that somebody repeats.
    pub(super) fn without(self, token: &Secret) -> SinkFailure {
        SinkFailure { detail: self.detail.replace(token.expose(), "-"), ..self }
    }

    pub(super) fn too_slow() -> SinkFailure {
        SinkFailure::new(
            "the delivery took more than 10 seconds",
            "See whether the other side is overloaded or a firewall swallows the connection.",
        )
    }
}

impl Standing {
    pub(crate) fn new(name: Name, kind: &'static str) -> Standing {
        Standing {
            name,
            kind,
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            told_end: AtomicI64::new(0),
            waiting_since: AtomicI64::new(NOTHING),
            failure: ArcSwapOption::empty(),
        }
    }

    /// The generation that was delivered last, and the end of the life that was told with it; 0 before the first.
    #[must_use]
    pub fn last(&self) -> (u64, Wall) {
        (self.generation.load(Ordering::Relaxed), Wall(self.told_end.load(Ordering::Relaxed)))
    }

    /// For how long something has been waiting to be delivered; zero if nothing is.
    #[must_use]
    pub fn lag(&self, now: Boot) -> Span {
        match self.waiting_since.load(Ordering::Relaxed) {
            NOTHING => Span::ZERO,
            since => now - Boot(since),
        }
    }

    /// The last failure, if nothing has succeeded since.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<StandingFailure>> {
        self.failure.load_full()
    }

    pub(super) fn wait_since(&self, now: Boot) {
        // Whatever waits already has waited longer.
        let _ = self.waiting_since.compare_exchange(NOTHING, now.0, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn stop_waiting(&self) {
        self.waiting_since.store(NOTHING, Ordering::Relaxed);
    }

    pub(super) fn delivered(&self, entry: &Entry, delivery: &Delivery) {
        let before = self.generation.swap(delivery.generation, Ordering::Relaxed);
        self.told_end.store(delivery.told_end.0, Ordering::Relaxed);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.stop_waiting();
        let (credential, sink, generation) = (entry.name.as_str(), self.name.as_str(), delivery.generation);
        if self.failure.swap(None).is_some() {
            tracing::info!(credential, sink, generation, "the sink {sink} of {credential} works again");
        } else if before != generation {
            tracing::debug!(credential, sink, generation, "delivered to the sink {sink} of {credential}");
        }
    }

    /// The first failure of a row is logged; the others are counted.
    pub(super) fn failed(&self, entry: &Entry, failure: SinkFailure) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let SinkFailure { detail, next_step } = failure;
        let (credential, sink) = (entry.name.as_str(), self.name.as_str());
        let failure = StandingFailure { detail: detail.clone(), next_step, at: clock::wall() };
        let before = self.failure.swap(Some(Arc::new(failure)));
        if before.is_none_or(|before| before.detail != detail) {
            tracing::warn!(credential, sink, "the sink {sink} of {credential} fails: {detail}. {next_step}");
        }
    }

    pub(super) fn lost(&self, entry: &Entry, look: Look) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let (credential, sink) = (entry.name.as_str(), self.name.as_str());
        let what = match look {
            Look::Foreign => "somebody else overwrote what was in",
            Look::Gone | Look::Outdated | Look::There => "somebody else removed what was in",
        };
        tracing::warn!(credential, sink, "{what} the sink {sink} of {credential}; it is written again");
    }
}
