//! Taking over a live token that somebody else fetched: what `tokenward import` does, before the server is started.
//!
//! The first fetch of a new credential would kill the token that everybody has. With the token in the store it is served to
//! its end instead, and refreshed like any other. What stands beside a token was written by somebody else: it is believed
//! for no longer than the platform lets tokens live.
//!
//! Taking over is no run of the server. How the last one ended stays known, so that the next one still allows for what a
//! crashed one may have done: its fetches of unknown outcome, and the generations that it may have handed out unstored.

use std::sync::Arc;
use std::time::Duration;

use tokenward_core::credential::highest_generation;
use tokenward_core::event::{Event, Verdict};
use tokenward_core::policy::Policy;
use tokenward_core::record::{ClockRecord, ExposureRecord, Record, TokenRecord};
use tokenward_core::secret::Secret;
use tokenward_core::time::{Boot, Now, Span};
use tokenward_store::{Applied, Store, StoreError, Stored, Write};
use tokenward_vault::KeyRing;

use crate::clock;
use crate::config::{Config, ConfigError, CredentialConfig, SinkConfig};
use crate::data_dir::DataDir;
use crate::fetch::Egress;
use crate::keeper::place;
use crate::material::Material;
use crate::serve::visit_store;
use crate::sinks;

/// What is to be taken over.
#[derive(Clone, Debug)]
pub struct Import<'a> {
    /// The credential.
    pub credential: &'a str,
    /// The sink at whose place the token stands.
    pub sink: &'a str,
    /// How long it lives from now, if that does not stand beside it.
    pub life: Option<Duration>,
    /// Even if there is a token already, or the platform refuses the one that was found.
    pub force: bool,
}

/// What was taken over.
#[derive(Clone, Copy, Debug)]
pub struct Imported {
    /// How long the token lives, in seconds.
    pub expires_in: i64,
    /// How long it was said to live, in seconds, if that is longer than any token of its platform does.
    pub cut_from: Option<i64>,
    /// How long tokens of its platform live at the most, in seconds.
    pub longest: i64,
    /// The generation that it has from now on.
    pub generation: u64,
    /// Whether the platform accepted it; `None` if it could not be asked.
    pub alive: Option<bool>,
}

/// Reads a token from a sink's place, asks the platform whether it is alive, and stores it.
///
/// # Errors
/// There is no such place or token, it is over or dead, there is another one already, or the store cannot be opened
/// because a server runs.
pub async fn import(config: &Config, wanted: &Import<'_>) -> Result<Imported, ConfigError> {
    let (credential, sink) = named(config, wanted)?;
    let found = sinks::find(config, credential, sink).await?;
    let found =
        found.map_err(|failure| ConfigError::outside(format!("{}.", failure.detail), failure.next_step))?;
    // What follows takes its time, and the life goes on: from here on its end counts.
    let now = clock::now();
    let told = wanted.life.map(|life| Span(i64::try_from(life.as_millis()).unwrap_or(i64::MAX / 4)));
    let Some(life) = told.or_else(|| found.end.map(|end| end - now.wall)) else {
        return Err(ConfigError::outside(
            "it does not stand there how long the token lives.",
            "Say so: --life 90m. Rather less than more: it is refreshed earlier then.",
        ));
    };
    if life < Span::seconds(1) {
        return Err(over());
    }
    let data_dir = DataDir::open(&config.server.data_dir)?;
    let keys = data_dir.key_ring(config)?;
    let material = Arc::new(Material::gather(config, credential)?);
    let longest = material.provider.defaults().life;
    let cut_from = (life > longest).then(|| life.whole_seconds());
    let alive = probe(config, &material, &found.token).await?;
    if alive == Some(false) && !wanted.force {
        let fix = "Fetch anew by starting the server; or take it over all the same with --force.";
        return Err(ConfigError::outside("the platform refuses the token that was found.", fix));
    }
    let store = visit_store(&data_dir).await?;
    let end = now.boot + life.min(longest);
    let taking = Taking { credential, keys: &keys, material: &material, end, alive, force: wanted.force };
    let taken = taking.store(&store, &found.token).await;
    store.close().await.map_err(|error| failed(&error))?;
    let TokenRecord { generation, life, .. } = taken?;
    let (expires_in, longest) = (life.whole_seconds(), longest.whole_seconds());
    Ok(Imported { expires_in, cut_from, longest, generation, alive })
}

fn over() -> ConfigError {
    let fix = "There is nothing to take over: start the server, which fetches one.";
    ConfigError::outside("the token that was found is over.", fix)
}

/// What is known of a token when it is stored.
struct Taking<'a> {
    credential: &'a CredentialConfig,
    keys: &'a KeyRing,
    material: &'a Material,
    end: Boot,
    alive: Option<bool>,
    force: bool,
}

impl Taking<'_> {
    /// Stores the token, unless there is one, and says as what.
    async fn store(&self, store: &dyn Store, token: &Secret) -> Result<TokenRecord, ConfigError> {
        let now = clock::now();
        if self.end - now.boot < Span::seconds(1) {
            return Err(over());
        }
        let before = stored(store, self.material).await?;
        let is_live = |record: &Record| {
            record.token.is_some_and(|token| !token.revoked && token.ends > now.wall)
                && record.fingerprint == self.material.fingerprint
        };
        if before.as_ref().is_some_and(is_live) && !self.force {
            let message = format!("{} has a live token of its own already.", self.material.name);
            return Err(ConfigError::outside(message, "Keep it; or replace it with --force."));
        }
        let generation = highest_generation(before.as_ref(), store.opened().last_crash) + 1;
        let taken = self.token(generation, now);
        let record = self.record(before, taken, now);
        let sealed = self.keys.seal(&place(&record), token.expose().as_bytes());
        let applied = store.apply(&[Write::Keep(record, sealed)]).await.map_err(|error| failed(&error))?;
        if applied.first() != Some(&Applied::Stored) {
            return Err(ConfigError::outside("the store holds something newer.", "Try again."));
        }
        Ok(taken)
    }

    fn token(&self, generation: u64, now: Now) -> TokenRecord {
        let Taking { credential, material, end, .. } = *self;
        let due = credential.policy.due(material.name.as_str(), generation, now.boot, end, now);
        TokenRecord {
            generation,
            issued: now.wall,
            life: end - now.boot,
            ends: now.wall_of(end),
            due: now.wall_of(due),
            revoked: false,
        }
    }

    fn record(&self, before: Option<Record>, token: TokenRecord, now: Now) -> Record {
        let Taking { credential, material, .. } = *self;
        let before = before.as_ref();
        // What another app of the same name did says nothing about this one.
        let same = before.filter(|record| record.fingerprint == material.fingerprint);
        Record {
            name: material.name.clone(),
            fingerprint: material.fingerprint,
            config_mark: material.config_mark(self.keys),
            clocks: ClockRecord { boot_id: clock::boot_id(), booted: now.wall_of(Boot(0)) },
            attempt: before.map_or(0, |record| record.attempt) + 1,
            reserved: token.generation,
            token: Some(token),
            exposure: same
                .and_then(|record| record.exposure)
                .filter(|exposure| !self.outlived(exposure, &credential.policy, now)),
            usage: before.map(|record| record.usage).unwrap_or_default(),
            trouble: None,
            foreign: same.map(|record| record.foreign).unwrap_or_default(),
        }
    }

    /// Whether a fetch of unknown outcome would have killed the token long ago.
    fn outlived(&self, exposure: &ExposureRecord, policy: &Policy, now: Now) -> bool {
        self.alive == Some(true) && exposure.last + policy.overlap + policy.skew < now.wall
    }
}

fn named<'a>(
    config: &'a Config,
    wanted: &Import<'_>,
) -> Result<(&'a CredentialConfig, &'a SinkConfig), ConfigError> {
    let credential = config.credentials.iter().find(|it| it.name.as_str() == wanted.credential);
    let Some(credential) = credential else {
        let message = format!("there is no credential {:?} in the configuration.", wanted.credential);
        return Err(ConfigError::outside(message, "Name one that stands there."));
    };
    let Some(sink) = credential.sinks.iter().find(|it| it.name.as_str() == wanted.sink) else {
        let message = format!("{} has no sink {:?}.", wanted.credential, wanted.sink);
        let fix =
            "Write [credentials.NAME.sinks.SINK] for the file or the keys that your programs use today.";
        return Err(ConfigError::outside(message, fix));
    };
    Ok((credential, sink))
}

/// Whether the platform accepts a token; `None` where it cannot be asked, or says something else.
async fn probe(
    config: &Config,
    material: &Arc<Material>,
    token: &Secret,
) -> Result<Option<bool>, ConfigError> {
    let egress = Egress::new(&config.egress)?;
    Ok(match egress.probe(Arc::clone(material), 1, token.clone()).await {
        Event::Probed { verdict: Verdict::Alive, .. } => Some(true),
        Event::Probed { verdict: Verdict::Dead, .. } => Some(false),
        _ => None,
    })
}

async fn stored(store: &dyn Store, material: &Material) -> Result<Option<Record>, ConfigError> {
    let mut before = None;
    let mut each = |Stored { record, .. }: Stored| {
        if record.name == material.name {
            before = Some(record);
        }
    };
    store.load(&mut each).await.map_err(|error| failed(&error))?;
    Ok(before)
}

fn failed(error: &StoreError) -> ConfigError {
    ConfigError::outside(format!("the token could not be stored: {error}."), "Check the disk and data_dir.")
}
