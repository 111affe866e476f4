//! What gathers many values into one: in groups, and in expressions over the elements of an array.

use super::super::error::{Outcome, refuse};
use super::arithmetic::sum;
use super::call::{Answer, Call, present};
use super::objects::merge_into;
use crate::cloud::value::{Document, Value};

/// Gathers values.
#[derive(Clone, Debug)]
pub(in super::super) enum Accumulator {
    Sum(Value),
    Avg { total: f64, count: u32 },
    First(Option<Option<Value>>),
    Last(Option<Value>),
    Min(Option<Value>),
    Max(Option<Value>),
    Push(Vec<Value>),
    AddToSet(Vec<Value>),
    Deviation { numbers: Vec<f64>, sample: bool },
    Merge(Document),
}

impl Accumulator {
    /// The accumulator of an operator, before the first value.
    pub(in super::super) fn start(operator: &str) -> Outcome<Accumulator> {
        Ok(match operator {
            "$sum" => Accumulator::Sum(Value::Int(0)),
            "$avg" => Accumulator::Avg { total: 0.0, count: 0 },
            "$first" => Accumulator::First(None),
            "$last" => Accumulator::Last(None),
            "$min" => Accumulator::Min(None),
            "$max" => Accumulator::Max(None),
            "$push" => Accumulator::Push(Vec::new()),
            "$addToSet" => Accumulator::AddToSet(Vec::new()),
            "$stdDevPop" => Accumulator::Deviation { numbers: Vec::new(), sample: false },
            "$stdDevSamp" => Accumulator::Deviation { numbers: Vec::new(), sample: true },
            "$mergeObjects" => Accumulator::Merge(Document::new()),
            unknown => return refuse(format!("unknown group operator '{unknown}'")),
        })
    }

    /// Takes a value. What an operator does not understand it ignores.
    pub(in super::super) fn take(&mut self, value: Option<Value>) -> Outcome<()> {
        let number = value.as_ref().and_then(Value::as_f64);
        match self {
            Accumulator::Sum(total) => {
                if let Some(value) = value.filter(|_| number.is_some()) {
                    *total = sum(total, &value);
                }
            }
            Accumulator::Avg { total, count } => {
                if let Some(number) = number {
                    *total += number;
                    *count += 1;
                }
            }
            Accumulator::First(first) => {
                first.get_or_insert(value);
            }
            Accumulator::Last(last) => *last = value,
            Accumulator::Min(least) => {
                if let Some(value) = present(value)
                    && least.as_ref().is_none_or(|least| value.compare(least).is_lt())
                {
                    *least = Some(value);
                }
            }
            Accumulator::Max(most) => {
                if let Some(value) = present(value)
                    && most.as_ref().is_none_or(|most| value.compare(most).is_gt())
                {
                    *most = Some(value);
                }
            }
            Accumulator::Push(values) => values.extend(value),
            Accumulator::AddToSet(values) => {
                if let Some(value) = value
                    && !values.iter().any(|known| known.equals(&value))
                {
                    values.push(value);
                }
            }
            Accumulator::Deviation { numbers, .. } => numbers.extend(number),
            Accumulator::Merge(merged) => merge_into(merged, value)?,
        }
        Ok(())
    }

    /// What was gathered.
    pub(in super::super) fn result(self) -> Value {
        match self {
            Accumulator::Sum(total) => total,
            Accumulator::Avg { count: 0, .. } => Value::Null,
            Accumulator::Avg { total, count } => (total / f64::from(count)).into(),
            Accumulator::First(value) => value.flatten().unwrap_or(Value::Null),
            Accumulator::Last(value) | Accumulator::Min(value) | Accumulator::Max(value) => {
                value.unwrap_or(Value::Null)
            }
            Accumulator::Push(values) | Accumulator::AddToSet(values) => values.into(),
            Accumulator::Deviation { numbers, sample } => deviation(&numbers, sample),
            Accumulator::Merge(document) => document.into(),
        }
    }
}

/// The standard deviation, of all there is or as estimated from a sample.
fn deviation(numbers: &[f64], sample: bool) -> Value {
    let count = numbers.len() as f64;
    let divisor = if sample { count - 1.0 } else { count };
    if divisor <= 0.0 {
        return Value::Null;
    }
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (squares / divisor).sqrt().into()
}

/// The accumulators that are expressions too. One argument that is an array means its elements.
pub(super) fn operate(call: &Call<'_>) -> Option<Answer> {
    match call.name {
        "$sum" | "$avg" | "$min" | "$max" | "$stdDevPop" | "$stdDevSamp" => Some(over(call)),
        _ => None,
    }
}

fn over(call: &Call<'_>) -> Answer {
    let mut accumulator = Accumulator::start(call.name)?;
    let mut values = call.all()?;
    if let [Some(Value::Array(items))] = values.as_slice() {
        values = items.iter().cloned().map(Some).collect();
    }
    for value in values {
        accumulator.take(value)?;
    }
    Ok(Some(accumulator.result()))
}
