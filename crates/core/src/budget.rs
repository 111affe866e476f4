//! What the platform lets us fetch, and what we have used of it.
//!
//! Invariants: nothing is fetched that was not taken from the budget first; planned refreshes can use all of
//! it, people a little less, reports least, so that reports can never starve the plan. The day of the budget
//! begins three minutes after the platform's midnight plus jitter, because the platform's devices disagree.

use crate::semantics::FetchKind;
use crate::time::{Boot, Now, Span, Wall, beijing};

/// Limits of one credential. Zero means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fetches a day.
    pub per_day: u32,
    /// Fetches a minute.
    pub per_minute: u32,
    /// Forced fetches a day.
    pub forced_per_day: u32,
    /// How many of these reports may use.
    pub forced_for_reports: u32,
    /// The least time between two forced fetches.
    pub forced_spacing: Span,
    /// Fetches in a row while somebody else keeps fetching for the same app.
    pub contested_burst: u32,
    /// Fetches in a row that reports cause; then one every two minutes.
    pub report_burst: u32,
    /// The platform says that they are few and not how many: `per_day` is a guess of ours, nothing is fetched ahead of
    /// time for a reader's sake, and a refusal for quota proves nothing about others.
    pub guessed: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            per_day: 0,
            per_minute: 60,
            forced_per_day: 20,
            forced_for_reports: 15,
            forced_spacing: Span::seconds(30),
            contested_burst: 20,
            report_burst: 100,
            guessed: false,
        }
    }
}

/// Why something is fetched, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Cause {
    /// A client reported that the token was refused.
    Report,
    /// Somebody waits for a token, or an operator asked.
    Person,
    /// The token is due.
    #[default]
    Planned,
}

/// Why the budget does not allow a fetch now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// When to ask again.
    pub until: Boot,
    /// Whether it is the day's budget, rather than the spacing of fetches, that is used up.
    pub for_today: bool,
}

/// What was used, counted durably with every intent and keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// The budget's day (see [`Budget::day`]) to which the counts belong.
    pub day: i64,
    /// Fetches on that day.
    pub fetches: u32,
    /// Forced fetches on that day.
    pub forced: u32,
    /// When the last forced fetch was begun.
    pub last_forced: Wall,
    /// Probes on that day.
    pub probes: u32,
}

/// The budget of one credential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    usage: Usage,
    /// A rate limiter's theoretical arrival time (GCRA) for the per-minute limit.
    minute: Bucket,
    /// The fetches that reports cause: a burst, then one every two minutes.
    reports: Bucket,
}

/// Probes a credential may spend on one day.
const PROBES_PER_DAY: u32 = 3_000;
const REPORT_REFILL: Span = Span::minutes(2);

impl Budget {
    /// Takes up what was stored.
    #[must_use]
    pub fn restore(usage: Usage) -> Budget {
        Budget { usage, ..Budget::default() }
    }

    /// What was used, for storing.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The day of the budget at this wall time: it begins at 00:03 UTC+8 plus `jitter`.
    #[must_use]
    pub fn day(wall: Wall, jitter: Span) -> i64 {
        beijing::day(wall - Span::minutes(3) - jitter)
    }

    /// When the next day of the budget begins.
    #[must_use]
    pub fn next_day(now: Now, jitter: Span) -> Boot {
        let midnight = beijing::next_midnight(now.wall - Span::minutes(3) - jitter);
        now.boot_of(midnight + Span::minutes(3) + jitter)
    }

    /// Books a fetch, or says when to ask again. Nothing is booked on refusal.
    ///
    /// # Errors
    /// The budget is used up until the moment named.
    pub fn take(
        &mut self,
        now: Now,
        jitter: Span,
        limits: &Limits,
        cause: Cause,
        kind: FetchKind,
    ) -> Result<(), Exhausted> {
        self.turn_page(now, jitter);
        let tomorrow = Exhausted { until: Budget::next_day(now, jitter), for_today: true };
        if limits.per_day > 0 && self.usage.fetches >= share(limits.per_day, cause) {
            return Err(tomorrow);
        }
        let mut minute = self.minute;
        let mut reports = self.reports;
        if limits.per_minute > 0 {
            minute.take(now.boot, limits.per_minute, Span(60_000 / i64::from(limits.per_minute)))?;
        }
        if cause == Cause::Report {
            reports.take(now.boot, limits.report_burst, REPORT_REFILL)?;
        }
        if kind == FetchKind::Forced {
            self.check_forced(now, limits, cause, tomorrow)?;
            self.usage.forced = self.usage.forced.saturating_add(1);
            self.usage.last_forced = now.wall;
        }
        self.usage.fetches = self.usage.fetches.saturating_add(1);
        (self.minute, self.reports) = (minute, reports);
        Ok(())
    }

    fn check_forced(
        &self,
        now: Now,
        limits: &Limits,
        cause: Cause,
        tomorrow: Exhausted,
    ) -> Result<(), Exhausted> {
        let allowed = if cause == Cause::Report { limits.forced_for_reports } else { limits.forced_per_day };
        if self.usage.forced >= allowed {
            return Err(tomorrow);
        }
        let since = now.wall - self.usage.last_forced;
        if self.usage.forced > 0 && since >= Span::ZERO && since < limits.forced_spacing {
            let until = now.boot + (limits.forced_spacing - since);
            return Err(Exhausted { until, for_today: false });
        }
        Ok(())
    }

    /// Gives back what was booked for a fetch that never reached the platform.
    pub fn give_back(&mut self, kind: FetchKind) {
        self.usage.fetches = self.usage.fetches.saturating_sub(1);
        if kind == FetchKind::Forced {
            self.usage.forced = self.usage.forced.saturating_sub(1);
        }
    }

    /// Books a probe, unless the day's probes are used up.
    pub fn take_probe(&mut self, now: Now, jitter: Span) -> bool {
        self.turn_page(now, jitter);
        let allowed = self.usage.probes < PROBES_PER_DAY;
        self.usage.probes += u32::from(allowed);
        allowed
    }

    /// What was used of this day.
    #[must_use]
    pub fn used(&self, now: Now, jitter: Span) -> u32 {
        if Budget::day(now.wall, jitter) == self.usage.day { self.usage.fetches } else { 0 }
    }

    /// What is left of the day for planned refreshes; `None` where there is no limit.
    #[must_use]
    pub fn remaining(&self, now: Now, jitter: Span, limits: &Limits) -> Option<u32> {
        (limits.per_day > 0).then(|| limits.per_day.saturating_sub(self.used(now, jitter)))
    }

    /// Begins a new day when there is one. A clock that was set back does not bring yesterday's budget again.
    fn turn_page(&mut self, now: Now, jitter: Span) {
        let today = Budget::day(now.wall, jitter);
        let set_back_far = today < self.usage.day - 1;
        if today > self.usage.day || set_back_far {
            self.usage = Usage { day: today, last_forced: self.usage.last_forced, ..Usage::default() };
        }
    }
}

/// How much of a day's limit a cause may use up.
fn share(per_day: u32, cause: Cause) -> u32 {
    let percent = match cause {
        Cause::Planned => 100,
        Cause::Person => 95,
        Cause::Report => 80,
    };
    u32::try_from(u64::from(per_day) * percent / 100).unwrap_or(per_day)
}

/// A bucket that refills steadily, as the moment until which it has been spent.
#[derive(Clone, Copy, Debug)]
pub struct Bucket(Boot);

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket(Boot(i64::MIN / 2))
    }
}

impl Bucket {
    /// Takes one of `burst`, of which one comes back every `refill`.
    ///
    /// # Errors
    /// The bucket is empty until the moment named.
    pub fn take(&mut self, now: Boot, burst: u32, refill: Span) -> Result<(), Exhausted> {
        let spent_until = self.0.max(now);
        let allowed_from = spent_until - refill.part(i64::from(burst) - 1, 1);
        if allowed_from > now {
            return Err(Exhausted { until: allowed_from, for_today: false });
        }
        self.0 = spent_until + refill;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Wall = Wall(1_795_147_200_000);

    fn at(seconds: i64) -> Now {
        Now { boot: Boot(seconds * 1000), wall: NOON + Span::seconds(seconds) }
    }

    fn limits(per_day: u32) -> Limits {
        Limits { per_day, per_minute: 0, ..Limits::default() }
    }

    fn take(budget: &mut Budget, now: Now, limits: &Limits, cause: Cause) -> Result<(), Exhausted> {
        budget.take(now, Span::ZERO, limits, cause, FetchKind::Plain)
    }

    #[test]
    fn reports_leave_a_fifth_of_the_day_to_the_plan() {
        let mut budget = Budget::default();
        for _ in 0..80 {
            take(&mut budget, at(0), &limits(100), Cause::Report).unwrap();
        }
        assert!(take(&mut budget, at(0), &limits(100), Cause::Report).unwrap_err().for_today);
        for _ in 0..15 {
            take(&mut budget, at(0), &limits(100), Cause::Person).unwrap();
        }
        assert!(take(&mut budget, at(0), &limits(100), Cause::Person).unwrap_err().for_today);
        assert_eq!(take(&mut budget, at(0), &limits(100), Cause::Planned), Ok(()));
    }

    #[test]
    fn the_day_begins_three_minutes_after_midnight_in_beijing() {
        let mut budget = Budget::default();
        take(&mut budget, at(0), &limits(1), Cause::Planned).unwrap();
        let exhausted = take(&mut budget, at(1), &limits(1), Cause::Planned).unwrap_err();
        // Noon in UTC+8 is twelve hours before midnight.
        assert_eq!(exhausted.until, Boot(0) + Span::hours(12) + Span::minutes(3));
        assert!(take(&mut budget, at(12 * 3600 + 179), &limits(1), Cause::Planned).is_err());
        assert_eq!(take(&mut budget, at(12 * 3600 + 180), &limits(1), Cause::Planned), Ok(()));
    }

    #[test]
    fn a_clock_set_back_does_not_bring_a_spent_budget_again() {
        let mut budget = Budget::default();
        take(&mut budget, at(13 * 3600), &limits(1), Cause::Planned).unwrap();
        assert!(take(&mut budget, at(11 * 3600), &limits(1), Cause::Planned).is_err());
    }

    #[test]
    fn reports_cause_a_burst_of_a_hundred_fetches_and_then_one_every_two_minutes() {
        let mut budget = Budget::default();
        let taken = (0..200).filter(|_| take(&mut budget, at(0), &limits(0), Cause::Report).is_ok());
        assert_eq!(taken.count(), 100);
        assert!(take(&mut budget, at(119), &limits(0), Cause::Report).is_err());
        assert_eq!(take(&mut budget, at(120), &limits(0), Cause::Report), Ok(()));
    }

    #[test]
    fn forced_fetches_are_thirty_seconds_apart_and_reports_get_fifteen_of_twenty() {
        let mut budget = Budget::default();
        let mut force = |now, cause| budget.take(now, Span::ZERO, &limits(0), cause, FetchKind::Forced);
        force(at(0), Cause::Report).unwrap();
        assert_eq!(force(at(29), Cause::Report).unwrap_err().until, Boot(30_000));
        for turn in 1..15 {
            force(at(turn * 30), Cause::Report).unwrap();
        }
        assert!(force(at(1000), Cause::Report).unwrap_err().for_today);
        assert_eq!(force(at(1000), Cause::Person), Ok(()));
    }

    #[test]
    fn a_refused_fetch_books_nothing() {
        let mut budget = Budget::default();
        take(&mut budget, at(0), &limits(1), Cause::Planned).unwrap();
        let before = budget.usage();
        take(&mut budget, at(0), &limits(1), Cause::Planned).unwrap_err();
        assert_eq!(budget.usage(), before);
    }
}
