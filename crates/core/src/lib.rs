//! What should happen to a credential, and when.
//!
//! Pure: `handle(now, event)` yields effects, `next_wakeup()` says when to come back. Everything that the
//! product promises about refreshing is decided here, and nothing else is. Deliberately absent: tokio, IO,
//! serialization, clocks, entropy, HTTP, platforms' dialects.

pub mod budget;
pub mod credential;
pub mod draw;
pub mod effect;
pub mod event;
pub mod failure;
pub mod fleet;
pub mod graph;
pub mod name;
pub mod policy;
pub mod record;
pub mod schedule;
pub mod secret;
pub mod semantics;
pub mod time;
pub mod view;
mod wheel;
