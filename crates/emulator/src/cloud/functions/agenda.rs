//! What is to be run later: timers and delayed tasks.
//!
//! Pure: the moment is an argument. Nothing is lost when time jumps, except firings of a timer beyond the first 24 that
//! one jump missed.

use std::collections::BTreeMap;

use super::Source;
use super::schedule::Schedule;
use crate::cloud::CloudFailure;
use crate::moment::Moment;

/// Everything that is to be run later.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    timers: Vec<Timer>,
    /// By their time and then their order.
    tasks: BTreeMap<(Moment, u64), Appointment>,
    last_number: u64,
}

/// A timer trigger of one function in one environment.
#[derive(Debug)]
struct Timer {
    env: String,
    function: String,
    trigger: String,
    schedule: Schedule,
    next: Option<Moment>,
}

/// A call that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Appointment {
    pub(super) env: String,
    pub(super) function: String,
    /// The event, as JSON.
    pub(super) event: String,
    pub(super) source: Source,
}

/// Delayed tasks that may wait at a time.
const MOST_TASKS: usize = 1_000;
/// A timer fires so often at most for one jump in time: as often as an hourly one in a day.
const MOST_MISSED: usize = 24;

impl Agenda {
    /// Adds a timer, which counts from now.
    pub(super) fn add_timer(
        &mut self,
        env: &str,
        function: &str,
        trigger: &str,
        schedule: &Schedule,
        now: Moment,
    ) {
        self.timers.push(Timer {
            env: env.to_owned(),
            function: function.to_owned(),
            trigger: trigger.to_owned(),
            schedule: schedule.clone(),
            next: schedule.next_after(now),
        });
    }

    /// Adds a task.
    ///
    /// # Errors
    /// Too many are waiting.
    pub(super) fn add_task(&mut self, at: Moment, appointment: Appointment) -> Result<(), CloudFailure> {
        if self.tasks.len() >= MOST_TASKS {
            let text = format!("exceed request limit ({MOST_TASKS} delayed tasks are waiting)");
            return Err(CloudFailure::new(-501_003, text));
        }
        self.last_number += 1;
        self.tasks.insert((at, self.last_number), appointment);
        Ok(())
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Moment> {
        let timers = self.timers.iter().filter_map(|timer| timer.next);
        let tasks = self.tasks.keys().map(|(at, _)| *at);
        timers.min().into_iter().chain(tasks.take(1)).min()
    }

    /// Takes out what is due now, in the order of its time.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<Appointment> {
        let mut due: Vec<(Moment, Appointment)> = Vec::new();
        for timer in &mut self.timers {
            let firings = std::iter::from_fn(|| timer.fire(now));
            due.extend(firings.take(MOST_MISSED));
            if timer.next.is_some_and(|next| next <= now) {
                timer.next = timer.schedule.next_after(now);
            }
        }
        while let Some(task) = self.tasks.first_entry().filter(|task| task.key().0 <= now) {
            let at = task.key().0;
            due.push((at, task.remove()));
        }
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, appointment)| appointment).collect()
    }
}

impl Timer {
    fn fire(&mut self, now: Moment) -> Option<(Moment, Appointment)> {
        let at = self.next.filter(|at| *at <= now)?;
        self.next = self.schedule.next_after(at);
        let event = serde_json::json!({
            "Type": "Timer",
            "TriggerName": self.trigger,
            "Time": at.to_string(),
            "Message": "",
        });
        let appointment = Appointment {
            env: self.env.clone(),
            function: self.function.clone(),
            event: event.to_string(),
            source: Source::Timer(self.trigger.clone()),
        };
        Some((at, appointment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Moment {
        Moment::from_unix_seconds(1_795_161_600 + second)
    }

    fn with_timer(schedule: &str) -> Agenda {
        let mut agenda = Agenda::default();
        agenda.add_timer("test", "tick", "EveryFive", &Schedule::parse(schedule).unwrap(), at(0));
        agenda
    }

    fn task(event: &str) -> Appointment {
        let source = Source::Delayed("wx1".to_owned());
        Appointment { env: "test".to_owned(), function: "later".to_owned(), event: event.to_owned(), source }
    }

    fn events(due: &[Appointment]) -> Vec<&str> {
        due.iter().map(|appointment| appointment.event.as_str()).collect()
    }

    #[test]
    fn a_timer_fires_with_the_documented_event() {
        let mut agenda = with_timer("*/5 * * * * * *");
        assert_eq!((agenda.next(), agenda.take_due(at(4)).len()), (Some(at(5)), 0));
        let due = agenda.take_due(at(5));
        let event =
            r#"{"Type":"Timer","TriggerName":"EveryFive","Time":"2026-11-20T08:00:05Z","Message":""}"#;
        assert_eq!(events(&due), [event]);
        assert_eq!(agenda.next(), Some(at(10)));
    }

    #[test]
    fn a_jump_in_time_fires_what_it_missed() {
        assert_eq!(with_timer("0 0 * * * * *").take_due(at(5 * 3_600)).len(), 5);
    }

    #[test]
    fn a_jump_of_a_hundred_years_fires_24_times_and_leaves_nothing_behind() {
        let mut agenda = with_timer("* * * * * * *");
        assert_eq!(agenda.take_due(at(100 * 365 * 86_400)).len(), 24);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn tasks_and_timers_are_due_in_the_order_of_their_time() {
        let mut agenda = with_timer("*/7 * * * * * *");
        for (second, event) in [(9, "third"), (6, "first"), (9, "fourth")] {
            agenda.add_task(at(second), task(event)).unwrap();
        }
        assert_eq!(agenda.next(), Some(at(6)));
        let due = agenda.take_due(at(9));
        assert_eq!(due.iter().filter(|it| it.function == "tick").count(), 1);
        assert_eq!((due[0].event.as_str(), due[1].function.as_str()), ("first", "tick"));
        assert_eq!(events(&due[2..]), ["third", "fourth"]);
    }

    #[test]
    fn a_task_is_due_once() {
        let mut agenda = Agenda::default();
        agenda.add_task(at(6), task("{}")).unwrap();
        assert_eq!((agenda.take_due(at(6)).len(), agenda.take_due(at(7)).len(), agenda.next()), (1, 0, None));
    }

    #[test]
    fn a_thousand_tasks_wait_and_no_more() {
        let mut agenda = Agenda::default();
        for _ in 0..MOST_TASKS {
            agenda.add_task(at(6), task("{}")).unwrap();
        }
        assert_eq!(agenda.add_task(at(6), task("{}")).unwrap_err().code, -501_003);
    }
}
