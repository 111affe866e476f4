//! Indexes: which documents have which value at a path, and which values may occur only once.
//!
//! An index narrows a search down to candidates; whether they match is for the filter to say, so an index never changes
//! what is found. Deliberately absent: ranges and orders, for which every document is looked at, and the geometry of
//! `2dsphere`, which is kept in the list and does nothing else.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::database::{DatabaseError, Path, Reached, reach};
use super::environment::text;
use super::failure::CloudFailure;
use super::value::{Document, Value};

/// What an index is made from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct IndexPlan {
    /// What it is called.
    pub(crate) name: String,
    /// Whether no two documents may have the same values.
    pub(crate) unique: bool,
    /// Paths, each with `1`, `-1` or `2dsphere`.
    pub(crate) keys: Vec<(String, String)>,
}

/// What a call wants to be dropped and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexChanges {
    /// Names. That no index has one of them is no error.
    pub(crate) drop: Vec<String>,
    /// New ones.
    pub(crate) create: Vec<IndexPlan>,
}

/// An index, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    plan: IndexPlan,
    /// The documents by the value at the first path.
    by_first: HashMap<Key, BTreeSet<u64>>,
    /// Of a unique index: the document that has these values at all its paths.
    owners: HashMap<Vec<Key>, u64>,
}

/// A value that can be looked up. Numbers are equal whatever their type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// `null`, or nothing.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number, by its bits.
    Fraction(u64),
    /// Text.
    Text(String),
    /// A moment.
    Date(i64),
    /// An object id.
    ObjectId([u8; 12]),
    /// An array, a document or a pattern, as text.
    Other(String),
}

/// The most indexes of a collection, beside the one of `_id`.
pub(crate) const MOST_INDEXES: usize = 19;
/// The most keys of an index. MongoDB's own limit.
const MOST_KEYS: usize = 32;
/// The longest values of a document in an index, in bytes. MongoDB's own limit.
const LONGEST_KEY: usize = 1_024;
/// The most combinations of array elements that one document adds to an index.
const MOST_COMBINATIONS: usize = 10_000;

impl Key {
    /// The key of a value.
    pub(crate) fn of(value: &Value) -> Key {
        match value {
            Value::Null => Key::Null,
            Value::Bool(flag) => Key::Bool(*flag),
            Value::Int(_) | Value::Long(_) | Value::Double(_) => Key::of_number(value),
            Value::String(text) => Key::Text(text.clone()),
            Value::Date(millis) => Key::Date(*millis),
            Value::ObjectId(id) => Key::ObjectId(*id),
            // Its numbers are plain, so that equal ones are equal here too.
            other => Key::Other(super::ejson::plain(other).to_string()),
        }
    }

    fn of_number(value: &Value) -> Key {
        let fraction = |number: f64| Key::Fraction(if number.is_nan() { f64::NAN } else { number }.to_bits());
        value.as_i64().map_or_else(|| fraction(value.as_f64().unwrap_or(f64::NAN)), Key::Whole)
    }

    /// About how many bytes it has.
    pub(crate) fn length(&self) -> usize {
        match self {
            Key::Text(text) => text.len(),
            // The list itself is looked up only by its elements.
            Key::Other(text) if text.starts_with('[') => 0,
            Key::Other(text) => text.len(),
            _ => 8,
        }
    }

    /// The key of a value that a filter compares with, if equal values have equal keys for certain.
    pub(crate) fn of_sought(value: &Value) -> Option<Key> {
        match Key::of(value) {
            // Nothing equals null too, and is in no index of arrays.
            Key::Null | Key::Other(_) => None,
            key => Some(key),
        }
    }
}

impl IndexChanges {
    /// Reads the body of `/tcb/updateindex`.
    pub(crate) fn read(body: &Json) -> Result<IndexChanges, CloudFailure> {
        let drop = listed(body, "drop_indexes")?.iter().map(|index| Ok(text(index, "name")?.to_owned()));
        let create = listed(body, "create_indexes")?.iter().map(IndexPlan::read);
        let (drop, create) = (drop.collect::<Result<_, CloudFailure>>()?, create.collect::<Result<_, _>>()?);
        Ok(IndexChanges { drop, create })
    }
}

impl IndexPlan {
    fn read(index: &Json) -> Result<IndexPlan, CloudFailure> {
        let name = text(index, "name")?;
        if name == "_id_" {
            return Err(CloudFailure::invalid("the index _id_ is there already, and cannot be changed"));
        }
        let keys = listed(index, "keys")?.iter().map(|key| {
            let direction = match key.get("direction") {
                Some(Json::String(text)) => text.clone(),
                Some(Json::Number(number)) => number.to_string(),
                _ => return Err(CloudFailure::data_format()),
            };
            if !matches!(direction.as_str(), "1" | "-1" | "2dsphere") {
                let reason = format!("an index goes 1, -1 or 2dsphere, not {direction:?}");
                return Err(CloudFailure::invalid(reason));
            }
            Ok((text(key, "name")?.to_owned(), direction))
        });
        let keys: Vec<(String, String)> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(CloudFailure::invalid(format!("the index {name:?} has no keys")));
        }
        if keys.len() > MOST_KEYS {
            return Err(CloudFailure::invalid(format!("an index has {MOST_KEYS} keys at most")));
        }
        let unique = index.get("unique").and_then(Json::as_bool).unwrap_or(false);
        Ok(IndexPlan { name: name.to_owned(), unique, keys })
    }
}

/// The items of a list; none, if there is no list.
fn listed<'b>(body: &'b Json, name: &str) -> Result<&'b [Json], CloudFailure> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(CloudFailure::data_format()),
    }
}

impl Index {
    fn new(plan: IndexPlan) -> Index {
        Index { plan, by_first: HashMap::new(), owners: HashMap::new() }
    }

    /// An index of these documents.
    ///
    /// # Errors
    /// Two of them have the same values, and the index is unique.
    pub(crate) fn build<'d>(
        plan: IndexPlan,
        documents: impl Iterator<Item = (u64, &'d Document)>,
    ) -> Result<Index, DatabaseError> {
        let mut index = Index::new(plan);
        for (place, document) in documents {
            index.check(document)?;
            if let Some(taken) = index.conflict(document, |owner| owner != place) {
                return Err(index.duplicate(&taken));
            }
            index.add(place, document);
        }
        Ok(index)
    }

    /// What it was made from.
    pub(crate) fn plan(&self) -> &IndexPlan {
        &self.plan
    }

    /// The documents that have this value at the first path; `None` if the index cannot say.
    pub(crate) fn find(&self, path: &str, sought: &Value) -> Option<BTreeSet<u64>> {
        if !self.plan.keys.first().is_some_and(|(first, direction)| first == path && direction != "2dsphere")
        {
            return None;
        }
        Some(self.by_first.get(&Key::of_sought(sought)?).cloned().unwrap_or_default())
    }

    /// Takes a document in.
    pub(crate) fn add(&mut self, place: u64, document: &Document) {
        for key in self.first_keys(document) {
            self.by_first.entry(key).or_default().insert(place);
        }
        if self.plan.unique {
            for tuple in self.tuples(document) {
                self.owners.insert(tuple, place);
            }
        }
    }

    /// Lets go of a document.
    pub(crate) fn remove(&mut self, place: u64, document: &Document) {
        for key in self.first_keys(document) {
            if let Some(places) = self.by_first.get_mut(&key) {
                places.remove(&place);
                if places.is_empty() {
                    self.by_first.remove(&key);
                }
            }
        }
        if self.plan.unique {
            for tuple in self.tuples(document) {
                self.owners.remove(&tuple);
            }
        }
    }

    /// The values of a document that another one has already, if that one `counts`.
    pub(crate) fn conflict(&self, document: &Document, counts: impl Fn(u64) -> bool) -> Option<Vec<Key>> {
        if !self.plan.unique {
            return None;
        }
        let taken = |tuple: &Vec<Key>| self.owners.get(tuple).is_some_and(|owner| counts(*owner));
        self.tuples(document).into_iter().find(taken)
    }

    /// The same without documents.
    pub(crate) fn empty(&self) -> Index {
        Index::new(self.plan.clone())
    }

    /// What is said about such values.
    pub(crate) fn duplicate(&self, values: &[Key]) -> DatabaseError {
        let shown: Vec<String> = values.iter().map(Key::to_string).collect();
        DatabaseError::new(format!(
            "E11000 duplicate key error collection, index: {} dup key: {{ : {} }}",
            self.plan.name,
            shown.join(", : ")
        ))
    }

    /// Refuses a document whose values are too long, or too many, for an index.
    pub(crate) fn check(&self, document: &Document) -> Result<(), DatabaseError> {
        let mut combinations = 1_usize;
        let mut longest = 0;
        for (path, _) in &self.plan.keys {
            let keys = keys_of(&reach(document, &Path::new(path)));
            combinations = combinations.saturating_mul(keys.len());
            longest += keys.iter().map(Key::length).max().unwrap_or(0);
        }
        if longest > LONGEST_KEY {
            let text =
                format!("key too large to index, failing {} {longest} (max {LONGEST_KEY})", self.plan.name);
            return Err(DatabaseError::new(text));
        }
        if combinations > MOST_COMBINATIONS {
            let text =
                format!("a document has more than {MOST_COMBINATIONS} keys for the index {}", self.plan.name);
            return Err(DatabaseError::new(text));
        }
        Ok(())
    }

    fn first_keys(&self, document: &Document) -> BTreeSet<Key> {
        match self.plan.keys.first() {
            Some((path, direction)) if direction != "2dsphere" => keys_of(&reach(document, &Path::new(path))),
            _ => BTreeSet::new(),
        }
    }

    /// The values at all paths; where there are arrays, of each combination of their elements.
    fn tuples(&self, document: &Document) -> Vec<Vec<Key>> {
        let mut tuples: Vec<Vec<Key>> = vec![Vec::new()];
        for (path, _) in &self.plan.keys {
            let keys = keys_of(&reach(document, &Path::new(path)));
            let longer = tuples.iter().flat_map(|tuple| {
                keys.iter().map(move |key| tuple.iter().chain([key]).cloned().collect::<Vec<Key>>())
            });
            tuples = longer.collect();
        }
        tuples
    }
}

/// The values at places. Of an array these are its elements and the array itself; nothing counts as null.
pub(crate) fn keys_of(places: &[Reached<'_>]) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for place in places {
        if let Some(Value::Array(items)) = place.value {
            keys.extend(items.iter().map(Key::of));
        }
        keys.insert(place.value.map_or(Key::Null, Key::of));
    }
    if keys.is_empty() {
        keys.insert(Key::Null);
    }
    keys
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Null => f.write_str("null"),
            Key::Bool(flag) => flag.fmt(f),
            Key::Whole(number) => number.fmt(f),
            Key::Fraction(bits) => f64::from_bits(*bits).fmt(f),
            Key::Text(text) => write!(f, "{text:?}"),
            Key::Date(millis) => write!(f, "new Date({millis})"),
            Key::ObjectId(id) => id.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Key::Other(text) => f.write_str(text),
        }
    }
}
