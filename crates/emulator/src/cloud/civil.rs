//! Moments as days and times, up to the end of the year 9999: further than `jiff::Timestamp`, which leaves room for
//! every offset.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// 1970, where milliseconds are counted from.
fn epoch() -> DateTime {
    date(1970, 1, 1).at(0, 0, 0, 0)
}

/// The milliseconds since 1970 of a day and time in UTC.
pub(crate) fn millis(civil: DateTime) -> i64 {
    // The years of days are those from -9999 to 9999, whose milliseconds fit.
    i64::try_from(civil.duration_since(epoch()).as_nanos().div_euclid(1_000_000)).unwrap_or(0)
}

/// The day and time in UTC of milliseconds since 1970, unless that is before the year -9999 or after the year 9999.
pub(crate) fn at(millis: i64) -> Option<DateTime> {
    epoch().checked_add(SignedDuration::from_millis(millis)).ok()
}

/// The milliseconds since 1970 of a day and time with an offset.
pub(crate) fn millis_at(civil: DateTime, offset: Offset) -> i64 {
    millis(civil) - i64::from(offset.seconds()) * 1000
}

/// A day, a time if there is one, and an offset if there is one, as ISO 8601 writes them. Names of zones in brackets are
/// not read.
pub(crate) struct Written {
    pub(crate) civil: DateTime,
    pub(crate) has_time: bool,
    pub(crate) offset: Option<Offset>,
}

impl Written {
    /// Reads a text.
    pub(crate) fn read(text: &str) -> Option<Written> {
        if text.contains('[') {
            return None;
        }
        let pieces = Pieces::parse(text).ok()?;
        let (day, time) = (pieces.date(), pieces.time());
        Some(Written {
            civil: day.to_datetime(time.unwrap_or_default()),
            has_time: time.is_some(),
            offset: pieces.to_numeric_offset(),
        })
    }

    /// The moment, if there is an offset.
    pub(crate) fn moment(&self) -> Option<i64> {
        self.offset.map(|offset| millis_at(self.civil, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Option<i64> {
        Written::read(text)?.moment()
    }

    #[test]
    fn moments_go_to_the_end_of_the_year_9999() {
        assert_eq!(moment("9999-12-31T23:59:59.999Z"), Some(253_402_300_799_999));
        assert_eq!(
            at(253_402_300_799_999).map(|at| at.to_string()).as_deref(),
            Some("9999-12-31T23:59:59.999")
        );
        assert_eq!(at(253_402_300_800_000), None);
    }

    #[test]
    fn moments_before_1970_are_negative() {
        assert_eq!(moment("1969-12-31T23:59:59.999Z"), Some(-1));
        assert_eq!(at(-1).map(millis), Some(-1));
    }

    #[test]
    fn an_offset_moves_a_moment() {
        assert_eq!(moment("1970-01-01T08:00:00+08:00"), Some(0));
        assert_eq!(moment("1970-01-01T08:00:00"), None);
        assert_eq!(moment("1970-01-01T08:00:00+08:00[Asia/Shanghai]"), None);
    }
}
