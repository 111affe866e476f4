//! Arithmetic that keeps MongoDB's number types: two 32-bit integers stay one and widen to 64 bits when they must,
//! a 64-bit integer wins over a 32-bit one, a double wins over both.

use crate::cloud::value::Value;

/// A sum; nothing if an operand is no number or 64 bits do not hold it.
pub(super) fn add(a: &Value, b: &Value) -> Option<Value> {
    combine(a, b, i64::checked_add, |a, b| a + b)
}

/// A difference; nothing if an operand is no number or 64 bits do not hold it.
pub(super) fn subtract(a: &Value, b: &Value) -> Option<Value> {
    combine(a, b, i64::checked_sub, |a, b| a - b)
}

/// A product; nothing if an operand is no number or 64 bits do not hold it.
pub(super) fn multiply(a: &Value, b: &Value) -> Option<Value> {
    combine(a, b, i64::checked_mul, |a, b| a * b)
}

fn combine(
    a: &Value,
    b: &Value,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Option<Value> {
    match (integer(a), integer(b)) {
        (Some(x), Some(y)) => Some(widest(a, b, whole(x, y)?)),
        _ => Some(Value::Double(real(a.as_f64()?, b.as_f64()?))),
    }
}

/// The value of an integer type; a whole double is none.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(i64::from(*number)),
        Value::Long(number) => Some(*number),
        _ => None,
    }
}

/// A result of two integers, in the type that they give.
pub(super) fn widest(a: &Value, b: &Value, result: i64) -> Value {
    match (a, b) {
        (Value::Int(_), Value::Int(_)) => Value::from(result),
        _ => Value::Long(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stay_integers_and_widen() {
        assert_eq!(add(&Value::Int(1), &Value::Int(2)), Some(Value::Int(3)));
        assert_eq!(add(&Value::Int(i32::MAX), &Value::Int(1)), Some(Value::Long(2_147_483_648)));
    }

    #[test]
    fn a_long_stays_long() {
        assert_eq!(subtract(&Value::Long(3), &Value::Int(1)), Some(Value::Long(2)));
    }

    #[test]
    fn a_double_wins() {
        assert_eq!(multiply(&Value::Int(2), &Value::Double(1.5)), Some(Value::Double(3.0)));
    }

    #[test]
    fn more_than_64_bits_is_nothing() {
        assert_eq!(add(&Value::Long(i64::MAX), &Value::Int(1)), None);
    }
}
