//! Who asks: from a key to a caller, from a caller and a right to a permit.
//!
//! Keys are held as SHA-256 digests only, and looked up by digest: a key is never compared byte by byte, so
//! there is nothing to time. A permit cannot be made without the check that it stands for.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use tokenward_api::{ErrorCode, Problem};
use tokenward_core::fleet::CredentialId;
use tokenward_core::name::Name;
use tokenward_core::time::Span;

use crate::config::{ClientConfig, Config, ConfigError, Right};
use crate::feed::{Entry, Feed};

/// All clients, by the digest of their key.
#[derive(Debug, Default)]
pub struct Clients {
    by_key: HashMap<[u8; 32], Arc<ClientConfig>>,
    by_name: HashMap<Name, [u8; 32]>,
}

/// Whoever sends a request, once it is known who it is.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A client with its key.
    Client(Arc<ClientConfig>),
    /// Somebody who has the app secret of this credential, where a facade takes it for a key: everything with that
    /// credential, except what is for operators.
    AppSecret(CredentialId),
    /// Somebody who can open the admin socket: all rights.
    Operator,
}

/// Leave to do something with one credential. Only [`Caller::permit`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Permit<'a> {
    entry: &'a Arc<Entry>,
}

impl<'a> Permit<'a> {
    /// The credential.
    #[must_use]
    pub fn entry(self) -> &'a Arc<Entry> {
        self.entry
    }
}

impl Clients {
    /// Reads the clients' keys. Blocks while programs run.
    ///
    /// # Errors
    /// A key cannot be read, or two clients share one.
    pub fn gather(all: &Config) -> Result<Clients, ConfigError> {
        let mut by_key: HashMap<[u8; 32], Arc<ClientConfig>> = HashMap::new();
        let mut by_name = HashMap::new();
        for config in &all.clients {
            let name = &config.name;
            let key = config.key.source.read().map_err(|error| all.unreadable_secret(&config.key, &error))?;
            if key.len() < SHORTEST_KEY {
                tracing::warn!(client = %name, "the key of {name} is short: it can be guessed");
            }
            by_name.insert(name.clone(), hash(key.as_bytes()));
            if let Some(other) = by_key.insert(hash(key.as_bytes()), Arc::new(config.clone())) {
                let message = format!("the clients {} and {name} have the same key.", other.name);
                return Err(ConfigError::outside(message, "Give each client a key of its own."));
            }
        }
        Ok(Clients { by_key, by_name })
    }

    /// The caller with this `Authorization` header.
    ///
    /// # Errors
    /// There is no key, or nobody has it.
    pub fn authenticate(&self, authorization: Option<&[u8]>) -> Result<Caller, Box<Problem>> {
        let key = authorization.and_then(bearer).ok_or_else(|| {
            ErrorCode::Unauthorized.problem("the request has no `Authorization: Bearer CLIENT_KEY`")
        })?;
        self.find(key).ok_or_else(|| ErrorCode::Unauthorized.problem("no client has this key"))
    }

    /// The caller with this key.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<Caller> {
        self.by_key.get(&hash(key)).map(|client| Caller::Client(Arc::clone(client)))
    }

    /// The client with this name, and what is known of its key.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<(&Arc<ClientConfig>, &[u8; 32])> {
        let (digest, client) = self.by_key.get_key_value(self.by_name.get(name)?)?;
        Some((client, digest))
    }
}

const SHORTEST_KEY: usize = 16;

fn hash(key: &[u8]) -> [u8; 32] {
    let mut out = [0_u8; 32];
    out.copy_from_slice(digest(&SHA256, key).as_ref());
    out
}

/// The token of a bearer header; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = header.split_at_checked(7)?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !key.is_empty()).then_some(key)
}

impl Caller {
    /// Leave to use a right with a credential.
    ///
    /// # Errors
    /// There is no such credential, or the client may not see it (which looks the same), or it may not do
    /// that.
    pub fn permit<'f>(&self, feed: &'f Feed, name: &str, right: Right) -> Result<Permit<'f>, Box<Problem>> {
        let permit = self.see(feed, name)?;
        self.check(right)?;
        Ok(permit)
    }

    /// Leave to look at a credential, without its token.
    ///
    /// # Errors
    /// There is no such credential, or the client may not see it.
    pub fn see<'f>(&self, feed: &'f Feed, name: &str) -> Result<Permit<'f>, Box<Problem>> {
        match feed.find(name).filter(|entry| self.sees(entry)) {
            Some(entry) => Ok(Permit { entry }),
            None => Err(ErrorCode::NoSuchCredential
                .problem(format!("there is no credential {name:?} for this client"))),
        }
    }

    /// Whether the caller may see this credential.
    #[must_use]
    pub fn sees(&self, entry: &Entry) -> bool {
        match self {
            Caller::Operator => true,
            Caller::Client(client) => client.sees(entry.name.as_str()),
            Caller::AppSecret(id) => entry.id == *id,
        }
    }

    /// Whether the caller has rules of its own for calls.
    #[must_use]
    pub fn has_paths(&self) -> bool {
        matches!(self, Caller::Client(client) if client.paths.is_some())
    }

    /// Whether the caller's own rules allow a call; the path decoded, with its leading slash.
    #[must_use]
    pub fn may_call(&self, method: &http::Method, path: &str) -> bool {
        match self {
            Caller::Operator | Caller::AppSecret(_) => true,
            Caller::Client(client) => client
                .paths
                .as_ref()
                .is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(method, path))),
        }
    }

    /// Whether the caller has a right at all.
    ///
    /// # Errors
    /// It has not.
    pub fn check(&self, right: Right) -> Result<(), Box<Problem>> {
        match self {
            Caller::Client(client) if !client.may.contains(&right) => Err(ErrorCode::Forbidden
                .problem(format!("the client {} has no right to {:?}", client.name, right.as_str()))),
            Caller::AppSecret(_) if right == Right::Admin => {
                Err(ErrorCode::Forbidden.problem("an app secret is no operator's key"))
            }
            _ => Ok(()),
        }
    }

    /// What metrics call the caller. No name of a client has a parenthesis.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Caller::Client(client) => client.name.as_str(),
            Caller::AppSecret(_) => "(app secret)",
            Caller::Operator => "(operator)",
        }
    }

    /// How much earlier than told the caller's SDK takes a token for expired.
    #[must_use]
    pub fn sdk_lead(&self) -> Span {
        match self {
            Caller::Client(client) => client.sdk_lead,
            Caller::AppSecret(_) | Caller::Operator => Span::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_follows_the_scheme() {
        assert_eq!(bearer(b"Bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"bearer  abc "), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearer "), None);
        assert_eq!(bearer(b"B"), None);
    }
}
