//! Comparisons, logic, branches, and the operators that make values and names.

use std::cmp::Ordering;

use super::super::error::refuse;
use super::call::{Answer, Call, compare, is_true, present};
use super::{Scope, evaluate};
use crate::cloud::value::Value;

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    Some(match call.name {
        "$cmp" => order(call).map(|order| Some(Value::Int(order as i32))),
        "$eq" => holds(call, Ordering::is_eq),
        "$ne" => holds(call, Ordering::is_ne),
        "$gt" => holds(call, Ordering::is_gt),
        "$gte" => holds(call, Ordering::is_ge),
        "$lt" => holds(call, Ordering::is_lt),
        "$lte" => holds(call, Ordering::is_le),
        "$and" => until(call, false),
        "$or" => until(call, true),
        "$not" => call.exactly().map(|[value]| Some(Value::Bool(!is_true(value.as_ref())))),
        "$cond" => cond(call),
        "$ifNull" => call.exactly().map(|[value, otherwise]| present(value).or(otherwise)),
        "$switch" => switch(call),
        "$literal" => call.budget().make(call.argument).map(|()| Some(call.argument.clone())),
        "$let" => let_in(call),
        // There is no text search, so that no document has a score.
        "$meta" => match call.argument.as_str() {
            Some("textScore") => Ok(None),
            _ => refuse("Unsupported argument to $meta"),
        },
        _ => return None,
    })
}

fn order(call: &Call<'_>) -> super::Outcome<Ordering> {
    let [a, b] = call.exactly()?;
    Ok(compare(a.as_ref(), b.as_ref()))
}

fn holds(call: &Call<'_>, wanted: fn(Ordering) -> bool) -> Answer {
    Ok(Some(Value::Bool(wanted(order(call)?))))
}

/// Looks at the arguments until one counts as `decisive`; those behind it are not evaluated.
fn until(call: &Call<'_>, decisive: bool) -> Answer {
    for expression in call.expressions() {
        if is_true(evaluate(expression, call.scope)?.as_ref()) == decisive {
            return Ok(Some(Value::Bool(decisive)));
        }
    }
    Ok(Some(Value::Bool(!decisive)))
}

fn cond(call: &Call<'_>) -> Answer {
    let (condition, then, otherwise) = match call.argument {
        Value::Object(_) => {
            let fields = call.named(&["if", "then", "else"], &[])?;
            (fields.get("if"), fields.get("then"), fields.get("else"))
        }
        _ => match call.expressions() {
            [condition, then, otherwise] => (Some(condition), Some(then), Some(otherwise)),
            other => {
                return refuse(format!(
                    "Expression $cond takes exactly 3 arguments. {} were passed in.",
                    other.len()
                ));
            }
        },
    };
    let value = |expression: Option<&Value>| {
        expression.map_or(Ok(None), |expression| evaluate(expression, call.scope))
    };
    if is_true(value(condition)?.as_ref()) { value(then) } else { value(otherwise) }
}

fn switch(call: &Call<'_>) -> Answer {
    let fields = call.named(&["branches"], &["default"])?;
    let branches = fields.get("branches").and_then(Value::as_array).unwrap_or_default();
    if branches.is_empty() {
        return refuse("$switch requires at least one branch.");
    }
    for branch in branches {
        let parts = branch.as_object();
        let (Some(case), Some(then)) =
            (parts.and_then(|parts| parts.get("case")), parts.and_then(|parts| parts.get("then")))
        else {
            return refuse("$switch requires each branch have a 'case' and a 'then' expression");
        };
        if is_true(evaluate(case, call.scope)?.as_ref()) {
            return evaluate(then, call.scope);
        }
    }
    match fields.get("default") {
        Some(default) => evaluate(default, call.scope),
        None => {
            refuse("$switch could not find a matching branch for an input, and no default was specified.")
        }
    }
}

fn let_in(call: &Call<'_>) -> Answer {
    let fields = call.named(&["vars", "in"], &[])?;
    let Some(Value::Object(variables)) = fields.get("vars") else {
        return refuse("invalid parameter: expected an object (vars)");
    };
    let mut inner: Scope<'_> = call.scope.clone();
    for (name, expression) in variables.iter() {
        // All values are of the scope around, so that none sees another.
        inner = inner.with(name, evaluate(expression, call.scope)?);
    }
    fields.get("in").map_or(Ok(None), |expression| evaluate(expression, &inner))
}
