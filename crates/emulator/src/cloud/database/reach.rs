//! A query's path, which goes through arrays of documents and takes numbers as indexes.

use std::collections::HashSet;

use super::budget::Budget;
use super::error::Outcome;
use super::path::{check_length, place_in_array};
use crate::cloud::value::{Document, Value};

/// A path, taken apart once.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    text: Box<str>,
    /// Where names end. Names themselves would take ten times as much memory, and a request may have very many paths.
    ends: Box<[u32]>,
}

impl Path {
    /// Takes a path apart.
    pub(crate) fn new(path: &str) -> Path {
        let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        Path { text: path.into(), ends: ends.filter_map(|end| u32::try_from(end).ok()).collect() }
    }

    /// The same, unless it is longer than any document is deep.
    pub(super) fn parse(path: &str) -> Outcome<Path> {
        check_length(path)?;
        Ok(Path::new(path))
    }

    fn name(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start =
            at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize + 1);
        self.text.get(start..end)
    }
}

/// A place that a query's path leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached<'a> {
    /// What is there, if anything.
    pub(crate) value: Option<&'a Value>,
    /// The index in the outermost array that the path went through without naming an index.
    pub(super) index: Option<usize>,
}

/// The places that a query's path leads to. An array at the end is one place; its elements are not.
pub(crate) fn reach<'a>(document: &'a Document, path: &Path) -> Vec<Reached<'a>> {
    walked(document, path).found
}

/// The same within a budget. The walk is charged when it is over: one of them looks at each value of a document once, or
/// as often as the path has numbers.
pub(super) fn reach_within<'a>(
    document: &'a Document,
    path: &Path,
    budget: &Budget,
) -> Outcome<Vec<Reached<'a>>> {
    let walk = walked(document, path);
    budget.work(walk.found.len() as u64 + walk.followed + walk.passed / 4)?;
    Ok(walk.found)
}

fn walked<'a>(document: &'a Document, path: &Path) -> Walk<'a> {
    let mut walk = Walk { found: Vec::new(), seen: HashSet::new(), followed: 0, passed: 0 };
    walk.descend(document, path, 0, None);
    walk
}

struct Walk<'a> {
    found: Vec<Reached<'a>>,
    /// Arrays where the path forked, with the number of the name that came next. Forks behind forks would lead to the
    /// same places over and over.
    seen: HashSet<(*const Value, usize)>,
    /// How many names it has looked for.
    followed: u64,
    /// How many elements of arrays it went past.
    passed: u64,
}

impl<'a> Walk<'a> {
    fn descend(&mut self, document: &'a Document, path: &Path, at: usize, index: Option<usize>) {
        if let Some(name) = path.name(at) {
            self.followed += 1;
            self.follow(document.get(name), path, at + 1, index);
        }
    }

    /// Goes on from a value with the name of this number.
    fn follow(&mut self, value: Option<&'a Value>, path: &Path, at: usize, index: Option<usize>) {
        let Some(next) = path.name(at) else {
            self.found.push(Reached { value, index });
            return;
        };
        match value {
            Some(Value::Object(inner)) => self.descend(inner, path, at, index),
            Some(place @ Value::Array(items)) => {
                let number = place_in_array(next);
                if number.is_some() && !self.seen.insert((std::ptr::from_ref(place), at)) {
                    return;
                }
                self.passed += items.len() as u64;
                for (place, item) in items.iter().enumerate() {
                    // A number is an index first: documents that have no field of that name are not asked for it.
                    if let Value::Object(inner) = item
                        && (number.is_none() || self.has(inner, next))
                    {
                        self.descend(inner, path, at, index.or(Some(place)));
                    }
                }
                if let Some(item) = number.and_then(|at| items.get(at)) {
                    self.follow(Some(item), path, at + 1, index);
                }
            }
            _ => self.found.push(Reached { value: None, index }),
        }
    }

    fn has(&mut self, document: &Document, name: &str) -> bool {
        self.followed += 1;
        document.get(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::doc;
    use super::*;

    fn reached(document: serde_json::Value, path: &str) -> Vec<Option<Value>> {
        reach(&doc(document), &Path::new(path)).iter().map(|place| place.value.cloned()).collect()
    }

    #[test]
    fn a_path_goes_through_documents() {
        assert_eq!(reached(json!({"a": {"b": 1}}), "a.b"), [Some(Value::Int(1))]);
    }

    #[test]
    fn a_path_goes_through_arrays_of_documents() {
        assert_eq!(
            reached(json!({"a": [{"b": 1}, 5, {"b": 2}]}), "a.b"),
            [Some(Value::Int(1)), Some(Value::Int(2))]
        );
    }

    #[test]
    fn a_number_is_an_index() {
        assert_eq!(reached(json!({"a": [{"b": 1}, {"b": 2}]}), "a.1.b"), [Some(Value::Int(2))]);
    }

    #[test]
    fn a_number_with_a_leading_zero_or_a_sign_is_none() {
        assert_eq!(reached(json!({"a": [7, 8]}), "a.01"), []);
        assert_eq!(reached(json!({"a": [7, 8]}), "a.+1"), []);
    }

    #[test]
    fn a_path_that_leads_nowhere_reaches_a_missing_value() {
        assert_eq!(reached(json!({"a": 1}), "a.b"), [None]);
    }

    #[test]
    fn the_index_of_the_outermost_array_is_remembered() {
        let document = doc(json!({"a": [{"b": 1}, {"b": 2}]}));
        let indexes: Vec<_> = reach(&document, &Path::new("a.b")).iter().map(|place| place.index).collect();
        assert_eq!(indexes, [Some(0), Some(1)]);
    }

    #[test]
    fn a_path_that_forks_at_every_step_reaches_each_place_once() {
        let nested = (0..45).fold(json!(1), |inner, _| json!([{ "0": inner }]));
        assert!(reached(json!({ "a": nested }), &format!("a{}", ".0".repeat(67))).len() < 100);
    }

    #[test]
    fn names_may_be_empty() {
        assert_eq!(reached(json!({"": {"a": {"": 1}}}), ".a."), [Some(Value::Int(1))]);
        assert_eq!(reached(json!({"": 1}), ""), [Some(Value::Int(1))]);
    }
}
