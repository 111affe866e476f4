//! From filters to answers.

use std::cmp::Ordering;

use super::super::budget::Budget;
use super::super::error::Outcome;
use super::super::expr::{Scope, Variables, evaluate};
use super::super::geo::Geometry;
use super::super::kind;
use super::super::reach::{Reached, reach_within};
use super::{Clause, Comparison, Condition, Document, Filter, Match, Region, Test, Value};
use crate::cloud::measure::Measure;

pub(super) fn filter(filter: &Filter, document: &Document, variables: &Variables) -> Outcome<Option<Match>> {
    let mut index = None;
    for clause in &filter.clauses {
        match clause_holds(clause, document, variables, &filter.budget)? {
            // Of several indexes the last counts.
            Some(found) => index = found.index.or(index),
            None => return Ok(None),
        }
    }
    Ok(Some(Match { index }))
}

fn clause_holds(
    clause: &Clause,
    document: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Option<Match>> {
    budget.work(1)?;
    let plainly = |holds: bool| holds.then(Match::default);
    match clause {
        Clause::All(filters) => {
            let mut index = None;
            for branch in filters {
                match filter(branch, document, variables)? {
                    Some(found) => index = found.index.or(index),
                    None => return Ok(None),
                }
            }
            Ok(Some(Match { index }))
        }
        Clause::Any(filters) => {
            for branch in filters {
                if let Some(found) = filter(branch, document, variables)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        Clause::None(filters) => {
            for branch in filters {
                if filter(branch, document, variables)?.is_some() {
                    return Ok(None);
                }
            }
            Ok(Some(Match::default()))
        }
        Clause::Expression(expression) => {
            let value = evaluate(expression, &Scope::new(document, variables, budget))?;
            Ok(plainly(value.is_some_and(|value| value.is_truthy())))
        }
        Clause::Schema(schema) => {
            budget.measured(Measure::of_document(document))?;
            Ok(plainly(schema.accepts(&Value::Object(document.clone()), budget)?))
        }
        Clause::Field { path, condition } => {
            let places = reach_within(document, path, budget)?;
            on_places(condition, &places, budget)
        }
    }
}

fn on_places(condition: &Condition, places: &[Reached<'_>], budget: &Budget) -> Outcome<Option<Match>> {
    let mut index = None;
    for test in &condition.0 {
        match place_test(test, places, budget)? {
            Some(found) => index = found.index.or(index),
            None => return Ok(None),
        }
    }
    Ok(Some(Match { index }))
}

/// Whether a test holds for a field: for one of the values that its path reaches, or for an element of one that is
/// an array.
fn place_test(test: &Test, places: &[Reached<'_>], budget: &Budget) -> Outcome<Option<Match>> {
    match test {
        Test::Not(condition) => Ok(on_places(condition, places, budget)?.is_none().then(Match::default)),
        Test::All(tests) => {
            let mut index = None;
            for test in tests {
                match place_test(test, places, budget)? {
                    Some(found) => index = index.or(found.index),
                    None => return Ok(None),
                }
            }
            Ok((!tests.is_empty()).then_some(Match { index }))
        }
        Test::ElementDocument(_) | Test::ElementValue(_) => {
            for place in places {
                let items = place.value.and_then(Value::as_array).unwrap_or_default();
                for (at, item) in items.iter().enumerate() {
                    if element_holds(test, item, budget)? {
                        return Ok(Some(Match { index: place.index.or(Some(at)) }));
                    }
                }
            }
            Ok(None)
        }
        _ => {
            for place in places {
                if single(test, place.value, budget)? {
                    return Ok(Some(Match { index: place.index }));
                }
                if matches!(test, Test::Size(_) | Test::Exists) {
                    continue;
                }
                let items = place.value.and_then(Value::as_array).unwrap_or_default();
                for (at, item) in items.iter().enumerate() {
                    if single(test, Some(item), budget)? {
                        return Ok(Some(Match { index: place.index.or(Some(at)) }));
                    }
                }
            }
            Ok(None)
        }
    }
}

fn element_holds(test: &Test, item: &Value, budget: &Budget) -> Outcome<bool> {
    budget.work(1)?;
    match (test, item) {
        (Test::ElementDocument(wanted), Value::Object(inner)) => {
            Ok(filter(wanted, inner, &Variables::default())?.is_some())
        }
        (Test::ElementValue(condition), item) => on_value(condition, Some(item), budget),
        _ => Ok(false),
    }
}

/// Whether a condition holds for one value itself.
pub(super) fn on_value(condition: &Condition, value: Option<&Value>, budget: &Budget) -> Outcome<bool> {
    for test in &condition.0 {
        if !single(test, value, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn single(test: &Test, value: Option<&Value>, budget: &Budget) -> Outcome<bool> {
    budget.work(1 + breadth(value))?;
    let geometry = || value.map_or(Ok(None), |value| Geometry::stored(value, budget));
    Ok(match test {
        Test::Compare(comparison, wanted) => {
            // A missing value equals `null`.
            let order = wanted.compared(value.unwrap_or(&Value::Null), budget)?;
            order.is_some_and(|order| comparison.holds(order))
        }
        Test::In(values, patterns) => {
            values.has(value.unwrap_or(&Value::Null), budget)?
                || any(patterns, |pattern| value.map_or(Ok(false), |value| pattern.matches(value)))?
        }
        Test::Not(condition) => !on_value(condition, value, budget)?,
        Test::Exists => value.is_some(),
        Test::Modulo(divisor, remainder) => {
            let number = value.and_then(Value::as_f64).filter(|number| number.is_finite());
            number.is_some_and(|number| (number as i64).wrapping_rem(*divisor) == *remainder)
        }
        Test::All(_) | Test::ElementDocument(_) | Test::ElementValue(_) => {
            place_test(test, &[Reached { value, index: None }], budget)?.is_some()
        }
        Test::Size(length) => value.and_then(Value::as_array).is_some_and(|items| items.len() == *length),
        Test::Pattern(pattern) => value.map_or(Ok(false), |value| pattern.matches(value))?,
        Test::Type(kinds) => {
            budget.each(kinds.len() / 4)?;
            value.is_some_and(|value| kinds.iter().any(|wanted| kind::is(value, wanted)))
        }
        Test::Within(Region::Areas(region)) => match geometry()? {
            Some(own) => {
                budget.work(own.pairs(region))?;
                own.is_within(region, budget)?
            }
            None => false,
        },
        Test::Within(Region::Cap(centre, radius)) => match geometry()? {
            Some(own) => {
                budget.work(own.size())?;
                own.is_within_cap(*centre, *radius)
            }
            None => false,
        },
        Test::Intersects(other) => match geometry()? {
            Some(own) => {
                budget.work(own.pairs(other))?;
                own.intersects(other)
            }
            None => false,
        },
        Test::Near(near) => match value {
            Some(value) => {
                let metres = near.distance(value, budget)?;
                metres.is_some_and(|metres| (near.least..=near.most).contains(&metres))
            }
            None => false,
        },
    })
}

/// How much there is to look at in a value, without going into its parts.
fn breadth(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Array(items)) => items.len() as u64,
        Some(Value::Object(fields)) => fields.len() as u64,
        Some(Value::String(text)) => text.len() as u64 / 64,
        _ => 0,
    }
}

fn any<T>(all: &[T], mut holds: impl FnMut(&T) -> Outcome<bool>) -> Outcome<bool> {
    for one in all {
        if holds(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}
