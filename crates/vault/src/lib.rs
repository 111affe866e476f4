//! The only code that holds keys: where secrets come from, and how what is stored is sealed.
//!
//! Invariants: a key leaves this crate only as its file; a sealed value opens only in the place it was
//! sealed for (credential, field, generation, identity, key); nothing here has a `Debug` that shows a secret.

mod key_ring;
mod seal;
mod source;

pub use key_ring::{KeyRing, KeyRingError};
pub use seal::{OpenError, Place};
pub use source::{SecretSource, SourceError};
