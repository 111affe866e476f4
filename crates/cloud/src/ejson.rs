//! Reading results: lists of texts, each the JSON of one document, in any of the spellings of Extended JSON.
//!
//! Numbers become plain numbers, ids plain text; dates keep their `{"$date":ms}`, which [`Date`] reads. NaN and
//! infinities become null, as they do in JavaScript's own JSON.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::date::Date;

/// A document that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("document {index} of the result: {source}")]
pub struct ReadError {
    /// Which one, from 0.
    pub index: usize,
    /// Why.
    pub source: serde_json::Error,
}

/// All documents of a result.
///
/// # Errors
/// One of them is not JSON, or not what was asked for.
pub fn documents<T: DeserializeOwned>(texts: &[String]) -> Result<Vec<T>, ReadError> {
    let read = |(index, text): (usize, &String)| document(text).map_err(|source| ReadError { index, source });
    texts.iter().enumerate().map(read).collect()
}

/// One document.
///
/// # Errors
/// It is not JSON, or not what was asked for.
pub fn document<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).map(plain).and_then(serde_json::from_value)
}

/// Extended JSON as plain as it gets without losing what is a date and what is a pattern.
#[must_use]
pub fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(fields) => match extended(&fields) {
            Some(value) => value,
            None => Value::Object(fields.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        },
        other => other,
    }
}

/// What an object stands for, if it is one of Extended JSON's.
fn extended(fields: &Map<String, Value>) -> Option<Value> {
    if let (2, Some(Value::String(pattern)), Some(Value::String(options))) =
        (fields.len(), fields.get("$regex"), fields.get("$options"))
    {
        return Some(regex(pattern, options));
    }
    let mut entries = fields.iter();
    let (key, value) = entries.next()?;
    if entries.next().is_some() {
        return None;
    }
    match (key.as_str(), value) {
        ("$numberInt" | "$numberLong", Value::String(digits)) => {
            digits.parse::<i64>().ok().map(|it| Value::Number(it.into()))
        }
        ("$numberDouble", Value::String(digits)) => {
            let number = digits.parse::<f64>().ok()?;
            Some(Number::from_f64(number).map_or(Value::Null, |it| Value::Number(whole(it))))
        }
        ("$numberInt" | "$numberLong" | "$numberDouble", Value::Number(number)) => {
            Some(Value::Number(whole(number.clone())))
        }
        ("$oid" | "$numberDecimal", Value::String(text)) => Some(Value::String(text.clone())),
        ("$undefined", _) => Some(Value::Null),
        ("$date", _) => {
            let date = serde_json::from_value::<Date>(Value::Object(fields.clone())).ok()?;
            serde_json::to_value(date).ok()
        }
        _ => None,
    }
}

fn regex(pattern: &str, options: &str) -> Value {
    serde_json::json!({"$regularExpression": {"pattern": pattern, "options": options}})
}

/// 113.0 as 113, so that integer fields can take it; float fields take integers anyway.
fn whole(number: Number) -> Number {
    match number.as_f64() {
        Some(float)
            if number.is_f64() && float.fract() == 0.0 && float.abs() <= 9e15 && !is_negative_zero(float) =>
        {
            Number::from(float as i64)
        }
        _ => number,
    }
}

fn is_negative_zero(float: f64) -> bool {
    float == 0.0 && float.is_sign_negative()
}
