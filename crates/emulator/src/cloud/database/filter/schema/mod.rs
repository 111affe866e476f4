//! `$jsonSchema`: JSON Schema, draft 4, with MongoDB's `bsonType`.
//!
//! Deliberately absent: `patternProperties`, `additionalItems`, `dependencies` and `$ref`; like any unknown keyword they
//! are refused.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use super::super::budget::Budget;
use super::super::error::{Outcome, refuse};
use super::super::kind;
use super::super::pattern::Pattern;
use super::decimal::Decimal;
use crate::cloud::measure;
use crate::cloud::value::{Document, Ordered, Value};

/// A schema: rules that must all hold. A rule about another type holds.
#[derive(Clone, Debug)]
pub(super) struct Schema(Vec<Rule>);

#[derive(Clone, Debug)]
enum Rule {
    Required(Vec<String>),
    Properties(Vec<(String, Schema)>),
    /// No fields but these.
    NothingBut(HashSet<String>),
    /// All fields but these have a schema.
    Others(HashSet<String>, Box<Schema>),
    Type(Vec<&'static str>),
    /// One of these values, which are in order, as are their fields.
    Enum(Vec<Value>),
    Minimum(f64, bool),
    Maximum(f64, bool),
    MultipleOf(Decimal),
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

/// Steps for a division of decimals.
const DIVISION: u64 = 10;

impl Schema {
    /// Reads a schema.
    pub(super) fn parse(schema: &Value, budget: &Budget) -> Outcome<Schema> {
        let Value::Object(schema) = schema else {
            return refuse("$jsonSchema must be an object");
        };
        let mut rules = Vec::new();
        for (keyword, value) in schema.iter() {
            if let Some(rule) = rule(keyword, value, schema, budget)? {
                rules.push(rule);
            }
        }
        Ok(Schema(rules))
    }

    /// Whether a value is valid.
    pub(super) fn accepts(&self, value: &Value, budget: &Budget) -> Outcome<bool> {
        all(&self.0, |rule| rule.accepts(value, budget))
    }
}

fn rule(keyword: &str, value: &Value, schema: &Document, budget: &Budget) -> Outcome<Option<Rule>> {
    let at_least = |measure| Ok(Rule::Length(measure, count(keyword, value)?, usize::MAX));
    let at_most = |measure| Ok(Rule::Length(measure, 0, count(keyword, value)?));
    let exclusive = |name: &str| schema.get(name).is_some_and(|value| *value == Value::Bool(true));
    let known = || {
        let known = schema.get("properties").and_then(Value::as_object);
        known.into_iter().flat_map(Document::iter).map(|(name, _)| name.to_owned()).collect()
    };
    let rule = match keyword {
        "title" | "description" => return text(keyword, value).map(|()| None),
        "exclusiveMinimum" | "exclusiveMaximum" => {
            let bound = if keyword == "exclusiveMinimum" { "minimum" } else { "maximum" };
            if schema.get(bound).is_none() {
                return refuse(format!(
                    "$jsonSchema keyword '{bound}' must be a present if {keyword} is present"
                ));
            }
            return flag(keyword, value).map(|_| None);
        }
        "required" => Rule::Required(names(keyword, value)?),
        "properties" => {
            let Value::Object(properties) = value else {
                return refuse("$jsonSchema keyword 'properties' must be an object");
            };
            let parsed =
                properties.iter().map(|(name, inner)| Ok((name.to_owned(), Schema::parse(inner, budget)?)));
            Rule::Properties(parsed.collect::<Outcome<_>>()?)
        }
        "additionalProperties" => match value {
            Value::Bool(true) => return Ok(None),
            Value::Bool(false) => Rule::NothingBut(known()),
            Value::Object(_) => Rule::Others(known(), Box::new(Schema::parse(value, budget)?)),
            _ => return refuse("$jsonSchema keyword 'additionalProperties' must be an object or a boolean"),
        },
        "type" if schema.get("bsonType").is_some() => {
            return refuse("Cannot specify both $jsonSchema keywords 'type' and 'bsonType'");
        }
        "bsonType" | "type" => Rule::Type(types(keyword, value)?),
        "enum" => Rule::Enum(distinct(keyword, value, budget)?),
        "minimum" => Rule::Minimum(number(keyword, value)?, exclusive("exclusiveMinimum")),
        "maximum" => Rule::Maximum(number(keyword, value)?, exclusive("exclusiveMaximum")),
        "multipleOf" => Rule::MultipleOf(step(keyword, value)?),
        "minLength" => at_least(Measure::Text)?,
        "maxLength" => at_most(Measure::Text)?,
        "minItems" => at_least(Measure::Array)?,
        "maxItems" => at_most(Measure::Array)?,
        "minProperties" => at_least(Measure::Object)?,
        "maxProperties" => at_most(Measure::Object)?,
        "pattern" => match value.as_str() {
            Some(pattern) => Rule::Pattern(Pattern::compile(pattern, "", budget)?),
            None => return refuse("$jsonSchema keyword 'pattern' must be a string"),
        },
        "items" => match value {
            Value::Array(schemas) => Rule::ItemsInOrder(
                schemas.iter().map(|schema| Schema::parse(schema, budget)).collect::<Outcome<_>>()?,
            ),
            single => Rule::Items(Box::new(Schema::parse(single, budget)?)),
        },
        "uniqueItems" if flag(keyword, value)? => Rule::Unique,
        "uniqueItems" => return Ok(None),
        "allOf" => Rule::All(schemas(keyword, value, budget)?),
        "anyOf" => Rule::Any(schemas(keyword, value, budget)?),
        "oneOf" => Rule::One(schemas(keyword, value, budget)?),
        "not" => Rule::Not(Box::new(Schema::parse(value, budget)?)),
        unknown => return refuse(format!("Unknown $jsonSchema keyword: {unknown}")),
    };
    Ok(Some(rule))
}

impl Rule {
    fn accepts(&self, value: &Value, budget: &Budget) -> Outcome<bool> {
        budget.work(1)?;
        let of_its_type = match (value, self) {
            (Value::Object(object), _) => self.accepts_object(object, budget)?,
            (Value::Array(items), _) => self.accepts_array(items, budget)?,
            (Value::String(text), Rule::Pattern(pattern)) => Some(pattern.finds(text)?),
            _ => None,
        };
        of_its_type.map_or_else(|| self.accepts_any(value, budget), Ok)
    }

    /// The rules about documents.
    fn accepts_object(&self, object: &Document, budget: &Budget) -> Outcome<Option<bool>> {
        Ok(Some(match self {
            Rule::Required(names) => all(names, |name| {
                budget.work(looking_for(name))?;
                Ok(object.get(name).is_some())
            })?,
            Rule::Properties(schemas) => all(schemas, |(name, schema)| {
                budget.work(looking_for(name))?;
                object.get(name).map_or(Ok(true), |inner| schema.accepts(inner, budget))
            })?,
            Rule::NothingBut(names) => {
                budget.work(object.iter().map(|(name, _)| looking_for(name)).sum())?;
                object.iter().all(|(name, _)| names.contains(name))
            }
            Rule::Others(names, schema) => {
                budget.work(object.iter().map(|(name, _)| looking_for(name)).sum())?;
                let others: Vec<&Value> = object
                    .iter()
                    .filter(|(name, _)| !names.contains(*name))
                    .map(|(_, value)| value)
                    .collect();
                all(&others, |value| schema.accepts(value, budget))?
            }
            _ => return Ok(None),
        }))
    }

    /// The rules about arrays.
    fn accepts_array(&self, items: &[Value], budget: &Budget) -> Outcome<Option<bool>> {
        Ok(Some(match self {
            Rule::Items(schema) => all(items, |item| schema.accepts(item, budget))?,
            Rule::ItemsInOrder(schemas) => {
                let pairs: Vec<(&Value, &Schema)> = items.iter().zip(schemas).collect();
                all(&pairs, |(item, schema)| schema.accepts(item, budget))?
            }
            Rule::Unique => {
                let _made = budget.for_one_document();
                let mut ordered = Vec::with_capacity(items.len());
                for item in items {
                    budget.work(comparing(item, items.len()))?;
                    ordered.push(in_order_within(item, budget)?);
                }
                let mut seen = BTreeSet::new();
                ordered.iter().all(|item| seen.insert(Ordered(item.as_ref())))
            }
            _ => return Ok(None),
        }))
    }

    /// The rules about any value. Those about other types hold.
    fn accepts_any(&self, value: &Value, budget: &Budget) -> Outcome<bool> {
        Ok(match self {
            Rule::Type(kinds) => {
                budget.each(kinds.len() / 4)?;
                kinds.iter().any(|wanted| kind::is(value, wanted))
            }
            Rule::Enum(values) => {
                budget.work(comparing(value, values.len()))?;
                let _made = budget.for_one_document();
                let value = in_order_within(value, budget)?;
                values.binary_search_by(|known| known.compare(&value)).is_ok()
            }
            Rule::Minimum(least, exclusive) => value
                .as_f64()
                .is_none_or(|number| if *exclusive { number > *least } else { number >= *least }),
            Rule::Maximum(most, exclusive) => {
                value.as_f64().is_none_or(|number| if *exclusive { number < *most } else { number <= *most })
            }
            Rule::MultipleOf(step) => {
                budget.work(DIVISION)?;
                value.as_f64().is_none()
                    || Decimal::of(value).is_some_and(|number| number.is_multiple_of(*step))
            }
            Rule::Length(measure, least, most) => {
                budget.each(value.as_str().map_or(0, str::len) / 64)?;
                measure.of(value).is_none_or(|length| (*least..=*most).contains(&length))
            }
            Rule::All(schemas) => all(schemas, |schema| schema.accepts(value, budget))?,
            Rule::Any(schemas) => !all(schemas, |schema| Ok(!schema.accepts(value, budget)?))?,
            Rule::One(schemas) => {
                let mut accepting = 0;
                for schema in schemas {
                    accepting += u32::from(schema.accepts(value, budget)?);
                }
                accepting == 1
            }
            Rule::Not(schema) => !schema.accepts(value, budget)?,
            _ => true,
        })
    }
}

/// How many steps it takes to look for a name, which all of it is read for.
fn looking_for(name: &str) -> u64 {
    1 + name.len() as u64 / 64
}

/// How many steps it takes to look for a value among so many.
fn comparing(value: &Value, among: usize) -> u64 {
    let measure = measure::Measure::of(value);
    (measure.values + measure.memory / 64) * (1 + u64::from(among.checked_ilog2().unwrap_or(0)))
}

/// A value whose fields are in order, since theirs does not matter here.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(in_order).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> =
                fields.iter().map(|(name, value)| (name.to_owned(), in_order(value))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn in_order_within<'v>(value: &'v Value, budget: &Budget) -> Outcome<Cow<'v, Value>> {
    match value {
        Value::Array(_) | Value::Object(_) => {
            budget.make(value)?;
            Ok(Cow::Owned(in_order(value)))
        }
        scalar => Ok(Cow::Borrowed(scalar)),
    }
}

fn all<T>(all: &[T], mut holds: impl FnMut(&T) -> Outcome<bool>) -> Outcome<bool> {
    for one in all {
        if !holds(one)? {
            return Ok(false);
        }
    }
    Ok(true)
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

fn schemas(keyword: &str, value: &Value, budget: &Budget) -> Outcome<Vec<Schema>> {
    list(keyword, value)?.iter().map(|schema| Schema::parse(schema, budget)).collect()
}

fn names(keyword: &str, value: &Value) -> Outcome<Vec<String>> {
    let mut seen = HashSet::new();
    let texts = list(keyword, value)?.iter().map(|item| match item.as_str() {
        Some(text) if !seen.insert(text) => {
            refuse(format!("$jsonSchema keyword '{keyword}' array cannot contain duplicate values"))
        }
        Some(text) => Ok(text.to_owned()),
        None => refuse(format!("$jsonSchema keyword '{keyword}' must be an array of strings")),
    });
    texts.collect()
}

fn text(keyword: &str, value: &Value) -> Outcome<()> {
    match value {
        Value::String(_) => Ok(()),
        _ => refuse(format!("$jsonSchema keyword '{keyword}' must be a string")),
    }
}

fn flag(keyword: &str, value: &Value) -> Outcome<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        _ => refuse(format!("$jsonSchema keyword '{keyword}' must be a boolean")),
    }
}

fn step(keyword: &str, value: &Value) -> Outcome<Decimal> {
    if number(keyword, value)? <= 0.0 {
        return refuse(format!("$jsonSchema keyword '{keyword}' must have a positive value"));
    }
    match Decimal::of(value) {
        Some(step) => Ok(step),
        None => refuse(format!("$jsonSchema keyword '{keyword}' must be a number that is finite")),
    }
}

fn number(keyword: &str, value: &Value) -> Outcome<f64> {
    value.as_f64().map_or_else(|| refuse(format!("$jsonSchema keyword '{keyword}' must be a number")), Ok)
}

fn count(keyword: &str, value: &Value) -> Outcome<usize> {
    let whole = value.as_i64().and_then(|number| usize::try_from(number).ok());
    whole
        .map_or_else(|| refuse(format!("$jsonSchema keyword '{keyword}' must be a non-negative integer")), Ok)
}

/// The values of a list in their order, all of them different.
fn distinct(keyword: &str, value: &Value, budget: &Budget) -> Outcome<Vec<Value>> {
    budget.make(value)?;
    let mut values: Vec<Value> = list(keyword, value)?.iter().map(in_order).collect();
    values.sort_by(Value::compare);
    if values.windows(2).any(|pair| matches!(pair, [a, b] if a.equals(b))) {
        return refuse(format!("$jsonSchema keyword '{keyword}' array cannot contain duplicate values"));
    }
    Ok(values)
}

/// One type or several, all of them different.
fn types(keyword: &str, value: &Value) -> Outcome<Vec<&'static str>> {
    let asked = match value {
        Value::Array(_) => list(keyword, value)?,
        single => std::slice::from_ref(single),
    };
    let mut types = Vec::new();
    for name in asked {
        let known = if keyword == "type" { json_type(name)? } else { kind::parse_one(name)? };
        if types.contains(&known) {
            return refuse(format!("$jsonSchema keyword '{keyword}' array cannot contain duplicate values"));
        }
        types.push(known);
    }
    Ok(types)
}

/// JSON Schema's own names of types.
fn json_type(name: &Value) -> Outcome<&'static str> {
    match name.as_str() {
        Some("boolean") => Ok("bool"),
        Some("object") => Ok("object"),
        Some("array") => Ok("array"),
        Some("number") => Ok("number"),
        Some("string") => Ok("string"),
        Some("null") => Ok("null"),
        Some("integer") => refuse("$jsonSchema type 'integer' is not currently supported."),
        Some(unknown) => refuse(format!("Unknown type name alias: {unknown}")),
        None => refuse("$jsonSchema keyword 'type' must be either a string or an array of strings"),
    }
}
