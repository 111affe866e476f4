//! A sink that is a key in Redis, or two that belong together.
//!
//! A value is overwritten, never deleted first: a reader whose key is missing for a moment fetches for itself. It is
//! overwritten only if what is there is what this sink wrote: a value of somebody else is told first, and replaced
//! then; and a command that was on its way for too long does not put an older token over a newer one.

use std::sync::Arc;

use redis::{RedisError, Script};
use tokenward_core::time::Span;
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};
use super::found::Found;
use super::redis_preset::KeyedValue;
use super::redis_server::{RedisServer, failure};
use super::standing::SinkFailure;
use super::target::Look;
use super::template::Template;
use crate::clock;

/// A place in Redis.
#[derive(Debug)]
pub(crate) struct RedisTarget {
    server: Arc<RedisServer>,
    keyed: Vec<KeyedValue>,
    /// Where a message is published after each write, and what it says.
    publish: Option<(String, Template)>,
    subject: Subject,
    /// What this sink wrote last, in the order of the keys.
    written: Option<Vec<Zeroizing<String>>>,
}

/// `KEYS`: what is written. `ARGV`: the life in milliseconds; the channel and its message; then for each key its value, and
/// what may be there besides it (empty: anything). Returns the number of the key that holds something else, or 0.
const WRITE: &str = "
for at, key in ipairs(KEYS) do
  local value, before = ARGV[2 + 2 * at], ARGV[3 + 2 * at]
  local there = redis.call('GET', key)
  if there and before ~= '' and there ~= value and there ~= before then return at end
end
for at, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 + 2 * at], 'PX', ARGV[1]) end
if ARGV[2] ~= '' then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 0
";

/// A key with a life of less than this counts as expired with some SDKs.
const SHORTEST_LIFE: i64 = 3_000;

impl RedisTarget {
    pub(super) fn new(
        server: Arc<RedisServer>,
        keyed: Vec<KeyedValue>,
        publish: Option<(String, Template)>,
        subject: Subject,
    ) -> RedisTarget {
        RedisTarget { server, keyed, publish, subject, written: None }
    }

    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        let outcome = self.write(delivery).await;
        if outcome.is_err() {
            self.server.give_up().await;
        }
        match outcome.map_err(|error| failure(&error))? {
            true => Ok(()),
            // It is known now, and not waited for the next time.
            false => {
                self.written = None;
                Err(SinkFailure::new(
                    "somebody else wrote to the key",
                    "An SDK fetched for itself: see that it is started after its key is there, and that nothing \
                     deletes the key. It is overwritten with the next attempt.",
                ))
            }
        }
    }

    /// Whether it was written; else somebody else's value is there.
    async fn write(&mut self, delivery: &Delivery) -> Result<bool, RedisError> {
        let mut link = self.server.link().await?;
        let values: Vec<_> = self.keyed.iter().map(|it| it.value.fill(&self.subject, delivery)).collect();
        let life = delivery.life().0.max(SHORTEST_LIFE);
        // The keys of a cluster may be on two machines; the token's comes last, so that nobody reads it with an old end.
        let groups: Vec<Vec<usize>> = match self.server.is_cluster {
            true => (0..self.keyed.len()).rev().map(|at| vec![at]).collect(),
            false => vec![(0..self.keyed.len()).collect()],
        };
        let script = Script::new(WRITE);
        for group in groups {
            let is_last = group.contains(&0);
            let mut call = script.prepare_invoke();
            let (channel, message) = match &self.publish {
                Some((channel, message)) if is_last => {
                    (channel.as_str(), message.fill(&self.subject, delivery))
                }
                _ => ("", Zeroizing::default()),
            };
            call.arg(life).arg(channel).arg(message.as_str());
            for at in group {
                let (Some(keyed), Some(value)) = (self.keyed.get(at), values.get(at)) else { continue };
                let before = self.written.as_ref().and_then(|written| written.get(at));
                call.key(keyed.key.as_str())
                    .arg(value.as_str())
                    .arg(before.map_or("", |before| before.as_str()));
            }
            let foreign: i64 = call.invoke_async(&mut link).await?;
            if foreign != 0 {
                return Ok(false);
            }
        }
        self.written = Some(values);
        Ok(true)
    }

    pub(super) async fn look(&mut self) -> Result<Look, SinkFailure> {
        let looked = self.read().await;
        if looked.is_err() {
            self.server.give_up().await;
        }
        let found = looked.map_err(|error| failure(&error))?;
        let Some(written) = self.written.take() else { return Ok(Look::Gone) };
        let mut look = Look::There;
        for ((there, life), wanted) in found.iter().zip(&written) {
            match there {
                // It is known now, and overwritten.
                Some(there) if there.as_str() != wanted.as_str() => return Ok(Look::Foreign),
                // Without an end, SDKs take it for expired.
                Some(_) if *life > 0 => {}
                _ => look = Look::Gone,
            }
        }
        self.written = Some(written);
        Ok(look)
    }

    /// The token of the first key, which ends with its key at the latest.
    pub(super) async fn find(&self) -> Result<Found, SinkFailure> {
        let values = self.read().await.map_err(|error| failure(&error))?;
        let nothing = || {
            SinkFailure::new(
                "there is no token under the sink's key",
                "See that the SDK has written it, and `preset`.",
            )
        };
        let Some((Some(text), life)) = values.into_iter().next() else { return Err(nothing()) };
        let found = Found::read(&text).ok_or_else(nothing)?;
        let by_key = (life > 0).then(|| clock::wall() + Span(life));
        Ok(Found { end: by_key.into_iter().chain(found.end).min(), ..found })
    }

    async fn read(&self) -> Result<Vec<(Option<Zeroizing<String>>, i64)>, RedisError> {
        let mut link = self.server.link().await?;
        let mut found = Vec::new();
        for keyed in &self.keyed {
            let key = keyed.key.as_str();
            let there: Option<Vec<u8>> = redis::cmd("GET").arg(key).query_async(&mut link).await?;
            let life: i64 = redis::cmd("PTTL").arg(key).query_async(&mut link).await?;
            let text = there.map(|bytes| Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()));
            found.push((text, life));
        }
        Ok(found)
    }
}
