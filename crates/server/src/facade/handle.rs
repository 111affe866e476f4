//! Handles: stand-ins for tokens, good here only.
//!
//! A handle says for whom it was made and for which credential, and proves it with a keyed digest; nothing is
//! stored. It changes with the client's key (or the app secret that was sent in its place), with the client's
//! `handle_counter`, and with the key ring.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokenward_core::time::Span;
use tokenward_vault::KeyRing;

use crate::clients::{Caller, Clients};
use crate::feed::{Entry, Feed};
use crate::material::Material;

/// Makes handles, and knows them again.
#[derive(Debug)]
pub struct Handles {
    keys: Arc<KeyRing>,
    /// By the id of their credential.
    materials: Vec<Arc<Material>>,
}

/// What SDKs are told about the life of a handle: what they are told about a fresh token.
pub const LIFE: Span = Span::hours(2);
/// No token of the platform begins like this, nor can a name hold the mark between the parts.
const START: &str = "twh~";
const MARK: char = '~';

impl Handles {
    /// Handles under these keys.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, materials: Vec<Arc<Material>>) -> Handles {
        Handles { keys, materials }
    }

    /// The handle of a caller for a credential.
    #[must_use]
    pub fn make(&self, clients: &Clients, caller: &Caller, entry: &Entry) -> String {
        let bearer = self.bearer(clients, caller);
        let proof = self.keys.digest(&bearer.parts(entry.name.as_str()));
        let (client, counter) = (&bearer.client, bearer.counter);
        let proof = URL_SAFE_NO_PAD.encode(proof);
        format!("{START}{client}{MARK}{}{MARK}{counter}{MARK}{proof}", entry.name)
    }

    /// Whose handle this is, and for which credential. `None` for whatever is no handle, or not any more.
    #[must_use]
    pub fn open<'f>(
        &self,
        clients: &Clients,
        feed: &'f Feed,
        app_secrets: bool,
        handle: &str,
    ) -> Option<(Caller, &'f Arc<Entry>)> {
        let mut parts = handle.strip_prefix(START)?.split(MARK);
        let (client, name, counter, proof) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let entry = feed.find(name)?;
        let caller = match clients.named(client) {
            Some((client, _)) => Caller::Client(Arc::clone(client)),
            None if client.is_empty() && app_secrets => Caller::AppSecret(entry.id),
            None => return None,
        };
        let bearer = self.bearer(clients, &caller);
        let proof = URL_SAFE_NO_PAD.decode(proof).ok()?;
        let parts = bearer.parts(name);
        let mut right =
            self.keys.digests(&parts).map(|right| verify_slices_are_equal(&right, &proof).is_ok());
        (right.any(|right| right) && counter == bearer.counter.to_string()).then_some((caller, entry))
    }
}

impl Handles {
    fn bearer(&self, clients: &Clients, caller: &Caller) -> Bearer {
        let (client, key, counter) = match caller {
            Caller::Client(config) => {
                let name = config.name.as_str();
                let key = clients.named(name).map_or([0; 32], |(_, key)| *key);
                (name.to_owned(), key, config.handle_counter)
            }
            // Goes with the app secret that it was given for.
            Caller::AppSecret(id) => {
                let material = self.materials.get(id.0 as usize);
                (String::new(), material.map_or([0; 32], |material| material.secret_digest()), 0)
            }
            Caller::Operator => (String::new(), [0; 32], 0),
        };
        Bearer { client, key, counter, counter_bytes: counter.to_be_bytes() }
    }
}

/// For whom a handle is.
struct Bearer {
    client: String,
    key: [u8; 32],
    counter: u32,
    counter_bytes: [u8; 4],
}

impl Bearer {
    fn parts<'a>(&'a self, credential: &'a str) -> [&'a [u8]; 5] {
        [b"handle", self.client.as_bytes(), &self.key, credential.as_bytes(), &self.counter_bytes]
    }
}
