//! What must hold, whatever happens. The oracle sees everything, also what the node cannot know.

use std::collections::BTreeMap;
use std::fmt;

use tokenward_core::policy::Policy;
use tokenward_core::time::{Boot, Span};
use tokenward_core::view::{Offer, Told};

use crate::node::number;
use crate::platform::Platform;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed that repeats it.
    pub seed: u64,
    /// Which promise, and how.
    pub what: String,
    /// The last things that happened before it.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        write!(f, "repeat it with: cargo run --release -p tokenward-sim -- --seed {}", self.seed)
    }
}

/// A holder: relies on its token until it was told not to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) token: u64,
    pub(crate) generation: u64,
    pub(crate) told_end: Boot,
    /// The node itself said that it does not know whether the token is alive.
    pub(crate) was_warned: bool,
}

/// What the oracle remembers.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    generations: BTreeMap<u64, u64>,
    /// When the exclusive fetch that was sent last was begun, and the last that issued a token.
    begun: Option<Boot>,
    issued: Option<Boot>,
    in_flight: bool,
    /// An operator forced a refresh: told lives are off.
    pub(crate) forced_at: Option<Boot>,
    /// The store fails, and something that a restart must know is not stored.
    pub(crate) unstored: bool,
    /// Tokens up to this one were lost to the node through no fault of its own.
    excused_up_to: u64,
    fetches_by_day: BTreeMap<i64, u32>,
    /// The newest attempt of which the store knows, and the newest that was sent.
    pub(crate) stored_attempt: u64,
    pub(crate) sent_attempt: u64,
}

impl Oracle {
    /// Promise 2: what is handed out is not over, and its told life is not longer than its life.
    pub(crate) fn hand_out(&mut self, offer: &Offer, told_end: Boot, now: Boot) -> Result<Holder, String> {
        let token = number(&offer.token);
        if now >= offer.end || told_end > offer.end {
            return Err(format!("promise 2: handed out token {token} beyond its end"));
        }
        match self.generations.insert(offer.generation, token) {
            Some(before) if before != token => {
                return Err(format!(
                    "generation {} was given to two tokens, {before} and {token}",
                    offer.generation
                ));
            }
            _ => {}
        }
        let was_warned = match offer.told {
            Told::Doubtful { .. } => true,
            Told::Until { end, .. } => end <= now,
            Told::TrueEnd | Told::Planned { .. } => false,
        };
        Ok(Holder { token, generation: offer.generation, told_end, was_warned })
    }

    /// Promise 2: the told life holds, unless a rival or an operator broke it, or the holder was warned.
    pub(crate) fn use_token(&self, holder: Holder, platform: &Platform, now: Boot) -> Result<bool, String> {
        if platform.is_alive(holder.token, now) {
            return Ok(true);
        }
        let excused = holder.was_warned
            || self.forced_at.is_some()
            || holder.token <= self.excused_up_to
            || platform.was_killed_by_rival(holder.token);
        if now < holder.told_end && !excused {
            return Err(format!(
                "promise 2: token {} (generation {}) is dead at {now:?}, its holder was told to rely on it until {:?}",
                holder.token, holder.generation, holder.told_end
            ));
        }
        Ok(false)
    }

    /// Promises 3 and 4: never two exclusive fetches at once, and while a usable token is known, own
    /// exclusive fetches are the safe part apart.
    pub(crate) fn send(
        &mut self,
        exclusive: bool,
        usable: bool,
        forced: bool,
        policy: &Policy,
        now: Boot,
    ) -> Result<(), String> {
        if !exclusive {
            return Ok(());
        }
        if std::mem::replace(&mut self.in_flight, true) {
            return Err("promise 4: two exclusive fetches at once".to_owned());
        }
        let since = self.issued.map_or(Span(i64::MAX), |last| now - last);
        self.begun = Some(now);
        if policy.semantics.rotates() && usable && !forced && since < policy.safe_part {
            return Err(format!(
                "promise 4: a second exclusive fetch {since:?} after the first, with a token in hand"
            ));
        }
        Ok(())
    }

    /// The platform issued a token for the node.
    pub(crate) fn issue(&mut self) {
        self.issued = self.begun;
    }

    /// An exclusive fetch is over for the node: answered, failed, given up, or the node died.
    pub(crate) fn fetch_over(&mut self) {
        self.in_flight = false;
    }

    /// The node died. What it could not store is lost.
    pub(crate) fn crash(&mut self, newest_token: u64) {
        self.in_flight = false;
        if std::mem::take(&mut self.unstored) {
            self.excuse(newest_token);
        }
        if self.sent_attempt > self.stored_attempt {
            // Sent without a stored intent, as a last resort: nobody knows of it any more.
            (self.begun, self.issued) = (None, None);
        }
    }

    /// The node cannot know about tokens up to this one, nor when they were fetched.
    pub(crate) fn excuse(&mut self, newest_token: u64) {
        self.excused_up_to = newest_token;
        (self.begun, self.issued) = (None, None);
    }

    /// Promise 6: the day's budget.
    pub(crate) fn count_fetch(&mut self, day: i64, policy: &Policy) -> Result<(), String> {
        let count = self.fetches_by_day.entry(day).or_default();
        *count += 1;
        if policy.limits.per_day > 0 && *count > policy.limits.per_day {
            return Err(format!("promise 6: {count} fetches on one day, {} allowed", policy.limits.per_day));
        }
        Ok(())
    }
}
