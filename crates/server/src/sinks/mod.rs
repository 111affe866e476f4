//! Sinks: places where each new token is written, for those who read them there instead of asking.
//!
//! Each sink has a task of its own that watches the feed: it never delays a reader, a refresh or another sink. It writes
//! what holds now, never a queue of what held, so that nothing older follows something newer, also after a crash: the
//! first thing that a new process does is to write again. Deliveries are made at least once; one that fails is tried
//! again until it succeeds or a newer one takes its place. A longer told life of the same token is delivered too.
//!
//! Deliberately absent: deleting. When there is no token to hand out, what was written stands until its own expiry.

mod claim;
mod cloud;
mod cloud_looks;
mod cloud_record;
mod delivery;
mod file;
mod file_format;
mod file_hook;
mod file_place;
mod found;
mod owner;
mod php_value;
mod redis;
mod redis_preset;
mod redis_server;
mod standing;
mod target;
mod template;
mod template_reading;
mod turn;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tokenward_core::secret::Secret;
use tokenward_core::time::{Boot, Now, Span};

use crate::clock;
use crate::config::{Config, ConfigError, CredentialConfig, Finding, PlaceConfig, RedisConfig, SinkConfig};
use crate::feed::Entry;
use crate::http::Api;
use crate::material::Material;
use crate::token_index::TokenIndex;

use claim::Claims;
pub(crate) use cloud_record::{CloudRecord, Shape};
use delivery::{Delivery, Subject};
pub(crate) use file_format::FileFormat;
pub(crate) use file_hook::{Afterwards, Signal};
pub(crate) use found::Found;
pub(crate) use owner::Owner;
use redis::OurTokens;
pub(crate) use redis_preset::{InKey, KeyOptions, PRESETS, RedisPreset};
use standing::SinkFailure;
pub use standing::Standing;
pub(crate) use target::Shared;
use target::{Look, Target};
pub(crate) use template::Template;

/// A sink at work.
pub(crate) struct Sink {
    entry: Arc<Entry>,
    target: Target,
    standing: Arc<Standing>,
    delivered: Option<Delivered>,
    retry: Retry,
    claims: Claims,
}

/// What was delivered last, and when.
struct Delivered {
    delivery: Delivery,
    at: Boot,
    looked_after: Boot,
    /// Whether what follows a delivery is done, too.
    is_finished: bool,
}

/// When the next attempt may be made after failures.
#[derive(Default)]
struct Retry {
    failures: u32,
    at: Option<Boot>,
    generation: u64,
}

/// Between two looks at the clock, which may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The longest pause between two attempts: what comes back is written again within seconds.
const LONGEST_PAUSE: Span = Span::seconds(3);
const FIRST_PAUSE: Span = Span(250);
/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a place is asked whether it still has what was written.
const LOOK_AFTER: Span = Span::seconds(3);
/// A told life that is longer by less is not worth a delivery.
const LEAST_EXTENSION: Span = Span::seconds(1);
/// A told life that moves along with the clock is not delivered more often than this.
const LONGEST_STAY: Span = Span::seconds(30);

/// How a sink stands before anything was delivered.
pub(crate) fn standing(config: &SinkConfig) -> Standing {
    let kind = match config.place {
        PlaceConfig::File(_) => "file",
        PlaceConfig::Redis(_) => "redis",
        PlaceConfig::Cloud(_) => "cloud-database",
        PlaceConfig::Webhook(_) => "webhook",
    };
    Standing::new(config.name.clone(), kind)
}

/// Whether a sink of a credential has to know its tokens again, also those of earlier runs.
pub(crate) fn know_tokens(credential: &CredentialConfig) -> bool {
    let knows = |place: &PlaceConfig| matches!(place, PlaceConfig::Redis(_) | PlaceConfig::Cloud(_));
    credential.sinks.iter().any(|sink| knows(&sink.place))
}

/// Reads the secrets of a sink. Returns what makes sense and is still worth a word. `real` are the secrets of its app.
///
/// # Errors
/// Points at a secret that cannot be read or used, or at a place that another sink writes.
pub(crate) fn check(
    all: &Config,
    credential: &CredentialConfig,
    sink: &SinkConfig,
    real: &[Secret],
    shared: &mut Shared,
) -> Result<Option<Finding>, ConfigError> {
    let subject = target::subject(all, credential, sink)?;
    match &sink.place {
        PlaceConfig::Redis(redis) => {
            let warning = real_secret(all, sink, redis, &subject, real);
            shared.redis(all, sink, redis, subject)?;
            Ok(warning)
        }
        PlaceConfig::Webhook(config) => {
            let key = all.read_secret(&config.key)?;
            Ok(webhook::is_short(&key).then(|| all.short_key(&config.key)))
        }
        PlaceConfig::File(_) | PlaceConfig::Cloud(_) => Ok(None),
    }
}

/// What an SDK has as its secret stands in the names of keys, for everybody who can list them, and lets it fetch.
fn real_secret(
    all: &Config,
    sink: &SinkConfig,
    redis: &RedisConfig,
    subject: &Subject,
    real: &[Secret],
) -> Option<Finding> {
    let (given, place) = (subject.sdk_secret.as_ref()?, sink.sdk_secret.as_ref()?);
    // One that no key is made of is warned about as such.
    let shown = redis.keys.sdk_secret_in_key().filter(|_| real.contains(given))?;
    Some(all.real_secret(place, shown))
}

/// The sinks of all credentials. Blocks while programs run that give secrets.
///
/// # Errors
/// Points at the secret that cannot be read.
pub(crate) fn gather(
    config: &Config,
    api: &Arc<Api>,
    token_index: &Arc<TokenIndex>,
    materials: &[Arc<Material>],
    run: u32,
) -> Result<Vec<Sink>, ConfigError> {
    let mut sinks = Vec::new();
    let mut shared = Shared::new(run);
    for (credential, entry) in config.credentials.iter().zip(api.feed.iter()) {
        for (sink, standing) in credential.sinks.iter().zip(&entry.sinks) {
            let subject = target::subject(config, credential, sink)?;
            if let PlaceConfig::Redis(redis) = &sink.place {
                let real = secrets_of(config, materials, &subject.app_id);
                warn(real_secret(config, sink, redis, &subject, &real));
            }
            let ours = OurTokens(Arc::clone(token_index), entry.id);
            let target = Target::gather(config, sink, subject, api, &ours, &mut shared)?;
            let claims = Claims::new(api.driver.clone(), entry.id, &credential.policy);
            sinks.push(Sink::new(Arc::clone(entry), target, Arc::clone(standing), claims));
        }
    }
    Ok(sinks)
}

/// The secrets of an app: a ticket has none of its own, and several credentials may be one app.
fn secrets_of(config: &Config, materials: &[Arc<Material>], app_id: &str) -> Vec<Secret> {
    let credentials = config.credentials.iter().zip(materials);
    let same = credentials.filter(|(credential, _)| credential.app_id() == app_id);
    same.flat_map(|(_, material)| material.secrets().as_ref().clone()).collect()
}

/// Tells in the log what is worth a word.
fn warn(finding: Option<Finding>) {
    if let Some(Finding { file, line, message, fix, .. }) = finding {
        tracing::warn!(place = format!("{file}:{line}"), next_step = fix, "{message}");
    }
}

/// What stands at a sink's place now, whoever wrote it.
///
/// # Errors
/// The place cannot be read; or it points at a secret that cannot.
pub(crate) async fn find(
    config: &Config,
    credential: &CredentialConfig,
    sink: &SinkConfig,
) -> Result<Result<Found, SinkFailure>, ConfigError> {
    let found = tokio::time::timeout(PATIENCE, target::find(config, credential, sink)).await;
    found.unwrap_or_else(|_| Ok(Err(SinkFailure::too_slow())))
}

impl Sink {
    fn new(entry: Arc<Entry>, target: Target, standing: Arc<Standing>, claims: Claims) -> Sink {
        Sink { entry, target, standing, delivered: None, retry: Retry::default(), claims }
    }

    /// Delivers, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let entry = Arc::clone(&self.entry);
            let mut changed = std::pin::pin!(entry.changed());
            changed.as_mut().enable();
            self.work(clock::now()).await;
            let may_finish = self.may_finish(clock::boot());
            if may_finish {
                self.retry.at = None;
            }
            let sleep = self.sleep();
            tokio::select! {
                biased;
                outcome = self.target.finish(), if may_finish => self.finished(outcome),
                () = changed => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    async fn work(&mut self, now: Now) {
        self.claims.advance(now.boot);
        let delivery = Delivery::of(&self.entry.view(), now);
        match delivery {
            Some(delivery) if self.is_due(&delivery, now.boot) => {
                self.standing.wait_since(now.boot);
                if self.retry.allows(&delivery, now.boot) {
                    self.deliver(delivery).await;
                }
            }
            Some(delivery) => self.look_after(&delivery, now.boot).await,
            None => {
                self.standing.stop_waiting();
                self.retry = Retry::default();
            }
        }
    }

    fn is_due(&self, delivery: &Delivery, now: Boot) -> bool {
        let Some(Delivered { delivery: last, at, .. }) = &self.delivered else { return true };
        let stayed = now - *at;
        let stay = last.life().part(1, 4).min(LONGEST_STAY).max(LEAST_EXTENSION);
        let longer = delivery.told_end - last.told_end;
        !delivery.is_same_token(last)
            || longer < Span::ZERO - LEAST_EXTENSION
            || (longer > LEAST_EXTENSION && stayed >= stay)
    }

    async fn deliver(&mut self, delivery: Delivery) {
        let attempt = tokio::time::timeout(PATIENCE, self.target.deliver(&delivery)).await;
        let outcome = attempt.unwrap_or_else(|_| Err(SinkFailure::too_slow()));
        let now = clock::boot();
        if self.target.met_foreign() {
            self.standing.lost(&self.entry, Look::Foreign);
            self.claims.make(delivery.generation, now);
        }
        match outcome {
            Ok(()) => {
                self.delivered = Some(Delivered { delivery, at: now, looked_after: now, is_finished: false });
            }
            Err(failure) => {
                // Nobody knows what is there: it is written as soon as that is possible.
                self.delivered = None;
                self.standing.failed(&self.entry, failure);
                self.retry.failed(delivery.generation, now, self.target.longest_pause());
            }
        }
    }

    /// Whether what follows a delivery is to be done, or being done.
    fn may_finish(&self, now: Boot) -> bool {
        let unfinished = self.delivered.as_ref().filter(|last| !last.is_finished);
        unfinished.is_some_and(|last| self.retry.allows(&last.delivery, now))
    }

    fn finished(&mut self, outcome: Result<(), SinkFailure>) {
        let Some(last) = &mut self.delivered else { return };
        match outcome {
            Ok(()) => {
                last.is_finished = true;
                self.standing.delivered(&self.entry, &last.delivery);
                self.retry = Retry::default();
            }
            Err(failure) => {
                self.standing.failed(&self.entry, failure);
                let generation = last.delivery.generation;
                self.retry.failed(generation, clock::boot(), self.target.longest_pause());
            }
        }
    }

    /// What somebody else removed or overwrote is written again.
    async fn look_after(&mut self, delivery: &Delivery, now: Boot) {
        let Some(last) = self.delivered.as_mut().filter(|last| now - last.looked_after >= LOOK_AFTER) else {
            return;
        };
        last.looked_after = now;
        let look = tokio::time::timeout(PATIENCE, self.target.look()).await;
        match look.unwrap_or_else(|_| Err(SinkFailure::too_slow())) {
            Ok(Look::There) => {}
            Ok(look) => {
                if look != Look::Outdated {
                    self.standing.lost(&self.entry, look);
                }
                if look == Look::Foreign && matches!(self.target, Target::Redis(_)) {
                    self.claims.make(delivery.generation, now);
                }
                self.standing.wait_since(now);
                // Looking may have taken long.
                if let Some(delivery) = Delivery::of(&self.entry.view(), clock::now()) {
                    self.deliver(delivery).await;
                }
            }
            Err(failure) => {
                self.delivered = None;
                self.standing.failed(&self.entry, failure);
                self.standing.wait_since(now);
                self.retry.failed(delivery.generation, now, self.target.longest_pause());
            }
        }
    }

    fn sleep(&self) -> Duration {
        let wait = self.retry.at.map(|at| (at - clock::boot()).max(Span(10)));
        wait.map_or(LONGEST_SLEEP, |wait| Duration::from_millis(wait.0.unsigned_abs()).min(LONGEST_SLEEP))
    }
}

impl Retry {
    /// A new token need not wait for the pause of the one before.
    fn allows(&self, delivery: &Delivery, now: Boot) -> bool {
        self.at.is_none_or(|at| now >= at) || delivery.generation != self.generation
    }

    fn failed(&mut self, generation: u64, now: Boot, longest: Span) {
        let pause = Span(FIRST_PAUSE.0 << self.failures.min(8)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.at = Some(now + pause);
        self.generation = generation;
    }
}
