//! What the tests of the database write their documents with.

use serde_json::Value as Json;

use crate::chance::Chance;
use crate::cloud::ejson;
use crate::cloud::value::{Document, Value};

/// A value from its JSON.
pub(super) fn value(json: Json) -> Value {
    ejson::read(&json)
}

/// A document from its JSON.
pub(super) fn doc(json: Json) -> Document {
    match ejson::read(&json) {
        Value::Object(document) => document,
        other => panic!("no document: {other:?}"),
    }
}

/// Documents from a JSON array.
pub(super) fn docs(json: Json) -> Vec<Document> {
    json.as_array().expect("an array").iter().cloned().map(doc).collect()
}

/// A document as plain JSON.
pub(super) fn shown(document: &Document) -> Json {
    ejson::plain(&Value::Object(document.clone()))
}

/// A text of so many of these characters.
pub(super) fn random(characters: &str, length: usize) -> String {
    let characters: Vec<char> = characters.chars().collect();
    let mut chance = Chance::seeded(7);
    let mut any = || usize::try_from(chance.next_u64() >> 33).unwrap() % characters.len();
    (0..length).map(|_| characters[any()]).collect()
}
