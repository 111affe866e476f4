//! Dates in time zones: their parts, their texts, and back.
//!
//! A zone is an offset (`+08`, `+0800`, `+08:00`) or a name of the time zone database of the system. Should the
//! system have none, `Asia/Shanghai` still is the offset that it has had since 1991.

use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, Timestamp};

use super::super::error::{DatabaseError, Outcome, refuse};
use crate::cloud::civil::{self, LONGEST, Written};

/// How dates are written when nobody says how.
const DEFAULT_FORMAT: &str = "%Y-%m-%dT%H:%M:%S.%LZ";

/// A time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Zone {
        Zone(TimeZone::UTC)
    }
}

/// A moment as the clocks of a zone show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub(super) time: DateTime,
    offset: Offset,
}

/// The parts of a date that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Day {
    Calendar { year: i64, month: i64, day: i64 },
    Week { year: i64, week: i64, day: i64 },
}

impl Zone {
    /// The zone of an offset or a name.
    pub(super) fn parse(text: &str) -> Outcome<Zone> {
        if text.len() > LONGEST {
            return refuse(format!("unrecognized time zone identifier: it is longer than {LONGEST} bytes"));
        }
        if let Some(seconds) = offset_seconds(text) {
            let offset = Offset::from_seconds(seconds);
            return offset.map(|offset| Zone(TimeZone::fixed(offset))).or_else(|_| unknown(text));
        }
        match text {
            "UTC" | "GMT" | "Etc/UTC" | "Etc/GMT" | "Z" => Ok(Zone::default()),
            name => match (TimeZone::get(name), name) {
                (Ok(zone), _) => Ok(Zone(zone)),
                (Err(_), "Asia/Shanghai" | "PRC") => Ok(Zone(TimeZone::fixed(jiff::tz::offset(8)))),
                (Err(_), _) => unknown(name),
            },
        }
    }

    /// A moment in this zone.
    pub(super) fn at(&self, millis: i64) -> Outcome<Local> {
        // What lies beyond what `jiff` calls a moment has the offset of the last one.
        let (first, last) = (Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
        let near = Timestamp::from_millisecond(millis.clamp(first, last)).unwrap_or_default();
        let offset = self.0.to_offset(near);
        match civil::at(millis.saturating_add(i64::from(offset.seconds()) * 1000)) {
            Some(time) => Ok(Local { time, offset }),
            None => refuse(format!("date {millis} is out of range")),
        }
    }

    /// A moment as text.
    pub(super) fn text(&self, millis: i64, format: Option<&str>) -> Outcome<String> {
        let at = self.at(millis)?;
        let mut out = String::new();
        let mut chars = format.unwrap_or(DEFAULT_FORMAT).chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                out.push(char);
                continue;
            }
            match chars.next() {
                Some(specifier) => out.push_str(&written(at, specifier)?),
                None => return refuse("Unmatched '%' at end of format string"),
            }
        }
        Ok(out)
    }

    /// The moment of a civil date and time in this zone; of one that clocks skip, the one as much later.
    fn millis(&self, time: DateTime) -> i64 {
        let offset = match self.0.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        civil::millis_at(time, offset)
    }

    /// The moment that consists of a day and of hours, minutes, seconds and milliseconds.
    pub(super) fn assembled(&self, day: Day, [hour, minute, second, milli]: [i64; 4]) -> Outcome<i64> {
        let out_of_range = |_: jiff::Error| DatabaseError::new("date is out of range");
        let date = match day {
            Day::Calendar { year, month, day } => {
                let month = i8::try_from(month).unwrap_or(0);
                let first = Date::new(i16::try_from(year).unwrap_or(i16::MAX), month, 1);
                // The 31st of a shorter month is a day of the next one.
                first
                    .and_then(|first| first.checked_add(Span::new().try_days(day - 1)?))
                    .map_err(out_of_range)?
            }
            Day::Week { year, week, day } => {
                let first = ISOWeekDate::new(i16::try_from(year).unwrap_or(i16::MAX), 1, Weekday::Monday)
                    .map(Date::from);
                let days = (week - 1) * 7 + day - 1;
                first
                    .and_then(|first| first.checked_add(Span::new().try_days(days)?))
                    .map_err(out_of_range)?
            }
        };
        let small = |number: i64| i8::try_from(number).unwrap_or(-1);
        let nanos = i32::try_from(milli * 1_000_000).unwrap_or(-1);
        let time = Time::new(small(hour), small(minute), small(second), nanos).map_err(out_of_range)?;
        let millis = self.millis(date.to_datetime(time));
        // The last days of the year 9999 may be later than that in UTC.
        civil::at(millis).map(|_| millis).ok_or_else(|| DatabaseError::new("date is out of range"))
    }
}

fn unknown<T>(text: &str) -> Outcome<T> {
    refuse(format!("unrecognized time zone identifier: \"{text}\""))
}

/// `+hh`, `+hhmm` and `+hh:mm` in seconds.
fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits.replace(':', "")),
        ("-", digits) => (-1, digits.replace(':', "")),
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    match digits.len() {
        1 | 2 => Some(sign * number * 3600),
        4 => Some(sign * (number / 100 * 3600 + number % 100 * 60)),
        _ => None,
    }
}

/// The week of the year, counted from its first Sunday; the days before are in week 0.
pub(super) fn week(at: DateTime) -> i64 {
    let day_of_year = i64::from(at.day_of_year()) - 1;
    (day_of_year + 7 - i64::from(at.weekday().to_sunday_zero_offset())) / 7
}

/// The year and the number of the week as ISO 8601 counts them.
pub(super) fn iso_week(at: DateTime) -> (i64, i64) {
    let week = at.date().iso_week_date();
    (i64::from(week.year()), i64::from(week.week()))
}

fn written(local: Local, specifier: char) -> Outcome<String> {
    let (at, offset) = (local.time, local.offset.seconds());
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    Ok(match specifier {
        'Y' => format!("{:04}", at.year()),
        'm' => format!("{:02}", at.month()),
        'd' => format!("{:02}", at.day()),
        'H' => format!("{:02}", at.hour()),
        'M' => format!("{:02}", at.minute()),
        'S' => format!("{:02}", at.second()),
        'L' => format!("{:03}", at.millisecond()),
        'j' => format!("{:03}", at.day_of_year()),
        'w' => at.weekday().to_sunday_one_offset().to_string(),
        'u' => at.weekday().to_monday_one_offset().to_string(),
        'U' => format!("{:02}", week(at)),
        'V' => format!("{:02}", iso_week(at).1),
        'G' => format!("{:04}", iso_week(at).0),
        'z' => format!("{sign}{:02}{:02}", minutes / 60, minutes % 60),
        'Z' => format!("{sign}{minutes}"),
        '%' => "%".to_owned(),
        other => return refuse(format!("Invalid format character '%{other}' in format string")),
    })
}

/// Reads a date in the forms of ISO 8601, with `/` for `-`, a space for `T` or before the offset, and single digits if
/// need be. Without an offset of its own it is in the given zone, which must then be the only one.
pub(super) fn read(text: &str, zone: Option<&Zone>) -> Outcome<i64> {
    if text.len() > LONGEST {
        return refuse(format!("Error parsing date string: it is longer than {LONGEST} bytes"));
    }
    let Some(written) = Written::read_loosely(text) else {
        return refuse(format!("Error parsing date string '{text}'"));
    };
    match (written.moment(), zone) {
        (Some(_), Some(_)) => refuse(format!(
            "you cannot pass in a date/time string with time zone information together with a timezone argument: '{text}'"
        )),
        (Some(moment), None) if civil::at(moment).is_none() => {
            refuse(format!("Error parsing date string '{text}': it is after the year 9999"))
        }
        (Some(moment), None) => Ok(moment),
        (None, zone) => Ok(zone.cloned().unwrap_or_default().millis(written.civil)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2020-09-13T12:26:40.123Z, a Sunday.
    const MOMENT: i64 = 1_600_000_000_123;

    fn text(zone: &str, format: &str) -> String {
        Zone::parse(zone).unwrap().text(MOMENT, Some(format)).unwrap()
    }

    #[test]
    fn every_specifier_is_written() {
        assert_eq!(text("UTC", "%Y-%m-%d %H:%M:%S.%L"), "2020-09-13 12:26:40.123");
        assert_eq!(text("UTC", "%j %w %u %U %V %G %%"), "257 1 7 37 37 2020 %");
        assert_eq!(text("+08:00", "%H %z %Z"), "20 +0800 +480");
    }

    #[test]
    fn an_unknown_specifier_is_refused() {
        let refused = Zone::default().text(0, Some("%Q")).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid format character '%Q' in format string");
    }

    #[test]
    fn offsets_have_three_forms() {
        for zone in ["+08", "+0800", "+08:00"] {
            assert_eq!(text(zone, "%H"), "20", "{zone}");
        }
        assert_eq!(text("-0330", "%H:%M"), "08:56");
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(text("Asia/Shanghai", "%H"), "20");
        assert!(Zone::parse("Middle/Earth").is_err());
    }

    #[test]
    fn texts_are_read() {
        for text in ["2020-09-13T12:26:40.123Z", "2020-09-13T20:26:40.123+0800", "2020/09/13 12:26:40.123"] {
            assert_eq!(read(text, None).unwrap(), MOMENT, "{text}");
        }
        assert_eq!(read("2020-09-13", Some(&Zone::parse("+08").unwrap())).unwrap(), 1_599_926_400_000);
    }

    #[test]
    fn a_day_that_the_month_does_not_have_is_in_the_next() {
        let day = Day::Calendar { year: 2019, month: 2, day: 31 };
        let millis = Zone::default().assembled(day, [0; 4]).unwrap();
        assert_eq!(Zone::default().text(millis, Some("%m-%d")).unwrap(), "03-03");
    }

    #[test]
    fn the_year_9999_has_an_end() {
        let last = 253_402_300_799_999;
        assert_eq!(Zone::default().text(last, None).unwrap(), "9999-12-31T23:59:59.999Z");
        assert_eq!(read("9999-12-31T23:59:59.999Z", None).unwrap(), last);
        let day = Day::Calendar { year: 9999, month: 12, day: 31 };
        assert_eq!(Zone::default().assembled(day, [23, 59, 59, 999]).unwrap(), last);
        let shanghai = Zone::parse("Asia/Shanghai").unwrap();
        assert_eq!(shanghai.assembled(day, [23, 59, 59, 999]).unwrap(), last - 8 * 3_600_000);
        assert!(shanghai.at(last).is_err());
    }

    #[test]
    fn texts_with_short_numbers_and_offsets_apart_are_read() {
        for text in [
            "2020/9/13 12:26:40.123",
            "2020-9-13T12:26:40.123Z",
            "2020-09-13 7:26:40.123 -0500",
            "2020-09-13 20:26:40.123 +0800",
            "2020-09-13 12:26:40.123 Z",
        ] {
            assert_eq!(read(text, None).unwrap(), MOMENT, "{text}");
        }
        assert_eq!(read("2019-1-1T3:4:5Z", None), read("2019-01-01T03:04:05Z", None));
        assert_eq!(read("2019-1-1 3:4:5.5 +0800", None), read("2019-01-01T03:04:05.5+08:00", None));
    }

    #[test]
    fn a_date_ends_with_the_year_9999_in_utc() {
        let day = Day::Calendar { year: 9999, month: 12, day: 31 };
        let west = Zone::parse("-05:00").unwrap();
        assert!(west.assembled(day, [18, 59, 59, 999]).is_ok());
        assert_eq!(west.assembled(day, [19, 0, 0, 0]).unwrap_err().to_string(), "date is out of range");
        assert!(read("9999-12-31T23:00:00-05:00", None).is_err());
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(read(&"1-".repeat(40), None).unwrap_err().to_string().ends_with("longer than 64 bytes"));
        let zone = "+".to_owned() + &"0".repeat(80);
        assert!(Zone::parse(&zone).unwrap_err().to_string().ends_with("longer than 64 bytes"));
    }

    #[test]
    fn a_zone_in_brackets_is_refused() {
        assert!(read("2020-09-13T12:26:40+08:00[Asia/Shanghai]", None).is_err());
        assert!(read("2020-09-13T12:26:40[Asia/Shanghai]", None).is_err());
    }

    #[test]
    fn a_time_that_clocks_skip_is_later() {
        let zone = Zone::parse("America/New_York").unwrap();
        let millis = read("2020-03-08T02:30:00", Some(&zone)).unwrap();
        assert_eq!(zone.text(millis, Some("%H:%M")).unwrap(), "03:30");
    }
}
