//! A store in memory, with faults on demand: for tests and for the simulation.
//!
//! Clones share one content, so that a test can drop the handle ("crash") and open the content again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokenward_core::name::Name;

use crate::{Applied, Delivery, Opened, PastToken, SeenMessage, Store, StoreError, Stored, Write};

/// A store in memory.
#[derive(Clone, Debug)]
pub struct Memory {
    content: Arc<Mutex<Content>>,
    opened: Opened,
    in_run: bool,
}

/// What the next commits come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    /// They succeed.
    #[default]
    None,
    /// They fail and store nothing.
    Full,
    /// They fail because somebody else holds the store.
    Locked,
    /// They store everything and then fail, as when the answer to a commit is lost.
    LostAnswer,
}

#[derive(Debug, Default)]
struct Content {
    rows: HashMap<Name, Stored>,
    past_tokens: HashMap<[u8; 32], PastToken>,
    deliveries: HashMap<u64, (Delivery, Vec<u8>)>,
    seen_messages: HashMap<[u8; 16], SeenMessage>,
    epoch: u32,
    clean: bool,
    last_crash: Option<u32>,
    fault: Fault,
}

impl Memory {
    /// A new, empty store, opened.
    #[must_use]
    pub fn new() -> Memory {
        let content = Content { clean: true, ..Content::default() };
        Memory::open(Arc::new(Mutex::new(content)), true)
    }

    fn open(content: Arc<Mutex<Content>>, in_run: bool) -> Memory {
        let opened = {
            let mut guard = content.lock().unwrap_or_else(PoisonError::into_inner);
            let last_crash = if guard.clean { guard.last_crash } else { Some(guard.epoch) };
            if in_run {
                guard.last_crash = last_crash;
                guard.epoch += 1;
                guard.clean = false;
            }
            Opened { epoch: guard.epoch, last_crash }
        };
        Memory { content, opened, in_run }
    }

    /// Opens the same content again, as after a restart.
    #[must_use]
    pub fn reopen(&self) -> Memory {
        Memory::open(Arc::clone(&self.content), true)
    }

    /// Opens the same content between two runs, without beginning one.
    #[must_use]
    pub fn visit(&self) -> Memory {
        Memory::open(Arc::clone(&self.content), false)
    }

    /// From now on commits come to this.
    pub fn set_fault(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

#[async_trait]
impl Store for Memory {
    fn opened(&self) -> Opened {
        self.opened
    }

    async fn load(&self, each: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        for stored in self.lock().rows.values() {
            each(stored.clone());
        }
        Ok(())
    }

    async fn load_past_tokens(&self, each: &mut (dyn FnMut(PastToken) + Send)) -> Result<(), StoreError> {
        for past in self.lock().past_tokens.values() {
            each(past.clone());
        }
        Ok(())
    }

    async fn load_deliveries(&self, each: &mut (dyn FnMut(Delivery) + Send)) -> Result<(), StoreError> {
        for (delivery, _) in self.lock().deliveries.values() {
            each(delivery.clone());
        }
        Ok(())
    }

    async fn message(&self, delivery: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().deliveries.get(&delivery).map(|(_, message)| message.clone()))
    }

    async fn load_seen_messages(&self, each: &mut (dyn FnMut(SeenMessage) + Send)) -> Result<(), StoreError> {
        for seen in self.lock().seen_messages.values() {
            each(*seen);
        }
        Ok(())
    }

    async fn apply(&self, writes: &[Write]) -> Result<Vec<Applied>, StoreError> {
        let mut content = self.lock();
        match content.fault {
            Fault::Full => return Err(StoreError::Full),
            Fault::Locked => return Err(StoreError::Locked),
            Fault::None | Fault::LostAnswer => {}
        }
        let applied = writes.iter().map(|write| content.apply(write)).collect();
        if content.fault == Fault::LostAnswer {
            return Err(StoreError::Failed("the answer to the commit was lost".to_owned()));
        }
        Ok(applied)
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.in_run {
            self.lock().clean = true;
        }
        Ok(())
    }
}

impl Content {
    fn apply(&mut self, write: &Write) -> Applied {
        let (record, token) = match write {
            Write::Intend(record) | Write::Note(record) => (record, None),
            Write::Keep(record, token) => (record, Some(token.clone())),
            Write::Remember(past) => {
                self.past_tokens.insert(past.digest, past.clone());
                return Applied::Stored;
            }
            Write::ForgetPastTokens(before) => {
                self.past_tokens.retain(|_, past| past.known_until >= *before);
                return Applied::Stored;
            }
            Write::Forget(name) => {
                self.rows.remove(name);
                self.past_tokens.retain(|_, past| past.credential != *name);
                return Applied::Stored;
            }
            Write::Deliver(delivery, message) => {
                self.deliveries.insert(delivery.id, (delivery.as_ref().clone(), message.clone()));
                return Applied::Stored;
            }
            Write::BuryDelivery(id, dead) => {
                if let Some((delivery, _)) = self.deliveries.get_mut(id) {
                    delivery.dead = Some(dead.clone());
                }
                return Applied::Stored;
            }
            Write::ReviveDelivery(id, since) => {
                if let Some((delivery, _)) = self.deliveries.get_mut(id) {
                    (delivery.dead, delivery.since) = (None, *since);
                }
                return Applied::Stored;
            }
            Write::ForgetDelivery(id) => {
                self.deliveries.remove(id);
                return Applied::Stored;
            }
            Write::SeeMessage(seen) => {
                self.seen_messages.insert(seen.digest, *seen);
                return Applied::Stored;
            }
            Write::ForgetSeenMessages(before) => {
                self.seen_messages.retain(|_, seen| seen.until >= *before);
                return Applied::Stored;
            }
        };
        let before = self.rows.get(&record.name);
        if before.is_some_and(|before| !write.passes(before.record.attempt)) {
            return Applied::Superseded;
        }
        let token = token.or_else(|| before.and_then(|before| before.token.clone()));
        // A record without a token says that there is none to keep.
        let token = token.filter(|_| record.token.is_some());
        self.rows.insert(record.name.clone(), Stored { record: record.clone(), token });
        Applied::Stored
    }
}
