//! The seven fields of a timer trigger: second, minute, hour, day, month, weekday, year, in Beijing's time (UTC+8).
//!
//! Known are `,` `-` `*` `/` and the names of months and weekdays; nothing else is. A day on which the trigger is due
//! fits both the day and the weekday, or, when both are restricted, one of them. Pure: the moment is an argument.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, offset};
use thiserror::Error;

use crate::moment::Moment;

/// When a timer trigger is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    seconds: Field,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    years: Field,
}

/// The values that a field allows, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    values: Vec<i16>,
    /// Whether it was written `*`.
    is_any: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ScheduleError {
    /// Not seven fields.
    #[error("a timer has seven fields (second minute hour day month weekday year), this has {0}")]
    Fields(usize),
    /// A field that cannot be read.
    #[error("{field}: {part:?} {what}")]
    Field {
        /// Which one.
        field: &'static str,
        /// The part between commas.
        part: String,
        /// What is wrong with it.
        what: String,
    },
}

/// What is known about a field.
struct Kind {
    name: &'static str,
    least: i16,
    most: i16,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const SECOND: Kind = Kind { name: "second", least: 0, most: 59, names: &[] };
const MINUTE: Kind = Kind { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Kind = Kind { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Kind = Kind { name: "day", least: 1, most: 31, names: &[] };
const MONTH: Kind = Kind { name: "month", least: 1, most: 12, names: &MONTHS };
const WEEKDAY: Kind = Kind { name: "weekday", least: 0, most: 6, names: &WEEKDAYS };
const YEAR: Kind = Kind { name: "year", least: 1970, most: 2099, names: &[] };

impl Schedule {
    /// Reads the seven fields.
    ///
    /// # Errors
    /// Says which field is wrong, and why.
    pub(crate) fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [seconds, minutes, hours, days, months, weekdays, years] = fields[..] else {
            return Err(ScheduleError::Fields(fields.len()));
        };
        Ok(Schedule {
            seconds: SECOND.read(seconds)?,
            minutes: MINUTE.read(minutes)?,
            hours: HOUR.read(hours)?,
            days: DAY.read(days)?,
            months: MONTH.read(months)?,
            weekdays: WEEKDAY.read(weekdays)?,
            years: YEAR.read(years)?,
        })
    }

    /// The first moment after this one that is due; `None` when there is none until the end of 2099.
    pub(crate) fn next_after(&self, moment: Moment) -> Option<Moment> {
        let zone = TimeZone::fixed(offset(8));
        let next_second = Timestamp::from_second(moment.unix_seconds().saturating_add(1)).ok()?;
        let local = next_second.to_zoned(zone.clone()).datetime();
        let (mut date, mut from) = (local.date(), local.time());
        loop {
            if self.falls_on(date)
                && let Some(time) = self.first_time(from)
            {
                let due = date.to_datetime(time).to_zoned(zone).ok()?.timestamp();
                return Some(Moment::from_unix_seconds(due.as_second()));
            }
            date = if self.years.allows(date.year()) {
                date.tomorrow().ok()?
            } else {
                Date::new(self.years.from(date.year())?, 1, 1).ok()?
            };
            if date.year() > YEAR.most {
                return None;
            }
            from = Time::midnight();
        }
    }

    fn falls_on(&self, date: Date) -> bool {
        let day = self.days.allows(date.day().into());
        let weekday = self.weekdays.allows(date.weekday().to_sunday_zero_offset().into());
        let fits = if self.days.is_any || self.weekdays.is_any { day && weekday } else { day || weekday };
        fits && self.months.allows(date.month().into()) && self.years.allows(date.year())
    }

    /// The first time of a day that is not before `from`.
    fn first_time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour().into(), from.minute().into(), from.second().into());
        for h in self.hours.all_from(hour) {
            let minute = if h == hour { minute } else { 0 };
            for m in self.minutes.all_from(minute) {
                let second = if h == hour && m == minute { second } else { 0 };
                if let Some(s) = self.seconds.from(second) {
                    let [h, m, s] = [h, m, s].map(|part| i8::try_from(part).unwrap_or(0));
                    return Time::new(h, m, s, 0).ok();
                }
            }
        }
        None
    }
}

impl Field {
    fn allows(&self, value: i16) -> bool {
        self.values.binary_search(&value).is_ok()
    }

    fn all_from(&self, least: i16) -> impl Iterator<Item = i16> {
        self.values.iter().copied().filter(move |value| *value >= least)
    }

    fn from(&self, least: i16) -> Option<i16> {
        self.all_from(least).next()
    }
}

impl Kind {
    fn read(&self, text: &str) -> Result<Field, ScheduleError> {
        let mut values = Vec::new();
        for part in text.split(',') {
            let wrong = |what: String| ScheduleError::Field { field: self.name, part: part.to_owned(), what };
            values.extend(self.part(part).map_err(wrong)?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(Field { values, is_any: text == "*" })
    }

    /// `*`, `a`, `a-b`, each with `/step`. A step after a single value counts from there to the end.
    fn part(&self, part: &str) -> Result<impl Iterator<Item = i16> + use<>, String> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(self.step(step)?)),
        };
        let (first, last) = if range == "*" {
            (self.least, self.most)
        } else if let Some((first, last)) = range.split_once('-') {
            (self.value(first)?, self.value(last)?)
        } else {
            let first = self.value(range)?;
            (first, if step.is_some() { self.most } else { first })
        };
        if first > last {
            return Err("ends before it begins".to_owned());
        }
        Ok((first..=last).step_by(step.unwrap_or(1)))
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let step = number(text).filter(|step| *step > 0 && *step <= self.most);
        step.and_then(|step| usize::try_from(step).ok())
            .ok_or_else(|| format!("has no step from 1 to {} after the slash", self.most))
    }

    fn value(&self, text: &str) -> Result<i16, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => i16::try_from(at).ok().map(|at| at + self.least),
            None => number(text),
        };
        value.filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| {
            let names = match self.names {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!("is not {} to {}{names}", self.least, self.most)
        })
    }
}

/// Digits only: `+5` is no number here.
fn number(text: &str) -> Option<i16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        Moment::from_unix_millis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    /// The first `count` moments due after one, as people in Beijing read them.
    fn due(schedule: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(schedule).unwrap();
        let mut now = moment(after);
        let next = std::iter::from_fn(|| {
            now = schedule.next_after(now)?;
            let local =
                Timestamp::from_second(now.unix_seconds()).unwrap().to_zoned(TimeZone::fixed(offset(8)));
            Some(local.strftime("%Y-%m-%d %H:%M:%S").to_string())
        });
        next.take(count).collect()
    }

    fn error(schedule: &str) -> String {
        Schedule::parse(schedule).unwrap_err().to_string()
    }

    /// 2026-11-20 is a Friday; 08:00 in Beijing.
    const FRIDAY: &str = "2026-11-20T00:00:00Z";

    #[test]
    fn every_five_seconds() {
        assert_eq!(
            due("*/5 * * * * * *", "2026-11-20T00:00:03.5Z", 3),
            ["2026-11-20 08:00:05", "2026-11-20 08:00:10", "2026-11-20 08:00:15"]
        );
    }

    #[test]
    fn a_moment_that_is_due_is_not_after_itself() {
        assert_eq!(due("0 0 8 * * * *", FRIDAY, 1), ["2026-11-21 08:00:00"]);
    }

    #[test]
    fn the_first_of_each_month_at_two_in_beijing() {
        assert_eq!(due("0 0 2 1 * * *", FRIDAY, 2), ["2026-12-01 02:00:00", "2027-01-01 02:00:00"]);
    }

    #[test]
    fn on_workdays() {
        assert_eq!(
            due("0 15 10 * * MON-FRI *", FRIDAY, 3),
            ["2026-11-20 10:15:00", "2026-11-23 10:15:00", "2026-11-24 10:15:00"]
        );
    }

    #[test]
    fn at_three_hours_of_a_day() {
        assert_eq!(
            due("0 0 10,14,16 * * * *", FRIDAY, 4),
            ["2026-11-20 10:00:00", "2026-11-20 14:00:00", "2026-11-20 16:00:00", "2026-11-21 10:00:00"]
        );
    }

    #[test]
    fn each_half_hour_from_nine_to_seventeen() {
        let all = due("0 */30 9-17 * * * *", FRIDAY, 19);
        assert_eq!((all[0].as_str(), all[17].as_str()), ("2026-11-20 09:00:00", "2026-11-20 17:30:00"));
        assert_eq!(all[18], "2026-11-21 09:00:00");
    }

    #[test]
    fn each_wednesday_at_noon() {
        assert_eq!(due("0 0 12 * * wed *", FRIDAY, 2), ["2026-11-25 12:00:00", "2026-12-02 12:00:00"]);
    }

    #[test]
    fn a_start_with_a_step_counts_to_the_end() {
        let minutes: Vec<String> =
            due("0 1/10 8 * * * *", FRIDAY, 6).iter().map(|text| text[14..16].to_owned()).collect();
        assert_eq!(minutes, ["01", "11", "21", "31", "41", "51"]);
    }

    #[test]
    fn day_and_weekday_together_are_either() {
        assert_eq!(
            due("0 0 0 25 * SUN *", FRIDAY, 3),
            ["2026-11-22 00:00:00", "2026-11-25 00:00:00", "2026-11-29 00:00:00"]
        );
    }

    #[test]
    fn leap_days_are_waited_for() {
        assert_eq!(due("0 0 0 29 2 * *", FRIDAY, 2), ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]);
    }

    #[test]
    fn a_year_is_waited_for_and_then_it_is_over() {
        assert_eq!(
            due("0 0 0 1 JAN,JUL * 2098-2099", FRIDAY, 9),
            ["2098-01-01 00:00:00", "2098-07-01 00:00:00", "2099-01-01 00:00:00", "2099-07-01 00:00:00"]
        );
    }

    #[test]
    fn what_never_comes_is_none() {
        assert!(due("0 0 0 30 FEB * *", FRIDAY, 1).is_empty());
        assert!(due("0 0 0 1 1 * 2020", FRIDAY, 1).is_empty());
    }

    #[test]
    fn every_second_of_two_days_agrees_with_the_fields() {
        let schedule = Schedule::parse("7/20 */7,3 1-23/3 20 NOV SAT 2026").unwrap();
        let start = moment("2026-11-19T15:59:59Z");
        let expected = (0..2 * 86_400_i64).filter(|second| {
            let (hour, minute, second) = (second / 3_600 % 24, second / 60 % 60, second % 60);
            [7, 27, 47].contains(&second) && (minute % 7 == 0 || minute == 3) && hour % 3 == 1
        });
        let expected: Vec<i64> = expected.map(|second| start.unix_seconds() + 1 + second).collect();
        let mut found = Vec::new();
        let mut now = start;
        while let Some(next) = schedule.next_after(now).filter(|_| found.len() < expected.len()) {
            now = next;
            found.push(next.unix_seconds());
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            error("0 0 2 1 * *"),
            "a timer has seven fields (second minute hour day month weekday year), this has 6"
        );
        assert_eq!(error("60 * * * * * *"), "second: \"60\" is not 0 to 59");
        assert_eq!(error("0 0 0 ? * * *"), "day: \"?\" is not 1 to 31");
        assert_eq!(error("0 0 0 * FOO * *"), "month: \"FOO\" is not 1 to 12 or JAN to DEC");
        assert_eq!(error("0 0 0 * * 5-1 *"), "weekday: \"5-1\" ends before it begins");
        assert_eq!(error("0 */0 * * * * *"), "minute: \"*/0\" has no step from 1 to 59 after the slash");
        assert_eq!(error("0 1, * * * * *"), "minute: \"\" is not 0 to 59");
        assert_eq!(error("0 0 0 * * * 2100"), "year: \"2100\" is not 1970 to 2099");
    }
}
