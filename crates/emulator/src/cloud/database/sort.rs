//! MongoDB's order of documents: by several keys, arrays by their smallest element going up and by their largest
//! going down. Documents with the same keys keep their order.

use std::borrow::Borrow;
use std::cmp::Ordering;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use super::reach::{Path, reach_within};
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};

/// The most keys. MongoDB's own limit, which is that of fields in an index.
const MOST_KEYS: usize = 32;

/// By what to sort.
#[derive(Clone, Debug)]
pub(crate) struct SortOrder(Vec<(Path, Direction)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// A key of a document. An empty array comes before everything, a missing field counts as `null`.
type Key = Option<Value>;

impl SortOrder {
    /// Reads `{a: 1, b: -1}`.
    pub(crate) fn parse(order: &Document) -> Outcome<SortOrder> {
        if order.len() > MOST_KEYS {
            return refuse(format!("a sort has {MOST_KEYS} keys at most"));
        }
        let keys = order.iter().map(|(path, direction)| match direction.as_f64() {
            Some(1.0) => Ok((Path::new(path), Direction::Up)),
            Some(-1.0) => Ok((Path::new(path), Direction::Down)),
            _ => refuse("$sort key ordering must be 1 (for ascending) or -1 (for descending)"),
        });
        Ok(SortOrder(keys.collect::<Outcome<_>>()?))
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sorts documents.
    pub(super) fn sort_within<D: Borrow<Document>>(
        &self,
        documents: &mut Vec<D>,
        budget: &Budget,
    ) -> Outcome<()> {
        let mut keyed = Vec::with_capacity(documents.len());
        let _keys = budget.for_one_document();
        for document in documents.drain(..) {
            let keys = self.keys(document.borrow(), budget)?;
            for key in keys.iter().flatten() {
                budget.make(key)?;
            }
            keyed.push((keys, document));
        }
        let comparisons = keyed.len() as u64 * u64::from(keyed.len().checked_ilog2().unwrap_or(0));
        budget.work(comparisons)?;
        keyed.sort_by(|(a, _), (b, _)| self.compare(a, b));
        documents.extend(keyed.into_iter().map(|(_, document)| document));
        Ok(())
    }

    fn keys(&self, document: &Document, budget: &Budget) -> Outcome<Vec<Key>> {
        self.0.iter().map(|(path, direction)| key(document, path, *direction, budget)).collect()
    }

    fn compare(&self, a: &[Key], b: &[Key]) -> Ordering {
        for ((_, direction), (a, b)) in self.0.iter().zip(a.iter().zip(b)) {
            let order = compare_keys(a.as_ref(), b.as_ref());
            if order != Ordering::Equal {
                return if *direction == Direction::Up { order } else { order.reverse() };
            }
        }
        Ordering::Equal
    }
}

fn compare_keys(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.compare(b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

fn key(document: &Document, path: &Path, direction: Direction, budget: &Budget) -> Outcome<Key> {
    let mut keys: Vec<Option<&Value>> = Vec::new();
    for place in reach_within(document, path, budget)? {
        match place.value {
            Some(Value::Array(items)) if items.is_empty() => keys.push(None),
            Some(value @ Value::Array(items)) => {
                budget.work(Measure::of(value).values)?;
                keys.extend(items.iter().map(Some));
            }
            Some(value) => keys.push(Some(value)),
            None => keys.push(Some(&Value::Null)),
        }
    }
    let chosen = match direction {
        Direction::Up => keys.into_iter().min_by(|a, b| compare_keys(*a, *b)),
        Direction::Down => keys.into_iter().max_by(|a, b| compare_keys(*a, *b)),
    };
    Ok(chosen.map_or(Some(Value::Null), |key| key.cloned()))
}

/// Puts values in order, as `$push` with `$sort` does: by themselves, or by their fields.
pub(super) fn sort_values(values: &mut [Value], order: &Value, budget: &Budget) -> Outcome<()> {
    let all: u64 = values.iter().map(|value| Measure::of(value).values).sum();
    budget.work(all * u64::from(values.len().checked_ilog2().unwrap_or(0)))?;
    match order {
        Value::Object(fields) => {
            let order = SortOrder::parse(fields)?;
            let empty = Document::new();
            let mut keyed: Vec<(Vec<Key>, Value)> = Vec::with_capacity(values.len());
            for value in values.iter_mut() {
                let keys = order.keys(value.as_object().unwrap_or(&empty), budget)?;
                keys.iter().flatten().try_for_each(|key| budget.make(key))?;
                keyed.push((keys, std::mem::replace(value, Value::Null)));
            }
            keyed.sort_by(|(a, _), (b, _)| order.compare(a, b));
            for (place, (_, value)) in values.iter_mut().zip(keyed) {
                *place = value;
            }
            Ok(())
        }
        number => match number.as_f64() {
            Some(1.0) => {
                values.sort_by(Value::compare);
                Ok(())
            }
            Some(-1.0) => {
                values.sort_by(|a, b| b.compare(a));
                Ok(())
            }
            _ => refuse("The $sort element value must be either 1 or -1"),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{doc, docs, shown, value};
    use super::*;

    fn sorted(order: Json, documents: Json) -> Vec<Json> {
        let mut documents = docs(documents);
        SortOrder::parse(&doc(order)).unwrap().sort_within(&mut documents, &Budget::default()).unwrap();
        documents.iter().map(shown).collect()
    }

    #[test]
    fn the_second_key_decides_where_the_first_is_equal() {
        assert_eq!(
            sorted(json!({"a": 1, "b": -1}), json!([{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 2}])),
            [json!({"a": 1, "b": 2}), json!({"a": 1, "b": 1}), json!({"a": 2, "b": 1})]
        );
    }

    #[test]
    fn an_array_counts_by_its_smallest_element_going_up() {
        assert_eq!(
            sorted(json!({"a": 1}), json!([{"a": 2}, {"a": [9, 1]}])),
            [json!({"a": [9, 1]}), json!({"a": 2})]
        );
    }

    #[test]
    fn an_array_counts_by_its_largest_element_going_down() {
        assert_eq!(
            sorted(json!({"a": -1}), json!([{"a": 2}, {"a": [9, 1]}])),
            [json!({"a": [9, 1]}), json!({"a": 2})]
        );
    }

    #[test]
    fn an_empty_array_comes_before_a_missing_field() {
        assert_eq!(
            sorted(json!({"a": 1}), json!([{"a": 0}, {}, {"a": []}])),
            [json!({"a": []}), json!({}), json!({"a": 0})]
        );
    }

    #[test]
    fn values_sort_by_their_fields() {
        let mut values = [value(json!({"x": 2})), value(json!({"x": 1}))];
        sort_values(&mut values, &value(json!({"x": 1})), &Budget::default()).unwrap();
        assert_eq!(values[0], value(json!({"x": 1})));
    }

    #[test]
    fn a_direction_is_one_or_minus_one() {
        assert!(SortOrder::parse(&doc(json!({"a": "up"}))).is_err());
    }
}
