//! Dotted paths, in two of the three ways in which MongoDB walks them; a query's path is [another](super::reach).
//!
//! An expression's path ([`gather`]) collects from arrays and knows no indexes. An update's path ([`locate`]) is first made concrete, so
//! that what is left are names and indexes of one place; then [`get`], [`put`] and [`take`] work on that place.
//!
//! Deliberately absent: array filters (`a.$[name]`), which cloud development cannot send.

use super::budget::Budget;
use super::error::{Outcome, refuse};
use super::kind;
use crate::cloud::ejson;
use crate::cloud::measure::DEEPEST_DOCUMENT;
use crate::cloud::value::{Document, Value};

/// How far a new index may lie behind the end of an array. MongoDB allows 1,500,000, which is 13 MB of nothing.
const MOST_PADDING: usize = 100_000;
/// The most names and indexes in a path: a document is not nested deeper.
const LONGEST: usize = DEEPEST_DOCUMENT;

/// The longest path, in bytes.
const LONGEST_TEXT: usize = 1_024;

/// Refuses a path that is longer than any document is deep.
pub(super) fn check_length(path: &str) -> Outcome<()> {
    check_bytes(path.len())?;
    check_names(path.split('.').count())
}

/// The same of a path in parts.
pub(super) fn check_parts(path: &[&str]) -> Outcome<()> {
    check_bytes(path.iter().map(|part| part.len() + 1).sum::<usize>().saturating_sub(1))?;
    check_names(path.len())
}

/// Refuses a path of too many bytes. Paths are written into as many documents as a request is about.
pub(super) fn check_bytes(bytes: usize) -> Outcome<()> {
    if bytes > LONGEST_TEXT {
        return refuse(format!("a path has {LONGEST_TEXT} bytes at most"));
    }
    Ok(())
}

/// Refuses a path of too many names.
pub(super) fn check_names(names: usize) -> Outcome<()> {
    if names > LONGEST {
        return refuse(format!("a path has {LONGEST} names at most"));
    }
    Ok(())
}

/// What an expression's path gives: from an array, the array of what its documents give.
pub(super) fn gather(value: &Value, parts: &[&str], budget: &Budget) -> Outcome<Option<Value>> {
    let Some((first, rest)) = parts.split_first() else {
        budget.make(value)?;
        return Ok(Some(value.clone()));
    };
    match value {
        Value::Object(document) => document.get(first).map_or(Ok(None), |inner| gather(inner, rest, budget)),
        Value::Array(items) => {
            budget.each(items.len())?;
            let mut gathered = Vec::new();
            for item in items.iter().filter(|item| matches!(item, Value::Object(_) | Value::Array(_))) {
                gathered.extend(gather(item, parts, budget)?);
            }
            Ok(Some(Value::Array(gathered)))
        }
        _ => Ok(None),
    }
}

/// The places an update's path means: `$` is the matched element, `$[]` every element.
pub(super) fn locate(
    document: &Document,
    path: &str,
    matched: Option<usize>,
    budget: &Budget,
) -> Outcome<Vec<Vec<String>>> {
    let mut places: Vec<Vec<String>> = vec![Vec::new()];
    for part in path.split('.') {
        match part {
            "" => {
                return refuse(format!(
                    "The update path '{path}' contains an empty field name, which is not allowed."
                ));
            }
            "$" => {
                let Some(index) = matched else {
                    return refuse("The positional operator did not find the match needed from the query.");
                };
                places.iter_mut().for_each(|place| place.push(index.to_string()));
            }
            "$[]" => places = spread(document, &places, budget)?,
            _ if part.starts_with("$[") => {
                return refuse(format!("No array filter found for '{part}' in path '{path}'"));
            }
            _ if part.starts_with('$') => {
                return refuse(format!(
                    "The dollar ($) prefixed field '{part}' in '{path}' is not valid for storage."
                ));
            }
            _ => {
                budget.bytes((places.len() * (32 + part.len())) as u64)?;
                places.iter_mut().for_each(|place| place.push(part.to_owned()));
            }
        }
    }
    Ok(places)
}

fn spread(document: &Document, places: &[Vec<String>], budget: &Budget) -> Outcome<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for place in places {
        match get(document, place) {
            Some(Value::Array(items)) => {
                let steps = (items.len() * (place.len() + 1)) as u64;
                budget.work(steps)?;
                budget.bytes(32 * steps)?;
                all.extend((0..items.len()).map(|index| {
                    let mut element = place.clone();
                    element.push(index.to_string());
                    element
                }));
            }
            Some(other) => {
                let path = place.join(".");
                return refuse(format!(
                    "Cannot apply array updates to non-array element {path}: {}",
                    ejson::plain(other)
                ));
            }
            None => {
                let path = place.join(".");
                return refuse(format!(
                    "The path '{path}' must exist in the document in order to apply array updates."
                ));
            }
        }
    }
    Ok(all)
}

/// The place in an array that a step names: a number as it is written in documents, without sign and leading zeros.
pub(super) fn place_in_array(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with(['0', '+']);
    canonical.then(|| step.parse().ok()).flatten()
}

/// What is at one place.
pub(super) fn get<'a>(document: &'a Document, place: &[String]) -> Option<&'a Value> {
    let (first, rest) = place.split_first()?;
    rest.iter().try_fold(document.get(first)?, |value, step| match value {
        Value::Object(inner) => inner.get(step),
        Value::Array(items) => items.get(place_in_array(step)?),
        _ => None,
    })
}

/// Puts a value at one place. Documents on the way are created, arrays are filled up with `null`.
pub(super) fn put(document: &mut Document, place: &[String], value: Value, budget: &Budget) -> Outcome<()> {
    let Some((first, rest)) = place.split_first() else {
        return Ok(());
    };
    if rest.is_empty() {
        document.set(first.clone(), value);
        return Ok(());
    }
    if document.get(first).is_none() {
        document.set(first.clone(), Document::new());
    }
    document.get_mut(first).map_or(Ok(()), |inner| put_into(inner, first, rest, value, budget))
}

fn put_into(at: &mut Value, name: &str, place: &[String], value: Value, budget: &Budget) -> Outcome<()> {
    let step = place.first().map_or("", String::as_str);
    match (at, place_in_array(step)) {
        (Value::Object(inner), _) => put(inner, place, value, budget),
        (Value::Array(items), Some(index)) => {
            if index > items.len() + MOST_PADDING {
                return refuse(format!("can't backfill more than {MOST_PADDING} elements"));
            }
            let rest = place.get(1..).unwrap_or_default();
            if index >= items.len() {
                let new = (index - items.len()) as u64 + 1;
                budget.work(new)?;
                budget.bytes(new * size_of::<Value>() as u64)?;
                items.resize(index, Value::Null);
                items.push(if rest.is_empty() { Value::Null } else { Document::new().into() });
            }
            match items.get_mut(index) {
                Some(item) if rest.is_empty() => *item = value,
                Some(item) => return put_into(item, step, rest, value, budget),
                None => {}
            }
            Ok(())
        }
        (at, _) => {
            let shown = ejson::plain(at);
            refuse(format!("Cannot create field '{step}' in element {{{name}: {shown}}}"))
        }
    }
}

/// Takes away what is at one place. An element of an array becomes `null`, so that the others keep their index.
pub(super) fn take(document: &mut Document, place: &[String], budget: &Budget) -> Outcome<Option<Value>> {
    let Some((first, rest)) = place.split_first() else { return Ok(None) };
    if rest.is_empty() {
        // The fields behind the one that goes move up.
        budget.each(document.len() / 8)?;
        return Ok(document.remove(first));
    }
    document.get_mut(first).map_or(Ok(None), |inner| take_from(inner, rest, budget))
}

fn take_from(at: &mut Value, place: &[String], budget: &Budget) -> Outcome<Option<Value>> {
    let Some((first, rest)) = place.split_first() else { return Ok(None) };
    match at {
        Value::Object(inner) => take(inner, place, budget),
        Value::Array(items) => match place_in_array(first).and_then(|at| items.get_mut(at)) {
            Some(item) if rest.is_empty() => Ok(Some(std::mem::replace(item, Value::Null))),
            Some(item) => take_from(item, rest, budget),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Whether a place lies inside an array.
pub(super) fn crosses_array(document: &Document, place: &[String]) -> bool {
    (1..place.len()).any(|length| {
        place
            .get(..length)
            .and_then(|start| get(document, start))
            .is_some_and(|value| kind::is(value, "array"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{doc, value};
    use super::*;

    fn steps(path: &str) -> Vec<String> {
        path.split('.').map(str::to_owned).collect()
    }

    fn located(document: &Document, path: &str, matched: Option<usize>) -> Vec<Vec<String>> {
        locate(document, path, matched, &Budget::default()).unwrap()
    }

    fn after_put(document: serde_json::Value, path: &str) -> Document {
        let mut document = doc(document);
        put(&mut document, &steps(path), Value::Int(7), &Budget::default()).unwrap();
        document
    }

    #[test]
    fn an_expression_collects_from_arrays() {
        assert_eq!(
            gather(&value(json!({"a": [{"b": 1}, {"c": 2}, 3]})), &["a", "b"], &Budget::default()),
            Ok(Some(value(json!([1]))))
        );
    }

    #[test]
    fn documents_are_created_on_the_way() {
        assert_eq!(after_put(json!({}), "a.b.c"), doc(json!({"a": {"b": {"c": 7}}})));
    }

    #[test]
    fn arrays_are_filled_up() {
        assert_eq!(after_put(json!({"a": [1]}), "a.3"), doc(json!({"a": [1, null, null, 7]})));
    }

    #[test]
    fn arrays_are_not_filled_up_without_end() {
        let refused = put(&mut doc(json!({"a": []})), &steps("a.100001"), Value::Null, &Budget::default());
        assert_eq!(refused.unwrap_err().to_string(), "can't backfill more than 100000 elements");
    }

    #[test]
    fn a_scalar_has_no_fields() {
        let refused = put(&mut doc(json!({"a": 1})), &steps("a.b"), Value::Null, &Budget::default());
        assert_eq!(refused.unwrap_err().to_string(), "Cannot create field 'b' in element {a: 1}");
    }

    #[test]
    fn the_positional_operator_becomes_an_index() {
        assert_eq!(located(&Document::new(), "a.$.x", Some(2)), [steps("a.2.x")]);
    }

    #[test]
    fn all_elements_are_as_many_places() {
        assert_eq!(located(&doc(json!({"a": [1, 2]})), "a.$[]", None), [steps("a.0"), steps("a.1")]);
    }

    #[test]
    fn an_element_taken_away_leaves_null() {
        let mut document = doc(json!({"a": [1, 2]}));
        take(&mut document, &steps("a.0"), &Budget::default()).unwrap();
        assert_eq!(document, doc(json!({"a": [null, 2]})));
    }
}
