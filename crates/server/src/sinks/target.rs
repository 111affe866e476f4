//! Where a sink writes: one variant for each kind, one file for each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use aws_lc_rs::digest::{SHA256, digest};
use tokenward_core::time::Span;

use super::LONGEST_PAUSE;
use super::cloud::CloudTarget;
use super::delivery::{Delivery, Subject};
use super::file::FileTarget;
use super::found::Found;
use super::redis::{OurTokens, RedisTarget};
use super::redis_preset::KeyedValue;
use super::redis_server::RedisServer;
use super::standing::SinkFailure;
use super::webhook::WebhookTarget;
use crate::config::{Config, ConfigError, CredentialConfig, PlaceConfig, RedisConfig, RedisKeys, SinkConfig};
use crate::http::Api;

/// A place that tokens are written to.
#[derive(Debug)]
pub(crate) enum Target {
    File(FileTarget),
    Redis(RedisTarget),
    Cloud(CloudTarget),
    Webhook(WebhookTarget),
}

/// What is at a place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// What was delivered.
    There,
    /// Nothing, or something that is no longer whole.
    Gone,
    /// Something that this sink wrote before: a call that was on its way for long.
    Outdated,
    /// Something that somebody else wrote.
    Foreign,
}

/// What sinks share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Servers by their URLs.
    servers: HashMap<(String, Option<Vec<u8>>), Arc<RedisServer>>,
    /// The keys that are written, by their digests and the places of their servers: a secret may stand in a key.
    keys: HashSet<(String, Vec<u8>)>,
    /// The number of the next thing that is told.
    numbers: Arc<AtomicU64>,
}

impl Target {
    /// Puts together what the configuration says of a sink.
    pub(super) fn gather(
        all: &Config,
        config: &SinkConfig,
        subject: Subject,
        api: &Arc<Api>,
        ours: &OurTokens,
        shared: &mut Shared,
    ) -> Result<Target, ConfigError> {
        Ok(match &config.place {
            PlaceConfig::File(file) => Target::File(FileTarget::new(file, subject)),
            PlaceConfig::Redis(redis) => {
                Target::Redis(shared.redis(all, config, redis, subject)?.with_ours(ours.clone()))
            }
            PlaceConfig::Cloud(cloud) => {
                Target::Cloud(CloudTarget::new(cloud, subject, Arc::clone(api), ours.clone())?)
            }
            PlaceConfig::Webhook(webhook) => {
                let numbers = Arc::clone(&shared.numbers);
                Target::Webhook(WebhookTarget::gather(all, &config.name, webhook, subject, numbers)?)
            }
        })
    }

    /// Writes a token over what is there. Whoever reads at the same time gets the one or the other, whole.
    pub(crate) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        match self {
            Target::File(file) => file.deliver(delivery).await,
            Target::Redis(redis) => redis.deliver(delivery).await,
            Target::Cloud(cloud) => cloud.deliver(delivery).await,
            Target::Webhook(webhook) => webhook.deliver(delivery).await,
        }
    }

    /// Does what follows a delivery, or waits until it is done. Nothing is lost if this is broken off.
    pub(super) async fn finish(&mut self) -> Result<(), SinkFailure> {
        match self {
            Target::File(file) => file.finish().await,
            Target::Redis(_) | Target::Cloud(_) | Target::Webhook(_) => Ok(()),
        }
    }

    /// What is there of what was delivered.
    pub(super) async fn look(&mut self) -> Result<Look, SinkFailure> {
        match self {
            Target::File(file) => file.look().await,
            Target::Redis(redis) => redis.look().await,
            Target::Cloud(cloud) => cloud.look().await,
            // Whoever was told has been told.
            Target::Webhook(_) => Ok(Look::There),
        }
    }

    /// Whether the last delivery met something that somebody else wrote, and that is not told yet.
    pub(super) fn met_foreign(&mut self) -> bool {
        match self {
            Target::Redis(redis) => redis.met_foreign(),
            Target::File(_) | Target::Cloud(_) | Target::Webhook(_) => false,
        }
    }

    /// The longest pause between two attempts.
    pub(super) fn longest_pause(&self) -> Span {
        match self {
            Target::File(_) | Target::Redis(_) => LONGEST_PAUSE,
            Target::Cloud(_) => super::cloud::LONGEST_PAUSE,
            Target::Webhook(_) => super::webhook::LONGEST_PAUSE,
        }
    }
}

/// The token that stands at a sink's place, whoever wrote it.
pub(super) async fn find(
    all: &Config,
    credential: &CredentialConfig,
    config: &SinkConfig,
) -> Result<Result<Found, SinkFailure>, ConfigError> {
    let subject = subject(all, credential, config)?;
    Ok(match &config.place {
        PlaceConfig::File(file) => FileTarget::new(file, subject).find().await,
        PlaceConfig::Redis(redis) => Shared::default().redis(all, config, redis, subject)?.find().await,
        PlaceConfig::Cloud(_) | PlaceConfig::Webhook(_) => Err(SinkFailure::new(
            "tokens are taken over from files and from Redis alone",
            "Name a sink of that kind; it need not stay in the configuration.",
        )),
    })
}

/// Whose tokens a sink writes. Blocks while a program runs that gives a secret.
pub(super) fn subject(
    all: &Config,
    credential: &CredentialConfig,
    config: &SinkConfig,
) -> Result<Subject, ConfigError> {
    let sdk_secret = config.sdk_secret.as_ref().map(|secret| all.read_secret(secret)).transpose()?;
    Ok(Subject { credential: credential.name.clone(), app_id: credential.app_id(), sdk_secret })
}

impl Shared {
    /// For the run of a server. Numbers rise over all runs; a JSON number holds those of two million.
    pub(super) fn new(run: u32) -> Shared {
        let first = u64::from(run) << 32;
        Shared { numbers: Arc::new(AtomicU64::new(first)), ..Shared::default() }
    }

    pub(super) fn redis(
        &mut self,
        all: &Config,
        sink: &SinkConfig,
        config: &RedisConfig,
        subject: Subject,
    ) -> Result<RedisTarget, ConfigError> {
        let url = all.read_secret(&config.url)?;
        let unusable =
            |why: &str| all.unusable_secret(&config.url, &format!("the URL of a sink cannot be used: {why}"));
        let ca = match &config.ca_file {
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                unusable(&format!("its `ca_file` {} cannot be read: {error}", path.display()))
            })?),
            None => None,
        };
        let name = (url.expose().to_owned(), ca.clone());
        let server = match self.servers.get(&name) {
            Some(server) => Arc::clone(server),
            None => {
                let server = RedisServer::open(url.expose(), ca).map_err(|why| unusable(&why))?;
                Arc::clone(self.servers.entry(name).or_insert(Arc::new(server)))
            }
        };
        let keyed = match &config.keys {
            RedisKeys::Preset(preset, options) => preset.keyed(options, &subject),
            RedisKeys::Own { key, value } => {
                vec![KeyedValue { key: key.fill_constant(&subject), value: value.clone(), is_preset: false }]
            }
        };
        for (place, it) in server.places.iter().flat_map(|place| keyed.iter().map(move |it| (place, it))) {
            let key = digest(&SHA256, it.key.as_bytes()).as_ref().to_vec();
            if !self.keys.insert((place.clone(), key)) {
                return Err(all.written_twice(sink));
            }
        }
        Ok(RedisTarget::new(server, keyed, config.publish.clone(), subject))
    }
}
