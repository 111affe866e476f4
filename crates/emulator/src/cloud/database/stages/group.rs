//! `$group` and `$sortByCount`, and the accumulators that buckets have too.

use std::collections::BTreeMap;

use super::{Accumulator, Budget, Document, Outcome, Scope, Value, Variables, evaluate, kind, path, refuse};
use crate::cloud::measure::Measure;
use crate::cloud::value::Ordered;

/// The fields that are gathered: name, accumulator, expression.
pub(super) struct Outputs(Vec<(String, Accumulator, Value)>);

impl Outputs {
    /// Reads `{name: {$sum: expression}, …}`.
    pub(super) fn parse<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> Outcome<Outputs> {
        let mut outputs = Vec::new();
        for (name, spec) in fields {
            path::check_length(name)?;
            if name.contains('.') {
                return refuse(format!("The field name '{name}' cannot contain '.'"));
            }
            let Value::Object(spec) = spec else {
                return refuse(format!("The field '{name}' must be an accumulator object"));
            };
            let mut operators = spec.iter();
            let (Some((operator, argument)), None) = (operators.next(), operators.next()) else {
                return refuse(format!("The field '{name}' must specify one accumulator"));
            };
            let expression = match argument {
                Value::Array(items) => match items.as_slice() {
                    [single] => single,
                    _ => return refuse(format!("The {operator} accumulator is a unary operator")),
                },
                single => single,
            };
            outputs.push((name.to_owned(), Accumulator::start(operator)?, expression.clone()));
        }
        Ok(Outputs(outputs))
    }

    /// The number of documents as `count`.
    pub(super) fn count() -> Outcome<Outputs> {
        Ok(Outputs(vec![("count".to_owned(), Accumulator::start("$sum")?, Value::Int(1))]))
    }

    /// Accumulators before the first document.
    pub(super) fn start(&self) -> Vec<Accumulator> {
        self.0.iter().map(|(_, accumulator, _)| accumulator.clone()).collect()
    }

    /// Takes a document.
    pub(super) fn take(&self, into: &mut [Accumulator], scope: &Scope<'_>) -> Outcome<()> {
        for (accumulator, (_, _, expression)) in into.iter_mut().zip(&self.0) {
            accumulator.take(evaluate(expression, scope)?, scope.budget())?;
        }
        Ok(())
    }

    /// The document of a group.
    pub(super) fn result(&self, id: Value, accumulators: Vec<Accumulator>) -> Document {
        let mut document = Document::new();
        document.set("_id", id);
        for (accumulator, (name, _, _)) in accumulators.into_iter().zip(&self.0) {
            document.set(name.clone(), accumulator.result());
        }
        document
    }
}

pub(super) fn group(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let Some(id) = spec.get("_id") else {
        return refuse("a group specification must include an _id");
    };
    let outputs = Outputs::parse(spec.iter().filter(|(name, _)| *name != "_id"))?;
    gather(&documents, id, &outputs, variables, budget)
}

/// Groups documents by the value of an expression; what is missing counts as `null`.
fn gather(
    documents: &[Document],
    by: &Value,
    outputs: &Outputs,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let mut places: BTreeMap<Ordered<Value>, usize> = BTreeMap::new();
    let mut groups: Vec<(Value, Vec<Accumulator>)> = Vec::new();
    for document in documents {
        let _made = budget.for_one_document();
        let scope = Scope::new(document, variables, budget);
        let id = evaluate(by, &scope)?.unwrap_or(Value::Null);
        let place = *places.entry(Ordered(id.clone())).or_insert(groups.len());
        if place == groups.len() {
            budget.keep(2 * Measure::of(&id).memory)?;
            groups.push((id, outputs.start()));
        }
        if let Some((_, accumulators)) = groups.get_mut(place) {
            outputs.take(accumulators, &scope)?;
        }
    }
    Ok(groups.into_iter().map(|(id, accumulators)| outputs.result(id, accumulators)).collect())
}

pub(super) fn sort_by_count(
    documents: Vec<Document>,
    by: &Value,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let is_expression = match by {
        Value::String(text) => text.starts_with('$'),
        Value::Object(object) => object.iter().next().is_some_and(|(name, _)| name.starts_with('$')),
        _ => false,
    };
    if !is_expression {
        return refuse(format!(
            "the sortByCount field must be defined as a $-prefixed path or an expression inside an object, found {}",
            kind::name(by)
        ));
    }
    let mut groups = gather(&documents, by, &Outputs::count()?, variables, budget)?;
    let count = |group: &Document| group.get("count").and_then(Value::as_i64);
    groups.sort_by_key(|group| std::cmp::Reverse(count(group)));
    Ok(groups)
}
