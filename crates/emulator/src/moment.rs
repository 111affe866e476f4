//! A point of the emulator's time.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::{TimeZone, offset};

const BEIJING_OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// The last moment that calendars can still print with room to spare: the end of the year 9998.
const LATEST_MS: i64 = 253_370_764_799_999;

/// Milliseconds since the Unix epoch. All arithmetic saturates between 1970 and the year 9998, so that no
/// duration a test asks for can overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The moment this many milliseconds after the Unix epoch.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LATEST_MS))
    }

    /// The moment this many seconds after the Unix epoch.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment, `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis(by)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment, moved by a signed number of milliseconds.
    pub(crate) fn shifted(self, by_millis: i64) -> Self {
        Self::from_unix_millis(self.0.saturating_add(by_millis))
    }

    /// A number that changes at each whole minute.
    pub(crate) fn minute(self) -> i64 {
        self.0.div_euclid(60_000)
    }

    /// A number that changes at each 00:00 in Asia/Shanghai, where WeChat counts its days. The zone has had
    /// a fixed offset of eight hours since 1991.
    pub(crate) fn beijing_day(self) -> i64 {
        self.0.saturating_add(BEIJING_OFFSET_MS).div_euclid(DAY_MS)
    }

    /// A number that changes at the start of each calendar month in Asia/Shanghai.
    pub(crate) fn beijing_month(self) -> i64 {
        let local = self.timestamp().to_zoned(TimeZone::fixed(offset(8)));
        i64::from(local.year()) * 12 + i64::from(local.month())
    }

    /// The next 00:00 in Asia/Shanghai.
    pub(crate) fn next_beijing_midnight(self) -> Self {
        Self::from_unix_millis((self.beijing_day() + 1) * DAY_MS - BEIJING_OFFSET_MS)
    }

    /// The text of an HTTP `Date` header.
    pub(crate) fn http_date(self) -> String {
        DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.timestamp())
            .expect("years 1970 to 9998 have an HTTP date")
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).expect("years 1970 to 9998 are timestamps")
    }
}

/// RFC 3339 in UTC, for example `2026-11-20T12:00:00Z`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.timestamp(), f)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A duration in milliseconds, as large as an `i64` at most.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T15:59:59Z is one second before midnight in Beijing.
    const LAST_SECOND_OF_THE_DAY: i64 = 1_795_190_399;

    #[test]
    fn the_day_ends_at_midnight_in_beijing() {
        let before = Moment::from_unix_seconds(LAST_SECOND_OF_THE_DAY);
        let after = before.plus(Duration::from_secs(1));
        assert_eq!(before.to_string(), "2026-11-20T15:59:59Z");
        assert_eq!(after.beijing_day(), before.beijing_day() + 1);
        assert_eq!(before.next_beijing_midnight(), after);
    }

    #[test]
    fn the_month_ends_at_midnight_in_beijing() {
        let before = Moment::from_unix_seconds(LAST_SECOND_OF_THE_DAY + 10 * 86_400);
        assert_eq!(before.plus(Duration::from_secs(1)).beijing_month(), before.beijing_month() + 1);
    }

    #[test]
    fn arithmetic_saturates() {
        assert!(Moment::from_unix_seconds(0).plus(Duration::MAX).to_string().starts_with("9998-"));
        assert_eq!(Moment::from_unix_seconds(5).since(Moment::from_unix_seconds(9)), Duration::ZERO);
    }

    #[test]
    fn an_http_date_names_the_weekday() {
        assert_eq!(
            Moment::from_unix_seconds(LAST_SECOND_OF_THE_DAY).http_date(),
            "Fri, 20 Nov 2026 15:59:59 GMT"
        );
    }
}
