//! The names and numbers of BSON types.

use super::error::{Outcome, refuse};
use crate::cloud::value::Value;

/// Names and numbers that a query may ask for. Types that cloud development cannot store are among them: asking
/// for one is no mistake, it only finds nothing.
const KINDS: [(&str, i64); 17] = [
    ("double", 1),
    ("string", 2),
    ("object", 3),
    ("array", 4),
    ("binData", 5),
    ("undefined", 6),
    ("objectId", 7),
    ("bool", 8),
    ("date", 9),
    ("null", 10),
    ("regex", 11),
    ("javascript", 13),
    ("int", 16),
    ("timestamp", 17),
    ("long", 18),
    ("decimal", 19),
    ("number", 0),
];

/// The name of a value's type.
pub(super) fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Long(_) => "long",
        Value::Double(_) => "double",
        Value::String(_) => "string",
        Value::Date(_) => "date",
        Value::Regex(..) => "regex",
        Value::ObjectId(_) => "objectId",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The name of a type, or `missing`.
pub(super) fn name_or_missing(value: Option<&Value>) -> &'static str {
    value.map_or("missing", name)
}

/// Whether a value is of the type of this name.
pub(super) fn is(value: &Value, wanted: &str) -> bool {
    name(value) == wanted || (wanted == "number" && value.as_f64().is_some())
}

/// The types that `$type` asks for, each once: one name or number, or a list of them.
pub(super) fn parse(asked: &Value) -> Outcome<Vec<&'static str>> {
    let mut all = match asked {
        Value::Array(items) if items.is_empty() => return refuse("$type must match at least one type"),
        Value::Array(items) => items.iter().map(parse_one).collect::<Outcome<Vec<_>>>()?,
        single => vec![parse_one(single)?],
    };
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// A type by its name or number.
pub(super) fn parse_one(asked: &Value) -> Outcome<&'static str> {
    if let Some(text) = asked.as_str() {
        let found = KINDS.iter().find(|(name, _)| *name == text);
        return found
            .map_or_else(|| refuse(format!("Unknown type name alias: {text}")), |(name, _)| Ok(*name));
    }
    match asked.as_i64() {
        Some(-1 | 127) => Ok("minKey"),
        Some(code) => {
            let found = KINDS.iter().find(|(_, number)| *number == code && code != 0);
            found
                .map_or_else(|| refuse(format!("Invalid numerical type code: {code}")), |(name, _)| Ok(*name))
        }
        None => refuse("type must be represented as a number or a string"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_and_numbers() {
        assert_eq!(parse(&Value::Int(16)), parse(&Value::from("int")));
    }

    #[test]
    fn each_type_counts_once() {
        let asked: Vec<Value> = ["int", "string", "int"].map(Value::from).into();
        assert_eq!(parse(&asked.into()), Ok(vec!["int", "string"]));
    }

    #[test]
    fn every_number_is_of_type_number() {
        assert!(is(&Value::Long(1), "number") && is(&Value::Double(0.5), "number"));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(parse(&"word".into()).unwrap_err().to_string(), "Unknown type name alias: word");
    }
}
