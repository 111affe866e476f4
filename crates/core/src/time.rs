//! Time as an argument: two clocks, both in whole milliseconds.
//!
//! Invariants: every decision about the life of a token is made on boot time, which goes on while the
//! machine sleeps and never jumps. Wall time is for people, for the store (which outlives a boot) and for
//! the platform's midnight. Deliberately absent: any way to read a clock.

use core::fmt;
use core::ops::{Add, Sub};

/// What both clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the machine was started, including sleep (`CLOCK_BOOTTIME`).
    pub boot: Boot,
    /// Milliseconds since 1970-01-01T00:00:00Z as the machine believes it to be.
    pub wall: Wall,
}

impl Now {
    /// The wall time at which boot time will show `boot`, if nobody sets the clock until then.
    #[must_use]
    pub fn wall_of(self, boot: Boot) -> Wall {
        self.wall + (boot - self.boot)
    }

    /// The boot time at which the wall will show `wall`, if nobody sets the clock until then.
    #[must_use]
    pub fn boot_of(self, wall: Wall) -> Boot {
        self.boot + (wall - self.wall)
    }
}

/// A moment on the boot clock. Negative for what happened before the machine was started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Boot(pub i64);

/// A moment on the wall clock: milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub i64);

/// A span of time in milliseconds; negative spans are in the past.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

impl Boot {
    /// Later than everything that is ever planned.
    pub const NEVER: Boot = Boot(i64::MAX);
}

impl Wall {
    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of so many seconds.
    #[must_use]
    pub const fn seconds(seconds: i64) -> Span {
        Span(seconds.saturating_mul(1000))
    }

    /// A span of so many minutes.
    #[must_use]
    pub const fn minutes(minutes: i64) -> Span {
        Span::seconds(minutes.saturating_mul(60))
    }

    /// A span of so many hours.
    #[must_use]
    pub const fn hours(hours: i64) -> Span {
        Span::minutes(hours.saturating_mul(60))
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub fn whole_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This span times `numerator / denominator`, rounded towards zero.
    #[must_use]
    pub const fn part(self, numerator: i64, denominator: i64) -> Span {
        Span(self.0.saturating_mul(numerator) / denominator)
    }

    /// This span times a fraction of one: `fraction` is in 1/2³² (see [`crate::draw`]).
    #[must_use]
    pub const fn fraction(self, fraction: u32) -> Span {
        Span(((self.0 as i128 * fraction as i128) >> 32) as i64)
    }
}

macro_rules! moment {
    ($moment:ident, $label:literal) => {
        impl Add<Span> for $moment {
            type Output = $moment;
            fn add(self, span: Span) -> $moment {
                $moment(self.0.saturating_add(span.0))
            }
        }
        impl Sub<Span> for $moment {
            type Output = $moment;
            fn sub(self, span: Span) -> $moment {
                $moment(self.0.saturating_sub(span.0))
            }
        }
        impl Sub<$moment> for $moment {
            type Output = Span;
            fn sub(self, earlier: $moment) -> Span {
                Span(self.0.saturating_sub(earlier.0))
            }
        }
        impl fmt::Debug for $moment {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($label, "+{}.{:03}s"), self.0.div_euclid(1000), self.0.rem_euclid(1000))
            }
        }
    };
}

moment!(Boot, "boot");
moment!(Wall, "unix");

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// The platform's calendar: days of UTC+8, where WeChat's, Baidu's and their neighbours' quotas begin anew.
pub mod beijing {
    use super::{Span, Wall};

    const OFFSET: Span = Span::hours(8);
    const DAY: i64 = 24 * 60 * 60 * 1000;

    /// Days since 1970-01-01 in UTC+8.
    #[must_use]
    pub fn day(wall: Wall) -> i64 {
        (wall + OFFSET).0.div_euclid(DAY)
    }

    /// How far the day of `wall` has come.
    #[must_use]
    pub fn since_midnight(wall: Wall) -> Span {
        Span((wall + OFFSET).0.rem_euclid(DAY))
    }

    /// The first moment of the day after that of `wall`.
    #[must_use]
    pub fn next_midnight(wall: Wall) -> Wall {
        Wall((day(wall) + 1).saturating_mul(DAY)) - OFFSET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_in_beijing_is_four_in_the_afternoon_utc() {
        // 2026-11-20T15:59:59Z is one second before midnight in UTC+8.
        let before = Wall(1_795_190_399_000);
        assert_eq!(beijing::next_midnight(before) - before, Span::seconds(1));
        assert_eq!(beijing::day(before) + 1, beijing::day(before + Span::seconds(1)));
        assert_eq!(beijing::since_midnight(before + Span::seconds(61)), Span::minutes(1));
    }

    #[test]
    fn clocks_convert_into_each_other() {
        let now = Now { boot: Boot(5_000), wall: Wall(1_000_000) };
        assert_eq!(now.wall_of(Boot(6_500)), Wall(1_001_500));
        assert_eq!(now.boot_of(Wall(990_000)), Boot(-5_000));
    }

    #[test]
    fn never_stays_never() {
        assert_eq!(Boot::NEVER + Span::hours(1), Boot::NEVER);
    }
}
