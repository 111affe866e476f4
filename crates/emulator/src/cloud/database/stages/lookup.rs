//! `$lookup`: by equality of two fields, or by a pipeline that sees variables.

use super::reshape::assign;
use super::{
    Document, Filter, Outcome, Scope, Surroundings, Value, Variables, check_known, evaluate, kind, refuse,
    run_within,
};

pub(super) fn lookup(
    documents: Vec<Document>,
    spec: &Document,
    around: &Surroundings<'_>,
    variables: &Variables,
) -> Outcome<Vec<Document>> {
    check_known("$lookup", spec, &["from", "localField", "foreignField", "let", "pipeline", "as"])?;
    let (from, path) = (text(spec, "from")?, text(spec, "as")?);
    let path: Vec<&str> = path.split('.').collect();
    let by_pipeline = spec.get("pipeline").is_some();
    if by_pipeline && (spec.get("localField").is_some() || spec.get("foreignField").is_some()) {
        return refuse("$lookup with 'pipeline' may not specify 'localField' or 'foreignField'");
    }
    let foreign = (around.collection)(from);
    let mut joined = Vec::with_capacity(documents.len());
    for mut document in documents {
        let found = if by_pipeline {
            by_running(&document, spec, &foreign, around, variables)?
        } else {
            by_equality(&document, spec, &foreign)?
        };
        let found = found.into_iter().map(Value::Object).collect();
        assign(&mut document, &path, Some(Value::Array(found)));
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
fn by_equality(document: &Document, spec: &Document, foreign: &[Document]) -> Outcome<Vec<Document>> {
    let local = Value::String(format!("${}", text(spec, "localField")?));
    let value = evaluate(&local, &Scope::new(document, &Variables::default()))?.unwrap_or(Value::Null);
    let operator = if matches!(value, Value::Array(_)) { "$in" } else { "$eq" };
    let mut condition = Document::new();
    condition.set(operator, value);
    let mut query = Document::new();
    query.set(text(spec, "foreignField")?, condition);
    let filter = Filter::parse(&query)?;
    let mut found = Vec::new();
    for other in foreign {
        if filter.matches(other)? {
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
) -> Outcome<Vec<Document>> {
    let mut inner = variables.clone();
    match spec.get("let") {
        None => {}
        Some(Value::Object(bindings)) => {
            let scope = Scope::new(document, variables);
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
    run_within(&stages.collect::<Outcome<Vec<_>>>()?, foreign.to_vec(), around, &inner)
}
