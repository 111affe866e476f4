//! Stages of an aggregation, one after the other.
//!
//! What comes out is determined by what goes in: groups come in the order of their first document, and a sample is
//! drawn from a seed. Deliberately absent: stages that cloud development does not offer, such as `$facet`, `$out` and
//! `$redact`, and the granularity of `$bucketAuto`.

mod bucket;
mod group;
mod lookup;
mod near;
mod reshape;
#[cfg(test)]
mod tests;
mod unwind;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use super::expr::{Accumulator, Scope, Variables, evaluate};
use super::filter::Filter;
use super::output_size::OutputSize;
use super::project::Shape;
use super::sort::SortOrder;
use super::{geo, kind, path, reach};
use crate::chance::Chance;
use crate::cloud::ejson;
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};

/// What a pipeline can see besides its input.
pub(crate) struct Surroundings<'a> {
    /// The documents of another collection, for `$lookup`.
    pub(crate) collection: &'a dyn Fn(&str) -> Vec<Document>,
    /// What `$sample` draws from.
    pub(crate) seed: u64,
    /// How many bytes the text of the output may have.
    pub(crate) largest_result: u64,
}

/// Runs a pipeline.
pub(crate) fn run(
    pipeline: &[Document],
    input: Vec<Document>,
    around: &Surroundings<'_>,
) -> Outcome<Vec<Document>> {
    let output = run_within(pipeline, input, around, &Variables::default(), &Budget::default())?;
    let mut size = OutputSize::new(around.largest_result);
    output.iter().try_for_each(|document| size.add(document))?;
    Ok(output)
}

fn run_within(
    pipeline: &[Document],
    mut documents: Vec<Document>,
    around: &Surroundings<'_>,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let outside = budget.held();
    for (place, stage) in pipeline.iter().enumerate() {
        let mut fields = stage.iter();
        let (Some((name, argument)), None) = (fields.next(), fields.next()) else {
            return refuse("A pipeline stage specification object must contain exactly one field.");
        };
        if name == "$geoNear" && place > 0 {
            return refuse("$geoNear is only valid as the first stage in a pipeline.");
        }
        budget.each(documents.len())?;
        documents = stage_of(name, argument, documents, around, variables, budget)?;
        if !matches!(name, "$match" | "$sort" | "$skip" | "$limit" | "$sample") {
            budget.release(budget.held() - outside);
            budget.keep(memory_of(&documents)?)?;
        }
    }
    // What comes out is kept by whoever wants it.
    budget.release(budget.held() - outside);
    Ok(documents)
}

/// What documents that a stage made take in memory. None of them is larger than what could be stored.
fn memory_of(documents: &[Document]) -> Outcome<u64> {
    let mut memory = 0;
    for document in documents {
        let measure = Measure::of_document(document);
        if let Some(refusal) = measure.refusal() {
            return refuse(refusal);
        }
        memory += measure.memory;
    }
    Ok(memory)
}

fn stage_of(
    name: &str,
    argument: &Value,
    mut documents: Vec<Document>,
    around: &Surroundings<'_>,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    match name {
        "$match" => matching(documents, argument, variables, budget),
        "$project" => reshape::project(documents, object(name, argument)?, variables, budget),
        "$addFields" => reshape::add_fields(documents, object(name, argument)?, variables, budget),
        "$replaceRoot" => reshape::replace_root(documents, object(name, argument)?, variables, budget),
        "$group" => group::group(documents, object(name, argument)?, variables, budget),
        "$sortByCount" => group::sort_by_count(documents, argument, variables, budget),
        "$bucket" => bucket::bucket(documents, object(name, argument)?, variables, budget),
        "$bucketAuto" => bucket::bucket_auto(documents, object(name, argument)?, variables, budget),
        "$unwind" => unwind::unwind(documents, argument, budget),
        "$lookup" => lookup::lookup(documents, object(name, argument)?, around, variables, budget),
        "$geoNear" => near::near(documents, object(name, argument)?, variables, budget),
        "$count" => count(&documents, argument),
        "$sort" => {
            let order = SortOrder::parse(object(name, argument)?)?;
            if order.is_empty() {
                return refuse("$sort stage must have at least one sort key");
            }
            order.sort_within(&mut documents, budget)?;
            Ok(documents)
        }
        "$skip" => match argument.as_i64().map(usize::try_from) {
            Some(Ok(skip)) => Ok(documents.into_iter().skip(skip).collect()),
            _ => refuse("Argument to $skip must be a non-negative number"),
        },
        "$limit" => {
            documents.truncate(positive(argument, "the limit must be positive")?);
            Ok(documents)
        }
        "$sample" => {
            let size = object(name, argument)?.get("size").unwrap_or(&Value::Null);
            let size = positive(size, "size argument to $sample must be a positive integer")?;
            Ok(sample(documents, size, around.seed))
        }
        unknown => refuse(format!("Unrecognized pipeline stage name: '{unknown}'")),
    }
}

fn object<'a>(name: &str, argument: &'a Value) -> Outcome<&'a Document> {
    match argument {
        Value::Object(fields) => Ok(fields),
        other => refuse(format!("the {name} specification must be an object, found {}", kind::name(other))),
    }
}

fn positive(value: &Value, otherwise: &str) -> Outcome<usize> {
    match value.as_i64().map(usize::try_from) {
        Some(Ok(number)) if number > 0 => Ok(number),
        _ => refuse(otherwise),
    }
}

/// Refuses parameters that a stage does not have.
fn check_known(stage: &str, spec: &Document, known: &[&str]) -> Outcome<()> {
    match spec.iter().find(|(name, _)| !known.contains(name)) {
        Some((unknown, _)) => refuse(format!("Unrecognized option to {stage}: {unknown}.")),
        None => Ok(()),
    }
}

fn matching(
    documents: Vec<Document>,
    query: &Value,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let Value::Object(query) = query else {
        return refuse("the match filter must be an expression in an object");
    };
    let filter = match_filter(query, budget)?;
    let mut found = Vec::new();
    for document in documents {
        if filter.find_match(&document, variables)?.is_some() {
            found.push(document);
        }
    }
    Ok(found)
}

/// The filter of a `$match`.
fn match_filter(query: &Document, budget: &Budget) -> Outcome<Filter> {
    let filter = Filter::parse_within(query, budget)?;
    if filter.has_order() {
        return refuse("$match does not support $geoNear, $near, and $nearSphere");
    }
    Ok(filter)
}

/// One document with the number of documents; none if there are none.
fn count(documents: &[Document], name: &Value) -> Outcome<Vec<Document>> {
    let Some(name) = name.as_str().filter(|name| !name.is_empty()) else {
        return refuse("the count field must be a non-empty string");
    };
    if name.starts_with('$') || name.contains('.') {
        return refuse("the count field cannot be a $-prefixed path or contain a '.'");
    }
    let mut counted = Document::new();
    counted.set(name, i64::try_from(documents.len()).unwrap_or(i64::MAX));
    Ok(if documents.is_empty() { Vec::new() } else { vec![counted] })
}

/// Draws as many documents as asked for, in the order in which they are drawn.
fn sample(mut documents: Vec<Document>, size: usize, seed: u64) -> Vec<Document> {
    let mut chance = Chance::seeded(seed);
    let size = size.min(documents.len());
    for place in 0..size {
        let left = (documents.len() - place) as u64;
        let drawn = usize::try_from(chance.next_u64() % left).unwrap_or(0);
        documents.swap(place, place + drawn);
    }
    documents.truncate(size);
    documents
}
