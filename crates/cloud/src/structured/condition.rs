//! `where` and `$match`.

use serde_json::{Map, Value as Json};

use super::joined;
use super::literal::{array, count, has_operators, object, only, text, value, values};
use super::place::{Place, StructuredError, Wrong};
use crate::build_error::BuildError;
use crate::filter::{Command, Filter, field};
use crate::value::Regex;

const OPERATORS_ALONE: &str = "operators alone, or fields alone, not both in one object";

pub(super) fn filter(place: &Place<'_>, fields: &Map<String, Json>) -> Result<Filter, StructuredError> {
    let mut filters = Vec::with_capacity(fields.len());
    for (key, json) in fields {
        let place = place.below(key)?;
        filters.push(match key.as_str() {
            "$and" => Filter::all_of(alternatives(&place, json)?),
            "$or" => Filter::any_of(alternatives(&place, json)?),
            "$nor" => Filter::none_of(alternatives(&place, json)?),
            operator if operator.starts_with('$') => return place.operator(operator),
            path => on_field(&place, path, json)?,
        });
    }
    Ok(joined(filters))
}

/// Conditions in a list. An empty one would hold for every document, which nobody writes on purpose.
fn alternatives(place: &Place<'_>, json: &Json) -> Result<Vec<Filter>, StructuredError> {
    let conditions = array(place, json)?.iter().map(|json| match object(place, json)? {
        fields if fields.is_empty() => place.expected("conditions that are not empty"),
        fields => filter(place, fields),
    });
    conditions.collect()
}

fn on_field(place: &Place<'_>, path: &str, json: &Json) -> Result<Filter, StructuredError> {
    match json {
        Json::Object(operators) if has_operators(operators) => {
            let mut filters = Vec::with_capacity(operators.len());
            for (operator, operand) in operators {
                if !operator.starts_with('$') {
                    return place.expected(OPERATORS_ALONE);
                }
                let place = place.below(operator)?;
                match operator.as_str() {
                    "$regex" => filters.push(field(path).matches(regex(&place, operators)?)),
                    "$options" if operators.contains_key("$regex") => {}
                    "$not" => filters.push(negated(&place, path, operand)?),
                    operator => filters.push(field(path).is(command(&place, operator, operand)?)),
                }
            }
            Ok(joined(filters))
        }
        json => Ok(field(path).eq(value(place, json)?)),
    }
}

/// Not several comparisons at once, and not a pattern: those are a condition of which none may hold.
fn negated(place: &Place<'_>, path: &str, json: &Json) -> Result<Filter, StructuredError> {
    let operators = object(place, json)?;
    match only(operators) {
        _ if !has_operators(operators) => place.expected("an object of operators"),
        Some((operator, operand)) if !matches!(operator, "$regex" | "$not") => {
            Ok(field(path).not(command(&place.below(operator)?, operator, operand)?))
        }
        _ => Ok(Filter::none_of([on_field(place, path, json)?])),
    }
}

/// A comparison by the name of its operator.
pub(super) fn command(place: &Place<'_>, operator: &str, json: &Json) -> Result<Command, StructuredError> {
    Ok(match operator {
        "$eq" => Command::eq(value(place, json)?),
        "$ne" => Command::ne(value(place, json)?),
        "$lt" => Command::lt(value(place, json)?),
        "$lte" => Command::lte(value(place, json)?),
        "$gt" => Command::gt(value(place, json)?),
        "$gte" => Command::gte(value(place, json)?),
        "$in" => Command::one_of(values(place, array(place, json)?)?),
        "$nin" => Command::none_of(values(place, array(place, json)?)?),
        "$all" => Command::all(values(place, array(place, json)?)?),
        "$exists" => match json.as_bool() {
            Some(there) => Command::exists(there),
            None => return place.expected("true or false"),
        },
        "$size" => Command::size(count(place, json)?),
        "$mod" => match array(place, json)? {
            [divisor, remainder] => match (divisor.as_i64(), remainder.as_i64()) {
                (Some(divisor), Some(remainder)) => Command::modulo(divisor, remainder),
                _ => return place.expected("two integers"),
            },
            _ => return place.expected("a list of divisor and remainder"),
        },
        "$elemMatch" => element(place, json)?,
        "$not" => match only(object(place, json)?) {
            Some((operator, operand)) => Command::not(command(&place.below(operator)?, operator, operand)?),
            None => return place.expected("an object of one operator"),
        },
        operator => return place.operator(operator),
    })
}

fn element(place: &Place<'_>, json: &Json) -> Result<Command, StructuredError> {
    let fields = object(place, json)?;
    match only(fields) {
        Some((operator, operand)) if !matches!(operator, "$and" | "$or" | "$nor") => {
            Ok(Command::elem_match(command(&place.below(operator)?, operator, operand)?))
        }
        _ if fields.is_empty() => place.expected("conditions that are not empty"),
        _ if fields.keys().any(|key| key.starts_with('$')) => {
            Err(place.wrong(Wrong::Build(BuildError::ElementConditions)))
        }
        _ => Ok(Command::elem_match(filter(place, fields)?)),
    }
}

fn regex(place: &Place<'_>, operators: &Map<String, Json>) -> Result<Regex, StructuredError> {
    let pattern = operators.get("$regex").map_or(Ok(""), |json| text(place, json))?;
    let options = operators.get("$options").map_or(Ok(""), |json| text(place, json))?;
    Ok(Regex::new(pattern).with(options))
}
