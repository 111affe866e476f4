//! Values that others are compared with.
//!
//! To compare two scalars is a part of looking at them. Lists and documents are compared part by part, so that each
//! comparison is charged what the sought value consists of.

use std::cmp::Ordering;

use super::budget::Budget;
use super::error::Outcome;
use crate::cloud::measure::Measure;
use crate::cloud::value::Value;

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    value: Value,
    /// Steps for a comparison with a list or a document.
    cost: u64,
}

/// Several values, one of which is sought.
#[derive(Clone, Debug)]
pub(super) struct AnyOf {
    /// In their order.
    values: Vec<Value>,
    /// Steps to look for a list or a document among them.
    cost: u64,
}

impl Sought {
    /// This value.
    pub(super) fn new(value: Value) -> Sought {
        let cost = cost(&value);
        Sought { value, cost }
    }

    /// How another value is to it: nothing if it is of another type.
    pub(super) fn compared(&self, other: &Value, budget: &Budget) -> Outcome<Option<Ordering>> {
        if other.rank() != self.value.rank() {
            return Ok(None);
        }
        budget.work(self.cost)?;
        let order = other.compare(&self.value);
        let is_nan = |value: &Value| value.as_f64().is_some_and(f64::is_nan);
        // NaN has a place in the order, but is less than nothing.
        let is_order = order.is_eq() || !(is_nan(other) || is_nan(&self.value));
        Ok(is_order.then_some(order))
    }
}

impl AnyOf {
    /// These values.
    pub(super) fn new(mut values: Vec<Value>) -> AnyOf {
        values.sort_by(Value::compare);
        let each = values.iter().map(cost).max().unwrap_or(0);
        let cost = each.saturating_mul(u64::from(values.len().checked_ilog2().unwrap_or(0)) + 1);
        AnyOf { values, cost }
    }

    /// Whether a value is among them.
    pub(super) fn has(&self, value: &Value, budget: &Budget) -> Outcome<bool> {
        budget.work(if has_parts(value) { self.cost } else { 0 })?;
        Ok(self.values.binary_search_by(|known| known.compare(value)).is_ok())
    }
}

fn has_parts(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

fn cost(value: &Value) -> u64 {
    let measure = Measure::of(value);
    if has_parts(value) { measure.values + measure.memory / 64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::value;
    use super::*;

    /// The steps to look for a value among others.
    fn steps(values: &[serde_json::Value], sought: serde_json::Value) -> u64 {
        let budget = Budget::default();
        AnyOf::new(values.iter().cloned().map(value).collect()).has(&value(sought), &budget).unwrap();
        budget.steps()
    }

    #[test]
    fn scalars_cost_nothing_more() {
        assert_eq!(steps(&[json!(1), json!("x"), json!([1, 2])], json!(3)), 0);
    }

    #[test]
    fn among_many_lists_it_takes_some_comparisons() {
        let (few, many) = (vec![json!([1]); 1], vec![json!([1]); 1024]);
        assert_eq!(steps(&many, json!([2])), 11 * steps(&few, json!([2])));
    }
}
