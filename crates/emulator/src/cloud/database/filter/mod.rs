//! Queries: which documents match.
//!
//! A filter is read once, with all its mistakes found then, and matches many documents. Comparisons stay within one
//! type: a number is neither less nor greater than a text. Only `$expr` can fail while matching.
//!
//! Deliberately absent: `$text` and `$where`, and the bit tests.

mod decimal;
mod matching;
mod parse;
mod schema;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use super::expr::Variables;
use super::geo::{EARTH_RADIUS, Geometry, Point};
use super::pattern::Pattern;
use super::reach::{Path, reach_within};
use super::sort::SortOrder;
use super::sought::{AnyOf, Sought};
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};
use schema::Schema;

/// A query. All its clauses must hold.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    clauses: Vec<Clause>,
    /// What matching may cost, for all documents together.
    budget: Budget,
}

/// How a document matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Match {
    /// The index of the array element that made it match: what `$` means in an update.
    pub(crate) index: Option<usize>,
}

#[derive(Clone, Debug)]
enum Clause {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    None(Vec<Filter>),
    Expression(Value),
    Schema(Schema),
    Field { path: Path, condition: Condition },
}

/// What must all hold of one field.
#[derive(Clone, Debug)]
pub(super) struct Condition(Vec<Test>);

#[derive(Clone, Debug)]
enum Test {
    Compare(Comparison, Sought),
    /// One of these values, or what one of these patterns is found in.
    In(AnyOf, Vec<Pattern>),
    Not(Condition),
    Exists,
    Modulo(i64, i64),
    All(Vec<Test>),
    Size(usize),
    ElementDocument(Filter),
    ElementValue(Condition),
    Pattern(Pattern),
    Type(Vec<&'static str>),
    Within(Region),
    Intersects(Geometry),
    Near(Near),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Where `$geoWithin` wants geometries to lie.
#[derive(Clone, Debug)]
enum Region {
    Areas(Geometry),
    /// The points within an angle around a centre.
    Cap(Point, f64),
}

/// A ring around a point, in metres.
#[derive(Clone, Copy, Debug)]
struct Near {
    centre: Point,
    least: f64,
    most: f64,
}

impl Near {
    /// How far away a stored value is: a geometry, or the nearest of a list of them.
    fn distance(&self, value: &Value, budget: &Budget) -> Outcome<Option<f64>> {
        if let Some(geometry) = Geometry::stored(value, budget)? {
            budget.work(4 * geometry.size())?;
            return Ok(Some(geometry.angle_from(self.centre) * EARTH_RADIUS));
        }
        let mut nearest: Option<f64> = None;
        for item in value.as_array().unwrap_or_default() {
            let metres = self.distance(item, budget)?;
            nearest = [nearest, metres].into_iter().flatten().min_by(f64::total_cmp);
        }
        Ok(nearest)
    }
}

impl Filter {
    /// Reads a query document.
    pub(crate) fn parse(query: &Document) -> Outcome<Filter> {
        Filter::parse_within(query, &Budget::default())
    }

    /// Reads a query document that is part of something larger.
    pub(super) fn parse_within(query: &Document, budget: &Budget) -> Outcome<Filter> {
        parse::filter(query, budget)
    }

    /// Whether a document matches.
    pub(crate) fn matches(&self, document: &Document) -> Outcome<bool> {
        Ok(self.find_match(document, &Variables::default())?.is_some())
    }

    /// How a document matches, if it does. The variables are those of a surrounding `$lookup`.
    pub(crate) fn find_match(&self, document: &Document, variables: &Variables) -> Outcome<Option<Match>> {
        let _made = self.budget.for_one_document();
        matching::filter(self, document, variables)
    }

    /// How many steps it has taken.
    #[cfg(test)]
    pub(super) fn steps(&self) -> u64 {
        self.budget.steps()
    }

    /// Sorts what matches.
    pub(crate) fn sort<D: Borrow<Document>>(&self, documents: &mut Vec<D>, order: &SortOrder) -> Outcome<()> {
        order.sort_within(documents, &self.budget)
    }

    /// Counts a document that is made of one that matches.
    pub(crate) fn keep(&self, document: &Document) -> Outcome<()> {
        self.budget.keep(Measure::of_document(document).memory)
    }

    /// If the query asks what is near, orders documents from the nearest to the farthest.
    pub(crate) fn order_by_distance<D: Borrow<Document>>(&self, documents: &mut Vec<D>) -> Outcome<()> {
        let Some((path, near)) = self.near() else {
            return Ok(());
        };
        let mut measured = Vec::with_capacity(documents.len());
        for document in documents.drain(..) {
            let mut nearest = f64::INFINITY;
            for place in reach_within(document.borrow(), path, &self.budget)? {
                let metres = place.value.map_or(Ok(None), |value| near.distance(value, &self.budget))?;
                nearest = nearest.min(metres.unwrap_or(f64::INFINITY));
            }
            measured.push((nearest, document));
        }
        self.budget.each(measured.len())?;
        measured.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        documents.extend(measured.into_iter().map(|(_, document)| document));
        Ok(())
    }

    /// Whether the query itself decides the order of what it finds.
    pub(crate) fn has_order(&self) -> bool {
        self.near().is_some()
    }

    fn near(&self) -> Option<(&Path, &Near)> {
        self.clauses.iter().find_map(|clause| match clause {
            Clause::All(filters) => filters.iter().find_map(Filter::near),
            Clause::Field { path, condition } => condition.0.iter().find_map(|test| match test {
                Test::Near(near) => Some((path, near)),
                _ => None,
            }),
            _ => None,
        })
    }
}

impl Condition {
    /// Reads a condition on single values, as `$pull` and `$elemMatch` have it.
    pub(super) fn parse(value: &Value, budget: &Budget) -> Outcome<Condition> {
        parse::condition(value, budget)
    }

    /// Whether a value that is no field fulfils it.
    pub(super) fn holds(&self, value: &Value, budget: &Budget) -> Outcome<bool> {
        matching::on_value(self, Some(value), budget)
    }
}

/// Whether an object is made of operators, like `{$gt: 1}`.
pub(crate) fn is_operators(value: &Value) -> bool {
    value.as_object().and_then(|object| object.iter().next()).is_some_and(|(name, _)| name.starts_with('$'))
}
