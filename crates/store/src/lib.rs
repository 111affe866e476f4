//! What must survive a restart.
//!
//! One trait, [`Store`]; one SQL implementation and one in memory with faults on demand; one suite of
//! conformance tests that runs on all of them. A store receives sealed bytes only, decides nothing, and knows
//! no platform. Invariants: a batch is stored whole or not at all, and durably before it is answered; a write
//! of an older attempt changes nothing and does not disturb the rest of its batch.

mod delivery;
mod memory;
mod row;
mod sql;

use async_trait::async_trait;
use tokenward_core::name::Name;
use tokenward_core::record::Record;
use tokenward_core::time::Wall;

pub use delivery::{Dead, Delivery, SeenMessage};
pub use memory::{Fault, Memory};
pub use sql::Sql;

/// Durable storage of records. Every verb says what is atomic about it.
#[async_trait]
pub trait Store: Send + Sync {
    /// What was found when the store was opened.
    fn opened(&self) -> Opened;

    /// Hands out every record, in no particular order. One consistent snapshot.
    ///
    /// # Errors
    /// The store cannot be read; `each` may have been called for some records.
    async fn load(&self, each: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError>;

    /// Hands out every past token, in no particular order. One consistent snapshot.
    ///
    /// # Errors
    /// The store cannot be read; `each` may have been called for some of them.
    async fn load_past_tokens(&self, each: &mut (dyn FnMut(PastToken) + Send)) -> Result<(), StoreError>;

    /// Hands out every message that is on its way or given up, without its text, in no particular order.
    ///
    /// # Errors
    /// The store cannot be read; `each` may have been called for some of them.
    async fn load_deliveries(&self, each: &mut (dyn FnMut(Delivery) + Send)) -> Result<(), StoreError>;

    /// The sealed text of a message, if it is there.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn message(&self, delivery: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Hands out the digests of messages that were taken in, in no particular order.
    ///
    /// # Errors
    /// The store cannot be read; `each` may have been called for some of them.
    async fn load_seen_messages(&self, each: &mut (dyn FnMut(SeenMessage) + Send)) -> Result<(), StoreError>;

    /// Carries out writes in order, in one durable commit, and says of each what became of it.
    ///
    /// # Errors
    /// Nothing was stored.
    async fn apply(&self, writes: &[Write]) -> Result<Vec<Applied>, StoreError>;

    /// Marks the run as ended in good order. Nothing is written after it. A visit marks nothing: how the run before it
    /// ended stays known.
    ///
    /// # Errors
    /// The mark could not be stored; the next run takes this one for crashed.
    async fn close(&self) -> Result<(), StoreError>;
}

/// What was found when the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// How many runs there were, this one included; a visit between two runs is none. Never repeats.
    pub epoch: u32,
    /// The last run that did not end in good order.
    pub last_crash: Option<u32>,
}

/// A record with its sealed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The sealed token, if one is stored.
    pub token: Option<Vec<u8>>,
}

/// A token that was handed out, known by a keyed digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastToken {
    /// The digest.
    pub digest: [u8; 32],
    /// Whose token it is or was.
    pub credential: Name,
    /// Until when somebody may come with it.
    pub known_until: Wall,
}

/// One thing to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// An exclusive fetch is about to be made: stored unless as new an attempt is stored already. The token
    /// stays.
    Intend(Record),
    /// A token was fetched: stored unless a newer attempt is.
    Keep(Record, Vec<u8>),
    /// Something beside the token changed: stored unless a newer attempt is. The token stays.
    Note(Record),
    /// A token is about to be handed out.
    Remember(PastToken),
    /// Nobody comes any more with tokens that were known until before this moment.
    ForgetPastTokens(Wall),
    /// The credential is gone, with its tokens.
    Forget(Name),
    /// A message sets out for a target, with its sealed text.
    Deliver(Box<Delivery>, Vec<u8>),
    /// A message was given up.
    BuryDelivery(u64, Dead),
    /// A message that was given up is tried again from this moment on.
    ReviveDelivery(u64, Wall),
    /// A message arrived, or nobody wants it any more.
    ForgetDelivery(u64),
    /// A message was taken in.
    SeeMessage(SeenMessage),
    /// Messages that were to be known until before this moment need not be known any more.
    ForgetSeenMessages(Wall),
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is stored.
    Stored,
    /// A newer attempt is stored: nothing was changed.
    Superseded,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store was written by a newer version of this program.
    #[error("the store has schema version {found}, this version of Tokenward knows up to {known}")]
    TooNew {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// Somebody else holds the store.
    #[error("the store is locked by another process")]
    Locked,
    /// There is no space left.
    #[error("the disk is full")]
    Full,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A stored record cannot be understood.
    #[error("the stored record of {name} is damaged: {what}")]
    Damaged {
        /// The credential.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// Anything else.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl Write {
    /// The record, where there is one.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Write::Intend(record) | Write::Keep(record, _) | Write::Note(record) => Some(record),
            _ => None,
        }
    }

    /// Whether a write of this attempt goes through when `stored` is the newest attempt stored.
    pub(crate) fn passes(&self, stored: u64) -> bool {
        match self {
            Write::Intend(record) => stored < record.attempt,
            Write::Keep(record, _) | Write::Note(record) => stored <= record.attempt,
            _ => true,
        }
    }
}
