//! Expressions of aggregation: `"$a.b"` is a field, `"$$x"` a variable, `{"$op":..}` an operator from the list.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::literal::{has_operators, is_date, object, only, options, text, value};
use super::place::{Place, StructuredError};
use crate::expr::Expr;
use crate::operator::{Arity, OPERATORS};

pub(super) fn expr(place: &Place<'_>, json: &Json) -> Result<Expr, StructuredError> {
    match json {
        Json::String(text) => Ok(reference(text).unwrap_or_else(|| Expr::literal(text.as_str()))),
        Json::Array(items) => Ok(Expr::array(exprs(&place.below("[]")?, items)?)),
        Json::Object(fields) if !is_date(fields) => match only(fields) {
            Some((name, operand)) => operator(&place.below(name)?, name, operand),
            None if has_operators(fields) => place.expected("one operator, or fields alone"),
            None => Ok(Expr::object(named(place, fields)?)),
        },
        json => Ok(Expr::literal(value(place, json)?)),
    }
}

fn reference(text: &str) -> Option<Expr> {
    match (text.strip_prefix("$$"), text.strip_prefix('$')) {
        (Some(variable), _) => Some(Expr::variable(variable)),
        (None, Some(field)) => Some(Expr::field(field)),
        (None, None) => None,
    }
}

fn exprs(place: &Place<'_>, items: &[Json]) -> Result<Vec<Expr>, StructuredError> {
    items.iter().map(|item| expr(place, item)).collect()
}

/// Names and their expressions.
pub(super) fn named(
    place: &Place<'_>,
    fields: &Map<String, Json>,
) -> Result<Vec<(String, Expr)>, StructuredError> {
    let read = |(name, json): (&String, &Json)| Ok((name.clone(), expr(&place.below(name)?, json)?));
    fields.iter().map(read).collect()
}

fn operator(place: &Place<'_>, name: &str, json: &Json) -> Result<Expr, StructuredError> {
    let known = match name {
        "$ne" => Some("neq"),
        "$neq" => None,
        name => name.strip_prefix('$'),
    };
    match OPERATORS.iter().find(|(operator, _)| Some(*operator) == known) {
        Some((name, arity)) => counted(place, name, *arity, json),
        None => special(place, name, json),
    }
}

fn counted(place: &Place<'_>, name: &str, arity: Arity, json: &Json) -> Result<Expr, StructuredError> {
    let operands = match (arity, json) {
        (Arity::One, json) => vec![expr(place, json)?],
        (_, Json::Array(items)) => exprs(place, items)?,
        (Arity::AtLeast(1), json) => return Ok(Expr::operator(name, Arity::One, vec![expr(place, json)?])),
        _ => return place.expected("a list of operands"),
    };
    match arity {
        Arity::Exactly(count) if operands.len() != count => place.expected("another number of operands"),
        Arity::AtLeast(least) if operands.len() < least => place.expected("more operands"),
        arity => Ok(Expr::operator(name, arity, operands)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cond {
    #[serde(rename = "if")]
    condition: Json,
    then: Json,
    #[serde(rename = "else")]
    otherwise: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    branches: Vec<Branch>,
    #[serde(default)]
    default: Option<Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Branch {
    case: Json,
    then: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elements {
    input: Json,
    #[serde(default = "this", rename = "as")]
    name: String,
    #[serde(default, rename = "cond")]
    condition: Option<Json>,
    #[serde(default, rename = "in")]
    made: Option<Json>,
}

fn this() -> String {
    "this".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reduce {
    input: Json,
    #[serde(rename = "initialValue")]
    initial: Json,
    #[serde(rename = "in")]
    made: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Zip {
    inputs: Vec<Json>,
    #[serde(default)]
    defaults: Option<Vec<Json>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Let {
    vars: Map<String, Json>,
    #[serde(rename = "in")]
    expr: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DateToString {
    date: Json,
    format: String,
    #[serde(default)]
    timezone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DateFromString {
    date_string: Json,
    #[serde(default)]
    timezone: Option<String>,
}

/// The operators with operands of their own kind.
fn special(place: &Place<'_>, name: &str, json: &Json) -> Result<Expr, StructuredError> {
    let read = |json: &Json| expr(place, json);
    Ok(match name {
        "$literal" => Expr::literal(value(place, json)?),
        "$not" => match json {
            Json::Array(items) => match items.as_slice() {
                [item] => Expr::not(read(item)?),
                _ => return place.expected("one operand"),
            },
            json => Expr::not(read(json)?),
        },
        "$cond" => {
            let Cond { condition, then, otherwise } = match json.as_array().map(Vec::as_slice) {
                Some([condition, then, otherwise]) => {
                    Cond { condition: condition.clone(), then: then.clone(), otherwise: otherwise.clone() }
                }
                _ => options(place, json)?,
            };
            Expr::cond(read(&condition)?, read(&then)?, read(&otherwise)?)
        }
        "$switch" => {
            let Switch { branches, default } = options(place, json)?;
            let branches: Result<Vec<_>, _> = branches
                .iter()
                .map(|it| Ok::<_, StructuredError>((read(&it.case)?, read(&it.then)?)))
                .collect();
            Expr::switch(branches?, default.as_ref().map(read).transpose()?)
        }
        "$filter" | "$map" => elements(place, name, json)?,
        "$reduce" => {
            let Reduce { input, initial, made } = options(place, json)?;
            Expr::reduce(read(&input)?, read(&initial)?, read(&made)?)
        }
        "$zip" => {
            let Zip { inputs, defaults } = options(place, json)?;
            let defaults = defaults.map(|it| exprs(place, &it)).transpose()?;
            Expr::zip(exprs(place, &inputs)?, defaults)
        }
        "$let" => {
            let Let { vars, expr } = options(place, json)?;
            Expr::let_in(named(place, &vars)?, read(&expr)?)
        }
        "$dateToString" => {
            let DateToString { date, format, timezone } = options(place, json)?;
            Expr::date_to_string(read(&date)?, &format, timezone.as_deref())
        }
        "$dateFromString" => {
            let DateFromString { date_string, timezone } = options(place, json)?;
            Expr::date_from_string(read(&date_string)?, timezone.as_deref())
        }
        "$dateFromParts" => Expr::date_from_parts(named(place, object(place, json)?)?),
        "$meta" => match text(place, json)? {
            "textScore" => Expr::text_score(),
            _ => return place.expected("\"textScore\""),
        },
        name => return place.operator(name),
    })
}

fn elements(place: &Place<'_>, name: &str, json: &Json) -> Result<Expr, StructuredError> {
    let Elements { input, name: element, condition, made } = options(place, json)?;
    let input = expr(place, &input)?;
    match (name, condition, made) {
        ("$filter", Some(condition), None) => Ok(Expr::filter(input, &element, expr(place, &condition)?)),
        ("$map", None, Some(made)) => Ok(Expr::map(input, &element, expr(place, &made)?)),
        ("$filter", ..) => place.expected("`input`, `as` and `cond`"),
        _ => place.expected("`input`, `as` and `in`"),
    }
}
