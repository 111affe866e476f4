//! Projections of a query: which fields of a document to give back.
//!
//! A projection either names what to give or what to leave out; only `_id` may be treated the other way. `$slice`
//! cuts arrays in either kind, and `$elemMatch` names the first matching element. Deliberately absent: the positional
//! projection `a.$`.

use std::collections::HashMap;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use super::filter::{Condition, Filter, is_operators};
use super::path;
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};

/// Which fields to give back.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    /// What is named, together with what goes without saying.
    fields: Shape,
    /// Whether only what is named is given.
    inclusive: bool,
    id: bool,
    slices: Vec<(Vec<String>, i64, Option<i64>)>,
    elements: Vec<(String, ElementMatch)>,
    /// What it may cost, for all documents together.
    budget: Budget,
}

#[derive(Clone, Debug)]
enum ElementMatch {
    Value(Condition),
    Document(Filter),
}

/// Named paths, as a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape(HashMap<String, Option<Shape>>);

impl Shape {
    /// Adds a path. A path inside one that is there already adds nothing.
    pub(super) fn add(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.0.insert((*first).to_owned(), None);
        } else if let Some(inner) =
            self.0.entry((*first).to_owned()).or_insert_with(|| Some(Shape::default()))
        {
            inner.add(rest);
        }
    }

    fn find(&self, name: &str) -> Option<&Option<Shape>> {
        self.0.get(name)
    }

    /// The document with the named fields only.
    pub(super) fn include(&self, document: &Document) -> Document {
        let kept = document.iter().filter_map(|(name, value)| match self.find(name)? {
            None => Some((name.to_owned(), value.clone())),
            Some(inner) => inner.include_in(value).map(|value| (name.to_owned(), value)),
        });
        kept.collect()
    }

    fn include_in(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(document) => Some(Value::Object(self.include(document))),
            Value::Array(items) => {
                Some(Value::Array(items.iter().filter_map(|item| self.include_in(item)).collect()))
            }
            _ => None,
        }
    }

    /// The document without the named fields.
    pub(super) fn exclude(&self, document: &Document) -> Document {
        let kept = document.iter().filter_map(|(name, value)| match self.find(name) {
            None => Some((name.to_owned(), value.clone())),
            Some(None) => None,
            Some(Some(inner)) => Some((name.to_owned(), inner.exclude_in(value))),
        });
        kept.collect()
    }

    fn exclude_in(&self, value: &Value) -> Value {
        match value {
            Value::Object(document) => Value::Object(self.exclude(document)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.exclude_in(item)).collect()),
            other => other.clone(),
        }
    }
}

impl Projection {
    /// Reads a projection. Numbers other than zero count as `true`; so do texts, as MongoDB has it.
    pub(crate) fn parse(projection: &Document) -> Outcome<Projection> {
        let mut parsed = Projection {
            fields: Shape::default(),
            inclusive: false,
            id: true,
            slices: Vec::new(),
            elements: Vec::new(),
            budget: Budget::default(),
        };
        let (mut included, mut excluded) = (false, false);
        for (path, value) in projection.iter() {
            if path.split('.').any(|part| part.starts_with('$')) {
                return refuse(format!("Positional projection '{path}' is not supported."));
            }
            path::check_length(path)?;
            match value {
                Value::Object(operator) => parsed.add_operator(path, operator)?,
                flag if path == "_id" => parsed.id = flag.is_truthy(),
                flag => {
                    included |= flag.is_truthy();
                    excluded |= !flag.is_truthy();
                    parsed.fields.add(&path.split('.').collect::<Vec<_>>());
                }
            }
        }
        if included && excluded {
            return refuse("Projection cannot have a mix of inclusion and exclusion.");
        }
        // `{_id: 1}` alone names what to give; `{_id: 0}` alone what to leave out.
        let only_id = parsed.id
            && projection.get("_id").is_some_and(|flag| !matches!(flag, Value::Object(_)))
            && projection.len() == 1;
        parsed.inclusive = included || only_id || (!parsed.elements.is_empty() && !excluded);
        parsed.complete();
        Ok(parsed)
    }

    /// Adds what goes without saying.
    fn complete(&mut self) {
        let fields = &mut self.fields;
        if self.inclusive {
            if self.id {
                fields.add(&["_id"]);
            }
            for (path, ..) in &self.slices {
                fields.add(&path.iter().map(String::as_str).collect::<Vec<_>>());
            }
            for (name, _) in &self.elements {
                fields.add(&[name]);
            }
        } else if !self.id {
            fields.add(&["_id"]);
        }
    }

    fn add_operator(&mut self, path: &str, operator: &Document) -> Outcome<()> {
        let mut operators = operator.iter();
        match (operators.next(), operators.next()) {
            (Some(("$slice", value)), None) => {
                let (skip, limit) = slice(value)?;
                self.slices.push((path.split('.').map(str::to_owned).collect(), skip, limit));
                Ok(())
            }
            (Some(("$elemMatch", _)), None) if path.contains('.') => {
                refuse("Cannot use $elemMatch projection on a nested field.")
            }
            (Some(("$elemMatch", Value::Object(wanted))), None) => {
                let condition = Value::Object(wanted.clone());
                let wanted = if is_operators(&condition) {
                    ElementMatch::Value(Condition::parse(&condition, &self.budget)?)
                } else {
                    ElementMatch::Document(Filter::parse_within(wanted, &self.budget)?)
                };
                self.elements.push((path.to_owned(), wanted));
                Ok(())
            }
            (Some(("$elemMatch", _)), None) => refuse("elemMatch: Invalid argument, object required"),
            (Some((unknown, _)), None) => refuse(format!("Unsupported projection option: {path}: {unknown}")),
            _ => refuse(format!(">1 field in obj: {path}")),
        }
    }

    /// What is given of a document.
    pub(crate) fn apply(&self, document: &Document) -> Outcome<Document> {
        let _made = self.budget.for_one_document();
        self.budget.measured(Measure::of_document(document))?;
        self.budget.each(self.slices.len() + self.elements.len())?;
        let fields = &self.fields;
        let mut given = if self.inclusive { fields.include(document) } else { fields.exclude(document) };
        for (path, skip, limit) in &self.slices {
            if let Some((first, rest)) = path.split_first()
                && let Some(value) = given.get_mut(first)
            {
                cut(value, rest, *skip, *limit);
            }
        }
        for (name, wanted) in &self.elements {
            match first_match(document.get(name), wanted, &self.budget)? {
                Some(element) => given.set(name.clone(), Value::Array(vec![element])),
                None => {
                    given.remove(name);
                }
            }
        }
        Ok(given)
    }
}

/// Where a slice starts, and how long it is at most.
fn slice(value: &Value) -> Outcome<(i64, Option<i64>)> {
    match value {
        Value::Array(both) => match both.as_slice() {
            [skip, limit] => match (skip.as_i64(), limit.as_i64()) {
                (Some(skip), Some(limit)) if limit > 0 => Ok((skip, Some(limit))),
                _ => refuse("$slice limit must be positive"),
            },
            _ => refuse("$slice array wrong size"),
        },
        number => match number.as_i64() {
            Some(count) if count < 0 => Ok((count, None)),
            Some(count) => Ok((0, Some(count))),
            None => refuse("$slice only supports numbers and [skip, limit] arrays"),
        },
    }
}

fn cut(value: &mut Value, path: &[String], skip: i64, limit: Option<i64>) {
    match (value, path.split_first()) {
        (Value::Array(items), None) => {
            let size = |number: i64| usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
            let start =
                if skip < 0 { items.len().saturating_sub(size(skip)) } else { size(skip).min(items.len()) };
            items.drain(..start);
            items.truncate(limit.map_or(usize::MAX, size));
        }
        (Value::Array(items), Some(_)) => {
            items.iter_mut().for_each(|item| cut(item, path, skip, limit));
        }
        (Value::Object(inner), Some((first, rest))) => {
            if let Some(value) = inner.get_mut(first) {
                cut(value, rest, skip, limit);
            }
        }
        _ => {}
    }
}

fn first_match(value: Option<&Value>, wanted: &ElementMatch, budget: &Budget) -> Outcome<Option<Value>> {
    for item in value.and_then(Value::as_array).unwrap_or_default() {
        let found = match (wanted, item) {
            (ElementMatch::Value(condition), item) => condition.holds(item, budget)?,
            (ElementMatch::Document(filter), Value::Object(item)) => filter.matches(item)?,
            (ElementMatch::Document(_), _) => false,
        };
        if found {
            return Ok(Some(item.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{doc, shown};
    use super::*;

    fn projected(projection: Json, document: Json) -> Json {
        shown(&Projection::parse(&doc(projection)).unwrap().apply(&doc(document)).unwrap())
    }

    #[test]
    fn an_inclusion_gives_what_is_named_and_the_id() {
        assert_eq!(
            projected(
                json!({"a": true, "b.c": 1}),
                json!({"_id": 1, "a": 1, "b": [{"c": 1, "d": 2}, 3], "e": 1})
            ),
            json!({"_id": 1, "a": 1, "b": [{"c": 1}]})
        );
        assert_eq!(projected(json!({"a": 1, "_id": false}), json!({"_id": 1, "a": 1})), json!({"a": 1}));
    }

    #[test]
    fn an_exclusion_leaves_out_what_is_named() {
        assert_eq!(
            projected(json!({"a": 0, "b.c": false}), json!({"_id": 1, "a": 1, "b": {"c": 1, "d": 2}})),
            json!({"_id": 1, "b": {"d": 2}})
        );
        assert_eq!(projected(json!({"_id": 0}), json!({"_id": 1, "a": 1})), json!({"a": 1}));
    }

    #[test]
    fn the_id_alone_can_be_named() {
        assert_eq!(projected(json!({"_id": 1}), json!({"_id": 1, "a": 1})), json!({"_id": 1}));
    }

    #[test]
    fn both_kinds_do_not_mix() {
        assert_eq!(
            Projection::parse(&doc(json!({"a": 1, "b": 0}))).unwrap_err().to_string(),
            "Projection cannot have a mix of inclusion and exclusion."
        );
    }

    #[test]
    fn slice_cuts_an_array_and_gives_the_rest() {
        let document = json!({"a": [1, 2, 3], "b": 1});
        assert_eq!(projected(json!({"a": {"$slice": 2}}), document.clone()), json!({"a": [1, 2], "b": 1}));
        assert_eq!(projected(json!({"a": {"$slice": -2}}), document.clone()), json!({"a": [2, 3], "b": 1}));
        assert_eq!(projected(json!({"a": {"$slice": [1, 1]}}), document), json!({"a": [2], "b": 1}));
    }

    #[test]
    fn elem_match_gives_the_first_matching_element() {
        let document = json!({"_id": 1, "a": [{"x": 1}, {"x": 2}, {"x": 2, "y": 0}], "b": 1});
        assert_eq!(
            projected(json!({"a": {"$elemMatch": {"x": 2}}}), document.clone()),
            json!({"_id": 1, "a": [{"x": 2}]})
        );
        assert_eq!(projected(json!({"a": {"$elemMatch": {"x": 9}}}), document), json!({"_id": 1}));
    }
}
