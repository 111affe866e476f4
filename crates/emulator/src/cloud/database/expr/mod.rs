//! Expressions of an aggregation.
//!
//! An expression has a value or is missing: `"$a"` of a document without `a` is missing, which is not `null`. Most
//! operators give `null` if an operand is either. Literal arrays turn what is missing into `null`, literal documents
//! leave it out.
//!
//! Every operator belongs to one family, a module of its own. Deliberately absent: operators that came after
//! MongoDB 3.6, and text search, so that `$meta` is always missing.

mod accumulator;
mod arithmetic;
mod arrays;
mod calendar;
mod call;
mod conditions;
mod dates;
mod objects;
mod scope;
mod sets;
mod strings;
#[cfg(test)]
mod tests;

pub(super) use accumulator::Accumulator;
pub(super) use scope::Scope;
pub(crate) use scope::Variables;

use super::error::{Outcome, refuse};
use super::{kind, path};
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};
use call::{Answer, Call};

/// What a document takes in memory for a field, besides its name and its value.
const FIELD: u64 = 64;

type Family = fn(&Call<'_>) -> Option<Answer>;

const FAMILIES: [Family; 8] = [
    conditions::operate,
    arithmetic::operate,
    arrays::operate,
    strings::operate,
    dates::operate,
    objects::operate,
    sets::operate,
    accumulator::operate,
];

/// The value of an expression; nothing if it is missing.
pub(super) fn evaluate(expression: &Value, scope: &Scope<'_>) -> Outcome<Option<Value>> {
    scope.budget.work(1)?;
    match expression {
        Value::String(text) => match text.strip_prefix('$') {
            Some(path) => field(path, scope),
            None => constant(expression, scope),
        },
        Value::Array(items) => list(items, scope),
        Value::Object(object) => match object.iter().next() {
            Some((name, argument)) if name.starts_with('$') => {
                if object.len() > 1 {
                    return refuse(format!(
                        "an object representing an expression must have exactly one field: {}",
                        crate::cloud::ejson::plain(expression)
                    ));
                }
                operate(&Call { name, argument, scope })
            }
            _ => literal(object, scope),
        },
        value => constant(value, scope),
    }
}

fn constant(value: &Value, scope: &Scope<'_>) -> Answer {
    scope.budget.make(value)?;
    Ok(Some(value.clone()))
}

fn list(items: &[Value], scope: &Scope<'_>) -> Answer {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(evaluate(item, scope)?.unwrap_or(Value::Null));
    }
    Ok(Some(Value::Array(values)))
}

fn literal(object: &Document, scope: &Scope<'_>) -> Answer {
    let mut built = Document::new();
    scope.budget.work(8)?;
    for (name, expression) in object.iter() {
        if let Some(value) = evaluate(expression, scope)? {
            scope.budget.work(8 + name.len() as u64 / 64)?;
            scope.budget.bytes(FIELD + name.len() as u64)?;
            built.set(name, value);
        }
    }
    Ok(Some(Value::Object(built)))
}

fn operate(call: &Call<'_>) -> Answer {
    // To find out which operator it is takes longer than to look at a value.
    call.budget().work(4)?;
    FAMILIES
        .iter()
        .find_map(|family| family(call))
        .unwrap_or_else(|| refuse(format!("Unrecognized expression '{}'", call.name)))
}

/// What stands behind one dollar sign is a path in the current document; behind two, a variable and a path in it.
fn field(path: &str, scope: &Scope<'_>) -> Answer {
    path::check_bytes(path.len())?;
    scope.budget.work(2 + path.len() as u64 / 8)?;
    let parts: Vec<&str> = path.split('.').collect();
    path::check_names(parts.len())?;
    if path.is_empty() {
        return refuse("'$' by itself is not a valid FieldPath");
    }
    if parts.iter().any(|part| part.is_empty()) {
        return refuse(format!("FieldPath '{path}' must not have an empty part."));
    }
    let (Some(variable), rest) = (path.strip_prefix('$'), parts.get(1..).unwrap_or_default()) else {
        return match scope.variables.get("CURRENT") {
            Some(Some(current)) => path::gather(current, &parts, scope.budget),
            Some(None) => Ok(None),
            None => within(scope, &parts),
        };
    };
    scope.budget.work(scope.variables.count())?;
    let name = variable.split_once('.').map_or(variable, |(name, _)| name);
    match scope.variables.get(name) {
        Some(Some(value)) => path::gather(value, rest, scope.budget),
        Some(None) => Ok(None),
        None => match name {
            "ROOT" | "CURRENT" => within(scope, rest),
            "REMOVE" => Ok(None),
            unknown => refuse(format!("Use of undefined variable: {unknown}")),
        },
    }
}

fn within(scope: &Scope<'_>, parts: &[&str]) -> Answer {
    match parts.split_first() {
        Some((first, rest)) => match scope.root.get(first) {
            Some(value) => path::gather(value, rest, scope.budget),
            None => Ok(None),
        },
        None => {
            scope.budget.measured(Measure::of_document(scope.root))?;
            Ok(Some(Value::Object(scope.root.clone())))
        }
    }
}
