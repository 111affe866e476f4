//! What gathers many values into one: in groups, and in expressions over the elements of an array.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::budget::Budget;
use super::super::error::{Outcome, refuse};
use super::arithmetic::sum;
use super::call::{Answer, Call, present};
use super::objects::merge_into;
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Ordered, Value};

/// Gathers values.
#[derive(Clone, Debug)]
pub(in super::super) enum Accumulator {
    Sum(Value),
    Avg {
        total: f64,
        count: u32,
    },
    First(Option<Option<Value>>),
    Last(Option<Value>),
    Min(Option<Value>),
    Max(Option<Value>),
    Push(Vec<Value>),
    /// Each value with when it came.
    AddToSet(BTreeMap<Ordered<Value>, usize>),
    Deviation {
        numbers: Vec<f64>,
        sample: bool,
    },
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
            "$addToSet" => Accumulator::AddToSet(BTreeMap::new()),
            "$stdDevPop" => Accumulator::Deviation { numbers: Vec::new(), sample: false },
            "$stdDevSamp" => Accumulator::Deviation { numbers: Vec::new(), sample: true },
            "$mergeObjects" => Accumulator::Merge(Document::new()),
            unknown => return refuse(format!("unknown group operator '{unknown}'")),
        })
    }

    /// Takes a value. What an operator does not understand it ignores.
    pub(in super::super) fn take(&mut self, value: Option<Value>, budget: &Budget) -> Outcome<()> {
        budget.work(1)?;
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
                if first.is_none() {
                    replace(first.get_or_insert(None), value, budget)?;
                }
            }
            Accumulator::Last(last) => replace(last, value, budget)?,
            Accumulator::Min(least) => {
                if let Some(value) = present(value)
                    && least.as_ref().is_none_or(|least| value.compare(least).is_lt())
                {
                    replace(least, Some(value), budget)?;
                }
            }
            Accumulator::Max(most) => {
                if let Some(value) = present(value)
                    && most.as_ref().is_none_or(|most| value.compare(most).is_gt())
                {
                    replace(most, Some(value), budget)?;
                }
            }
            Accumulator::Push(values) => {
                if let Some(value) = value {
                    budget.keep(Measure::of(&value).memory)?;
                    values.push(value);
                }
            }
            Accumulator::AddToSet(values) => {
                let place = values.len();
                if let Some(value) = value {
                    budget.work(u64::from(place.checked_ilog2().unwrap_or(0)))?;
                    if let Entry::Vacant(new) = values.entry(Ordered(value)) {
                        budget.keep(Measure::of(&new.key().0).memory)?;
                        new.insert(place);
                    }
                }
            }
            Accumulator::Deviation { numbers, .. } => {
                budget.keep(8)?;
                numbers.extend(number);
            }
            Accumulator::Merge(merged) => {
                if let Some(value) = &value {
                    budget.keep(Measure::of(value).memory)?;
                }
                merge_into(merged, value)?;
            }
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
            Accumulator::Push(values) => values.into(),
            Accumulator::AddToSet(values) => {
                let mut values: Vec<(Ordered<Value>, usize)> = values.into_iter().collect();
                values.sort_by_key(|(_, place)| *place);
                values.into_iter().map(|(Ordered(value), _)| value).collect::<Vec<Value>>().into()
            }
            Accumulator::Deviation { numbers, sample } => deviation(&numbers, sample),
            Accumulator::Merge(document) => document.into(),
        }
    }
}

/// Keeps a value in place of another.
fn replace(kept: &mut Option<Value>, value: Option<Value>, budget: &Budget) -> Outcome<()> {
    let memory = |value: &Option<Value>| value.as_ref().map_or(0, |value| Measure::of(value).memory);
    budget.release(memory(kept));
    budget.keep(memory(&value))?;
    *kept = value;
    Ok(())
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
    let held = call.budget().held();
    let mut accumulator = Accumulator::start(call.name)?;
    let mut values = call.all()?;
    if let [Some(Value::Array(items))] = values.as_slice() {
        values = items.iter().cloned().map(Some).collect();
    }
    for value in values {
        accumulator.take(value, call.budget())?;
    }
    // What an expression gives is not kept until someone keeps it.
    call.budget().release(call.budget().held() - held);
    Ok(Some(accumulator.result()))
}
