//! How much is given back. Looked at before it is written as text: an answer that is refused shall not be made.

use super::error::{DatabaseError, Outcome};
use crate::cloud::value::{Document, Value};

/// How long the text of what a request gives back is at least.
#[derive(Debug)]
pub(crate) struct OutputSize {
    bytes: u64,
    most: u64,
}

impl OutputSize {
    /// Nothing yet, of so many bytes at most.
    pub(crate) fn new(most: u64) -> OutputSize {
        OutputSize { bytes: 0, most }
    }

    /// One more document.
    pub(crate) fn add(&mut self, document: &Document) -> Outcome<()> {
        self.bytes += least_of(document);
        if self.bytes > self.most { Err(DatabaseError::large_result(self.most)) } else { Ok(()) }
    }
}

/// How long the text of a document is in the shorter one of the two forms, but for what has to be escaped in it.
fn least_of(document: &Document) -> u64 {
    let fields: u64 = document.iter().map(|(name, value)| name.len() as u64 + 4 + least(value)).sum();
    1 + fields.max(1)
}

fn least(value: &Value) -> u64 {
    let digits = |number: i64| u64::from(number.unsigned_abs().checked_ilog10().unwrap_or(0)) + 1;
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Int(number) => digits(i64::from(*number)),
        Value::Long(number) => digits(*number),
        Value::Double(_) => 1,
        Value::String(text) => 2 + text.len() as u64,
        Value::Date(at) => 10 + digits(*at),
        Value::ObjectId(_) => 33,
        Value::Regex(pattern, options) => 47 + (pattern.len() + options.len()) as u64,
        Value::Array(items) => 1 + items.iter().map(|item| 1 + least(item)).sum::<u64>().max(1),
        Value::Object(document) => least_of(document),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::doc;
    use super::*;
    use crate::cloud::ejson;

    fn lengths(json: Json) -> (u64, u64) {
        let document = doc(json);
        let text = ejson::plain(&Value::Object(document.clone())).to_string();
        (least_of(&document), text.len() as u64)
    }

    #[test]
    fn an_output_is_not_thought_longer_than_its_text() {
        for json in [
            json!({}),
            json!({"a": [], "b": {}, "c": [1, 22, -3], "d": null}),
            json!({"a": true, "b": false, "c": "text", "d": {"$date": 0}, "e": {"$numberLong": "-99"}}),
            json!({"a": {"$oid": "5d3ed3f0a1b2c3d4e5f60718"}, "b": {"$regularExpression": {"pattern": "", "options": ""}}}),
            json!({"a": [0.5, {"$numberDouble": "1.0"}, {"$numberDouble": "NaN"}, {"b": [{}]}]}),
        ] {
            let (least, text) = lengths(json.clone());
            assert!(least <= text && text <= 2 * least + 20, "{least} {text} {json}");
        }
        assert_eq!(lengths(json!({"a": "text", "b": [1, 2]})), (22, 22));
    }

    #[test]
    fn an_output_has_as_many_bytes_as_were_said() {
        let document = doc(json!({"a": "12345"}));
        let mut size = OutputSize::new(26);
        assert!(size.add(&document).is_ok() && size.add(&document).is_ok());
        let refusal = size.add(&document).unwrap_err();
        assert!(refusal.is_large_result());
        assert_eq!(refusal.to_string(), "the result has more than 26 bytes: ask for less at a time");
    }
}
