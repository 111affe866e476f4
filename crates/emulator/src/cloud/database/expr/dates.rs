//! Dates: their parts, their texts, and dates made of either.

use jiff::civil::DateTime;

use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::calendar::{Day, Zone, iso_week, read, week};
use super::call::{Answer, Call, NULL, present};
use crate::cloud::value::{Document, Value};

/// How many steps it takes to look into a calendar.
pub(super) const CALENDAR: u64 = 10;

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    let part: fn(DateTime) -> i64 = match call.name {
        "$year" => |at| at.year().into(),
        "$month" => |at| at.month().into(),
        "$dayOfMonth" => |at| at.day().into(),
        "$hour" => |at| at.hour().into(),
        "$minute" => |at| at.minute().into(),
        "$second" => |at| at.second().into(),
        "$millisecond" => |at| at.millisecond().into(),
        "$dayOfYear" => |at| at.day_of_year().into(),
        "$dayOfWeek" => |at| at.weekday().to_sunday_one_offset().into(),
        "$isoDayOfWeek" => |at| at.weekday().to_monday_one_offset().into(),
        "$week" => week,
        "$isoWeek" => |at| iso_week(at).1,
        "$isoWeekYear" => |at| iso_week(at).0,
        "$dateToString" => return Some(call.budget().work(CALENDAR).and_then(|()| to_string(call))),
        "$dateFromString" => return Some(call.budget().work(CALENDAR).and_then(|()| from_string(call))),
        "$dateFromParts" => return Some(call.budget().work(CALENDAR).and_then(|()| from_parts(call))),
        _ => return None,
    };
    Some(call.budget().work(CALENDAR).and_then(|()| part_of(call, part)))
}

/// A date, or the moment at which an object id was made.
fn millis(value: &Value) -> Outcome<i64> {
    match value {
        Value::Date(at) => Ok(*at),
        Value::ObjectId([a, b, c, d, ..]) => Ok(i64::from(u32::from_be_bytes([*a, *b, *c, *d])) * 1000),
        other => refuse(format!("can't convert from BSON type {} to Date", kind::name(other))),
    }
}

/// The zone that `timezone` names. Nothing if it is `null`.
fn zone(call: &Call<'_>, fields: &Document) -> Outcome<Option<Zone>> {
    if fields.get("timezone").is_none() {
        return Ok(Some(Zone::default()));
    }
    match present(call.field(fields, "timezone")?) {
        None => Ok(None),
        Some(Value::String(text)) => Zone::parse(&text).map(Some),
        Some(other) => refuse(format!("timezone must evaluate to a string, found {}", kind::name(&other))),
    }
}

/// A part of a date, which is the argument or stands in it together with a zone.
fn part_of(call: &Call<'_>, part: fn(DateTime) -> i64) -> Answer {
    let named = call.argument.as_object().is_some_and(|fields| fields.get("date").is_some());
    let (date, zone) = if named {
        let fields = call.named(&["date"], &["timezone"])?;
        (call.field(fields, "date")?, zone(call, fields)?)
    } else {
        let [date] = call.exactly()?;
        (date, Some(Zone::default()))
    };
    let (Some(date), Some(zone)) = (present(date), zone) else {
        return NULL;
    };
    let number = part(zone.at(millis(&date)?)?.time);
    // The year of the week is a 64-bit integer, for whatever reason.
    Ok(Some(if call.name == "$isoWeekYear" { Value::Long(number) } else { Value::from(number) }))
}

fn to_string(call: &Call<'_>) -> Answer {
    let fields = call.named(&["date"], &["format", "timezone", "onNull"])?;
    let Some(date) = present(call.field(fields, "date")?) else {
        return if fields.get("onNull").is_some() { call.field(fields, "onNull") } else { NULL };
    };
    let format = match (fields.get("format").is_some(), present(call.field(fields, "format")?)) {
        (false, _) => None,
        (true, Some(Value::String(format))) => Some(format),
        (true, None) => return NULL,
        (true, Some(other)) => {
            return refuse(format!(
                "$dateToString requires a string 'format', found: {}",
                kind::name(&other)
            ));
        }
    };
    let Some(zone) = zone(call, fields)? else {
        return NULL;
    };
    let text = zone.text(millis(&date)?, format.as_deref())?;
    call.budget().work(text.len() as u64)?;
    call.budget().bytes(text.len() as u64)?;
    Ok(Some(text.into()))
}

fn from_string(call: &Call<'_>) -> Answer {
    let fields = call.named(&["dateString"], &["timezone", "onNull", "onError"])?;
    let Some(text) = present(call.field(fields, "dateString")?) else {
        return if fields.get("onNull").is_some() { call.field(fields, "onNull") } else { NULL };
    };
    let Some(zone) = zone(call, fields)? else {
        return NULL;
    };
    let zone = fields.get("timezone").map(|_| zone);
    let parsed = match text {
        Value::String(text) => read(&text, zone.as_ref()),
        other => refuse(format!(
            "$dateFromString requires that 'dateString' be a string, found: {} with value {}",
            kind::name(&other),
            crate::cloud::ejson::plain(&other)
        )),
    };
    match parsed {
        Ok(at) => Ok(Some(Value::Date(at))),
        Err(_) if fields.get("onError").is_some() => call.field(fields, "onError"),
        Err(refusal) => Err(refusal),
    }
}

fn from_parts(call: &Call<'_>) -> Answer {
    const TIME: [&str; 5] = ["hour", "minute", "second", "millisecond", "timezone"];
    let by_week = call.argument.as_object().is_some_and(|fields| fields.get("isoWeekYear").is_some());
    let (required, others) =
        if by_week { ("isoWeekYear", ["isoWeek", "isoDayOfWeek"]) } else { ("year", ["month", "day"]) };
    let optional: Vec<&str> = others.iter().chain(&TIME).copied().collect();
    let fields = call.named(&[required], &optional)?;
    let part = |name: &str, least: i64, most: i64, otherwise: i64| -> Outcome<Option<i64>> {
        if fields.get(name).is_none() {
            return Ok(Some(otherwise));
        }
        let Some(value) = present(call.field(fields, name)?) else {
            return Ok(None);
        };
        match value.as_i64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => refuse(format!(
                "'{name}' must evaluate to an integer in the range {least} to {most}, found {}",
                crate::cloud::ejson::plain(&value)
            )),
        }
    };
    let day = if by_week {
        [part("isoWeekYear", 0, 9999, 1970)?, part("isoWeek", 1, 53, 1)?, part("isoDayOfWeek", 1, 7, 1)?]
    } else {
        [part("year", 0, 9999, 1970)?, part("month", 1, 12, 1)?, part("day", 1, 31, 1)?]
    };
    let time = [
        part("hour", 0, 23, 0)?,
        part("minute", 0, 59, 0)?,
        part("second", 0, 59, 0)?,
        part("millisecond", 0, 999, 0)?,
    ];
    let (
        [Some(year), Some(middle), Some(last)],
        [Some(hour), Some(minute), Some(second), Some(milli)],
        Some(zone),
    ) = (day, time, zone(call, fields)?)
    else {
        return NULL;
    };
    let day = if by_week {
        Day::Week { year, week: middle, day: last }
    } else {
        Day::Calendar { year, month: middle, day: last }
    };
    Ok(Some(Value::Date(zone.assembled(day, [hour, minute, second, milli])?)))
}
