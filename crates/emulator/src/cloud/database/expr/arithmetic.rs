//! Arithmetic. Integers stay integers and widen, doubles win, `null` spreads.

use super::super::error::{Outcome, refuse};
use super::super::{kind, number};
use super::call::{Answer, Call, NULL, present};
use crate::cloud::value::Value;

pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    Some(match call.name {
        "$add" => add(call),
        "$subtract" => subtract(call),
        "$multiply" => multiply(call),
        "$divide" => divide(call),
        "$mod" => modulo(call),
        "$pow" => pow(call),
        "$log" => log(call),
        "$abs" => one(call, abs),
        "$ceil" => one(call, |value| Ok(rounded(value, f64::ceil))),
        "$floor" => one(call, |value| Ok(rounded(value, f64::floor))),
        "$trunc" => one(call, |value| Ok(rounded(value, f64::trunc))),
        "$exp" => one(call, |value| Ok(real(value).exp().into())),
        "$ln" => one(call, |value| Ok(positive(call, &value)?.ln().into())),
        "$log10" => one(call, |value| Ok(positive(call, &value)?.log10().into())),
        "$sqrt" => one(call, |value| match real(value) {
            negative if negative < 0.0 => refuse("$sqrt's argument must be greater than or equal to 0"),
            number => Ok(number.sqrt().into()),
        }),
        _ => return None,
    })
}

fn real(value: Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn one(call: &Call<'_>, work: impl Fn(Value) -> Outcome<Value>) -> Answer {
    let [value] = call.exactly()?;
    match present(value) {
        None => NULL,
        Some(value) if value.as_f64().is_none() => {
            refuse(format!("{} only supports numeric types, not {}", call.name, kind::name(&value)))
        }
        Some(value) => work(value).map(Some),
    }
}

fn abs(value: Value) -> Outcome<Value> {
    match value {
        Value::Int(number) => Ok(Value::from(i64::from(number).abs())),
        Value::Long(number) => match number.checked_abs() {
            Some(number) => Ok(Value::Long(number)),
            None => refuse("can't take $abs of long long min"),
        },
        other => Ok(real(other).abs().into()),
    }
}

fn rounded(value: Value, round: fn(f64) -> f64) -> Value {
    match value {
        Value::Double(number) => Value::Double(round(number)),
        whole => whole,
    }
}

fn positive(call: &Call<'_>, value: &Value) -> Outcome<f64> {
    match value.as_f64() {
        Some(number) if number > 0.0 || number.is_nan() => Ok(number),
        other => refuse(format!(
            "{}'s argument must be a positive number, but is {}",
            call.name,
            other.unwrap_or(f64::NAN)
        )),
    }
}

/// Adds numbers, and at most one date.
fn add(call: &Call<'_>) -> Answer {
    let mut total = Value::Int(0);
    let mut date = None;
    for value in call.all()? {
        match present(value) {
            None => return NULL,
            Some(Value::Date(_)) if date.is_some() => {
                return refuse("only one date allowed in an $add expression");
            }
            Some(Value::Date(at)) => date = Some(at),
            Some(number) if number.as_f64().is_some() => total = sum(&total, &number),
            Some(other) => {
                return refuse(format!(
                    "$add only supports numeric or date types, not {}",
                    kind::name(&other)
                ));
            }
        }
    }
    Ok(Some(match date {
        Some(at) => moved(at, &total),
        None => total,
    }))
}

/// A sum that becomes a double when 64 bits do not hold it.
pub(super) fn sum(a: &Value, b: &Value) -> Value {
    number::add(a, b).unwrap_or_else(|| (real(a.clone()) + real(b.clone())).into())
}

fn moved(at: i64, by: &Value) -> Value {
    let millis = number::integer(by).unwrap_or_else(|| real(by.clone()).round() as i64);
    Value::Date(at.saturating_add(millis))
}

fn subtract(call: &Call<'_>) -> Answer {
    let [a, b] = call.exactly()?;
    let (Some(a), Some(b)) = (present(a), present(b)) else {
        return NULL;
    };
    match (&a, &b) {
        (Value::Date(a), Value::Date(b)) => Ok(Some(Value::Long(a.saturating_sub(*b)))),
        (Value::Date(at), by) if by.as_f64().is_some() => {
            let negated = number::subtract(&Value::Int(0), by).unwrap_or(Value::Int(0));
            Ok(Some(moved(*at, &negated)))
        }
        (a, b) if a.as_f64().is_some() && b.as_f64().is_some() => {
            Ok(Some(number::subtract(a, b).unwrap_or_else(|| (real(a.clone()) - real(b.clone())).into())))
        }
        (a, b) => refuse(format!("cant $subtract a {} from a {}", kind::name(b), kind::name(a))),
    }
}

fn multiply(call: &Call<'_>) -> Answer {
    let mut product = Value::Int(1);
    for value in call.all()? {
        match present(value) {
            None => return NULL,
            Some(number) if number.as_f64().is_some() => {
                product = number::multiply(&product, &number)
                    .unwrap_or_else(|| (real(product) * real(number)).into());
            }
            Some(other) => {
                return refuse(format!("$multiply only supports numeric types, not {}", kind::name(&other)));
            }
        }
    }
    Ok(Some(product))
}

/// Two numbers; nothing if one is `null` or missing.
fn two(call: &Call<'_>) -> Outcome<Option<(Value, Value)>> {
    let [a, b] = call.exactly()?;
    let (Some(a), Some(b)) = (present(a), present(b)) else {
        return Ok(None);
    };
    if a.as_f64().is_none() || b.as_f64().is_none() {
        return refuse(format!(
            "{} only supports numeric types, not {} and {}",
            call.name,
            kind::name(&a),
            kind::name(&b)
        ));
    }
    Ok(Some((a, b)))
}

fn divide(call: &Call<'_>) -> Answer {
    let Some((a, b)) = two(call)? else {
        return NULL;
    };
    match real(b) {
        0.0 => refuse("can't $divide by zero"),
        by => Ok(Some((real(a) / by).into())),
    }
}

fn modulo(call: &Call<'_>) -> Answer {
    let Some((a, b)) = two(call)? else {
        return NULL;
    };
    if b.as_f64() == Some(0.0) {
        return refuse("can't $mod by zero");
    }
    Ok(Some(match (number::integer(&a), number::integer(&b)) {
        (Some(x), Some(y)) => number::widest(&a, &b, x.wrapping_rem(y)),
        _ => (real(a) % real(b)).into(),
    }))
}

fn pow(call: &Call<'_>) -> Answer {
    let Some((base, exponent)) = two(call)? else {
        return NULL;
    };
    if base.as_f64() == Some(0.0) && exponent.as_f64().is_some_and(|exponent| exponent < 0.0) {
        return refuse("$pow cannot take a base of 0 and a negative exponent");
    }
    let whole = number::integer(&base)
        .zip(number::integer(&exponent))
        .and_then(|(base, exponent)| base.checked_pow(u32::try_from(exponent).ok()?));
    Ok(Some(match whole {
        Some(result) => number::widest(&base, &exponent, result),
        None => real(base).powf(real(exponent)).into(),
    }))
}

fn log(call: &Call<'_>) -> Answer {
    let Some((value, base)) = two(call)? else {
        return NULL;
    };
    let number = positive(call, &value)?;
    match real(base) {
        base if base <= 0.0 || base == 1.0 => {
            refuse(format!("$log's base must be a positive number not equal to 1, but is {base}"))
        }
        base => Ok(Some((number.ln() / base.ln()).into())),
    }
}
