//! Updates with operators: `$set`, `$inc`, `$push` and their kind.
//!
//! An update is read once and applied to many documents. A document is changed wholly or, on a refusal, not at all.
//! No two operators may touch the same field, and `_id` stays what it is. New fields come in the order in which the
//! update names them.
//!
//! Deliberately absent: replacing a whole document, which needs no operator, and array filters.

mod array;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use super::{kind, number, path};
use crate::cloud::ejson;
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};
use array::{Pull, Push};

/// An update: what to do at which path.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    changes: Vec<(String, Change)>,
    /// What it may cost, for all documents together.
    budget: Budget,
}

/// What an update needs to know besides the document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Occasion {
    /// The array element by which the query matched: what `$` means.
    pub(crate) matched_index: Option<usize>,
    /// Whether the document is being inserted.
    pub(crate) inserting: bool,
    /// The moment, in milliseconds since 1970.
    pub(crate) now: i64,
}

#[derive(Clone, Debug)]
enum Change {
    Set(Value),
    SetOnInsert(Value),
    Unset,
    Add(Value),
    Multiply(Value),
    Lower(Value),
    Raise(Value),
    Rename(String),
    Push(Push),
    PopFirst,
    PopLast,
    Pull(Pull),
    AddToSet(Vec<Value>),
    Bits(Vec<(Bits, Value)>),
    Now,
}

#[derive(Clone, Copy, Debug)]
enum Bits {
    And,
    Or,
    Xor,
}

/// One change at one place.
type Step<'a> = (Vec<String>, &'a Change);

impl Update {
    /// Reads an update document.
    pub(crate) fn parse(update: &Document) -> Outcome<Update> {
        parse::update(update)
    }

    /// Changes a document, and says whether anything in it is different now.
    pub(crate) fn apply(&self, document: &mut Document, occasion: Occasion) -> Outcome<bool> {
        let budget = &self.budget;
        let _made = budget.for_one_document();
        let mut steps: Vec<Step<'_>> = Vec::new();
        for (path, change) in &self.changes {
            let places = path::locate(document, path, occasion.matched_index, budget)?;
            steps.extend(places.into_iter().map(|place| (place, change)));
        }
        check_conflicts(&steps)?;
        let before = Measure::of_document(document);
        budget.work(before.values + before.memory / 64)?;
        let mut changed = document.clone();
        for (place, change) in &steps {
            budget.work(place.len() as u64)?;
            change.make(&mut changed, place, occasion, budget)?;
        }
        if let Some(refusal) = Measure::of_document(&changed).refusal() {
            return refuse(refusal);
        }
        let id = document.get("_id");
        if id.is_some() && id != changed.get("_id") {
            return refuse("Performing an update on the path '_id' would modify the immutable field '_id'");
        }
        let modified = changed != *document;
        *document = changed;
        Ok(modified)
    }
}

/// Refuses two changes of which one lies inside the other.
fn check_conflicts(steps: &[Step<'_>]) -> Outcome<()> {
    // In order, a place comes directly before what lies inside it.
    let mut touched: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (place, change) in steps {
        let target = match change {
            Change::Rename(to) => Some(to.split('.').collect()),
            _ => None,
        };
        for place in std::iter::once(place.iter().map(String::as_str).collect()).chain(target) {
            let outer =
                touched.range::<Vec<&str>, _>(..=&place).next_back().filter(|other| place.starts_with(other));
            let inner =
                touched.range::<Vec<&str>, _>(&place..).next().filter(|other| other.starts_with(&place));
            if let Some(other) = outer.or(inner) {
                let at = if other.len() < place.len() { other } else { &place };
                return refuse(format!(
                    "Updating the path '{}' would create a conflict at '{}'",
                    place.join("."),
                    at.join(".")
                ));
            }
            touched.insert(place);
        }
    }
    Ok(())
}

impl Change {
    fn make(
        &self,
        document: &mut Document,
        place: &[String],
        occasion: Occasion,
        budget: &Budget,
    ) -> Outcome<()> {
        let now = path::get(document, place);
        let value = match self {
            Change::Set(value) => Some(value.clone()),
            Change::SetOnInsert(value) => occasion.inserting.then(|| value.clone()),
            Change::Unset => {
                path::take(document, place, budget)?;
                None
            }
            Change::Add(by) => Some(add(document, place, by)?),
            Change::Multiply(by) => Some(multiply(document, place, by)?),
            Change::Lower(limit) => now.is_none_or(|now| limit.compare(now).is_lt()).then(|| limit.clone()),
            Change::Raise(limit) => now.is_none_or(|now| limit.compare(now).is_gt()).then(|| limit.clone()),
            Change::Rename(to) => return rename(document, place, to, budget),
            Change::Push(push) => Some(push.onto(document, place, budget)?),
            Change::PopFirst => array::pop(document, place, true)?,
            Change::PopLast => array::pop(document, place, false)?,
            Change::Pull(pull) => pull.out_of(document, place, budget)?,
            Change::AddToSet(values) => Some(array::add_to_set(document, place, values, budget)?),
            Change::Bits(operations) => Some(bits(document, place, operations)?),
            Change::Now => Some(Value::Date(occasion.now)),
        };
        match value {
            Some(value) => {
                budget.make(&value)?;
                path::put(document, place, value, budget)
            }
            None => Ok(()),
        }
    }
}

/// How messages call a document.
fn named(document: &Document) -> String {
    let id = document.get("_id").map_or_else(|| "no id".to_owned(), |id| ejson::plain(id).to_string());
    format!("{{_id: {id}}}")
}

fn not_a_number(operator: &str, document: &Document, place: &[String], found: &Value) -> Outcome<Value> {
    let name = place.last().map_or("", String::as_str);
    refuse(format!(
        "Cannot apply {operator} to a value of non-numeric type. {} has the field '{name}' of non-numeric type {}",
        named(document),
        kind::name(found)
    ))
}

fn add(document: &Document, place: &[String], by: &Value) -> Outcome<Value> {
    match path::get(document, place) {
        None => Ok(by.clone()),
        Some(now) if now.as_f64().is_none() => not_a_number("$inc", document, place, now),
        Some(now) => number::add(now, by).map_or_else(|| overflow("$inc", document, now), Ok),
    }
}

fn multiply(document: &Document, place: &[String], by: &Value) -> Outcome<Value> {
    match path::get(document, place) {
        // Nothing times something is nothing, in the type of the factor.
        None => Ok(number::multiply(by, &Value::Int(0)).unwrap_or(Value::Int(0))),
        Some(now) if now.as_f64().is_none() => not_a_number("$mul", document, place, now),
        Some(now) => number::multiply(now, by).map_or_else(|| overflow("$mul", document, now), Ok),
    }
}

fn overflow(operator: &str, document: &Document, now: &Value) -> Outcome<Value> {
    refuse(format!(
        "Failed to apply {operator} operations to current value ({}) for document {}",
        ejson::plain(now),
        named(document)
    ))
}

fn rename(document: &mut Document, place: &[String], to: &str, budget: &Budget) -> Outcome<()> {
    let target: Vec<String> = to.split('.').map(str::to_owned).collect();
    for (what, place) in [("source", place), ("destination", target.as_slice())] {
        if path::crosses_array(document, place) {
            return refuse(format!(
                "The {what} field cannot be an array element, '{}' in doc with {}",
                place.join("."),
                named(document)
            ));
        }
    }
    match path::take(document, place, budget)? {
        Some(value) => path::put(document, &target, value, budget),
        None => Ok(()),
    }
}

fn bits(document: &Document, place: &[String], operations: &[(Bits, Value)]) -> Outcome<Value> {
    let mut value = path::get(document, place).cloned().unwrap_or(Value::Int(0));
    for (operation, mask) in operations {
        let (Some(now), Some(with)) = (number::integer(&value), number::integer(mask)) else {
            let name = place.last().map_or("", String::as_str);
            return refuse(format!(
                "Cannot apply $bit to a value of non-integral type. {} has the field {name} of non-integer type {}",
                named(document),
                kind::name(&value)
            ));
        };
        let result = match operation {
            Bits::And => now & with,
            Bits::Or => now | with,
            Bits::Xor => now ^ with,
        };
        value = number::widest(&value, mask, result);
    }
    Ok(value)
}
