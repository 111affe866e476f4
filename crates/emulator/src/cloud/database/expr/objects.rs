//! Documents: merging them, and turning them into arrays and back.

use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::call::{Answer, Call, NULL, present};
use crate::cloud::value::{Document, Value};

/// What a name and a value take as a document of their own.
const PAIR: u64 = 400;

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    Some(match call.name {
        "$mergeObjects" => merge(call),
        "$objectToArray" => to_array(call),
        "$arrayToObject" => from_array(call),
        _ => return None,
    })
}

fn merge(call: &Call<'_>) -> Answer {
    let mut merged = Document::new();
    for value in call.all()? {
        call.budget().each(value.as_ref().and_then(Value::as_object).map_or(0, |fields| 4 * fields.len()))?;
        merge_into(&mut merged, value)?;
    }
    Ok(Some(merged.into()))
}

/// Sets all fields of a document; `null` has none.
pub(super) fn merge_into(merged: &mut Document, value: Option<Value>) -> Outcome<()> {
    match present(value) {
        None => Ok(()),
        Some(Value::Object(document)) => {
            document.into_iter().for_each(|(name, value)| merged.set(name, value));
            Ok(())
        }
        Some(other) => refuse(format!(
            "$mergeObjects requires object inputs, but input is of type {}",
            kind::name(&other)
        )),
    }
}

fn to_array(call: &Call<'_>) -> Answer {
    let [value] = call.exactly()?;
    match present(value) {
        None => NULL,
        Some(Value::Object(document)) => {
            call.budget().each(16 * document.len())?;
            call.budget().bytes(PAIR * document.len() as u64)?;
            let pairs = document.into_iter().map(|(name, value)| {
                let mut pair = Document::new();
                pair.set("k", name);
                pair.set("v", value);
                Value::Object(pair)
            });
            Ok(Some(Value::Array(pairs.collect())))
        }
        Some(other) => {
            refuse(format!("$objectToArray requires a document input, found: {}", kind::name(&other)))
        }
    }
}

fn from_array(call: &Call<'_>) -> Answer {
    let [value] = call.exactly()?;
    match present(value) {
        None => NULL,
        Some(Value::Array(items)) => {
            call.budget().each(4 * items.len())?;
            call.budget().bytes(PAIR * items.len() as u64)?;
            let pairs = items.into_iter().map(pair).collect::<Outcome<Vec<_>>>()?;
            Ok(Some(Value::Object(pairs.into_iter().collect())))
        }
        Some(other) => {
            refuse(format!("$arrayToObject requires an array input, found: {}", kind::name(&other)))
        }
    }
}

/// A name and a value, from `[name, value]` or `{k: name, v: value}`.
fn pair(item: Value) -> Outcome<(String, Value)> {
    match item {
        Value::Array(both) => match <[Value; 2]>::try_from(both) {
            Ok([Value::String(name), value]) => Ok((name, value)),
            Ok([name, _]) => refuse(format!(
                "$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: {}",
                kind::name(&name)
            )),
            Err(other) => refuse(format!(
                "$arrayToObject requires an array of size 2 arrays,found array of size: {}",
                other.len()
            )),
        },
        Value::Object(fields) if fields.len() == 2 => match (fields.get("k"), fields.get("v")) {
            (Some(Value::String(name)), Some(value)) => Ok((name.clone(), value.clone())),
            _ => {
                refuse("$arrayToObject requires an object with keys 'k' and 'v', where 'k' is of type string")
            }
        },
        other => refuse(format!("Unrecognised input type format for $arrayToObject: {}", kind::name(&other))),
    }
}
