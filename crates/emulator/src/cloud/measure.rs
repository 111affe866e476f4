//! How much a value is: what the limits of the cloud database are about.
//!
//! Measuring descends, so a value must be known to be of bounded depth before it is measured. Every way in which values
//! come to be keeps to that: texts by the [shape](super::script) of what they may be, expressions and updates by
//! looking at what they made.

use super::value::{Document, Value};

/// The deepest document, in levels of documents and arrays, itself among them. MongoDB's own limit.
pub(crate) const DEEPEST_DOCUMENT: usize = 100;
/// The largest document, in bytes of BSON. MongoDB's own limit.
pub(crate) const LARGEST_DOCUMENT: u64 = 16 * 1024 * 1024;

/// How much a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// How many values it consists of, itself among them.
    pub(crate) values: u64,
    /// Levels of documents and arrays, itself among them; 0 for anything else.
    pub(crate) depth: usize,
    /// About how many bytes it takes in memory.
    pub(crate) memory: u64,
    /// How many bytes it would be as BSON, without its name.
    pub(crate) bson: u64,
}

/// What a value takes in memory besides its text or its parts.
const VALUE: u64 = size_of::<Value>() as u64;
/// What a document takes besides its fields, and a field besides its name and its value.
const FIELD: u64 = 48;

impl Measure {
    /// Of a value.
    pub(crate) fn of(value: &Value) -> Measure {
        match value {
            Value::Null => Measure::scalar(0, 0),
            Value::Bool(_) => Measure::scalar(1, 0),
            Value::Int(_) => Measure::scalar(4, 0),
            Value::Long(_) | Value::Double(_) | Value::Date(_) => Measure::scalar(8, 0),
            Value::ObjectId(_) => Measure::scalar(12, 0),
            Value::String(text) => Measure::scalar(5 + text.len() as u64, text.len() as u64),
            Value::Regex(pattern, options) => {
                let length = (pattern.len() + options.len()) as u64;
                Measure::scalar(2 + length, length)
            }
            Value::Array(items) => {
                let mut all = Measure { values: 1, depth: 0, memory: VALUE, bson: 5 };
                for (at, item) in items.iter().enumerate() {
                    all.hold(Measure::of(item), digits(at));
                }
                Measure { depth: all.depth + 1, ..all }
            }
            Value::Object(document) => Measure::of_document(document),
        }
    }

    /// Of a document.
    pub(crate) fn of_document(document: &Document) -> Measure {
        let mut all = Measure { values: 1, depth: 0, memory: VALUE + FIELD, bson: 5 };
        for (name, value) in document.iter() {
            all.hold(Measure::of(value), name.len() as u64);
            all.memory = all.memory.saturating_add(FIELD + name.len() as u64);
        }
        Measure { depth: all.depth + 1, ..all }
    }

    /// Of what consists of parts.
    pub(crate) fn around(parts: impl IntoIterator<Item = Measure>) -> Measure {
        let mut all = Measure { values: 1, depth: 0, memory: VALUE, bson: 5 };
        parts.into_iter().for_each(|part| all.hold(part, 0));
        Measure { depth: all.depth + 1, ..all }
    }

    fn scalar(bson: u64, text: u64) -> Measure {
        Measure { values: 1, depth: 0, memory: VALUE + text, bson }
    }

    fn hold(&mut self, part: Measure, name: u64) {
        self.values = self.values.saturating_add(part.values);
        self.depth = self.depth.max(part.depth);
        self.memory = self.memory.saturating_add(part.memory);
        self.bson = self.bson.saturating_add(part.bson + name + 2);
    }

    /// Why a document of this measure cannot be stored, if it cannot.
    pub(crate) fn refusal(self) -> Option<String> {
        if self.depth > DEEPEST_DOCUMENT {
            return Some(format!("the document is nested deeper than {DEEPEST_DOCUMENT} levels"));
        }
        (self.bson > LARGEST_DOCUMENT)
            .then(|| format!("the document has {} bytes, and {LARGEST_DOCUMENT} are the most", self.bson))
    }
}

/// The decimal digits of an index, which is the name of an element in BSON.
fn digits(index: usize) -> u64 {
    u64::from(index.checked_ilog10().unwrap_or(0)) + 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ejson;
    use super::*;

    fn measured(json: serde_json::Value) -> Measure {
        Measure::of(&ejson::read(&json))
    }

    #[test]
    fn a_document_is_as_large_as_its_bson() {
        assert_eq!(measured(json!({"hello": "world"})).bson, 22);
        assert_eq!(measured(json!({"BSON": ["awesome", 5.05, 1986]})).bson, 49);
    }

    #[test]
    fn depth_counts_documents_and_arrays() {
        assert_eq!(measured(json!(1)).depth, 0);
        assert_eq!(measured(json!({"a": [{"b": 1}]})).depth, 3);
    }

    #[test]
    fn every_value_counts() {
        assert_eq!(measured(json!({"a": [1, 2], "b": null})).values, 5);
    }

    #[test]
    fn a_document_of_16_mb_is_too_large() {
        let most = 16 * 1024 * 1024;
        let of = |length: usize| measured(json!({ "a": "x".repeat(length) })).refusal();
        assert!(of(most - 100).is_none());
        assert!(of(most).is_some());
    }
}
