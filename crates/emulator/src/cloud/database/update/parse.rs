//! From update documents to changes.

use super::super::budget::Budget;
use super::super::error::{DatabaseError, Outcome, refuse};
use super::super::{kind, path};
use super::array::{Pull, Push};
use super::{Bits, Change, Document, Update, Value, ejson};

pub(super) fn update(update: &Document) -> Outcome<Update> {
    let budget = Budget::default();
    let mut changes = Vec::new();
    for (operator, fields) in update.iter() {
        if !operator.starts_with('$') {
            return refuse("the update operation document must contain atomic operators.");
        }
        let Value::Object(fields) = fields else {
            return refuse(format!(
                "Modifiers operate on fields but we found type {} instead. For example: {{$mod: {{<field>: ...}}}} \
                 not {{{operator}: {}}}",
                kind::name(fields),
                ejson::plain(fields)
            ));
        };
        for (path, argument) in fields.iter() {
            path::check_length(path)?;
            changes.push((path.to_owned(), change(operator, path, argument, &budget)?));
        }
    }
    Ok(Update { changes, budget })
}

fn change(operator: &str, path: &str, argument: &Value, budget: &Budget) -> Outcome<Change> {
    let shown = || format!("{{{path}: {}}}", ejson::plain(argument));
    match operator {
        "$set" => Ok(Change::Set(argument.clone())),
        "$setOnInsert" => Ok(Change::SetOnInsert(argument.clone())),
        "$unset" => Ok(Change::Unset),
        "$inc" | "$mul" if argument.as_f64().is_none() => {
            let verb = if operator == "$inc" { "increment" } else { "multiply" };
            refuse(format!("Cannot {verb} with non-numeric argument: {}", shown()))
        }
        "$inc" => Ok(Change::Add(argument.clone())),
        "$mul" => Ok(Change::Multiply(argument.clone())),
        "$min" => Ok(Change::Lower(argument.clone())),
        "$max" => Ok(Change::Raise(argument.clone())),
        "$rename" => rename(path, argument),
        "$push" => Ok(Change::Push(Push::parse(argument)?)),
        "$pop" => match argument.as_i64() {
            Some(1) => Ok(Change::PopLast),
            Some(-1) => Ok(Change::PopFirst),
            _ => refuse(format!("$pop expects 1 or -1, found: {}", ejson::plain(argument))),
        },
        "$pull" => Ok(Change::Pull(Pull::parse(argument, budget)?)),
        "$pullAll" => match argument {
            Value::Array(values) => Ok(Change::Pull(Pull::values(values))),
            other => {
                refuse(format!("$pullAll requires an array argument but was given a {}", kind::name(other)))
            }
        },
        "$addToSet" => Ok(Change::AddToSet(each(operator, argument)?)),
        "$bit" => bits(argument),
        "$currentDate" => current_date(argument),
        unknown => refuse(format!("Unknown modifier: {unknown}")),
    }
}

fn rename(path: &str, argument: &Value) -> Outcome<Change> {
    argument.as_str().map_or(Ok(()), path::check_length)?;
    match argument.as_str() {
        Some(to) if to == path => {
            refuse(format!("The source and target field for $rename must differ: {path}: \"{to}\""))
        }
        Some(to) if to.split('.').any(|part| part.is_empty() || part.starts_with('$')) => {
            refuse(format!("The destination field for $rename is not valid: {to}"))
        }
        Some(_) if path.contains('$') => {
            refuse(format!("The source field for $rename may not be dynamic: {path}"))
        }
        Some(to) => Ok(Change::Rename(to.to_owned())),
        None => {
            refuse(format!("The 'to' field for $rename must be a string: {path}: {}", ejson::plain(argument)))
        }
    }
}

/// The values of `$each`, or the one value that stands there without it.
pub(super) fn each(operator: &str, argument: &Value) -> Outcome<Vec<Value>> {
    match argument.as_object().and_then(|modifiers| modifiers.get("$each")) {
        Some(Value::Array(values)) => Ok(values.clone()),
        Some(other) => refuse(format!(
            "The argument to $each in {operator} must be an array but it was of type: {}",
            kind::name(other)
        )),
        None => Ok(vec![argument.clone()]),
    }
}

fn bits(argument: &Value) -> Outcome<Change> {
    let operations = argument.as_object().filter(|operations| !operations.is_empty());
    let operations = operations.ok_or_else(|| {
        DatabaseError::new("You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}}")
    })?;
    let each = operations.iter().map(|(name, mask)| {
        if !matches!(mask, Value::Int(_) | Value::Long(_)) {
            return refuse(format!(
                "The $bit modifier field must be an Integer(32/64 bit); a '{}' is not supported here",
                kind::name(mask)
            ));
        }
        match name {
            "and" => Ok((Bits::And, mask.clone())),
            "or" => Ok((Bits::Or, mask.clone())),
            "xor" => Ok((Bits::Xor, mask.clone())),
            unknown => refuse(format!(
                "The $bit modifier only supports 'and', 'or', and 'xor', not '{unknown}' which is an unknown operator"
            )),
        }
    });
    Ok(Change::Bits(each.collect::<Outcome<_>>()?))
}

/// A timestamp is not among the types that are stored, so both forms give a date.
fn current_date(argument: &Value) -> Outcome<Change> {
    let wanted = argument.as_object().and_then(|form| form.get("$type")).and_then(Value::as_str);
    match (argument, wanted) {
        (Value::Bool(_), _) | (_, Some("date" | "timestamp")) => Ok(Change::Now),
        _ => refuse(format!(
            "{} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression \
             ({{$type: 'timestamp/date'}}).",
            kind::name(argument)
        )),
    }
}
