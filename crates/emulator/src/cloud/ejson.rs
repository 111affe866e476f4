//! Extended JSON, the forms in which values travel and are stored.
//!
//! Read are all forms that clients and platform use, canonical and relaxed, old and new dates. Written are two:
//! canonical (every type marked) and plain (numbers as JSON numbers, dates as `{"$date": milliseconds}`), which is
//! what a query's result looks like.

use serde_json::{Map, Value as Json, json};

use super::civil::{self, Written};
use super::value::{Document, Value};

/// The forms of values that JSON has no words for.
const FORMS: [&str; 6] =
    ["$numberInt", "$numberLong", "$numberDouble", "$date", "$oid", "$regularExpression"];
/// How many characters of something that cannot be read are shown.
const SHOWN: usize = 50;

/// Reads Extended JSON. A `$`-object that is none of its forms stays an object, and its meaning is left to the reader.
pub(crate) fn read(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(read).collect()),
        Json::Object(fields) => special(fields).unwrap_or_else(|| {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), read(value))).collect())
        }),
    }
}

/// The value behind an object of Extended JSON, if it is one.
fn special(fields: &Map<String, Json>) -> Option<Value> {
    let mut all = fields.iter();
    let (name, value) = all.next()?;
    if all.next().is_some() {
        return None;
    }
    let text = || value.as_str();
    match name.as_str() {
        "$numberInt" => text()?.parse().ok().map(Value::Int),
        "$numberLong" => text()?.parse().ok().map(Value::Long),
        "$numberDouble" => double(text()?).map(Value::Double),
        "$date" => date(value).map(Value::Date),
        "$oid" => object_id(text()?).map(Value::ObjectId),
        "$regularExpression" => {
            let part = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
            Some(Value::Regex(part("pattern")?, part("options").unwrap_or_default()))
        }
        _ => None,
    }
}

/// The value that a document of Extended JSON stands for, if it is one. What stands inside has been read already.
pub(crate) fn recognised(document: &Document) -> Option<Value> {
    let mut fields = document.iter();
    let (Some((name, value)), None) = (fields.next(), fields.next()) else {
        return None;
    };
    // None of the forms is larger, so that nothing large is looked through once for every level of it.
    let has_parts = |value: &Value| matches!(value, Value::Array(_) | Value::Object(_));
    let is_small = match value {
        Value::Object(inner) => inner.len() <= 2 && !inner.iter().any(|(_, value)| has_parts(value)),
        value => !has_parts(value),
    };
    if !name.starts_with('$') || !is_small {
        return None;
    }
    match read(&plain(&Value::Object(document.clone()))) {
        Value::Object(_) => None,
        recognised => Some(recognised),
    }
}

/// What is wrong with the first form of Extended JSON that was not read, wherever it stands in a value.
pub(crate) fn unreadable(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(unreadable),
        Value::Object(fields) => {
            unreadable_form(fields).or_else(|| fields.iter().find_map(|(_, value)| unreadable(value)))
        }
        _ => None,
    }
}

/// What is wrong with a document that is a form of Extended JSON, and was not read as one.
pub(crate) fn unreadable_form(document: &Document) -> Option<String> {
    let (name, value) = document.iter().next().filter(|_| document.len() == 1)?;
    if !FORMS.contains(&name) {
        return None;
    }
    let shown: String = match value {
        Value::Array(_) | Value::Object(_) => "what stands there".to_owned(),
        scalar => plain(scalar).to_string().chars().take(SHOWN).collect(),
    };
    Some(match name {
        "$date" => {
            format!(
                "{shown} is no date: a $date is written like 2020-12-31T23:59:59Z, and before the year 10000"
            )
        }
        name => format!("{shown} is no {name}"),
    })
}

fn double(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

/// Milliseconds, in each of the four forms: a number, a marked long, text in ISO 8601.
fn date(value: &Json) -> Option<i64> {
    let moment = match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => Written::read(text)?.moment(),
        Json::Object(_) => match read(value) {
            Value::Int(_) | Value::Long(_) | Value::Double(_) => read(value).as_i64(),
            _ => None,
        },
        _ => None,
    };
    // What lies beyond the years that there are would be read by nothing.
    moment.and_then(|at| civil::moved(at, 0))
}

fn object_id(text: &str) -> Option<[u8; 12]> {
    let mut id = [0; 12];
    if text.len() != 24 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some(id)
}

/// Canonical Extended JSON: every number says which kind it is.
pub(crate) fn canonical(value: &Value) -> Json {
    match value {
        Value::Int(number) => json!({ "$numberInt": number.to_string() }),
        Value::Long(number) => json!({ "$numberLong": number.to_string() }),
        Value::Double(number) => json!({ "$numberDouble": double_text(*number) }),
        Value::Date(at) => json!({ "$date": { "$numberLong": at.to_string() } }),
        Value::Array(items) => Json::Array(items.iter().map(canonical).collect()),
        Value::Object(document) => object(document, canonical),
        other => plain(other),
    }
}

/// Numbers as JSON numbers, dates in milliseconds.
pub(crate) fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Long(number) => Json::from(*number),
        // Whole doubles look like integers to JSON readers; infinities have no JSON number.
        Value::Double(number) => match serde_json::Number::from_f64(*number) {
            Some(finite) => match value.as_i64() {
                Some(whole) if *number != 0.0 || number.is_sign_positive() => Json::from(whole),
                _ => Json::Number(finite),
            },
            None => json!({ "$numberDouble": double_text(*number) }),
        },
        Value::String(text) => Json::String(text.clone()),
        Value::Date(at) => json!({ "$date": at }),
        Value::Regex(pattern, options) => {
            json!({ "$regularExpression": { "pattern": pattern, "options": options } })
        }
        Value::ObjectId(id) => {
            let text: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "$oid": text })
        }
        Value::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Value::Object(document) => object(document, plain),
    }
}

fn object(document: &Document, each: fn(&Value) -> Json) -> Json {
    Json::Object(document.iter().map(|(name, value)| (name.to_owned(), each(value))).collect())
}

fn double_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        // "113.0", as the platform writes it.
        format!("{number:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> String {
        canonical(&read(&serde_json::from_str(text).unwrap())).to_string()
    }

    #[test]
    fn every_type_comes_back() {
        for text in [
            r#"{"a":{"$numberInt":"1"},"b":{"$numberLong":"12345678901"},"c":{"$numberDouble":"113.0"}}"#,
            r#"{"a":{"$date":{"$numberLong":"1600000000000"}},"b":null,"c":[true,"x"]}"#,
            r#"{"a":{"$regularExpression":{"pattern":"x","options":"i"}}}"#,
            r#"{"a":{"$oid":"5d3ed3f0a1b2c3d4e5f60718"}}"#,
        ] {
            assert_eq!(round(text), text);
        }
    }

    #[test]
    fn all_four_forms_of_a_date_are_read() {
        for text in [
            r#"{"$date":1600000000000}"#,
            r#"{"$date":{"$numberLong":"1600000000000"}}"#,
            r#"{"$date":"2020-09-13T12:26:40.000Z"}"#,
            r#"{"$date":"2020-09-13T20:26:40+08:00"}"#,
        ] {
            assert_eq!(read(&serde_json::from_str(text).unwrap()), Value::Date(1_600_000_000_000), "{text}");
        }
    }

    #[test]
    fn results_have_plain_numbers() {
        let value = read(&serde_json::from_str(r#"{"a":{"$numberDouble":"2.0"},"b":1.5}"#).unwrap());
        assert_eq!(plain(&value).to_string(), r#"{"a":2,"b":1.5}"#);
    }

    #[test]
    fn a_date_that_cannot_be_read_is_found() {
        let value =
            read(&json!({ "a": [{ "$date": "9999-12-31T23:59:59Z" }, { "b": { "$date": "soon" } }] }));
        assert!(unreadable(&value).unwrap().starts_with("\"soon\" is no date"));
    }

    #[test]
    fn no_form_is_taken_for_an_object() {
        for (form, reason) in [
            (json!({ "$date": 1.5 }), "1.5 is no date"),
            (json!({ "$date": null }), "null is no date"),
            (json!({ "$date": true }), "true is no date"),
            (json!({ "$date": { "$numberLong": "x" } }), "what stands there is no date"),
            (json!({ "$date": 8_640_000_000_000_001_i64 }), "8640000000000001 is no date"),
            (json!({ "$date": "9999-12-31T23:59:59-05:00" }), "\"9999-12-31T23:59:59-05:00\" is no date"),
            (json!({ "$oid": "x" }), "\"x\" is no $oid"),
            (json!({ "$numberLong": "x" }), "\"x\" is no $numberLong"),
            (json!({ "$regularExpression": "x" }), "\"x\" is no $regularExpression"),
        ] {
            let refusal = unreadable(&read(&json!([form])));
            assert!(refusal.as_ref().is_some_and(|it| it.starts_with(reason)), "{form}: {refusal:?}");
        }
    }
}
