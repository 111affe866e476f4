//! `$jsonSchema`: JSON Schema, draft 4, with MongoDB's `bsonType`.
//!
//! Deliberately absent: `patternProperties`, `dependencies` and `$ref`; like any unknown keyword they are refused.

use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::super::pattern::Pattern;
use crate::cloud::value::{Document, Value};

/// A schema: rules that must all hold. A rule about another type holds.
#[derive(Clone, Debug)]
pub(super) struct Schema(Vec<Rule>);

#[derive(Clone, Debug)]
enum Rule {
    Required(Vec<String>),
    Properties(Vec<(String, Schema)>),
    NothingBut(Vec<String>),
    Type(Vec<&'static str>),
    Enum(Vec<Value>),
    Minimum(f64, bool),
    Maximum(f64, bool),
    MultipleOf(f64),
    Length(Measure, usize, usize),
    Pattern(Pattern),
    Items(Box<Schema>),
    ItemsInOrder(Vec<Schema>),
    Unique,
    All(Vec<Schema>),
    Any(Vec<Schema>),
    One(Vec<Schema>),
    Not(Box<Schema>),
}

/// What a length is the length of.
#[derive(Clone, Copy, Debug)]
enum Measure {
    Text,
    Array,
    Object,
}

impl Schema {
    /// Reads a schema.
    pub(super) fn parse(schema: &Value) -> Outcome<Schema> {
        let Value::Object(schema) = schema else {
            return refuse("$jsonSchema must be an object");
        };
        let mut rules = Vec::new();
        for (keyword, value) in schema.iter() {
            if let Some(rule) = rule(keyword, value, schema)? {
                rules.push(rule);
            }
        }
        Ok(Schema(rules))
    }

    /// Whether a value is valid.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        self.0.iter().all(|rule| rule.accepts(value))
    }
}

fn rule(keyword: &str, value: &Value, schema: &Document) -> Outcome<Option<Rule>> {
    let at_least = |measure| Ok(Rule::Length(measure, count(keyword, value)?, usize::MAX));
    let at_most = |measure| Ok(Rule::Length(measure, 0, count(keyword, value)?));
    let exclusive = |name: &str| schema.get(name).is_some_and(Value::is_truthy);
    let rule = match keyword {
        "title" | "description" | "exclusiveMinimum" | "exclusiveMaximum" => return Ok(None),
        "additionalProperties" if value.is_truthy() => return Ok(None),
        "uniqueItems" if !value.is_truthy() => return Ok(None),
        "required" => Rule::Required(names(keyword, value)?),
        "properties" => {
            let Value::Object(properties) = value else {
                return refuse("$jsonSchema keyword 'properties' must be an object");
            };
            let parsed = properties.iter().map(|(name, inner)| Ok((name.to_owned(), Schema::parse(inner)?)));
            Rule::Properties(parsed.collect::<Outcome<_>>()?)
        }
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            Rule::NothingBut(
                known.into_iter().flat_map(Document::iter).map(|(name, _)| name.to_owned()).collect(),
            )
        }
        "bsonType" => Rule::Type(kind::parse(value)?),
        "type" => Rule::Type(json_types(value)?),
        "enum" => Rule::Enum(list(keyword, value)?.to_vec()),
        "minimum" => Rule::Minimum(number(keyword, value)?, exclusive("exclusiveMinimum")),
        "maximum" => Rule::Maximum(number(keyword, value)?, exclusive("exclusiveMaximum")),
        "multipleOf" => Rule::MultipleOf(number(keyword, value)?),
        "minLength" => at_least(Measure::Text)?,
        "maxLength" => at_most(Measure::Text)?,
        "minItems" => at_least(Measure::Array)?,
        "maxItems" => at_most(Measure::Array)?,
        "minProperties" => at_least(Measure::Object)?,
        "maxProperties" => at_most(Measure::Object)?,
        "pattern" => match value.as_str() {
            Some(pattern) => Rule::Pattern(Pattern::compile(pattern, "")?),
            None => return refuse("$jsonSchema keyword 'pattern' must be a string"),
        },
        "items" => match value {
            Value::Array(schemas) => {
                Rule::ItemsInOrder(schemas.iter().map(Schema::parse).collect::<Outcome<_>>()?)
            }
            single => Rule::Items(Box::new(Schema::parse(single)?)),
        },
        "uniqueItems" => Rule::Unique,
        "allOf" => Rule::All(schemas(keyword, value)?),
        "anyOf" => Rule::Any(schemas(keyword, value)?),
        "oneOf" => Rule::One(schemas(keyword, value)?),
        "not" => Rule::Not(Box::new(Schema::parse(value)?)),
        unknown => return refuse(format!("Unknown $jsonSchema keyword: {unknown}")),
    };
    Ok(Some(rule))
}

impl Rule {
    fn accepts(&self, value: &Value) -> bool {
        let object = value.as_object();
        let array = value.as_array();
        match self {
            Rule::Required(names) => {
                object.is_none_or(|object| names.iter().all(|name| object.get(name).is_some()))
            }
            Rule::Properties(schemas) => object.is_none_or(|object| {
                schemas
                    .iter()
                    .all(|(name, schema)| object.get(name).is_none_or(|inner| schema.accepts(inner)))
            }),
            Rule::NothingBut(names) => object
                .is_none_or(|object| object.iter().all(|(name, _)| names.iter().any(|known| known == name))),
            Rule::Type(kinds) => kinds.iter().any(|wanted| kind::is(value, wanted)),
            Rule::Enum(values) => values.iter().any(|known| known.equals(value)),
            Rule::Minimum(least, exclusive) => value
                .as_f64()
                .is_none_or(|number| if *exclusive { number > *least } else { number >= *least }),
            Rule::Maximum(most, exclusive) => {
                value.as_f64().is_none_or(|number| if *exclusive { number < *most } else { number <= *most })
            }
            Rule::MultipleOf(step) => value.as_f64().is_none_or(|number| number % step == 0.0),
            Rule::Length(measure, least, most) => {
                measure.of(value).is_none_or(|length| (*least..=*most).contains(&length))
            }
            Rule::Pattern(pattern) => value.as_str().is_none_or(|text| pattern.finds(text)),
            Rule::Items(schema) => array.is_none_or(|items| items.iter().all(|item| schema.accepts(item))),
            Rule::ItemsInOrder(schemas) => {
                array.is_none_or(|items| items.iter().zip(schemas).all(|(item, schema)| schema.accepts(item)))
            }
            Rule::Unique => array.is_none_or(|items| {
                items
                    .iter()
                    .enumerate()
                    .all(|(at, item)| !items.iter().skip(at + 1).any(|other| item.equals(other)))
            }),
            Rule::All(schemas) => schemas.iter().all(|schema| schema.accepts(value)),
            Rule::Any(schemas) => schemas.iter().any(|schema| schema.accepts(value)),
            Rule::One(schemas) => schemas.iter().filter(|schema| schema.accepts(value)).count() == 1,
            Rule::Not(schema) => !schema.accepts(value),
        }
    }
}

impl Measure {
    fn of(self, value: &Value) -> Option<usize> {
        match (self, value) {
            (Measure::Text, Value::String(text)) => Some(text.chars().count()),
            (Measure::Array, Value::Array(items)) => Some(items.len()),
            (Measure::Object, Value::Object(object)) => Some(object.len()),
            _ => None,
        }
    }
}

fn list<'a>(keyword: &str, value: &'a Value) -> Outcome<&'a [Value]> {
    match value.as_array() {
        Some(items) if !items.is_empty() => Ok(items),
        _ => refuse(format!("$jsonSchema keyword '{keyword}' must be an array and cannot be empty")),
    }
}

fn schemas(keyword: &str, value: &Value) -> Outcome<Vec<Schema>> {
    list(keyword, value)?.iter().map(Schema::parse).collect()
}

fn names(keyword: &str, value: &Value) -> Outcome<Vec<String>> {
    let texts = list(keyword, value)?.iter().map(|item| match item.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => refuse(format!("$jsonSchema keyword '{keyword}' must be an array of strings")),
    });
    texts.collect()
}

fn number(keyword: &str, value: &Value) -> Outcome<f64> {
    value.as_f64().map_or_else(|| refuse(format!("$jsonSchema keyword '{keyword}' must be a number")), Ok)
}

fn count(keyword: &str, value: &Value) -> Outcome<usize> {
    let whole = value.as_i64().and_then(|number| usize::try_from(number).ok());
    whole
        .map_or_else(|| refuse(format!("$jsonSchema keyword '{keyword}' must be a non-negative integer")), Ok)
}

/// JSON Schema's own names of types.
fn json_types(value: &Value) -> Outcome<Vec<&'static str>> {
    let one = |name: &Value| match name.as_str() {
        Some("boolean") => Ok("bool"),
        Some("object") => Ok("object"),
        Some("array") => Ok("array"),
        Some("number") => Ok("number"),
        Some("string") => Ok("string"),
        Some("null") => Ok("null"),
        Some("integer") => refuse("$jsonSchema type 'integer' is not currently supported."),
        Some(unknown) => refuse(format!("Unknown type name alias: {unknown}")),
        None => refuse("$jsonSchema keyword 'type' must be either a string or an array of strings"),
    };
    match value {
        Value::Array(items) => items.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::super::testing::value;
    use super::*;

    fn accepts(schema: Json, tested: Json) -> bool {
        Schema::parse(&value(schema)).unwrap().accepts(&value(tested))
    }

    #[test]
    fn required_fields_are_there() {
        assert!(accepts(json!({"required": ["a"]}), json!({"a": 1})));
        assert!(!accepts(json!({"required": ["a"]}), json!({"b": 1})));
    }

    #[test]
    fn properties_have_their_own_schema() {
        let schema = json!({"properties": {"a": {"bsonType": ["int", "string"]}}});
        assert!(accepts(schema.clone(), json!({"a": "x"})));
        assert!(!accepts(schema, json!({"a": 1.5})));
    }

    #[test]
    fn types_of_json_schema_are_known() {
        assert!(accepts(json!({"type": "number"}), json!(1.5)));
        assert!(!accepts(json!({"type": "boolean"}), json!(1)));
    }

    #[test]
    fn enum_lists_the_values() {
        assert!(accepts(json!({"enum": [1, "x"]}), json!("x")));
        assert!(!accepts(json!({"enum": [1, "x"]}), json!("y")));
    }

    #[test]
    fn numbers_have_bounds() {
        assert!(accepts(json!({"minimum": 1, "maximum": 2}), json!(2)));
        assert!(!accepts(json!({"maximum": 2, "exclusiveMaximum": true}), json!(2)));
        assert!(!accepts(json!({"minimum": 1, "multipleOf": 2}), json!(3)));
    }

    #[test]
    fn texts_have_a_length_in_characters() {
        assert!(accepts(json!({"minLength": 2, "maxLength": 2}), json!("中文")));
        assert!(!accepts(json!({"minLength": 3}), json!("中文")));
    }

    #[test]
    fn texts_have_a_pattern() {
        assert!(accepts(json!({"pattern": "^a"}), json!("ab")));
        assert!(!accepts(json!({"pattern": "^a"}), json!("ba")));
    }

    #[test]
    fn items_have_a_schema_and_a_number() {
        let schema = json!({"items": {"type": "string"}, "minItems": 1, "maxItems": 2, "uniqueItems": true});
        assert!(accepts(schema.clone(), json!(["a", "b"])));
        assert!(!accepts(schema.clone(), json!([])));
        assert!(!accepts(schema, json!(["a", "a"])));
    }

    #[test]
    fn schemas_combine() {
        let schema = json!({"anyOf": [{"type": "string"}, {"type": "number"}], "not": {"enum": [1]}});
        assert!(accepts(schema.clone(), json!(2)));
        assert!(!accepts(schema, json!(1)));
    }

    #[test]
    fn an_unknown_keyword_is_refused() {
        let refused = Schema::parse(&value(json!({"format": "email"}))).unwrap_err();
        assert_eq!(refused.to_string(), "Unknown $jsonSchema keyword: format");
    }
}
