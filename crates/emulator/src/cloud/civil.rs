//! Moments as days and times, up to the end of the year 9999: further than `jiff::Timestamp`, which leaves room for
//! every offset.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// The longest text that is read loosely, in bytes.
pub(crate) const LONGEST: usize = 64;

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

/// A moment, moved by so many milliseconds; unless that is before the year -9999 or after the year 9999.
pub(crate) fn moved(millis: i64, by: i64) -> Option<i64> {
    millis.checked_add(by).filter(|moved| at(*moved).is_some())
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

    /// Reads a text that may also have `/` for `-`, a space for `T` or before the offset, and single digits.
    pub(crate) fn read_loosely(text: &str) -> Option<Written> {
        if text.len() > LONGEST { None } else { Written::read(&as_iso(text.trim())) }
    }

    /// The moment, if there is an offset.
    pub(crate) fn moment(&self) -> Option<i64> {
        self.offset.map(|offset| millis_at(self.civil, offset))
    }
}

/// `2019/1/2 3:04:05 +0800` as `2019-01-02T03:04:05+0800`.
fn as_iso(text: &str) -> String {
    let mut words = text.split_ascii_whitespace();
    let (day, time) = words.next().map_or(("", ""), |word| word.split_once(['T', 't']).unwrap_or((word, "")));
    // Seconds may have a fraction, which is not counted.
    let padded = |number: &str| {
        let digits = number.split_once('.').map_or(number, |(whole, _)| whole).len();
        if digits == 1 { format!("0{number}") } else { number.to_owned() }
    };
    let mut iso = day.replace('/', "-").split('-').map(padded).collect::<Vec<String>>().join("-");
    for word in (!time.is_empty()).then_some(time).into_iter().chain(words) {
        // An offset, or the time.
        if word.starts_with(['+', '-', 'Z']) {
            iso.push_str(word);
        } else {
            let end = word.find(['+', '-', 'Z', 'z']).unwrap_or(word.len());
            let (time, offset) = word.split_at_checked(end).unwrap_or((word, ""));
            let time = time.split(':').map(padded).collect::<Vec<String>>().join(":");
            iso.push_str(&format!("T{time}{offset}"));
        }
    }
    iso
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
    fn moments_are_not_moved_beyond_the_year_9999() {
        assert_eq!(moved(1, 2), Some(3));
        assert_eq!(moved(253_402_300_799_999, 1), None);
        assert_eq!(moved(1, i64::MAX), None);
    }

    #[test]
    fn an_offset_moves_a_moment() {
        assert_eq!(moment("1970-01-01T08:00:00+08:00"), Some(0));
        assert_eq!(moment("1970-01-01T08:00:00"), None);
        assert_eq!(moment("1970-01-01T08:00:00+08:00[Asia/Shanghai]"), None);
    }
}
