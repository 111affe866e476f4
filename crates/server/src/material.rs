//! What a credential needs at run time beside its state: how to talk to its platform, and its secret.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use tokenward_core::credential::Spec;
use tokenward_core::name::Name;
use tokenward_core::secret::Secret;
use tokenward_providers::{Answer, Provider};
use tokenward_vault::{KeyRing, SecretSource, SourceError};

use crate::config::{Config, ConfigError, CredentialConfig, SecretRef};

/// One credential at run time.
#[derive(Debug)]
pub struct Material {
    /// Its name.
    pub name: Name,
    /// How its platform is talked to.
    pub provider: Arc<dyn Provider>,
    /// Where calls go, in the order in which they are tried.
    pub base_urls: Vec<String>,
    /// What a stored token belongs to.
    pub fingerprint: [u8; 32],
    /// Which of the base URLs answered last.
    preferred: AtomicUsize,
    sources: Vec<SecretSource>,
    secrets: ArcSwap<Vec<Secret>>,
    identity: Vec<(&'static str, String)>,
}

/// Shorter secrets are not looked for in messages: they would be found in every word. No platform has such.
const SHORTEST: usize = 6;

impl Material {
    /// Reads the secrets of a credential. Blocks while programs run.
    ///
    /// # Errors
    /// Points at the secret that cannot be read.
    pub fn gather(all: &Config, config: &CredentialConfig) -> Result<Material, ConfigError> {
        let identity = config.identity();
        let read = |secret: &SecretRef| match secret.source.read() {
            Ok(text) => Ok(Secret::new(text.as_str())),
            Err(error) => Err(all.unreadable_secret(secret, &error)),
        };
        let secrets = config.secrets.iter().map(read).collect::<Result<Vec<Secret>, ConfigError>>()?;
        Ok(Material {
            name: config.name.clone(),
            provider: Arc::clone(&config.provider),
            base_urls: config.base_urls.clone(),
            fingerprint: fingerprint(&identity),
            preferred: AtomicUsize::new(0),
            sources: config.secrets.iter().map(|secret| secret.source.clone()).collect(),
            secrets: ArcSwap::from_pointee(secrets),
            identity,
        })
    }

    /// The base URLs with their numbers, beginning with the one that answered last. A platform whose only URL
    /// is its token's counts as one place without a name.
    pub fn places(&self) -> impl Iterator<Item = (usize, &str)> {
        let count = self.base_urls.len().max(1);
        let first = self.preferred.load(Ordering::Relaxed);
        (0..count).map(move |step| {
            let index = (first + step) % count;
            (index, self.base_urls.get(index).map_or("", String::as_str))
        })
    }

    /// Remembers that this base URL answers, so that it is tried first from now on.
    pub fn prefer_place(&self, index: usize) {
        self.preferred.store(index, Ordering::Relaxed);
    }

    /// The secrets, the one to try first at the front.
    #[must_use]
    pub fn secrets(&self) -> Arc<Vec<Secret>> {
        self.secrets.load_full()
    }

    /// The digest of the secret that works.
    #[must_use]
    pub fn secret_digest(&self) -> [u8; 32] {
        let secrets = self.secrets.load();
        let text = secrets.first().map(|secret| secret.expose()).unwrap_or_default();
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        out
    }

    /// Whether this is one of the secrets. Digests are compared, so that there is nothing to time.
    #[must_use]
    pub fn has_secret(&self, text: &str) -> bool {
        let digest = |text: &str| digest(&SHA256, text.as_bytes());
        let given = digest(text);
        self.secrets.load().iter().any(|secret| digest(secret.expose()).as_ref() == given.as_ref())
    }

    /// Remembers that this secret works, so that it is tried first from now on.
    pub fn prefer(&self, index: usize) {
        let mut secrets = self.secrets.load_full().as_ref().clone();
        if index > 0 && index < secrets.len() {
            secrets.swap(0, index);
            self.secrets.store(Arc::new(secrets));
        }
    }

    /// Reads secrets again that can change while the process runs. Blocks while programs run. Returns
    /// whether anything is different.
    ///
    /// # Errors
    /// A secret cannot be read; the ones from before stay.
    pub fn reread(&self) -> Result<bool, SourceError> {
        if !self.sources.iter().any(SecretSource::can_change) {
            return Ok(false);
        }
        let fresh = read(&self.sources)?;
        let before = self.secrets.load_full();
        let changed = fresh.len() != before.len() || fresh.iter().any(|secret| !before.contains(secret));
        if changed {
            self.secrets.store(Arc::new(fresh));
        }
        Ok(changed)
    }

    /// A keyed digest of all that a person could have corrected.
    #[must_use]
    pub fn config_mark(&self, keys: &KeyRing) -> [u8; 16] {
        let secrets = self.secrets.load();
        let mut sorted: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        sorted.sort_unstable();
        let identity = self.identity.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let urls = self.base_urls.iter().map(String::as_bytes);
        let parts: Vec<&[u8]> =
            identity.chain(urls).chain(sorted.iter().map(|text| text.as_bytes())).collect();
        let digest = keys.digest(&parts);
        *digest.first_chunk().expect("a digest of 32 bytes has 16")
    }

    /// What the core is told about it.
    #[must_use]
    pub fn spec(&self, config: &CredentialConfig, keys: &KeyRing) -> Spec {
        Spec {
            name: self.name.clone(),
            fingerprint: self.fingerprint,
            config_mark: self.config_mark(keys),
            policy: Arc::clone(&config.policy),
        }
    }

    /// A text with every secret of this credential taken out: for messages that came from outside.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let secrets = self.secrets.load();
        secrets.iter().fold(text.to_owned(), |text, secret| without(&text, secret))
    }

    /// The same, and without what was asked with: for a ticket, that is a token.
    #[must_use]
    pub fn scrub_also(&self, text: &str, asked_with: &Secret) -> String {
        without(&self.scrub(text), asked_with)
    }

    /// An answer with every secret taken out of its body, in case a platform or a proxy repeats it.
    #[must_use]
    pub fn scrub_answer(&self, mut answer: Answer, asked_with: &Secret) -> Answer {
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            let scrubbed = self.scrub_also(text, asked_with);
            if scrubbed != text {
                answer.body = scrubbed.into_bytes();
            }
        }
        answer
    }
}

/// A text without a secret, also as it would stand in a query.
fn without(text: &str, secret: &Secret) -> String {
    let secret = secret.expose();
    let forms = [secret.to_owned(), tokenward_providers::encode(secret)];
    forms
        .iter()
        .filter(|form| form.len() >= SHORTEST)
        .fold(text.to_owned(), |text, form| text.replace(form.as_str(), "…"))
}

fn read(sources: &[SecretSource]) -> Result<Vec<Secret>, SourceError> {
    sources.iter().map(|source| source.read().map(|text| Secret::new(text.as_str()))).collect()
}

/// SHA-256 over names and values, each with its length before it.
fn fingerprint(identity: &[(&str, String)]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in identity.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0_u8; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
