//! A moment, in milliseconds: what the database stores as a date.
//!
//! It is read from every spelling that the platform and its tools are known to use, and written into scripts as
//! `new Date(ms)`. Time zones other than an offset, and leap seconds, are deliberately absent.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::ValueError;

/// How [`Date`] makes itself known to [`Value::of`](crate::Value::of); other serializers do not look at it.
pub(crate) const NEWTYPE: &str = "$tokenward::Date";
/// The furthest moment that JavaScript can represent, either way.
const FURTHEST_MS: i64 = 8_640_000_000_000_000;
const DAY_MS: i64 = 86_400_000;

/// A moment between the years -271821 and 275760, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

impl Date {
    /// From milliseconds since 1970 in UTC.
    ///
    /// # Errors
    /// JavaScript has no such date.
    pub fn from_unix_ms(ms: i64) -> Result<Date, ValueError> {
        if (-FURTHEST_MS..=FURTHEST_MS).contains(&ms) { Ok(Date(ms)) } else { Err(ValueError::Date) }
    }

    /// Milliseconds since 1970 in UTC.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        self.0
    }
}

/// RFC 3339: `2018-08-31T17:30:00.882Z`, or with an offset such as `+08:00`. Digits beyond the millisecond are cut.
impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Date, ValueError> {
        read(text).and_then(|ms| Date::from_unix_ms(ms).ok()).ok_or(ValueError::Date)
    }
}

/// RFC 3339 in UTC, with milliseconds.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

fn read(text: &str) -> Option<i64> {
    let mut text = Cursor(text.as_bytes());
    let year = text.digits(4)?;
    text.one_of(b"-")?;
    let month = text.digits(2)?;
    text.one_of(b"-")?;
    let day = text.digits(2)?;
    text.one_of(b"Tt ")?;
    let hour = text.digits(2)?;
    text.one_of(b":")?;
    let minute = text.digits(2)?;
    text.one_of(b":")?;
    let second = text.digits(2)?;
    let ms = text.fraction()?;
    let offset = text.offset()?;
    let sound = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && text.0.is_empty();
    let seconds = (hour * 60 + minute - offset) * 60 + second;
    sound.then(|| days(year, month, day) * DAY_MS + seconds * 1000 + ms)
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        (0..count).try_fold(0, |number, _| Some(number * 10 + i64::from(self.one_of(b"0123456789")? - b'0')))
    }

    /// Milliseconds of `.882`; none is 0, a point without digits is an error.
    fn fraction(&mut self) -> Option<i64> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let (mut ms, mut weight) = (self.digits(1)? * 100, 10);
        while let Some(digit) = self.one_of(b"0123456789") {
            ms += i64::from(digit - b'0') * weight;
            weight /= 10;
        }
        Some(ms)
    }

    /// Minutes east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.digits(2)?;
        self.one_of(b":");
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970. Years begin in March here, so that the leap day is the last of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096).div_euclid(365);
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + days.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Extended(i64);
        impl Serialize for Extended {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$date", &self.0)?;
                map.end()
            }
        }
        serializer.serialize_newtype_struct(NEWTYPE, &Extended(self.0))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        deserializer.deserialize_map(Extended)
    }
}

/// `{"$date": ..}`
struct Extended;

impl<'de> Visitor<'de> for Extended {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date as {\"$date\":..}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Date, A::Error> {
        match map.next_key::<String>()?.as_deref() {
            Some("$date") => {}
            _ => return Err(de::Error::custom("a date is an object with the one key `$date`")),
        }
        let moment = map.next_value::<Moment>()?;
        match map.next_key::<String>()? {
            None => Ok(moment.0),
            Some(_) => Err(de::Error::custom("a date is an object with the one key `$date`")),
        }
    }
}

/// What stands after `$date`: milliseconds, RFC 3339, or milliseconds in Extended JSON.
struct Moment(Date);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        deserializer.deserialize_any(MomentVisitor)
    }
}

struct MomentVisitor;

impl<'de> Visitor<'de> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds, {\"$numberLong\":\"..\"} or RFC 3339")
    }

    fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Moment, E> {
        Date::from_unix_ms(ms).map(Moment).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Moment, E> {
        self.visit_i64(i64::try_from(ms).map_err(E::custom)?)
    }

    fn visit_f64<E: de::Error>(self, ms: f64) -> Result<Moment, E> {
        if ms.is_finite() && ms.abs() <= FURTHEST_MS as f64 {
            self.visit_i64(ms.trunc() as i64)
        } else {
            Err(E::custom(ValueError::Date))
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
        text.parse().map(Moment).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Moment, A::Error> {
        let (key, number) = map.next_entry::<String, String>()?.unwrap_or_default();
        let ms = match key.as_str() {
            "$numberLong" | "$numberInt" => number.parse().ok(),
            "$numberDouble" => number.parse().ok().map(|ms: f64| ms.trunc() as i64),
            _ => None,
        };
        let ms = ms.ok_or_else(|| de::Error::custom(ValueError::Date))?;
        if map.next_key::<String>()?.is_some() {
            return Err(de::Error::custom(ValueError::Date));
        }
        self.visit_i64(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Option<i64> {
        text.parse::<Date>().ok().map(Date::unix_ms)
    }

    #[test]
    fn rfc_3339_is_read_with_and_without_an_offset() {
        assert_eq!(ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(ms("2018-08-31T17:30:00.882Z"), Some(1_535_736_600_882));
        assert_eq!(ms("2018-09-01T01:30:00.882+08:00"), Some(1_535_736_600_882));
        assert_eq!(ms("2018-08-31T17:30:00.8829999Z"), Some(1_535_736_600_882));
        assert_eq!(ms("1969-12-31T23:59:59.999Z"), Some(-1));
        assert_eq!(ms("2020-02-29T00:00:00Z"), Some(1_582_934_400_000));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2019-02-29T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "2019-09-09",
            "2019-09-09T00:00:00",
            "2019-09-09T24:00:00Z",
            "2019-09-09T00:00:00.Z",
            "2019-09-09T00:00:00Zx",
            "+019-09-09T00:00:00Z",
        ] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for day in (-800_000..800_000_i64).step_by(13) {
            let date = Date(day * DAY_MS + 1);
            let shown = date.to_string();
            if shown.len() == 24 && !shown.starts_with('-') {
                assert_eq!(shown.parse(), Ok(date), "{shown}");
            }
        }
    }

    #[test]
    fn four_spellings_of_one_moment() {
        for text in [
            r#"{"$date":1535736600882}"#,
            r#"{"$date":{"$numberLong":"1535736600882"}}"#,
            r#"{"$date":"2018-08-31T17:30:00.882Z"}"#,
            r#"{"$date":"2018-09-01T01:30:00.882+08:00"}"#,
        ] {
            assert_eq!(serde_json::from_str::<Date>(text).unwrap(), Date(1_535_736_600_882), "{text}");
        }
        assert!(serde_json::from_str::<Date>(r#"{"$date":1,"x":1}"#).is_err());
        assert_eq!(serde_json::to_string(&Date(5)).unwrap(), r#"{"$date":5}"#);
    }
}
