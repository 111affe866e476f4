//! What the demo has seen, and whether that is what it promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenward_server::Happening;

use super::stage::CREDENTIALS;

/// Counts what happened.
#[derive(Debug, Default)]
pub struct Proof(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    reads: u64,
    used: BTreeMap<String, u64>,
    generations: BTreeMap<String, u64>,
    refused: u64,
    healed: BTreeSet<String>,
    foreign: u64,
}

impl Proof {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token was read.
    pub fn read(&self) {
        self.lock().reads += 1;
    }

    /// A token was used and accepted.
    pub fn used(&self, credential: &str) {
        *self.lock().used.entry(credential.to_owned()).or_default() += 1;
    }

    /// A token was used and refused.
    pub fn refused(&self, _credential: &str) {
        self.lock().refused += 1;
    }

    /// A report brought a token that is accepted.
    pub fn healed(&self, credential: &str) {
        self.lock().healed.insert(credential.to_owned());
    }

    /// Something happened to a credential.
    pub fn note(&self, credential: &str, happening: &Happening) {
        let mut seen = self.lock();
        match happening {
            Happening::Rotated { generation, .. } => {
                seen.generations.insert(credential.to_owned(), *generation);
            }
            Happening::ForeignRefresh { .. } => seen.foreign += 1,
            _ => {}
        }
    }

    /// One line about what was seen, or what was missing.
    pub fn verdict(&self, served: bool) -> Result<String, String> {
        let seen = self.lock();
        if !served {
            return Err("the server ended badly".to_owned());
        }
        for credential in CREDENTIALS {
            let name = credential.name;
            if seen.used.get(name).is_none_or(|used| *used < 5) {
                return Err(format!("the tokens of {name} were hardly used"));
            }
            if seen.generations.get(name).is_none_or(|generation| *generation < 2) {
                return Err(format!("{name} was not rotated"));
            }
        }
        if seen.healed.is_empty() || seen.foreign == 0 {
            return Err("no killed token was reported and replaced".to_owned());
        }
        let (reads, rotations) = (seen.reads, seen.generations.values().sum::<u64>());
        let (refused, healed) = (seen.refused, seen.healed.len());
        Ok(format!(
            "proved: {reads} reads, {rotations} tokens fetched, {refused} calls refused after a token was killed, \
             {healed} credentials healed by a report"
        ))
    }
}
