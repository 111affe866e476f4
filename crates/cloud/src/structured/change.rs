//! `update`.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::condition;
use super::literal::{array, has_operators, is_date, object, only, options, text, value, values};
use super::place::{Place, StructuredError};
use crate::update::{Order, PushOptions, PushSort, Update};

pub(super) fn update(place: &Place<'_>, operators: &Map<String, Json>) -> Result<Update, StructuredError> {
    let mut update = Update::new();
    for (operator, json) in operators {
        let place = place.below(operator)?;
        if operator == "$unset"
            && let Json::Array(paths) = json
        {
            for path in paths {
                update = update.remove(text(&place, path)?);
            }
            continue;
        }
        if !OPERATORS.contains(&operator.as_str()) {
            return place.operator(operator);
        }
        for (path, operand) in object(&place, json)? {
            update = change(&place.below(path)?, update, operator, path, operand)?;
        }
    }
    Ok(update)
}

const OPERATORS: &[&str] =
    &["$set", "$inc", "$unset", "$push", "$pull", "$addToSet", "$mul", "$min", "$max", "$rename"];

fn change(
    place: &Place<'_>,
    update: Update,
    operator: &str,
    path: &str,
    json: &Json,
) -> Result<Update, StructuredError> {
    Ok(match operator {
        "$set" => update.set(path, value(place, json)?),
        "$inc" => update.inc(path, value(place, json)?),
        "$mul" => update.mul(path, value(place, json)?),
        "$min" => update.min(path, value(place, json)?),
        "$max" => update.max(path, value(place, json)?),
        "$unset" => update.remove(path),
        "$rename" => update.rename(path, text(place, json)?),
        "$push" => push(place, update, path, json)?,
        "$pull" => pull(place, update, path, json)?,
        "$addToSet" => add_to_set(place, update, path, json)?,
        operator => return place.operator(operator),
    })
}

/// `{"$each":[..],"$position":0,"$sort":-1,"$slice":5}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    #[serde(rename = "$each")]
    each: Vec<Json>,
    #[serde(default, rename = "$position")]
    position: Option<u32>,
    #[serde(default, rename = "$sort")]
    sort: Option<Json>,
    #[serde(default, rename = "$slice")]
    slice: Option<i32>,
}

fn push(place: &Place<'_>, update: Update, path: &str, json: &Json) -> Result<Update, StructuredError> {
    match json {
        Json::Object(fields) if has_operators(fields) => {
            let Push { each, position, sort, slice } = options(place, json)?;
            let sort = sort.map(|sort| push_sort(place, &sort)).transpose()?;
            let each = values(place, &each)?;
            Ok(update.push_with(path, PushOptions { each, position, sort, slice }))
        }
        json => Ok(update.push(path, value(place, json)?)),
    }
}

fn push_sort(place: &Place<'_>, json: &Json) -> Result<PushSort, StructuredError> {
    match json {
        Json::Object(fields) => Ok(PushSort::Fields(orders(place, fields)?)),
        json => Ok(PushSort::Elements(order(place, json)?)),
    }
}

/// 1 and -1.
pub(super) fn order(place: &Place<'_>, json: &Json) -> Result<Order, StructuredError> {
    match json.as_i64() {
        Some(1) => Ok(Order::Ascending),
        Some(-1) => Ok(Order::Descending),
        _ => place.expected("1 or -1"),
    }
}

pub(super) fn orders(
    place: &Place<'_>,
    fields: &Map<String, Json>,
) -> Result<Vec<(String, Order)>, StructuredError> {
    fields.iter().map(|(path, json)| Ok((path.clone(), order(place, json)?))).collect()
}

/// An object is a condition on elements that are objects, or one comparison of plain ones.
fn pull(place: &Place<'_>, update: Update, path: &str, json: &Json) -> Result<Update, StructuredError> {
    match json {
        Json::Object(fields) if !is_date(fields) => match only(fields) {
            Some((operator, operand)) => {
                let command = condition::command(&place.below(operator)?, operator, operand)?;
                Ok(update.pull(path, command))
            }
            None if fields.is_empty() => place.expected("conditions that are not empty"),
            None => Ok(update.pull(path, condition::filter(place, fields)?)),
        },
        json => Ok(update.pull(path, value(place, json)?)),
    }
}

fn add_to_set(place: &Place<'_>, update: Update, path: &str, json: &Json) -> Result<Update, StructuredError> {
    match json.as_object().and_then(only) {
        Some(("$each", items)) => Ok(update.add_all_to_set(path, values(place, array(place, items)?)?)),
        _ => Ok(update.add_to_set(path, value(place, json)?)),
    }
}
