//! Which credential a token belongs to: every token that somebody may still hold, also from before a restart.
//!
//! Tokens are known by keyed digests only, so that neither memory nor the store holds what is over. A token is
//! noted before readers see it. Kept for credentials that a facade serves or that sinks write to
//! Redis or to a cloud database, and for nobody else.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokenward_core::fleet::CredentialId;
use tokenward_core::time::{Boot, Span};
use tokenward_core::view::Offer;
use tokenward_vault::KeyRing;

/// How long after its end a token is still known: its holder is then served with the current one.
pub const GRACE: Span = Span::minutes(10);

/// All tokens that are known.
#[derive(Debug)]
pub struct TokenIndex {
    keys: Arc<KeyRing>,
    covered: Vec<bool>,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tokens: HashMap<[u8; 32], Owner>,
    /// When there are so many, those that are over are thrown out.
    full: usize,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    id: CredentialId,
    known_until: Boot,
}

const LEAST_FULL: usize = 1_024;

impl TokenIndex {
    /// An index that covers the credentials marked, by their id.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, covered: Vec<bool>) -> TokenIndex {
        TokenIndex { keys, covered, known: RwLock::default() }
    }

    /// Whether tokens of this credential are known here.
    #[must_use]
    pub fn covers(&self, id: CredentialId) -> bool {
        self.covered.get(id.0 as usize).copied().unwrap_or(false)
    }

    /// What a token is known by.
    #[must_use]
    pub fn digest(&self, token: &str) -> [u8; 32] {
        self.keys.digest(&parts(token))
    }

    /// Notes a token that readers are about to see.
    pub fn note(&self, id: CredentialId, offer: &Offer) {
        if self.covers(id) {
            let known_until = offer.end + GRACE;
            self.add(self.digest(offer.token.expose()), Owner { id, known_until });
        }
    }

    /// Notes a token that an earlier run handed out.
    pub fn note_past(&self, id: CredentialId, digest: [u8; 32], known_until: Boot) {
        if self.covers(id) {
            self.add(digest, Owner { id, known_until });
        }
    }

    /// Whose token this is or was.
    #[must_use]
    pub fn find(&self, token: &str, now: Boot) -> Option<CredentialId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let parts = parts(token);
        let owner = self.keys.digests(&parts).find_map(|digest| known.tokens.get(&digest))?;
        (now < owner.known_until).then_some(owner.id)
    }

    fn add(&self, digest: [u8; 32], owner: Owner) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tokens.insert(digest, owner);
        if known.tokens.len() > known.full.max(LEAST_FULL) {
            let now = crate::clock::boot();
            known.tokens.retain(|_, owner| now < owner.known_until);
            known.full = known.tokens.len() * 2;
        }
    }
}

fn parts(token: &str) -> [&[u8]; 2] {
    [b"token", token.as_bytes()]
}
