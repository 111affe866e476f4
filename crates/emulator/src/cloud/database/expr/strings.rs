//! Texts, counted in UTF-8 bytes or in code points. Upper and lower case are those of ASCII.

use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::calendar::Zone;
use super::call::{Answer, Call, NULL, present, whole};
use super::dates::CALENDAR;
use crate::cloud::ejson;
use crate::cloud::value::Value;

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    Some(match call.name {
        "$concat" => concat(call),
        "$indexOfBytes" => index_of(call, false),
        "$indexOfCP" => index_of(call, true),
        "$split" => split(call),
        "$strLenBytes" => length(call, str::len),
        "$strLenCP" => length(call, |text| text.chars().count()),
        "$strcasecmp" => compare(call),
        "$substr" | "$substrBytes" => part_of_bytes(call),
        "$substrCP" => part_of_characters(call),
        "$toLower" => cased(call, str::to_ascii_lowercase),
        "$toUpper" => cased(call, str::to_ascii_uppercase),
        _ => return None,
    })
}

/// A value as text, for the operators that take numbers and dates too.
fn coerced(call: &Call<'_>, value: Option<Value>) -> Outcome<String> {
    match present(value) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Date(at)) => {
            call.budget().work(2 * CALENDAR)?;
            Zone::default().text(at, None)
        }
        Some(number) if number.as_f64().is_some() => Ok(ejson::plain(&number).to_string()),
        Some(other) => refuse(format!("can't convert from BSON type {} to String", kind::name(&other))),
    }
}

/// A value that must be text.
fn text(call: &Call<'_>, value: Option<Value>) -> Outcome<String> {
    match value {
        Some(Value::String(text)) => Ok(text),
        other => refuse(format!(
            "{} requires a string argument, found: {}",
            call.name,
            kind::name_or_missing(other.as_ref())
        )),
    }
}

fn number(call: &Call<'_>, value: Option<&Value>) -> Outcome<i64> {
    match value.and_then(Value::as_f64) {
        Some(number) => Ok(number as i64),
        None => refuse(format!(
            "{}: indexes and lengths must be of a numeric type (is BSON type {})",
            call.name,
            kind::name_or_missing(value)
        )),
    }
}

fn concat(call: &Call<'_>) -> Answer {
    let mut all = String::new();
    for value in call.all()? {
        match present(value) {
            None => return NULL,
            Some(Value::String(text)) => all.push_str(&text),
            Some(other) => {
                return refuse(format!("$concat only supports strings, not {}", kind::name(&other)));
            }
        }
    }
    Ok(Some(all.into()))
}

fn index_of(call: &Call<'_>, characters: bool) -> Answer {
    let ([value, wanted, start, end], given) = call.between::<4>(2)?;
    if present(value.clone()).is_none() {
        return NULL;
    }
    let (haystack, wanted) = (text(call, value)?, text(call, wanted)?);
    let bound = |given: bool, value: Option<&Value>| {
        if !given {
            return Ok(None);
        }
        let number = number(call, value)?;
        match usize::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => refuse(format!("{} requires a nonnegative index, found: {number}", call.name)),
        }
    };
    let start = bound(given > 2, start.as_ref())?.unwrap_or(0);
    let end = bound(given > 3, end.as_ref())?.unwrap_or(usize::MAX);
    let place = |at: usize| if characters { byte_of(&haystack, at) } else { at };
    // A place within a character is none: the search begins at the next one.
    let first = (place(start)..=haystack.len()).find(|at| haystack.is_char_boundary(*at));
    let last = (0..=place(end).min(haystack.len())).rev().find(|at| haystack.is_char_boundary(*at));
    let part = first.zip(last).and_then(|(first, last)| haystack.get(first..last));
    let found = part.and_then(|part| part.find(&wanted)).and_then(|at| Some(at + first?));
    let found = found.map(|byte| match haystack.get(..byte) {
        Some(before) if characters => before.chars().count(),
        _ => byte,
    });
    Ok(Some(found.map_or(Value::Int(-1), whole)))
}

/// Where a character begins, or the end of the text.
fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
}

fn split(call: &Call<'_>) -> Answer {
    let [value, separator] = call.exactly()?;
    let (Some(value), Some(separator)) = (present(value), present(separator)) else {
        return NULL;
    };
    match (value, separator) {
        (Value::String(_), Value::String(separator)) if separator.is_empty() => {
            refuse("$split requires a non-empty separator")
        }
        (Value::String(text), Value::String(separator)) => {
            let pieces = text.matches(&separator).count() as u64 + 1;
            call.budget().work(pieces)?;
            call.budget().bytes(pieces * (size_of::<Value>() + 16) as u64 + text.len() as u64)?;
            Ok(Some(Value::Array(text.split(&separator).map(Value::from).collect())))
        }
        (Value::String(_), other) => refuse(format!(
            "$split requires an expression that evaluates to a string as a second argument, found: {}",
            kind::name(&other)
        )),
        (other, _) => refuse(format!(
            "$split requires an expression that evaluates to a string as a first argument, found: {}",
            kind::name(&other)
        )),
    }
}

fn length(call: &Call<'_>, measure: fn(&str) -> usize) -> Answer {
    let [value] = call.exactly()?;
    Ok(Some(whole(measure(&text(call, value)?))))
}

fn compare(call: &Call<'_>) -> Answer {
    let [a, b] = call.exactly()?;
    let (a, b) = (coerced(call, a)?.to_ascii_uppercase(), coerced(call, b)?.to_ascii_uppercase());
    Ok(Some(Value::Int(a.cmp(&b) as i32)))
}

fn cased(call: &Call<'_>, change: fn(&str) -> String) -> Answer {
    let [value] = call.exactly()?;
    Ok(Some(change(&coerced(call, value)?).into()))
}

/// A negative start gives nothing, a negative length the rest. Both must fall between characters.
fn part_of_bytes(call: &Call<'_>) -> Answer {
    let [value, start, length] = call.exactly()?;
    let text = coerced(call, value)?;
    let (start, length) = (number(call, start.as_ref())?, number(call, length.as_ref())?);
    let Ok(start) = usize::try_from(start) else {
        return Ok(Some("".into()));
    };
    let start = start.min(text.len());
    let end =
        usize::try_from(length).map_or(text.len(), |length| start.saturating_add(length).min(text.len()));
    match text.get(start..end) {
        Some(part) => Ok(Some(part.into())),
        None if !text.is_char_boundary(start) => {
            refuse(format!("{}:  Invalid range, starting index is a UTF-8 continuation byte.", call.name))
        }
        None => refuse(format!(
            "{}:  Invalid range, ending index is in the middle of a UTF-8 character.",
            call.name
        )),
    }
}

fn part_of_characters(call: &Call<'_>) -> Answer {
    let [value, start, length] = call.exactly()?;
    let text = coerced(call, value)?;
    let size = |what: &str, value: Option<&Value>| {
        let number = number(call, value)?;
        usize::try_from(number)
            .or_else(|_| refuse(format!("$substrCP: {what} must be a nonnegative integer.")))
    };
    let start = size("the starting index", start.as_ref())?;
    let length = size("length", length.as_ref())?;
    Ok(Some(text.chars().skip(start).take(length).collect::<String>().into()))
}
