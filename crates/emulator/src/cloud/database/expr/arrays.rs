//! Arrays: elements, parts, and expressions for each element.

use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::call::{Answer, Call, NULL, is_true, present, whole};
use super::evaluate;
use crate::cloud::value::{Document, Value};

/// How many numbers `$range` makes at most, so that no expression fills the memory.
const LONGEST_RANGE: u64 = 1_000_000;

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    Some(match call.name {
        "$arrayElemAt" => element_at(call),
        "$concatArrays" => concat(call),
        "$filter" => filter(call),
        "$in" => contains(call),
        "$indexOfArray" => index_of(call),
        "$isArray" => call.exactly().map(|[value]| Some(matches!(value, Some(Value::Array(_))).into())),
        "$map" => map(call),
        "$range" => range(call),
        "$reduce" => reduce(call),
        "$reverseArray" => reverse(call),
        "$size" => size(call),
        "$slice" => slice(call),
        "$zip" => zip(call),
        _ => return None,
    })
}

/// An array, nothing for `null`, or a refusal that says which type it is instead.
fn array(value: Option<Value>, otherwise: impl Fn(&str) -> String) -> Outcome<Option<Vec<Value>>> {
    match present(value) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => refuse(otherwise(kind::name(&other))),
    }
}

/// A whole number of 32 bits as an argument.
fn integer(call: &Call<'_>, value: Option<&Value>) -> Outcome<i64> {
    match value.and_then(Value::as_i64).filter(|number| i32::try_from(*number).is_ok()) {
        Some(number) => Ok(number),
        None => refuse(format!(
            "{} requires arguments representable as a 32-bit integer, found value of type: {}",
            call.name,
            kind::name_or_missing(value)
        )),
    }
}

fn size_of(number: i64) -> usize {
    usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX)
}

fn element_at(call: &Call<'_>) -> Answer {
    let [items, index] = call.exactly()?;
    let (Some(items), Some(index)) = (present(items), present(index)) else {
        return NULL;
    };
    let items =
        array(Some(items), |kind| format!("$arrayElemAt's first argument must be an array, but is {kind}"))?;
    let items = items.unwrap_or_default();
    let Some(index) = index.as_i64() else {
        return refuse(format!(
            "$arrayElemAt's second argument must be a numeric value, but is {}",
            kind::name(&index)
        ));
    };
    let at = if index < 0 { items.len().checked_sub(size_of(index)) } else { Some(size_of(index)) };
    Ok(at.and_then(|at| items.get(at).cloned()))
}

fn concat(call: &Call<'_>) -> Answer {
    let mut all = Vec::new();
    for value in call.all()? {
        match array(value, |kind| format!("$concatArrays only supports arrays, not {kind}"))? {
            Some(items) => all.extend(items),
            None => return NULL,
        }
    }
    Ok(Some(all.into()))
}

fn contains(call: &Call<'_>) -> Answer {
    let [wanted, items] = call.exactly()?;
    match items {
        Some(Value::Array(items)) => {
            call.budget().each(items.len())?;
            Ok(Some(wanted.is_some_and(|wanted| items.iter().any(|item| item.equals(&wanted))).into()))
        }
        other => refuse(format!(
            "$in requires an array as a second argument, found: {}",
            kind::name_or_missing(other.as_ref())
        )),
    }
}

fn index_of(call: &Call<'_>) -> Answer {
    let ([items, wanted, start, end], given) = call.between::<4>(2)?;
    let Some(items) =
        array(items, |kind| format!("$indexOfArray requires an array as a first argument, found: {kind}"))?
    else {
        return NULL;
    };
    let bound = |given: bool, value: &Option<Value>, otherwise: usize| {
        if !given {
            return Ok(otherwise);
        }
        match integer(call, value.as_ref())? {
            negative if negative < 0 => {
                refuse(format!("$indexOfArray requires a nonnegative index, found: {negative}"))
            }
            number => Ok(size_of(number)),
        }
    };
    call.budget().each(items.len())?;
    let start = bound(given > 2, &start, 0)?;
    let end = bound(given > 3, &end, usize::MAX)?;
    let found = items
        .iter()
        .enumerate()
        .take(end)
        .skip(start)
        .find(|(_, item)| wanted.as_ref().is_some_and(|wanted| item.equals(wanted)));
    Ok(Some(found.map_or(Value::Int(-1), |(index, _)| whole(index))))
}

/// The array of `input` and the name of its elements.
fn input<'a>(call: &Call<'_>, fields: &'a Document) -> Outcome<Option<(Vec<Value>, &'a str)>> {
    let items = call.field(fields, "input")?;
    let items = array(items, |kind| format!("input to {} must be an array not {kind}", call.name))?;
    let name = fields.get("as").map_or(Some("this"), Value::as_str);
    match name {
        Some(name) => Ok(items.map(|items| (items, name))),
        None => refuse(format!("{}'s 'as' must be a string", call.name)),
    }
}

fn filter(call: &Call<'_>) -> Answer {
    let fields = call.named(&["input", "cond"], &["as"])?;
    let Some((items, name)) = input(call, fields)? else {
        return NULL;
    };
    let mut kept = Vec::new();
    for item in items {
        call.budget().make(&item)?;
        let scope = call.scope.with(name, Some(item.clone()));
        let condition = fields.get("cond").map_or(Ok(None), |condition| evaluate(condition, &scope))?;
        if is_true(condition.as_ref()) {
            kept.push(item);
        }
    }
    Ok(Some(kept.into()))
}

fn map(call: &Call<'_>) -> Answer {
    let fields = call.named(&["input", "in"], &["as"])?;
    let Some((items, name)) = input(call, fields)? else {
        return NULL;
    };
    let mut mapped = Vec::with_capacity(items.len());
    for item in items {
        let scope = call.scope.with(name, Some(item));
        let value = fields.get("in").map_or(Ok(None), |expression| evaluate(expression, &scope))?;
        mapped.push(value.unwrap_or(Value::Null));
    }
    Ok(Some(mapped.into()))
}

fn reduce(call: &Call<'_>) -> Answer {
    let fields = call.named(&["input", "initialValue", "in"], &[])?;
    let Some((items, _)) = input(call, fields)? else {
        return NULL;
    };
    let mut value = call.field(fields, "initialValue")?;
    for item in items {
        let scope = call.scope.with("value", value).with("this", Some(item));
        value = fields.get("in").map_or(Ok(None), |expression| evaluate(expression, &scope))?;
    }
    Ok(value)
}

fn range(call: &Call<'_>) -> Answer {
    let ([start, end, step], given) = call.between::<3>(2)?;
    let start = integer(call, start.as_ref())?;
    let end = integer(call, end.as_ref())?;
    let step = if given > 2 { integer(call, step.as_ref())? } else { 1 };
    if step == 0 {
        return refuse("$range requires a non-zero step value");
    }
    let length = ((end - start) / step).max(0).unsigned_abs();
    if length > LONGEST_RANGE {
        return refuse("$range would use too much memory");
    }
    call.budget().work(length)?;
    call.budget().bytes(length * std::mem::size_of::<Value>() as u64)?;
    let next = |number: &i64| number.checked_add(step);
    let numbers = std::iter::successors(Some(start), next)
        .take_while(|number| if step > 0 { *number < end } else { *number > end });
    Ok(Some(Value::Array(numbers.map(Value::from).collect())))
}

fn reverse(call: &Call<'_>) -> Answer {
    let [items] = call.exactly()?;
    let items = array(items, |kind| {
        format!("The argument to $reverseArray must be an array, but was of type: {kind}")
    })?;
    Ok(Some(items.map_or(Value::Null, |items| items.into_iter().rev().collect::<Vec<_>>().into())))
}

fn size(call: &Call<'_>) -> Answer {
    match call.exactly()? {
        [Some(Value::Array(items))] => Ok(Some(whole(items.len()))),
        [other] => refuse(format!(
            "The argument to $size must be an array, but was of type: {}",
            kind::name_or_missing(other.as_ref())
        )),
    }
}

fn slice(call: &Call<'_>) -> Answer {
    let ([items, first, second], given) = call.between::<3>(2)?;
    let null = present(first.clone()).is_none() || (given > 2 && present(second.clone()).is_none());
    let items =
        array(items, |kind| format!("First argument to $slice must be an array, but is of type: {kind}"))?;
    let Some(mut items) = items.filter(|_| !null) else {
        return NULL;
    };
    let first = integer(call, first.as_ref())?;
    let (start, count) = if given > 2 {
        let count = integer(call, second.as_ref())?;
        if count <= 0 {
            return refuse(format!("Third argument to $slice must be positive: {count}"));
        }
        (first, size_of(count))
    } else if first < 0 {
        (first, usize::MAX)
    } else {
        (0, size_of(first))
    };
    let start = if start < 0 { items.len().saturating_sub(size_of(start)) } else { size_of(start) };
    items.drain(..start.min(items.len()));
    items.truncate(count);
    Ok(Some(items.into()))
}

fn zip(call: &Call<'_>) -> Answer {
    let fields = call.named(&["inputs"], &["useLongestLength", "defaults"])?;
    let Some(inputs) = fields.get("inputs").and_then(Value::as_array) else {
        return refuse(format!(
            "inputs must be an array of expressions, found {}",
            kind::name_or_missing(fields.get("inputs"))
        ));
    };
    let longest = fields.get("useLongestLength").is_some_and(Value::is_truthy);
    if fields.get("defaults").is_some() && !longest {
        return refuse("cannot specify defaults unless useLongestLength is true");
    }
    let mut rows = Vec::new();
    for expression in inputs {
        let value = evaluate(expression, call.scope)?;
        match array(value, |kind| format!("$zip found a non-array expression in input: {kind}"))? {
            Some(items) => rows.push(items),
            None => return NULL,
        }
    }
    let defaults = match call.field(fields, "defaults")? {
        Some(Value::Array(defaults)) => defaults,
        _ => Vec::new(),
    };
    let lengths = rows.iter().map(Vec::len);
    let length = if longest { lengths.max() } else { lengths.min() }.unwrap_or(0);
    let mut zipped = Vec::new();
    for at in 0..length {
        let mut row = Vec::with_capacity(rows.len());
        for (which, items) in rows.iter().enumerate() {
            let value = items.get(at).or_else(|| defaults.get(which)).unwrap_or(&Value::Null);
            call.budget().make(value)?;
            row.push(value.clone());
        }
        zipped.push(Value::Array(row));
    }
    Ok(Some(zipped.into()))
}
