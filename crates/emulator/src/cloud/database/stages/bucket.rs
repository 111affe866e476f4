//! `$bucket` and `$bucketAuto`.

use std::collections::BTreeMap;

use super::group::Outputs;
use super::{
    Accumulator, Budget, Document, Outcome, Scope, Value, Variables, check_known, ejson, evaluate, kind,
    object, positive, refuse,
};
use crate::cloud::measure::Measure;
use crate::cloud::value::Ordered;

fn outputs(stage: &str, spec: &Document) -> Outcome<Outputs> {
    match spec.get("output") {
        Some(output) => Outputs::parse(object(stage, output)?.iter()),
        None => Outputs::count(),
    }
}

fn group_by<'a>(stage: &str, spec: &'a Document) -> Outcome<&'a Value> {
    match spec.get("groupBy") {
        Some(by @ Value::Object(_)) => Ok(by),
        Some(Value::String(path)) if !path.starts_with('$') => refuse(format!(
            "The {stage} 'groupBy' field must be defined as a $-prefixed path or an expression"
        )),
        Some(by) => Ok(by),
        None => refuse(format!("{stage} requires 'groupBy' to be specified.")),
    }
}

/// A value that depends on no document.
fn constant(expression: &Value, budget: &Budget) -> Outcome<Value> {
    let value = evaluate(expression, &Scope::new(&Document::new(), &Variables::default(), budget))?;
    Ok(value.unwrap_or(Value::Null))
}

fn boundaries(spec: &Document, budget: &Budget) -> Outcome<Vec<Value>> {
    let Some(Value::Array(boundaries)) = spec.get("boundaries") else {
        return refuse(format!(
            "The $bucket 'boundaries' field must be an array, but found type: {}.",
            kind::name_or_missing(spec.get("boundaries"))
        ));
    };
    let boundaries =
        boundaries.iter().map(|boundary| constant(boundary, budget)).collect::<Outcome<Vec<Value>>>()?;
    if boundaries.len() < 2 {
        return refuse(format!(
            "The $bucket 'boundaries' field must have at least 2 values, but found {} value(s).",
            boundaries.len()
        ));
    }
    for (lower, upper) in boundaries.iter().zip(boundaries.iter().skip(1)) {
        if lower.rank() != upper.rank() {
            return refuse(format!(
                "All values in the the 'boundaries' option to $bucket must have the same type. Found conflicting types {} and {}.",
                kind::name(lower),
                kind::name(upper)
            ));
        }
        if lower.compare(upper).is_ge() {
            return refuse(format!(
                "The 'boundaries' option to $bucket must be sorted in ascending order ({} is not less than {}).",
                ejson::plain(lower),
                ejson::plain(upper)
            ));
        }
    }
    Ok(boundaries)
}

pub(super) fn bucket(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    check_known("$bucket", spec, &["groupBy", "boundaries", "default", "output"])?;
    let by = group_by("$bucket", spec)?;
    let boundaries = boundaries(spec, budget)?;
    let default = spec.get("default").map(|default| constant(default, budget)).transpose()?;
    let outputs = outputs("$bucket", spec)?;
    if let (Some(default), Some(lowest), Some(highest)) = (&default, boundaries.first(), boundaries.last())
        && default.rank() == lowest.rank()
        && default.compare(lowest).is_ge()
        && default.compare(highest).is_lt()
    {
        return refuse(
            "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary.",
        );
    }
    let mut buckets: BTreeMap<Ordered<Value>, Vec<Accumulator>> = BTreeMap::new();
    for document in &documents {
        let _made = budget.for_one_document();
        let scope = Scope::new(document, variables, budget);
        let value = evaluate(by, &scope)?;
        let within = value.and_then(|value| {
            let behind = boundaries.partition_point(|boundary| boundary.compare(&value).is_le());
            let lower = boundaries.get(behind.checked_sub(1)?)?;
            boundaries.get(behind).is_some().then(|| lower.clone())
        });
        let Some(id) = within.or_else(|| default.clone()) else {
            return refuse(
                "$switch could not find a matching branch for an input, and no default was specified.",
            );
        };
        outputs.take(buckets.entry(Ordered(id)).or_insert_with(|| outputs.start()), &scope)?;
    }
    Ok(buckets.into_iter().map(|(Ordered(id), accumulators)| outputs.result(id, accumulators)).collect())
}

/// Buckets of about the same size. Equal values never fall into different buckets, so there may be fewer buckets.
pub(super) fn bucket_auto(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    check_known("$bucketAuto", spec, &["groupBy", "buckets", "output", "granularity"])?;
    if spec.get("granularity").is_some() {
        return refuse("$bucketAuto granularity is not supported");
    }
    let by = group_by("$bucketAuto", spec)?;
    let wanted = spec.get("buckets").unwrap_or(&Value::Null);
    let wanted = positive(wanted, "The $bucketAuto 'buckets' field must be greater than 0")?;
    let outputs = outputs("$bucketAuto", spec)?;
    let mut sorted = Vec::with_capacity(documents.len());
    for document in documents {
        let _made = budget.for_one_document();
        let value = evaluate(by, &Scope::new(&document, variables, budget))?.unwrap_or(Value::Null);
        budget.keep(Measure::of(&value).memory)?;
        sorted.push((value, document));
    }
    sorted.sort_by(|(a, _), (b, _)| a.compare(b));

    let size = ((sorted.len() as f64 / wanted as f64).round() as usize).max(1);
    let mut buckets: Vec<(Value, Value, Vec<Accumulator>)> = Vec::new();
    let mut filled = 0;
    for (value, document) in sorted {
        let starts = match buckets.last() {
            None => true,
            Some((_, last, _)) => filled >= size && !last.equals(&value) && buckets.len() < wanted,
        };
        if starts {
            // The upper boundary of a bucket is the lower one of the next.
            if let Some((_, upper, _)) = buckets.last_mut() {
                *upper = value.clone();
            }
            buckets.push((value.clone(), value.clone(), outputs.start()));
            filled = 0;
        }
        filled += 1;
        if let Some((_, upper, accumulators)) = buckets.last_mut() {
            *upper = value;
            let _made = budget.for_one_document();
            outputs.take(accumulators, &Scope::new(&document, variables, budget))?;
        }
    }
    let results = buckets.into_iter().map(|(lower, upper, accumulators)| {
        let mut id = Document::new();
        id.set("min", lower);
        id.set("max", upper);
        outputs.result(Value::Object(id), accumulators)
    });
    Ok(results.collect())
}
