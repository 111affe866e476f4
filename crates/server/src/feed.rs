//! What is published: one snapshot a credential, read without a lock, and a signal when it changes.
//!
//! One writer, the driver; any number of readers. A reader that waits listens before it looks.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use http::HeaderValue;
use tokenward_core::fleet::CredentialId;
use tokenward_core::name::Name;
use tokenward_core::time::{Boot, Wall};
use tokenward_core::view::View;
use tokio::sync::Notify;

use crate::schedule::Schedule;
use crate::sinks::Standing;
use crate::ticket::Ticket;

/// All published credentials. Built once, before anything is served.
#[derive(Debug, Default)]
pub struct Feed {
    entries: Vec<Arc<Entry>>,
    names: HashMap<Name, usize>,
}

/// One credential as readers see it.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// Its place in the fleet.
    pub id: CredentialId,
    /// Its platform's word.
    pub platform: &'static str,
    /// The times at which it is refreshed, if any are named.
    pub schedule: Option<Arc<Schedule>>,
    /// What it is beside a token fetched with a secret.
    pub ticket: Option<Arc<Ticket>>,
    /// Counters that metrics show.
    pub counts: Counts,
    /// How its sinks stand.
    pub sinks: Vec<Arc<Standing>>,
    calls: ArcSwap<Vec<Arc<CallCounts>>>,
    kept_back: ArcSwapOption<KeptBack>,
    /// The last time that a platform took the token of the generation beside it, in milliseconds of boot time.
    accepted: (AtomicU64, AtomicI64),
    /// Until when refusals of calls prove nothing, in milliseconds of boot time.
    distrusted: AtomicI64,
    view: ArcSwap<View>,
    changed: Notify,
    rendered: ArcSwapOption<Rendered>,
}

/// The answer to a token read, good for one second: most reads of a second share it. `Debug` does not show it.
pub struct Rendered {
    /// The snapshot it was made from.
    pub view: Arc<View>,
    /// The told life in it, in whole seconds.
    pub expires_in: i64,
    /// The end of the told life in it, in Unix seconds.
    pub expires_at: i64,
    /// The body.
    pub body: Bytes,
    /// `ETag`
    pub etag: HeaderValue,
    /// `Cache-Control`
    pub cache_control: HeaderValue,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What happened to a credential since the process was started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Tokens handed out.
    pub reads: AtomicU64,
    /// Fetches that brought a new token.
    pub rotated: AtomicU64,
    /// Fetches that brought the token we had.
    pub unchanged: AtomicU64,
    /// Fetches that failed, the outcome being known.
    pub failed: AtomicU64,
    /// Fetches of which nobody knows the outcome.
    pub ambiguous: AtomicU64,
    /// Deaths of our token that were not our doing.
    pub foreign: AtomicU64,
    /// Refusals that persisted after refresh and replay, and were kept back by a facade.
    pub kept_back: AtomicU64,
}

/// One client's calls with one credential, through gateway and facade.
#[derive(Debug)]
pub struct CallCounts {
    /// Whose calls.
    pub caller: Box<str>,
    /// Calls with a token, or with an app's secret.
    pub calls: AtomicU64,
    /// Those of them whose token the platform refused.
    pub refused: AtomicU64,
    /// Those of them that were made a second time.
    pub replayed: AtomicU64,
}

/// The last refusal that a facade kept back.
#[derive(Clone, Debug)]
pub struct KeptBack {
    /// When.
    pub at: Wall,
    /// The platform's code and message.
    pub words: String,
}

impl Counts {
    /// Adds one. Counters are for people; no decision depends on their order.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Feed {
    /// Adds a credential; ids are given in order from 0.
    pub fn add(
        &mut self,
        name: Name,
        id: CredentialId,
        platform: &'static str,
        schedule: Option<Arc<Schedule>>,
        ticket: Option<Arc<Ticket>>,
        sinks: Vec<Arc<Standing>>,
    ) {
        self.names.insert(name.clone(), self.entries.len());
        self.entries.push(Arc::new(Entry {
            name,
            id,
            platform,
            schedule,
            ticket,
            counts: Counts::default(),
            sinks,
            calls: ArcSwap::default(),
            kept_back: ArcSwapOption::empty(),
            accepted: (AtomicU64::new(0), AtomicI64::new(i64::MIN)),
            distrusted: AtomicI64::new(i64::MIN),
            view: ArcSwap::from_pointee(View::pending()),
            changed: Notify::new(),
            rendered: ArcSwapOption::empty(),
        }));
    }

    /// The credential with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(*self.names.get(name)?)
    }

    /// The credential with this id.
    #[must_use]
    pub fn get(&self, id: CredentialId) -> Option<&Arc<Entry>> {
        self.entries.get(id.0 as usize)
    }

    /// All credentials.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter()
    }
}

impl Entry {
    /// The snapshot of now.
    #[must_use]
    pub fn view(&self) -> arc_swap::Guard<Arc<View>> {
        self.view.load()
    }

    /// The snapshot of now, to keep.
    #[must_use]
    pub fn view_full(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// The answer that was rendered last, if it was made from this snapshot.
    #[must_use]
    pub fn rendered(&self) -> arc_swap::Guard<Option<Arc<Rendered>>> {
        self.rendered.load()
    }

    /// Keeps an answer for the other reads of this second.
    pub fn keep_rendered(&self, rendered: Arc<Rendered>) {
        self.rendered.store(Some(rendered));
    }

    /// Shows readers another snapshot.
    pub fn publish(&self, view: View) {
        self.view.store(Arc::new(view));
        self.changed.notify_waiters();
    }

    /// Where the calls of this caller are counted. Few callers call with one credential: they are looked through.
    #[must_use]
    pub fn calls_of(&self, caller: &str) -> Arc<CallCounts> {
        let find =
            |all: &[Arc<CallCounts>]| all.iter().find(|counts| &*counts.caller == caller).map(Arc::clone);
        if let Some(counts) = find(&self.calls.load()) {
            return counts;
        }
        let zero = || AtomicU64::new(0);
        let fresh =
            Arc::new(CallCounts { caller: caller.into(), calls: zero(), refused: zero(), replayed: zero() });
        let before = self.calls.rcu(|all| {
            let mut all = Vec::clone(all);
            if find(&all).is_none() {
                all.push(Arc::clone(&fresh));
            }
            all
        });
        find(&before).unwrap_or(fresh)
    }

    /// Everybody's calls.
    #[must_use]
    pub fn all_calls(&self) -> Arc<Vec<Arc<CallCounts>>> {
        self.calls.load_full()
    }

    /// Notes that the platform took a call with the token of this generation.
    pub fn note_accepted(&self, generation: u64, at: Boot) {
        self.accepted.0.store(generation, Ordering::Relaxed);
        self.accepted.1.store(at.0, Ordering::Relaxed);
    }

    /// When the platform last took a call with the token of this generation, if it was the last that it took.
    #[must_use]
    pub fn accepted(&self, generation: u64) -> Option<Boot> {
        let is_it = self.accepted.0.load(Ordering::Relaxed) == generation;
        is_it.then(|| Boot(self.accepted.1.load(Ordering::Relaxed)))
    }

    /// A new token was refused like the one before: until then, refusals of calls prove nothing.
    pub fn distrust_until(&self, moment: Boot) {
        self.distrusted.store(moment.0, Ordering::Relaxed);
    }

    /// Whether refusals of calls prove nothing now.
    #[must_use]
    pub fn is_distrusted(&self, now: Boot) -> bool {
        now.0 < self.distrusted.load(Ordering::Relaxed)
    }

    /// Notes a refusal that was kept back.
    pub fn note_kept_back(&self, at: Wall, words: String) {
        Counts::add(&self.counts.kept_back);
        self.kept_back.store(Some(Arc::new(KeptBack { at, words })));
    }

    /// The last refusal that was kept back.
    #[must_use]
    pub fn last_kept_back(&self) -> Option<Arc<KeptBack>> {
        self.kept_back.load_full()
    }

    /// Completes at the next publication after the call: call it first, then look, then wait.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendered_answer_does_not_show_its_token() {
        let rendered = Rendered {
            view: Arc::new(View::pending()),
            expires_in: 1,
            expires_at: 2,
            body: Bytes::from_static(b"hunter2"),
            etag: HeaderValue::from_static("x"),
            cache_control: HeaderValue::from_static("x"),
        };
        let shown = format!("{rendered:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
