//! A sink that is a key in Redis, or two that belong together.
//!
//! A value is overwritten, never deleted first: a reader whose key is missing for a moment fetches for itself. Before the
//! first write what is there is read, and every write says what it expects to find: what this sink wrote, tried to write,
//! or has read. A value of somebody else is told, and replaced then; and a command that was on its way for too long does
//! not put an older token over a newer one.

use std::sync::Arc;

use redis::{RedisError, Script};
use tokenward_core::fleet::CredentialId;
use tokenward_core::secret::Secret;
use tokenward_core::time::{Boot, Span};
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};
use super::found::Found;
use super::redis_preset::KeyedValue;
use super::redis_server::{RedisServer, failure};
use super::standing::SinkFailure;
use super::target::Look;
use super::template::Template;
use crate::clock;
use crate::token_index::TokenIndex;

/// A place in Redis.
#[derive(Debug)]
pub(crate) struct RedisTarget {
    server: Arc<RedisServer>,
    keyed: Vec<KeyedValue>,
    /// Where a message is published after each write, and what it says.
    publish: Option<(String, Template)>,
    subject: Subject,
    ours: Option<OurTokens>,
    /// What may stand under each key, in their order, without a word about it; `None` until they were read.
    expected: Option<Vec<Expected>>,
    written: Option<Written>,
    /// Whether a value of somebody else was found on the way to a delivery.
    met_foreign: bool,
}

/// The tokens that a credential has or had, also in earlier runs.
#[derive(Clone, Debug)]
pub(super) struct OurTokens(pub(super) Arc<TokenIndex>, pub(super) CredentialId);

/// What stands under the keys.
#[derive(Debug)]
struct Written {
    values: Vec<Bytes>,
    /// When they end.
    end: Boot,
}

/// The last of what this sink wrote, tried to write or has read: after a lost answer nobody knows which of them is there.
#[derive(Debug, Default)]
struct Expected(Vec<Bytes>);

/// What was found under a key.
struct There {
    value: Option<Bytes>,
    /// How long it will still be there, in milliseconds; nothing above 0 without an end.
    life: i64,
}

/// Who wrote a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Theirs,
    /// It has no token that could be known.
    Nobodys,
}

type Bytes = Zeroizing<Vec<u8>>;

/// `KEYS`: what is written. `ARGV`: the life in milliseconds; the channel and its message; then for each key its value, how
/// many others may be there, and those. Returns the number of the key that holds something else, or 0.
const WRITE: &str = "
local at = 4
for number, key in ipairs(KEYS) do
  local there, last = redis.call('GET', key), at + 1 + tonumber(ARGV[at + 1])
  local known = not there or there == ARGV[at]
  for before = at + 2, last do known = known or there == ARGV[before] end
  if not known then return number end
  at = last + 1
end
at = 4
for _, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[at], 'PX', ARGV[1])
  at = at + 2 + tonumber(ARGV[at + 1])
end
if ARGV[2] ~= '' then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 0
";

/// How far the end of a key may be from where it was put, in milliseconds.
const TOLERANCE: i64 = 3_000;
/// How often somebody else may be faster in one delivery.
const ROUNDS: u32 = 5;
/// More writes than this do not fail in a row while one of them is still on its way.
const MOST_EXPECTED: usize = 32;

impl RedisTarget {
    pub(super) fn new(
        server: Arc<RedisServer>,
        keyed: Vec<KeyedValue>,
        publish: Option<(String, Template)>,
        subject: Subject,
    ) -> RedisTarget {
        RedisTarget {
            server,
            keyed,
            publish,
            subject,
            ours: None,
            expected: None,
            written: None,
            met_foreign: false,
        }
    }

    /// Which tokens are not somebody else's.
    pub(super) fn with_ours(self, ours: OurTokens) -> RedisTarget {
        RedisTarget { ours: Some(ours), ..self }
    }

    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        let outcome = self.overwrite(delivery).await;
        if outcome.is_err() {
            self.server.give_up().await;
        }
        match outcome.map_err(|error| failure(&error))? {
            true => Ok(()),
            false => Err(SinkFailure::new(
                "somebody else writes to the key all the time",
                "Stop whatever fetches for itself, or let it read another key.",
            )),
        }
    }

    /// Whether a value of somebody else was found on the way to the last delivery.
    pub(super) fn met_foreign(&mut self) -> bool {
        std::mem::take(&mut self.met_foreign)
    }

    /// Whether it was written; else somebody else was faster each time.
    async fn overwrite(&mut self, delivery: &Delivery) -> Result<bool, RedisError> {
        let fill = |it: &KeyedValue| Bytes::new(it.value.fill(&self.subject, delivery).as_bytes().to_vec());
        let values: Vec<Bytes> = self.keyed.iter().map(fill).collect();
        self.written = None;
        let end = clock::boot() + delivery.life();
        for round in 0..ROUNDS {
            if self.expected.is_none() || round > 0 {
                self.meet().await?;
            }
            // From now on they may be there, also if the answer is lost.
            for (expected, value) in self.expected.iter_mut().flatten().zip(&values) {
                expected.add(value);
            }
            if self.swap(delivery, &values, end).await? {
                self.expected = Some(values.iter().map(|value| Expected(vec![value.clone()])).collect());
                self.written = Some(Written { values, end });
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads what is there, to expect it.
    async fn meet(&mut self) -> Result<(), RedisError> {
        let found = self.read().await?;
        // What this process did not write, an earlier one may have.
        let is_first = self.expected.is_none();
        for (at, there) in found.iter().enumerate() {
            let Some(value) = &there.value else { continue };
            let whose = self.judge(at, value);
            self.met_foreign |= whose == Whose::Theirs || (whose == Whose::Nobodys && !is_first);
        }
        self.expected.get_or_insert_default();
        Ok(())
    }

    /// Whose value it is that stands in the place of what this sink wrote. It is expected from now on, and overwritten.
    fn judge(&mut self, at: usize, value: &Bytes) -> Whose {
        let all = self.expected.get_or_insert_default();
        all.resize_with(self.keyed.len(), Expected::default);
        let Some(expected) = all.get_mut(at).filter(|expected| !expected.has(value)) else {
            return Whose::Ours;
        };
        expected.add(value);
        // A second key is written together with the first, by whomever.
        if at > 0 {
            return Whose::Ours;
        }
        let (Some(keyed), Some(ours)) = (self.keyed.first(), &self.ours) else { return Whose::Nobodys };
        let found = keyed.value.read(&self.subject, value);
        match found.or_else(|| keyed.value.find(&self.subject, value)) {
            Some(found) if ours.have(&found.token) => Whose::Ours,
            Some(_) => Whose::Theirs,
            // What a preset writes can be read: this is something else.
            None if keyed.is_preset => Whose::Theirs,
            None => Whose::Nobodys,
        }
    }

    /// Whether it was written; else something unexpected is there.
    async fn swap(&self, delivery: &Delivery, values: &[Bytes], end: Boot) -> Result<bool, RedisError> {
        let mut link = self.server.link().await?;
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
            call.arg(life(end, clock::boot())).arg(channel).arg(message.as_str());
            for at in group {
                let (Some(keyed), Some(value)) = (self.keyed.get(at), values.get(at)) else { continue };
                let expected = self.expected.as_ref().and_then(|expected| expected.get(at));
                let expected = expected.map_or(&[][..], |expected| &expected.0);
                call.key(keyed.key.as_str()).arg(value.as_slice()).arg(expected.len());
                for expected in expected {
                    call.arg(expected.as_slice());
                }
            }
            let unexpected: i64 = call.invoke_async(&mut link).await?;
            if unexpected != 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn look(&mut self) -> Result<Look, SinkFailure> {
        let looked = self.read().await;
        if looked.is_err() {
            self.server.give_up().await;
        }
        let found = looked.map_err(|error| failure(&error))?;
        let Some(written) = self.written.take() else { return Ok(Look::Gone) };
        let left = (written.end - clock::boot()).0;
        let mut look = Look::There;
        for (at, (there, wanted)) in found.iter().zip(&written.values).enumerate() {
            let seen = match &there.value {
                None => Look::Gone,
                Some(value) if value != wanted => match self.judge(at, value) {
                    Whose::Ours => Look::Outdated,
                    Whose::Theirs | Whose::Nobodys => Look::Foreign,
                },
                // Without an end, SDKs take it for expired.
                Some(_) if there.life <= 0 => Look::Gone,
                Some(_) if (there.life - left).abs() > TOLERANCE => Look::Outdated,
                Some(_) => Look::There,
            };
            look = look.max(seen);
        }
        if look == Look::There {
            self.written = Some(written);
        }
        Ok(look)
    }

    /// The token of the first key, which ends with its key at the latest.
    pub(super) async fn find(&self) -> Result<Found, SinkFailure> {
        let Some(keyed) = self.keyed.first().filter(|keyed| keyed.value.is_readable(&self.subject)) else {
            return Err(SinkFailure::unreadable("value"));
        };
        let found = self.read().await.map_err(|error| failure(&error))?;
        let nothing = || {
            SinkFailure::new(
                "there is no token under the sink's key in the shape that the sink writes",
                "See that the SDK has written it, and `preset` or `value`.",
            )
        };
        let Some(There { value: Some(value), life }) = found.into_iter().next() else {
            return Err(nothing());
        };
        let found = keyed.value.find(&self.subject, &value).ok_or_else(nothing)?;
        let by_key = (life > 0).then(|| clock::wall() + Span(life));
        Ok(Found { end: by_key.into_iter().chain(found.end).min(), ..found })
    }

    async fn read(&self) -> Result<Vec<There>, RedisError> {
        let mut link = self.server.link().await?;
        let mut found = Vec::new();
        for keyed in &self.keyed {
            let key = keyed.key.as_str();
            let value: Option<Vec<u8>> = redis::cmd("GET").arg(key).query_async(&mut link).await?;
            let life: i64 = redis::cmd("PTTL").arg(key).query_async(&mut link).await?;
            found.push(There { value: value.map(Zeroizing::new), life });
        }
        Ok(found)
    }
}

/// How long a key lives that is written now, in milliseconds; Redis takes nothing below 1.
fn life(end: Boot, now: Boot) -> i64 {
    (end - now).0.max(1)
}

impl OurTokens {
    pub(super) fn have(&self, token: &Secret) -> bool {
        self.0.find(token.expose(), clock::boot()) == Some(self.1)
    }
}

impl Expected {
    fn has(&self, value: &Bytes) -> bool {
        self.0.contains(value)
    }

    fn add(&mut self, value: &Bytes) {
        if !self.has(value) {
            self.0.push(value.clone());
        }
        if self.0.len() > MOST_EXPECTED {
            self.0.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::delivery::testing::{delivery, subject};
    use super::super::redis_preset::{KeyOptions, RedisPreset};
    use super::*;

    #[test]
    fn a_key_lives_for_what_is_left_when_it_is_written() {
        assert_eq!(life(Boot(3_600_000), Boot(8_000)), 3_592_000);
        assert_eq!(life(Boot(1_500), Boot(0)), 1_500, "not for longer than was told");
        assert_eq!(life(Boot(0), Boot(1)), 1);
    }

    #[test]
    fn neither_tokens_nor_secrets_are_shown() {
        let server = Arc::new(RedisServer::open("redis://:password@127.0.0.1", None).unwrap());
        let keyed = RedisPreset::find("easywechat6").unwrap().keyed(&KeyOptions::default(), &subject());
        let value = Bytes::new(delivery().token.expose().as_bytes().to_vec());
        let mut target = RedisTarget::new(server, keyed, None, subject());
        target.expected = Some(vec![Expected(vec![value.clone()])]);
        target.written = Some(Written { values: vec![value.clone()], end: Boot(0) });
        let shown = format!("{target:?}");
        for secret in ["sdk-secret", "password", "tok\\\"en", &format!("{:?}", value.as_slice())] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        assert!(
            shown.contains("keyed") && shown.contains("Expected") && shown.contains("Written"),
            "{shown}"
        );
    }
}
