//! Which dates and times of day a schedule's fields allow, in whatever time zone.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use tokenward_core::time::Span;

use super::field::{Field, FieldError, Kind};

/// The fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    seconds: Field,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
    years: Field,
}

/// A time without a firing, between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The firing before it.
    pub begins: DateTime,
    /// The firing after it; `None` when there is none.
    pub ends: Option<DateTime>,
    /// How long it is; for ever when nothing ends it.
    pub length: Span,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const SECOND: Kind = Kind { name: "second", least: 0, most: 59, end: 59, names: &[] };
const MINUTE: Kind = Kind { name: "minute", least: 0, most: 59, end: 59, names: &[] };
const HOUR: Kind = Kind { name: "hour", least: 0, most: 23, end: 23, names: &[] };
const DAY: Kind = Kind { name: "day", least: 1, most: 31, end: 31, names: &[] };
const MONTH: Kind = Kind { name: "month", least: 1, most: 12, end: 12, names: &MONTHS };
const WEEKDAY: Kind = Kind { name: "weekday", least: 0, most: 6, end: 6, names: &WEEKDAYS };
/// Standard cron calls Sunday 0 and 7.
const CRON_WEEKDAY: Kind = Kind { name: "weekday", least: 0, most: 7, end: 6, names: &WEEKDAYS };
const YEAR: Kind = Kind { name: "year", least: 1970, most: 2099, end: 2099, names: &[] };

/// How far ahead pauses are looked for: a year, and whatever may surround its end.
const HORIZON_DAYS: i32 = 400;

impl Calendar {
    /// The platform's fields: second, minute, hour, day, month, weekday, year.
    pub(super) fn seven(fields: &[&str]) -> Result<Calendar, FieldError> {
        let mut fields = fields.iter().copied();
        let mut next = |kind| Field::read(kind, fields.next().unwrap_or_default());
        Ok(Calendar {
            seconds: next(&SECOND)?,
            minutes: next(&MINUTE)?,
            hours: next(&HOUR)?,
            days: next(&DAY)?,
            months: next(&MONTH)?,
            weekdays: next(&WEEKDAY)?,
            years: next(&YEAR)?,
        })
    }

    /// Standard cron's fields: minute, hour, day, month, weekday.
    pub(super) fn five(fields: &[&str]) -> Result<Calendar, FieldError> {
        let mut fields = fields.iter().copied();
        let mut next = |kind| Field::read(kind, fields.next().unwrap_or_default());
        Ok(Calendar {
            seconds: Field::only(0),
            minutes: next(&MINUTE)?,
            hours: next(&HOUR)?,
            days: next(&DAY)?,
            months: next(&MONTH)?,
            weekdays: next(&CRON_WEEKDAY)?.replaced(7, 0),
            years: Field::any(&YEAR),
        })
    }

    /// The first moment that is allowed and not before this one; `None` when there is none until the end of 2099.
    pub(super) fn first_from(&self, from: DateTime) -> Option<DateTime> {
        let date = self.date_from(from.date())?;
        let since = if date == from.date() { from.time() } else { Time::midnight() };
        if let Some(time) = self.time_from(since) {
            return Some(date.to_datetime(time));
        }
        let date = self.date_from(date.tomorrow().ok()?)?;
        Some(date.to_datetime(self.time_from(Time::midnight())?))
    }

    pub(super) fn times_a_day(&self) -> usize {
        self.hours.count() * self.minutes.count() * self.seconds.count()
    }

    /// The shortest and the longest pause that begin between the first firing from this day on and the horizon.
    pub(super) fn pauses(&self, from: Date) -> Option<(Pause, Pause)> {
        let mut day = self.date_from(from)?;
        let horizon = from.checked_add(HORIZON_DAYS.days()).ok()?;
        let mut times = self.times();
        let first = times.next()?;
        let mut last = first;
        let mut pauses = Extremes::default();
        for time in times {
            pauses.add(Pause::new(day.to_datetime(last), Some(day.to_datetime(time))));
            last = time;
        }
        while day <= horizon {
            let next = day.tomorrow().ok().and_then(|tomorrow| self.date_from(tomorrow));
            let ends = next.map(|next| next.to_datetime(first));
            pauses.add(Pause::new(day.to_datetime(last), ends));
            let Some(next) = next else { break };
            day = next;
        }
        pauses.found
    }

    /// The first date that is allowed and not before this one.
    fn date_from(&self, mut date: Date) -> Option<Date> {
        loop {
            let year = self.years.from(date.year()).next()?;
            if year > date.year() {
                date = Date::new(year, 1, 1).ok()?;
            } else if !self.months.allows(date.month().into()) {
                date = date.last_of_month().tomorrow().ok()?;
            } else if !self.allows_day(date) {
                date = date.tomorrow().ok()?;
            } else {
                return Some(date);
            }
        }
    }

    fn allows_day(&self, date: Date) -> bool {
        let day = self.days.allows(date.day().into());
        let weekday = self.weekdays.allows(date.weekday().to_sunday_zero_offset().into());
        // Where both are restricted, either is enough.
        if self.days.is_any || self.weekdays.is_any { day && weekday } else { day || weekday }
    }

    /// The first time of day that is allowed and not before this one.
    fn time_from(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (i16::from(from.hour()), i16::from(from.minute()), from.second().into());
        for h in self.hours.from(hour) {
            for m in self.minutes.from(if h == hour { minute } else { 0 }) {
                let seconds = if (h, m) == (hour, minute) { second } else { 0 };
                if let Some(s) = self.seconds.from(seconds).next() {
                    return time(h, m, s);
                }
            }
        }
        None
    }

    /// All times of a day, in order.
    fn times(&self) -> impl Iterator<Item = Time> {
        self.hours.from(0).flat_map(move |h| {
            self.minutes.from(0).flat_map(move |m| self.seconds.from(0).filter_map(move |s| time(h, m, s)))
        })
    }
}

fn time(hour: i16, minute: i16, second: i16) -> Option<Time> {
    let narrow = |part| i8::try_from(part).ok();
    Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()
}

impl Pause {
    fn new(begins: DateTime, ends: Option<DateTime>) -> Pause {
        let length = ends.map_or(Span(i64::MAX), |ends| Span::seconds(ends.duration_since(begins).as_secs()));
        Pause { begins, ends, length }
    }
}

/// The shortest and the longest of some pauses.
#[derive(Default)]
struct Extremes {
    found: Option<(Pause, Pause)>,
}

impl Extremes {
    fn add(&mut self, pause: Pause) {
        let (shortest, longest) = self.found.get_or_insert((pause, pause));
        if pause.length < shortest.length {
            *shortest = pause;
        }
        if pause.length > longest.length {
            *longest = pause;
        }
    }
}
