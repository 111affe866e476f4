//! The task that carries the queue out: sends messages to their targets, and tells the keeper what became of them.
//!
//! A message stays in the store until its target took it, so a crash anywhere costs at most a second delivery. Its
//! text is in memory only while it is being tried.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenward_core::name::Name;
use tokenward_providers::wechat_callback::Callback;
use tokenward_store::{Delivery, Store, StoreError, Write};
use tokenward_vault::{KeyRing, OpenError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::counts::{Attempts, Backlog};
use super::message_place;
use super::queue::{Item, Queue, TargetId, Verdict};
use super::target::{Said, Target};
use crate::clock;
use crate::keeper::Job;

/// What the dispatcher is told.
#[derive(Debug)]
pub enum Input {
    /// A message was stored and sets out.
    Arrived(Arrival),
    /// Somebody wants to see messages.
    List(Wanted, oneshot::Sender<Vec<Item>>),
    /// Somebody wants these sent again.
    Redeliver(Wanted, oneshot::Sender<Vec<Item>>),
    /// The server ends: nothing more is begun.
    Drain,
}

/// A message that sets out.
#[derive(Debug)]
pub struct Arrival {
    /// Where it goes.
    pub deliveries: Vec<(Delivery, TargetId)>,
    /// Its text.
    pub text: Arc<str>,
    /// Where the first answer goes, if somebody waits for one.
    pub answer: Option<mpsc::Sender<String>>,
}

/// Which messages are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those of this callback.
    pub callback: Option<Name>,
    /// Only this one.
    pub id: Option<u64>,
    /// Only those with greater numbers.
    pub after: Option<u64>,
    /// Those that were given up, or those that were not.
    pub dead: Option<bool>,
    /// At most so many.
    pub limit: usize,
}

impl Wanted {
    fn covers(&self, item: &Item) -> bool {
        let delivery = &item.delivery;
        self.callback.as_ref().is_none_or(|callback| delivery.callback == *callback)
            && self.id.is_none_or(|id| delivery.id == id)
            && self.after.is_none_or(|after| delivery.id > after)
            && self.dead.is_none_or(|dead| delivery.dead.is_some() == dead)
    }
}

/// A target with what the dispatcher knows of it.
#[derive(Debug)]
pub struct Post {
    /// The target.
    pub target: Target,
    /// Signs for it.
    pub signer: Arc<Callback>,
    /// Counters.
    pub attempts: Attempts,
    /// Whether the last attempt failed: so that a target that is down is logged once.
    pub failing: AtomicBool,
}

/// The task's state.
pub struct Dispatcher {
    /// What goes where when.
    pub queue: Queue,
    /// All targets.
    pub posts: Arc<Vec<Post>>,
    /// Where texts are.
    pub store: Arc<dyn Store>,
    /// What opens them.
    pub keys: Arc<KeyRing>,
    /// Who writes.
    pub keeper: mpsc::UnboundedSender<Job>,
    /// What metrics show.
    pub backlog: Arc<Backlog>,
    /// The way to the targets.
    pub http: reqwest::Client,
}

/// What an attempt came to.
type Tried = (u64, TargetId, Result<(), String>);

/// How long attempts that are under way get at the end. What does not make it is sent again by the next run.
const DRAIN: Duration = Duration::from_secs(5);

impl Dispatcher {
    /// Sends until nobody can tell it anything any more, or it is told to drain.
    pub async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        let mut attempts: JoinSet<Tried> = JoinSet::new();
        loop {
            self.begin(&mut attempts, None);
            self.show_backlog();
            let due = self.queue.next_wakeup().map(|at| (at - clock::boot()).0.max(0).cast_unsigned());
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(Input::Arrived(arrival)) => self.arrived(arrival, &mut attempts),
                    Some(Input::List(wanted, answer)) => drop(answer.send(self.list(&wanted))),
                    Some(Input::Redeliver(wanted, answer)) => drop(answer.send(self.redeliver(&wanted))),
                    Some(Input::Drain) | None => break,
                },
                Some(tried) = attempts.join_next() => self.ended(tried),
                () = tokio::time::sleep(Duration::from_millis(due.unwrap_or(0))), if due.is_some() => {}
            }
        }
        let finish = async {
            while let Some(tried) = attempts.join_next().await {
                self.ended(tried);
            }
        };
        drop(tokio::time::timeout(DRAIN, finish).await);
    }

    fn arrived(&mut self, arrival: Arrival, attempts: &mut JoinSet<Tried>) {
        let now = clock::boot();
        for (delivery, target) in &arrival.deliveries {
            self.queue.add(delivery.clone(), *target, now);
        }
        self.begin(attempts, Some(arrival));
    }

    /// Begins what is due and has a place. The text of a message that has to wait is read again from the store, and
    /// nobody waits for its answer.
    fn begin(&mut self, attempts: &mut JoinSet<Tried>, at_hand: Option<Arrival>) {
        while let Some((id, target)) = self.queue.take(clock::boot()) {
            let Some(item) = self.queue.get(id) else { continue };
            let is_fresh = |arrival: &&Arrival| arrival.deliveries.iter().any(|(fresh, _)| fresh.id == id);
            let fresh = at_hand.as_ref().filter(is_fresh);
            let attempt = Attempt {
                delivery: item.delivery.clone(),
                number: item.attempts.saturating_add(1),
                target,
                text: fresh.map(|arrival| Arc::clone(&arrival.text)),
                answer: fresh.and_then(|arrival| arrival.answer.clone()),
                posts: Arc::clone(&self.posts),
                store: Arc::clone(&self.store),
                keys: Arc::clone(&self.keys),
                http: self.http.clone(),
            };
            attempts.spawn(attempt.make());
        }
    }

    fn ended(&mut self, tried: Result<Tried, tokio::task::JoinError>) {
        // An attempt neither panics nor is it cancelled while its outcome is awaited.
        let Ok((id, target, outcome)) = tried else { return };
        let Some(delivery) = self.queue.get(id).map(|item| item.delivery.clone()) else { return };
        if let Some(post) = self.posts.get(target) {
            tell(post, &delivery, &outcome);
        }
        let verdict = self.queue.tried(id, target, outcome, clock::now());
        let writes = match verdict {
            Verdict::Arrived => vec![Write::ForgetDelivery(id)],
            Verdict::GivenUp(dead) => {
                if let Some(post) = self.posts.get(target) {
                    post.attempts.given_up.fetch_add(1, Ordering::Relaxed);
                }
                tracing::debug!(callback = %delivery.callback, target = %delivery.target, id, "a message was given up");
                let forgotten = self.queue.bury(id);
                std::iter::once(Write::BuryDelivery(id, dead))
                    .chain(forgotten.map(Write::ForgetDelivery))
                    .collect()
            }
            Verdict::Again(_) | Verdict::Unknown => return,
        };
        drop(self.keeper.send(Job::Beside(writes, None)));
    }

    fn list(&self, wanted: &Wanted) -> Vec<Item> {
        self.queue.iter().filter(|item| wanted.covers(item)).take(wanted.limit).cloned().collect()
    }

    fn redeliver(&mut self, wanted: &Wanted) -> Vec<Item> {
        let now = clock::now();
        let ids: Vec<u64> = self.list(wanted).into_iter().map(|item| item.delivery.id).collect();
        let mut sent = Vec::new();
        let mut writes = Vec::new();
        for id in ids {
            if let Some(item) = self.queue.redeliver(id, now) {
                writes.push(Write::ReviveDelivery(id, item.delivery.since));
                sent.push(item.clone());
            }
        }
        drop(self.keeper.send(Job::Beside(writes, None)));
        sent
    }

    fn show_backlog(&self) {
        self.backlog.waiting.store(self.queue.waiting(), Ordering::Relaxed);
        self.backlog.dead.store(self.queue.dead(), Ordering::Relaxed);
    }
}

/// One attempt, with all that it needs.
struct Attempt {
    delivery: Delivery,
    number: u32,
    target: TargetId,
    text: Option<Arc<str>>,
    answer: Option<mpsc::Sender<String>>,
    posts: Arc<Vec<Post>>,
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    http: reqwest::Client,
}

impl Attempt {
    async fn make(self) -> Tried {
        let outcome = self.post().await;
        (self.delivery.id, self.target, outcome)
    }

    async fn post(&self) -> Result<(), String> {
        let text = match &self.text {
            Some(text) => text.to_string(),
            None => {
                let read = read_text(self.store.as_ref(), &self.keys, &self.delivery).await;
                read.map_err(|why| why.to_string())?
            }
        };
        let post = self.posts.get(self.target).ok_or("there is no such target")?;
        let said = post.target.post(&self.http, &post.signer, &self.delivery, self.number, text).await?;
        if let (Some(answer), Said { text: Some(text) }) = (&self.answer, said) {
            // Whoever waited may have gone.
            drop(answer.try_send(text));
        }
        Ok(())
    }
}

/// The text of a message.
pub(super) async fn read_text(
    store: &dyn Store,
    keys: &KeyRing,
    delivery: &Delivery,
) -> Result<String, Unreadable> {
    let sealed = store.message(delivery.id).await.map_err(Unreadable::StoreFails)?.ok_or(Unreadable::Gone)?;
    let text = keys.open(&message_place(delivery), &sealed).map_err(Unreadable::Sealed)?;
    String::from_utf8(text.to_vec()).map_err(|_| Unreadable::NoText)
}

/// Why there is no text of a message.
#[derive(Debug)]
pub(super) enum Unreadable {
    StoreFails(StoreError),
    /// It has arrived meanwhile, or was forgotten.
    Gone,
    Sealed(OpenError),
    NoText,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::StoreFails(error) => error.fmt(f),
            Unreadable::Gone => f.write_str("its text is not in the store any more"),
            Unreadable::Sealed(error) => error.fmt(f),
            Unreadable::NoText => f.write_str("its text is damaged"),
        }
    }
}

/// Counts an attempt, and logs it where a target begins or ends to fail.
fn tell(post: &Post, delivery: &Delivery, outcome: &Result<(), String>) {
    let (callback, target) = (delivery.callback.as_str(), delivery.target.as_str());
    let was_failing = post.failing.swap(outcome.is_err(), Ordering::Relaxed);
    match outcome {
        Ok(()) => {
            post.attempts.arrived.fetch_add(1, Ordering::Relaxed);
            if was_failing {
                tracing::info!(callback, target, "the target takes messages again");
            }
        }
        Err(failure) => {
            post.attempts.failed.fetch_add(1, Ordering::Relaxed);
            if was_failing {
                tracing::debug!(callback, target, failure, "a message was not taken");
            } else {
                let next_step = "Start it, or correct `to`; messages are kept and tried again meanwhile.";
                tracing::warn!(callback, target, failure, next_step, "the target does not take messages");
            }
        }
    }
}
