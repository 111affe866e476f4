//! Puts the configuration and what the store knows together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};

use tokenward_store::{Dead, Delivery, Store, Write};
use tokenward_vault::KeyRing;
use tokio::sync::mpsc;

use super::counts::{Attempts, Backlog, Counts};
use super::dispatcher::{Dispatcher, Input, Post};
use super::queue::Queue;
use super::seen::SeenMessages;
use super::target::{self, Target};
use super::{Callbacks, Entry, Route};
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::keeper::Job;

/// The task that delivers messages, and what it is told.
pub type Deliveries = (Dispatcher, mpsc::UnboundedReceiver<Input>);

/// What a callback remembers at the most.
const MOST_SEEN: usize = 100_000;
const GONE: &str = "its target is not in the configuration any more";

/// The callbacks of a configuration, if it has a listener for them, with the messages that earlier runs did not deliver.
///
/// # Errors
/// A secret cannot be read, or the store cannot.
pub async fn start(
    config: &Config,
    store: &Arc<dyn Store>,
    keys: &Arc<KeyRing>,
    keeper: &mpsc::UnboundedSender<Job>,
) -> Result<Option<(Arc<Callbacks>, Deliveries)>, ConfigError> {
    if config.callback.is_none() {
        return Ok(None);
    }
    let mut by_name = HashMap::new();
    let mut posts = Vec::new();
    for callback in &config.callbacks {
        let signer = Arc::new(callback.gather(config)?);
        let mut targets = Vec::new();
        for target in &callback.targets {
            let (name, events) = (target.name.clone(), target.events.clone());
            targets.push(Route { name, id: posts.len(), events, answers: target.answers });
            posts.push(Post {
                target: Target { callback: callback.name.clone(), config: target.clone() },
                signer: Arc::clone(&signer),
                attempts: Attempts::default(),
                failing: AtomicBool::new(false),
            });
        }
        let entry = Entry {
            name: callback.name.clone(),
            callback: signer,
            targets,
            seen: Mutex::new(SeenMessages::new(callback.replay_window, MOST_SEEN)),
            counts: Counts::default(),
            complained: AtomicI64::new(i64::MIN),
        };
        by_name.insert(callback.name.as_str().to_owned(), Arc::new(entry));
    }
    restore_seen(store.as_ref(), &by_name).await?;
    let (queue, too_many) = restore_queue(store.as_ref(), &posts).await?;
    // The keeper is about to run.
    drop(keeper.send(Job::Beside(too_many.into_iter().map(Write::ForgetDelivery).collect(), None)));
    let http = target::client().map_err(|error| {
        ConfigError::outside(format!("no way to the targets of callbacks: {error}."), "Try again.")
    })?;
    let (dispatcher, inputs) = mpsc::unbounded_channel();
    let (posts, backlog) = (Arc::new(posts), Arc::new(Backlog::default()));
    let callbacks = Callbacks {
        by_name,
        posts: Arc::clone(&posts),
        keys: Arc::clone(keys),
        keeper: keeper.clone(),
        dispatcher,
        store: Arc::clone(store),
        backlog: Arc::clone(&backlog),
        next_id: AtomicU64::new(u64::from(store.opened().epoch) << 32),
    };
    let (store, keys, keeper) = (Arc::clone(store), Arc::clone(keys), keeper.clone());
    let dispatcher = Dispatcher { queue, posts, store, keys, keeper, backlog, http };
    Ok(Some((Arc::new(callbacks), (dispatcher, inputs))))
}

/// A digest says of itself to which callback it belongs, so every callback may know all of them.
async fn restore_seen(store: &dyn Store, by_name: &HashMap<String, Arc<Entry>>) -> Result<(), ConfigError> {
    let now = clock::wall();
    let mut each = |seen: tokenward_store::SeenMessage| {
        for entry in by_name.values().filter(|_| seen.until >= now) {
            super::take::locked(&entry.seen).restore(seen.digest, seen.until);
        }
    };
    store.load_seen_messages(&mut each).await.map_err(|error| unreadable(&error))
}

/// The queue, and what is forgotten because too many were given up.
async fn restore_queue(store: &dyn Store, posts: &[Post]) -> Result<(Queue, Vec<u64>), ConfigError> {
    let mut too_many = Vec::new();
    let mut queue = Queue::new(posts.iter().map(|post| post.target.config.retry_for));
    let now = clock::boot();
    let mut each = |delivery: Delivery| {
        let target = posts.iter().position(|post| {
            post.target.callback == delivery.callback && post.target.config.name == delivery.target
        });
        match target {
            Some(target) if delivery.dead.is_none() => queue.add(delivery, target, now),
            _ => {
                let gone = || Dead { failure: GONE.to_owned(), attempts: 0 };
                let dead = Some(delivery.dead.clone().unwrap_or_else(gone));
                too_many.extend(queue.add_dead(Delivery { dead, ..delivery }, target));
            }
        }
    };
    store.load_deliveries(&mut each).await.map_err(|error| unreadable(&error))?;
    Ok((queue, too_many))
}

fn unreadable(error: &tokenward_store::StoreError) -> ConfigError {
    ConfigError::outside(format!("{error}."), "Restore a backup, or move store.db away to begin anew.")
}
