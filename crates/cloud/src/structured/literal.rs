//! Values in a request. `{"$date":..}` is a date; no other key may begin with `$`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::place::{Place, StructuredError, Wrong};
use crate::build_error::BuildError;
use crate::date::Date;
use crate::value::{Value, ValueError};

pub(super) fn value(place: &Place<'_>, json: &Json) -> Result<Value, StructuredError> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(it) => Value::Bool(*it),
        Json::String(it) => Value::String(it.clone()),
        Json::Number(it) => match (it.as_i64(), it.is_f64(), it.as_f64()) {
            (Some(integer), ..) => Value::Int(integer),
            (None, true, Some(float)) => Value::Float(float),
            _ => return Err(place.wrong(BuildError::from(ValueError::Integer(it.to_string())))),
        },
        Json::Array(items) => Value::Array(values(&place.below("[]")?, items)?),
        Json::Object(fields) if is_date(fields) => Value::Date(date(place, json)?),
        Json::Object(fields) => {
            let mut object = Vec::with_capacity(fields.len());
            for (key, json) in fields {
                if key.starts_with('$') {
                    return place.operator(key);
                }
                object.push((key.clone(), value(&place.below(key)?, json)?));
            }
            Value::Object(object)
        }
    })
}

pub(super) fn values(place: &Place<'_>, items: &[Json]) -> Result<Vec<Value>, StructuredError> {
    items.iter().map(|item| value(place, item)).collect()
}

pub(super) fn is_date(fields: &Map<String, Json>) -> bool {
    fields.len() == 1 && fields.contains_key("$date")
}

fn date(place: &Place<'_>, json: &Json) -> Result<Date, StructuredError> {
    serde_json::from_value(json.clone()).map_err(|_| place.wrong(BuildError::from(ValueError::Date)))
}

/// `true` and `false`, or 1 and 0.
pub(super) fn truth(json: &Json) -> Option<bool> {
    match (json.as_bool(), json.as_i64()) {
        (Some(truth), _) => Some(truth),
        (None, Some(1)) => Some(true),
        (None, Some(0)) => Some(false),
        _ => None,
    }
}

pub(super) fn object<'j>(
    place: &Place<'_>,
    json: &'j Json,
) -> Result<&'j Map<String, Json>, StructuredError> {
    json.as_object().map_or_else(|| place.expected("an object"), Ok)
}

pub(super) fn array<'j>(place: &Place<'_>, json: &'j Json) -> Result<&'j [Json], StructuredError> {
    json.as_array().map_or_else(|| place.expected("a list"), |it| Ok(it.as_slice()))
}

pub(super) fn text<'j>(place: &Place<'_>, json: &'j Json) -> Result<&'j str, StructuredError> {
    json.as_str().map_or_else(|| place.expected("text"), Ok)
}

pub(super) fn count(place: &Place<'_>, json: &Json) -> Result<u32, StructuredError> {
    let count = json.as_u64().and_then(|it| u32::try_from(it).ok());
    count.map_or_else(|| place.expected("a count: 0 to 4294967295"), Ok)
}

/// Named options; a misspelt one is refused.
pub(super) fn options<T: DeserializeOwned>(place: &Place<'_>, json: &Json) -> Result<T, StructuredError> {
    serde_json::from_value(json.clone()).map_err(|error| place.wrong(Wrong::Options(error.to_string())))
}

/// The only field of an object, if it is an operator.
pub(super) fn only(fields: &Map<String, Json>) -> Option<(&str, &Json)> {
    let mut entries = fields.iter();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) if key.starts_with('$') => Some((key, value)),
        _ => None,
    }
}

/// A field that is to be compared, or an object that is to be equal.
pub(super) fn has_operators(fields: &Map<String, Json>) -> bool {
    !is_date(fields) && fields.keys().any(|key| key.starts_with('$'))
}
