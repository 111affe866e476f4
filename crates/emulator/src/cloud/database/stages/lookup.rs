//! `$lookup`: by equality of two fields, or by a pipeline that sees variables.

use super::reshape::assign;
use super::{
    Budget, Document, Filter, Outcome, Scope, Surroundings, Value, Variables, check_known, evaluate, kind,
    match_filter, path, refuse, run_within,
};
use crate::cloud::measure::Measure;

pub(super) fn lookup(
    documents: Vec<Document>,
    spec: &Document,
    around: &Surroundings<'_>,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    check_known("$lookup", spec, &["from", "localField", "foreignField", "let", "pipeline", "as"])?;
    let (from, at) = (text(spec, "from")?, text(spec, "as")?);
    path::check_length(at)?;
    let at: Vec<&str> = at.split('.').collect();
    let by_pipeline = spec.get("pipeline").is_some();
    if by_pipeline && (spec.get("localField").is_some() || spec.get("foreignField").is_some()) {
        return refuse("$lookup with 'pipeline' may not specify 'localField' or 'foreignField'");
    }
    let foreign = (around.collection)(from);
    let mut joined = Vec::with_capacity(documents.len());
    for mut document in documents {
        budget.next_document();
        let found = if by_pipeline {
            by_running(&document, spec, &foreign, around, variables, budget)?
        } else {
            by_equality(&document, spec, &foreign, budget)?
        };
        let found = Value::Array(found.into_iter().map(Value::Object).collect());
        budget.keep(Measure::of(&found).memory)?;
        assign(&mut document, &at, Some(found), budget)?;
        joined.push(document);
    }
    Ok(joined)
}

fn text<'a>(spec: &'a Document, name: &str) -> Outcome<&'a str> {
    match spec.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => {
            refuse(format!("$lookup argument '{name}' must be a string, is type {}", kind::name(other)))
        }
        None => refuse(format!("must specify '{name}' field for a $lookup")),
    }
}

/// What is equal to the local value, or to one of its elements. A missing value equals `null`.
fn by_equality(
    document: &Document,
    spec: &Document,
    foreign: &[Document],
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let local = Value::String(format!("${}", text(spec, "localField")?));
    let value =
        evaluate(&local, &Scope::new(document, &Variables::default(), budget))?.unwrap_or(Value::Null);
    let operator = if matches!(value, Value::Array(_)) { "$in" } else { "$eq" };
    let mut condition = Document::new();
    condition.set(operator, value);
    let mut query = Document::new();
    query.set(text(spec, "foreignField")?, condition);
    let filter = Filter::parse_within(&query, budget)?;
    let mut found = Vec::new();
    for other in foreign {
        if filter.matches(other)? {
            budget.measured(Measure::of_document(other))?;
            budget.keep(Measure::of_document(other).memory)?;
            found.push(other.clone());
        }
    }
    Ok(found)
}

fn by_running(
    document: &Document,
    spec: &Document,
    foreign: &[Document],
    around: &Surroundings<'_>,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let mut inner = variables.clone();
    match spec.get("let") {
        None => {}
        Some(Value::Object(bindings)) => {
            let scope = Scope::new(document, variables, budget);
            for (name, expression) in bindings.iter() {
                inner = inner.with(name, evaluate(expression, &scope)?);
            }
        }
        Some(other) => {
            return refuse(format!(
                "$lookup argument 'let' must be an object, is type {}",
                kind::name(other)
            ));
        }
    }
    let stages = spec.get("pipeline").and_then(Value::as_array).unwrap_or_default();
    let stages = stages.iter().map(|stage| match stage {
        Value::Object(stage) => Ok(stage.clone()),
        _ => refuse("Each element of the 'pipeline' array must be an object"),
    });
    let stages = stages.collect::<Outcome<Vec<_>>>()?;
    // A copy of the other collection for every document is dear: what does not match is not copied.
    let (first, further) = match stages.split_first() {
        Some((first, further)) if first.len() == 1 => match first.get("$match") {
            Some(Value::Object(query)) => (Some(query), further),
            _ => (None, stages.as_slice()),
        },
        _ => (None, stages.as_slice()),
    };
    let filter = first.map(|query| match_filter(query, budget)).transpose()?;
    let mut input = Vec::new();
    for other in foreign {
        let matches = match &filter {
            Some(filter) => filter.find_match(other, &inner)?.is_some(),
            None => true,
        };
        if matches {
            budget.measured(Measure::of_document(other))?;
            input.push(other.clone());
        }
    }
    run_within(further, input, around, &inner, budget)
}
