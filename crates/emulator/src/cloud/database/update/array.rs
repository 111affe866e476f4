//! Changes of arrays.

use std::collections::BTreeSet;

use super::super::budget::Budget;
use super::super::error::{DatabaseError, Outcome, refuse};
use super::super::filter::{Condition, Filter, is_operators};
use super::super::sort::sort_values;
use super::super::sought::AnyOf;
use super::super::{kind, path};
use super::parse::each;
use super::{Document, Value, ejson, named};
use crate::cloud::value::Ordered;

/// `$push`: what to add, where, and what to do with the array afterwards.
#[derive(Clone, Debug)]
pub(super) struct Push {
    values: Vec<Value>,
    position: Option<i64>,
    sort: Option<Value>,
    slice: Option<i64>,
}

impl Push {
    pub(super) fn parse(argument: &Value) -> Outcome<Push> {
        let values = each("$push", argument)?;
        let mut push = Push { values, position: None, sort: None, slice: None };
        let Some(modifiers) = argument.as_object().filter(|object| object.get("$each").is_some()) else {
            return match argument.as_object().and_then(|object| object.iter().next()) {
                Some((name, _)) if name.starts_with('$') => refuse(format!(
                    "The dollar ($) prefixed field '{name}' in '{name}' is not valid for storage."
                )),
                _ => Ok(push),
            };
        };
        let whole = |name: &str, value: &Value| {
            value.as_i64().ok_or_else(|| {
                DatabaseError::new(format!(
                    "The value for {name} must be an integer value but was given type: {}",
                    kind::name(value)
                ))
            })
        };
        for (name, value) in modifiers.iter() {
            match name {
                "$each" => {}
                "$position" => push.position = Some(whole(name, value)?),
                "$slice" => push.slice = Some(whole(name, value)?),
                "$sort" => {
                    sort_values(&mut [], value, &Budget::default())?;
                    push.sort = Some(value.clone());
                }
                unknown => return refuse(format!("Unrecognized clause in $push: {unknown}")),
            }
        }
        Ok(push)
    }

    /// The array after the push.
    pub(super) fn onto(&self, document: &Document, place: &[String], budget: &Budget) -> Outcome<Value> {
        let mut items = array_or_new(document, place, budget)?;
        budget.each(self.values.len())?;
        let at = match self.position {
            None => items.len(),
            Some(position) => position_in(position, items.len()),
        };
        items.splice(at..at, self.values.iter().cloned());
        if let Some(order) = &self.sort {
            sort_values(&mut items, order, budget)?;
        }
        if let Some(slice) = self.slice {
            let kept = usize::try_from(slice.unsigned_abs()).unwrap_or(usize::MAX).min(items.len());
            if slice < 0 {
                items.drain(..items.len() - kept);
            } else {
                items.truncate(kept);
            }
        }
        Ok(Value::Array(items))
    }
}

/// An index from the start, or from the end if it is negative, within the array.
fn position_in(position: i64, length: usize) -> usize {
    let steps = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
    if position < 0 { length.saturating_sub(steps) } else { steps.min(length) }
}

fn array_or_new(document: &Document, place: &[String], budget: &Budget) -> Outcome<Vec<Value>> {
    match path::get(document, place) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            budget.each(items.len())?;
            Ok(items.clone())
        }
        Some(other) => refuse(format!(
            "The field '{}' must be an array but is of type {} in document {}",
            place.join("."),
            kind::name(other),
            named(document)
        )),
    }
}

/// The array with the values that it does not have yet.
pub(super) fn add_to_set(
    document: &Document,
    place: &[String],
    values: &[Value],
    budget: &Budget,
) -> Outcome<Value> {
    let mut items = array_or_new(document, place, budget)?;
    budget.each(values.len())?;
    let mut known: BTreeSet<Ordered<&Value>> = items.iter().map(Ordered).collect();
    let new: Vec<Value> = values.iter().filter(|value| known.insert(Ordered(*value))).cloned().collect();
    items.extend(new);
    Ok(Value::Array(items))
}

/// The array without its first or its last element.
pub(super) fn pop(document: &Document, place: &[String], first: bool) -> Outcome<Option<Value>> {
    match path::get(document, place) {
        None => Ok(None),
        Some(Value::Array(items)) => {
            let rest = match (items.as_slice(), first) {
                ([_, rest @ ..], true) | ([rest @ .., _], false) => rest,
                ([], _) => &[],
            };
            Ok(Some(Value::Array(rest.to_vec())))
        }
        Some(other) => refuse(format!(
            "Path '{}' contains an element of non-array type '{}'",
            place.join("."),
            kind::name(other)
        )),
    }
}

/// `$pull` and `$pullAll`: which elements to take out.
#[derive(Clone, Debug)]
pub(super) enum Pull {
    /// Those equal to one of these.
    Values(AnyOf),
    /// Those that fulfil a condition.
    Condition(Condition),
    /// The documents that match a query.
    Query(Filter),
}

impl Pull {
    /// `$pullAll`
    pub(super) fn values(values: &[Value]) -> Pull {
        Pull::Values(AnyOf::new(values.to_vec()))
    }

    pub(super) fn parse(argument: &Value, budget: &Budget) -> Outcome<Pull> {
        match argument {
            Value::Object(query) if !is_operators(argument) => {
                Ok(Pull::Query(Filter::parse_within(query, budget)?))
            }
            _ => Ok(Pull::Condition(Condition::parse(argument, budget)?)),
        }
    }

    /// The array after the pull.
    pub(super) fn out_of(
        &self,
        document: &Document,
        place: &[String],
        budget: &Budget,
    ) -> Outcome<Option<Value>> {
        let items = match path::get(document, place) {
            None => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(other) => {
                return refuse(format!("Cannot apply $pull to a non-array value: {}", ejson::plain(other)));
            }
        };
        let mut kept = Vec::new();
        for item in items {
            budget.work(1)?;
            if !self.takes(item, budget)? {
                kept.push(item.clone());
            }
        }
        Ok(Some(Value::Array(kept)))
    }

    fn takes(&self, item: &Value, budget: &Budget) -> Outcome<bool> {
        match (self, item) {
            (Pull::Values(values), item) => values.has(item, budget),
            (Pull::Condition(condition), item) => condition.holds(item, budget),
            (Pull::Query(filter), Value::Object(item)) => filter.matches(item),
            (Pull::Query(_), _) => Ok(false),
        }
    }
}
