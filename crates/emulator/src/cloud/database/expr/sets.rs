//! Arrays as sets: order and repetitions do not count. Unions and intersections come out in MongoDB's order.

use std::collections::BTreeSet;

use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::call::{Answer, Call, NULL, present};
use crate::cloud::value::{Ordered, Value};

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    Some(match call.name {
        "$setEquals" => equals(call),
        "$setIntersection" => combine(call, |kept, next| {
            let next = set(next);
            kept.retain(|value| has(&next, value));
        }),
        "$setUnion" => combine(call, |all, next| all.extend(next)),
        "$setDifference" => difference(call),
        "$setIsSubset" => subset(call),
        "$allElementsTrue" => elements(call).map(|items| Some(items.iter().all(Value::is_truthy).into())),
        "$anyElementTrue" => elements(call).map(|items| Some(items.iter().any(Value::is_truthy).into())),
        _ => return None,
    })
}

fn set(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by(Value::compare);
    items.dedup_by(|a, b| a.equals(b));
    items
}

/// Whether a set has a value.
fn has(set: &[Value], wanted: &Value) -> bool {
    set.binary_search_by(|value| value.compare(wanted)).is_ok()
}

fn array(call: &Call<'_>, value: Option<Value>) -> Outcome<Vec<Value>> {
    match value {
        Some(Value::Array(items)) => {
            // To put it in order takes some comparisons for each element.
            call.budget()
                .work(items.len() as u64 * u64::from(items.len().checked_ilog2().unwrap_or(0) + 1))?;
            Ok(items)
        }
        other => refuse(format!(
            "All operands of {} must be arrays. One argument is of type: {}",
            call.name,
            kind::name_or_missing(other.as_ref())
        )),
    }
}

fn elements(call: &Call<'_>) -> Outcome<Vec<Value>> {
    match call.exactly()? {
        [Some(Value::Array(items))] => Ok(items),
        [other] => refuse(format!(
            "{}'s argument must be an array, but is {}",
            call.name,
            kind::name_or_missing(other.as_ref())
        )),
    }
}

fn equals(call: &Call<'_>) -> Answer {
    if call.expressions().len() < 2 {
        return refuse("$setEquals needs at least two arguments");
    }
    let mut sets = Vec::new();
    for value in call.all()? {
        sets.push(set(array(call, value)?));
    }
    let same = sets.windows(2).all(|pair| match pair {
        [a, b] => Value::Array(a.clone()).equals(&Value::Array(b.clone())),
        _ => true,
    });
    Ok(Some(same.into()))
}

fn combine(call: &Call<'_>, with: fn(&mut Vec<Value>, Vec<Value>)) -> Answer {
    let mut result: Option<Vec<Value>> = None;
    for value in call.all()? {
        let Some(value) = present(value) else {
            return NULL;
        };
        let items = array(call, Some(value))?;
        match &mut result {
            Some(result) => with(result, items),
            None => result = Some(items),
        }
    }
    Ok(Some(set(result.unwrap_or_default()).into()))
}

/// The elements of the first array that are not in the second, in their order.
fn difference(call: &Call<'_>) -> Answer {
    let [a, b] = call.exactly()?;
    let (Some(a), Some(b)) = (present(a), present(b)) else {
        return NULL;
    };
    let (a, b) = (array(call, Some(a))?, set(array(call, Some(b))?));
    let mut seen = BTreeSet::new();
    let rest = a.iter().filter(|value| !has(&b, value) && seen.insert(Ordered(*value)));
    Ok(Some(rest.cloned().collect::<Vec<Value>>().into()))
}

fn subset(call: &Call<'_>) -> Answer {
    let [a, b] = call.exactly()?;
    let (a, b) = (array(call, a)?, set(array(call, b)?));
    Ok(Some(a.iter().all(|value| has(&b, value)).into()))
}
