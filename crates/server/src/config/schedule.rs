//! `schedule` and `time_zone` of `[credentials.NAME.refresh]`: the times, and whether they can be kept.

use std::ops::Range;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::{SignedDuration, SpanRound, Unit};
use tokenward_core::policy::{Policy, reserve};
use tokenward_core::schedule::{Schedule as CoreSchedule, Timetable as _};
use tokenward_core::semantics::IssueSemantics;
use tokenward_core::time::{Span, Wall};

use super::reader::{Placed, Reader, Section};
use crate::schedule::{Pause, Schedule, ScheduleError};

/// A schedule, and where it stands.
pub(super) struct ScheduleConfig {
    pub(super) schedule: Arc<Schedule>,
    beside_lead: bool,
    key: String,
    span: Range<usize>,
}

const SEVEN: &str = "second minute hour day month weekday year";
const FIVE: &str = "minute hour day month weekday";

impl ScheduleConfig {
    pub(super) fn read(section: &mut Section<'_>, reader: &mut Reader) -> Option<ScheduleConfig> {
        let key = section.key("schedule");
        let text = section.string("schedule", reader);
        let zone = section.string("time_zone", reader);
        let beside_lead = section.take("lead").is_some();
        let Some(text) = text else {
            if let Some(zone) = zone {
                let message = "`time_zone` is the time zone of a `schedule`, and there is none";
                reader.error(zone.span, message, "Remove it, or add schedule = \"0 2 * * *\".");
            }
            return None;
        };
        match Schedule::parse(&text.value, zone.as_ref().map(|zone| zone.value.as_str())) {
            Ok(schedule) => {
                let schedule = Arc::new(schedule);
                Some(ScheduleConfig { schedule, beside_lead, key, span: text.span })
            }
            Err(error) => {
                complain(&error, &key, &text, zone, reader);
                None
            }
        }
    }

    /// What the core is told. The stable API renews in its own window only: a schedule cannot take its place.
    pub(super) fn for_core(&self, semantics: IssueSemantics) -> CoreSchedule {
        let alone = !self.beside_lead && semantics != IssueSemantics::IdempotentUntilNearExpiry;
        CoreSchedule { timetable: self.schedule.clone(), alone }
    }

    /// Whether the platform's budget and its tokens' life allow it. `life` is how long they live.
    pub(super) fn check(&self, policy: &Policy, life: Span, now: Wall, reader: &mut Reader) {
        let (schedule, key) = (&*self.schedule, &self.key);
        if schedule.next_after(now).is_none() {
            let message = format!("`{key}` never fires: no such time comes any more");
            let fix = "Write times that come, such as \"0 0 2 * * * *\": every night at two, in UTC+8.";
            return reader.error(self.span.clone(), message, fix);
        }
        let (times, budget) = (schedule.times_a_day(), policy.limits.per_day);
        if budget > 0 && times > usize::try_from(budget).unwrap_or(usize::MAX) {
            let message =
                format!("`{key}` fires {times} times a day, and only {budget} fetches a day are allowed");
            let fix = "Use fewer times: \"0 0 * * * * *\" is every full hour. If the platform allows more, raise `daily_budget`.";
            return reader.error(self.span.clone(), message, fix);
        }
        let Some((shortest, longest)) = schedule.pauses(now) else { return };
        let apart = policy.apart(life);
        if shortest.length < apart {
            let message = format!(
                "`{key}` has times that are {} apart; a time within {} after a refresh is served by that refresh",
                say(shortest.length),
                say(apart)
            );
            reader.warn(self.span.clone(), message, "Leave more time between them.");
        }
        let alone = self.for_core(policy.semantics).alone;
        if alone && longest.length > policy.longest_pause(life) {
            self.refuse_sparse(longest, policy, life, reader);
        }
    }

    fn refuse_sparse(&self, longest: Pause, policy: &Policy, life: Span, reader: &mut Reader) {
        let shown = |moment: DateTime| moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let begins = shown(longest.begins);
        let pause = match longest.ends.map(shown) {
            Some(ends) => format!("nothing for {} from {begins} to {ends}", say(longest.length)),
            None => format!("nothing after {begins}"),
        };
        let most = say(policy.longest_pause(life));
        let message = format!(
            "`{}` alone is too sparse: {pause}. A token lives {}; less {} of reserve for failures and {} in which a \
             time is served by the refresh before it, that leaves {most}",
            self.key,
            say(life),
            say(reserve(life)),
            say(policy.apart(life)),
        );
        let fix = format!(
            "Let at most {most} pass between two times, or set `lead`, too: then a token is refreshed at these times \
             and that long before its end, whichever comes first."
        );
        reader.error(self.span.clone(), message, fix);
    }
}

fn complain(
    error: &ScheduleError,
    key: &str,
    text: &Placed<String>,
    zone: Option<Placed<String>>,
    reader: &mut Reader,
) {
    let zone = zone.map_or_else(|| text.span.clone(), |zone| zone.span);
    let (span, fix) = match error {
        ScheduleError::Fields(_) => (
            text.span.clone(),
            format!(
                "Write {SEVEN}, such as \"0 0 2 * * * *\" (in UTC+8), or {FIVE} with `time_zone`, such as \"0 2 * * *\"."
            ),
        ),
        ScheduleError::NoZone => (
            text.span.clone(),
            format!("Add time_zone = \"Europe/Berlin\", or wherever it is meant. In UTC+8: {SEVEN}."),
        ),
        ScheduleError::NeedlessZone => (zone, format!("Remove it, or write five fields: {FIVE}.")),
        ScheduleError::Zone(_) => {
            (zone, "Write an IANA name, such as \"Europe/Berlin\" or \"Asia/Shanghai\".".to_owned())
        }
        ScheduleError::Field(_) => {
            let fields = if text.value.split_whitespace().count() == 5 { FIVE } else { SEVEN };
            let forms = "A field is *, or a list of values such as 0,30, ranges such as 9-17, and steps such as */10.";
            (text.span.clone(), format!("The fields are {fields}. {forms}"))
        }
    };
    reader.error(span, format!("`{key}`: {error}"), fix);
}

/// `1h 52m 30s`, `31d`.
fn say(span: Span) -> String {
    let duration = SignedDuration::from_millis(span.0);
    let round = SpanRound::new().largest(Unit::Day).days_are_24_hours();
    let balanced = jiff::Span::try_from(duration).and_then(|span| span.round(round));
    balanced.map_or_else(|_| format!("{duration:#}"), |span| format!("{span:#}"))
}
