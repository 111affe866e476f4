//! When credentials are refreshed by the clock, in two dialects of cron.
//!
//! Seven fields are those of the platform's timer triggers: second, minute, hour, day, month, weekday and year, in
//! UTC+8. Five fields are standard cron: minute, hour, day, month, weekday, in a time zone that is named. Both know
//! `*`, numbers, the names of months and weekdays, and `,` `-` `/`, and nothing else. Where both day and weekday are
//! restricted, either is enough. Time zones are compiled in, so that machines need no data of their own.
//!
//! Where clocks are changed, what is skipped fires as soon as they go on, and what occurs twice fires twice: no token
//! waits longer than its schedule says. Pure: the moment is an argument.

mod calendar;
mod field;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase, offset};
use tokenward_core::schedule::Timetable;
use tokenward_core::time::Wall;

use calendar::Calendar;
pub use calendar::Pause;
use field::FieldError;

/// Times of refreshes.
#[derive(Clone, Debug)]
pub struct Schedule {
    calendar: Calendar,
    zone: TimeZone,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither five nor seven fields.
    #[error("a schedule has five or seven fields, this has {0}")]
    Fields(usize),
    /// Five fields, and nothing says where.
    #[error("five fields need a time zone")]
    NoZone,
    /// Seven fields, and a time zone.
    #[error("seven fields are in UTC+8, whatever `time_zone` says")]
    NeedlessZone,
    /// A time zone that does not exist.
    #[error("the time zone {0:?} is not known")]
    Zone(String),
    /// A field that cannot be read.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl Schedule {
    /// Reads five fields and their time zone, or seven fields.
    ///
    /// # Errors
    /// Says what is wrong, and with which field.
    pub fn parse(text: &str, time_zone: Option<&str>) -> Result<Schedule, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match (fields.len(), time_zone) {
            (5, None) => Err(ScheduleError::NoZone),
            (5, Some(name)) => {
                let zone = TimeZoneDatabase::bundled().get(name);
                let zone = zone.map_err(|_| ScheduleError::Zone(name.to_owned()))?;
                Ok(Schedule { calendar: Calendar::five(&fields)?, zone })
            }
            (7, None) => {
                Ok(Schedule { calendar: Calendar::seven(&fields)?, zone: TimeZone::fixed(offset(8)) })
            }
            (7, Some(_)) => Err(ScheduleError::NeedlessZone),
            (count, _) => Err(ScheduleError::Fields(count)),
        }
    }

    /// The next three firings, or as many as there are.
    #[must_use]
    pub fn next_times(&self, now: Wall) -> Vec<Wall> {
        std::iter::successors(self.next_after(now), |last| self.next_after(*last)).take(3).collect()
    }

    /// How often it fires on a day on which it fires.
    #[must_use]
    pub fn times_a_day(&self) -> usize {
        self.calendar.times_a_day()
    }

    /// The shortest and the longest time between two firings of the next 400 days, by the clock on the wall there;
    /// `None` when it never fires. When clocks are changed, both may be an hour off.
    #[must_use]
    pub fn pauses(&self, now: Wall) -> Option<(Pause, Pause)> {
        self.calendar.pauses(self.date(now)?)
    }

    /// A moment as the clock on the wall shows it there: `2026-11-21 02:00:00 +08:00`.
    #[must_use]
    pub fn show(&self, moment: Wall) -> String {
        timestamp(moment).map_or_else(
            || "unknown".to_owned(),
            |moment| moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        )
    }

    fn date(&self, moment: Wall) -> Option<Date> {
        Some(self.zone.to_datetime(timestamp(moment)?).date())
    }

    fn first_from(&self, mut from: Timestamp) -> Option<Timestamp> {
        loop {
            let offset = self.zone.to_offset(from);
            let local = self.calendar.first_from(offset.to_datetime(from))?;
            let due = offset.to_timestamp(local).ok()?;
            let Some(change) = self.zone.following(from).next() else { return Some(due) };
            let changed = change.timestamp();
            if due < changed {
                return Some(due);
            }
            // The clocks are changed first. What they skip fires then; else the day goes on with what they show.
            if local < change.offset().to_datetime(changed) {
                return Some(changed);
            }
            from = changed;
        }
    }
}

impl Timetable for Schedule {
    fn next_after(&self, moment: Wall) -> Option<Wall> {
        let next_second = Timestamp::from_second(moment.unix_seconds().saturating_add(1)).ok()?;
        Some(Wall(self.first_from(next_second)?.as_millisecond()))
    }
}

fn timestamp(moment: Wall) -> Option<Timestamp> {
    Timestamp::from_millisecond(moment.0).ok()
}

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod tests;
