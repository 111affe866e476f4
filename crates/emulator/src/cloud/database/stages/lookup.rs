//! `$lookup`: by equality of two fields, or by a pipeline that sees variables.

use std::collections::{BTreeSet, HashMap};

use super::reach::{Path, reach_within};
use super::reshape::assign;
use super::{
    Budget, Document, Filter, Outcome, Scope, Surroundings, Value, Variables, check_known, evaluate, kind,
    match_filter, path, refuse, run_within,
};
use crate::cloud::index::{Key, keys_of};
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
    let way = if by_pipeline {
        Way::Running(Pipeline::read(spec, budget)?)
    } else {
        Way::Equality(Fields::read(spec, &foreign, budget)?)
    };
    let mut joined = Vec::with_capacity(documents.len());
    for mut document in documents {
        let _made = budget.for_one_document();
        let found = match &way {
            Way::Running(pipeline) => pipeline.run(&document, &foreign, around, variables, budget)?,
            Way::Equality(fields) => fields.find(&document, &foreign, budget)?,
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

/// How documents of the other collection are found.
enum Way<'a> {
    Equality(Fields<'a>),
    Running(Pipeline<'a>),
}

/// By equality of two fields. A missing value equals `null`.
struct Fields<'a> {
    /// The path of this collection's field, as an expression.
    local: Value,
    foreign: &'a str,
    /// The other collection's documents by what they have there.
    by_value: HashMap<Key, Vec<usize>>,
}

impl<'a> Fields<'a> {
    fn read(spec: &'a Document, others: &[Document], budget: &Budget) -> Outcome<Fields<'a>> {
        let local = Value::String(format!("${}", text(spec, "localField")?));
        let foreign = text(spec, "foreignField")?;
        let path = Path::parse(foreign)?;
        let mut by_value: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, other) in others.iter().enumerate() {
            let keys = keys_of(&reach_within(other, &path, budget)?);
            budget.each(4 * keys.len())?;
            budget.keep(keys.iter().map(|key| 64 + key.length() as u64).sum())?;
            for key in keys {
                by_value.entry(key).or_default().push(at);
            }
        }
        Ok(Fields { local, foreign, by_value })
    }

    fn find(&self, document: &Document, others: &[Document], budget: &Budget) -> Outcome<Vec<Document>> {
        let scope = Variables::default();
        let value = evaluate(&self.local, &Scope::new(document, &scope, budget))?.unwrap_or(Value::Null);
        let candidates = self.candidates(&value);
        let operator = if matches!(value, Value::Array(_)) { "$in" } else { "$eq" };
        let mut condition = Document::new();
        condition.set(operator, value);
        let mut query = Document::new();
        query.set(self.foreign, condition);
        let filter = Filter::parse_within(&query, budget)?;
        let mut found = Vec::new();
        let mut take = |other: &Document| {
            if filter.matches(other)? {
                budget.measured(Measure::of_document(other))?;
                budget.keep(Measure::of_document(other).memory)?;
                found.push(other.clone());
            }
            Ok(())
        };
        match candidates {
            Some(places) => places.into_iter().filter_map(|at| others.get(at)).try_for_each(&mut take)?,
            None => others.iter().try_for_each(&mut take)?,
        }
        Ok(found)
    }

    /// The documents that may have this value, or one of these, in their order; `None` if any may.
    fn candidates(&self, value: &Value) -> Option<BTreeSet<usize>> {
        let values = value.as_array().unwrap_or(std::slice::from_ref(value));
        let mut places = BTreeSet::new();
        for value in values {
            places.extend(self.by_value.get(&Key::of_sought(value)?).into_iter().flatten());
        }
        Some(places)
    }
}

/// By a pipeline that sees variables.
struct Pipeline<'a> {
    bindings: Option<&'a Document>,
    /// The condition that comes first: a copy of the other collection for every document is dear, and what does not
    /// match is not copied.
    first: Option<Filter>,
    further: Vec<Document>,
}

impl<'a> Pipeline<'a> {
    fn read(spec: &'a Document, budget: &Budget) -> Outcome<Pipeline<'a>> {
        let bindings = match spec.get("let") {
            None => None,
            Some(Value::Object(bindings)) => Some(bindings),
            Some(other) => {
                return refuse(format!(
                    "$lookup argument 'let' must be an object, is type {}",
                    kind::name(other)
                ));
            }
        };
        let stages = spec.get("pipeline").and_then(Value::as_array).unwrap_or_default();
        let stages = stages.iter().map(|stage| match stage {
            Value::Object(stage) => Ok(stage.clone()),
            _ => refuse("Each element of the 'pipeline' array must be an object"),
        });
        let mut further = stages.collect::<Outcome<Vec<_>>>()?;
        let query = further.first().filter(|stage| stage.len() == 1).and_then(|stage| stage.get("$match"));
        let first = match query {
            Some(Value::Object(query)) => Some(match_filter(query, budget)?),
            _ => None,
        };
        if first.is_some() {
            further.remove(0);
        }
        Ok(Pipeline { bindings, first, further })
    }

    fn run(
        &self,
        document: &Document,
        others: &[Document],
        around: &Surroundings<'_>,
        variables: &Variables,
        budget: &Budget,
    ) -> Outcome<Vec<Document>> {
        let mut inner = variables.clone();
        let scope = Scope::new(document, variables, budget);
        for (name, expression) in self.bindings.into_iter().flat_map(Document::iter) {
            inner = inner.with(name, evaluate(expression, &scope)?);
        }
        let (mut input, mut held) = (Vec::new(), 0);
        for other in others {
            let matches = match &self.first {
                Some(filter) => filter.find_match(other, &inner)?.is_some(),
                None => true,
            };
            if matches {
                let measure = Measure::of_document(other);
                budget.measured(measure)?;
                budget.keep(measure.memory)?;
                held += measure.memory;
                input.push(other.clone());
            }
        }
        let output = run_within(&self.further, input, around, &inner, budget)?;
        budget.release(held);
        Ok(output)
    }
}
