//! The register of apps: which exist, and whether a secret is theirs.
//!
//! Invariant: only a hash of each secret is kept, as on the real platforms. Deliberately absent: adding and
//! removing apps while the emulator runs.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::app::App;

/// The place of an app in the register. Every token carries it in its text, so that a refused token can be
/// attributed to its app long after the platform forgot the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AppIndex(pub(crate) usize);

#[derive(Clone, Debug)]
struct Registered {
    id: Arc<str>,
    secret_hash: [u8; 32],
}

/// All apps of this emulator.
#[derive(Clone, Debug)]
pub(crate) struct Apps {
    registered: Vec<Registered>,
    by_id: HashMap<Arc<str>, AppIndex>,
}

impl Apps {
    pub(crate) fn new(apps: &[App]) -> Self {
        let registered: Vec<Registered> = apps
            .iter()
            .map(|app| Registered { id: Arc::from(app.id.as_str()), secret_hash: hash(&app.secret) })
            .collect();
        let by_id = registered.iter().enumerate().map(|(at, app)| (app.id.clone(), AppIndex(at))).collect();
        Self { registered, by_id }
    }

    pub(crate) fn find(&self, id: &str) -> Option<AppIndex> {
        self.by_id.get(id).copied()
    }

    /// The app at this place; `None` for an index that a forged token made up.
    pub(crate) fn at(&self, index: usize) -> Option<AppIndex> {
        (index < self.registered.len()).then_some(AppIndex(index))
    }

    pub(crate) fn id(&self, app: AppIndex) -> &str {
        self.registered.get(app.0).map_or("", |app| &app.id)
    }

    pub(crate) fn secret_matches(&self, app: AppIndex, secret: &str) -> bool {
        self.registered.get(app.0).is_some_and(|app| app.secret_hash == hash(secret))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (AppIndex, &str)> {
        self.registered.iter().enumerate().map(|(at, app)| (AppIndex(at), &*app.id))
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
