//! `$project`, `$addFields` and `$replaceRoot`.

use super::{Budget, Document, Outcome, Scope, Shape, Value, Variables, ejson, evaluate, kind, path, refuse};
use crate::cloud::measure::Measure;

/// What is to become of one path.
enum Leaf<'a> {
    Include,
    Exclude,
    Compute(&'a Value),
}

type Leaves<'a> = Vec<(Vec<&'a str>, Leaf<'a>)>;

pub(super) fn project(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let mut leaves = Vec::new();
    collect(spec, &[], true, &mut leaves)?;
    let is_id = |path: &[&str]| path == ["_id"];
    let inclusive = leaves.iter().any(|(path, leaf)| match leaf {
        Leaf::Include => !is_id(path) || leaves.len() == 1,
        Leaf::Compute(_) => true,
        Leaf::Exclude => false,
    });
    let mut shape = Shape::default();
    let mut with_id = true;
    for (path, leaf) in &leaves {
        match leaf {
            Leaf::Exclude if is_id(path) => with_id = false,
            Leaf::Exclude if inclusive => {
                return refuse(format!(
                    "Bad projection specification, cannot exclude fields other than '_id' in an inclusion projection: {}",
                    ejson::plain(&Value::Object(spec.clone()))
                ));
            }
            Leaf::Include if !inclusive && is_id(path) => {}
            // A computed field comes behind the included ones; inside a document it is put where that is.
            Leaf::Compute(_) if path.len() == 1 => with_id &= !is_id(path),
            _ => shape.add(path),
        }
    }
    if with_id == inclusive {
        shape.add(&["_id"]);
    }
    let mut projected = Vec::with_capacity(documents.len());
    for document in documents {
        let _made = budget.for_one_document();
        let mut given = if inclusive { shape.include(&document) } else { shape.exclude(&document) };
        budget.measured(Measure::of_document(&given))?;
        compute(&leaves, &document, &mut given, variables, budget)?;
        budget.keep(Measure::of_document(&given).memory)?;
        projected.push(given);
    }
    Ok(projected)
}

pub(super) fn add_fields(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let mut leaves = Vec::new();
    collect(spec, &[], false, &mut leaves)?;
    let mut extended = Vec::with_capacity(documents.len());
    for document in documents {
        let _made = budget.for_one_document();
        let mut given = document.clone();
        budget.measured(Measure::of_document(&given))?;
        compute(&leaves, &document, &mut given, variables, budget)?;
        budget.keep(Measure::of_document(&given).memory)?;
        extended.push(given);
    }
    Ok(extended)
}

pub(super) fn replace_root(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    let Some(expression) = spec.get("newRoot") else {
        return refuse("no newRoot specified for the $replaceRoot stage");
    };
    let mut roots = Vec::with_capacity(documents.len());
    for document in &documents {
        let _made = budget.for_one_document();
        match evaluate(expression, &Scope::new(document, variables, budget))? {
            Some(Value::Object(root)) => {
                budget.keep(Measure::of_document(&root).memory)?;
                roots.push(root);
            }
            other => {
                return refuse(format!(
                    "'newRoot' expression must evaluate to an object, but resulting value was of type: {}",
                    kind::name_or_missing(other.as_ref())
                ));
            }
        }
    }
    Ok(roots)
}

/// The paths of a specification. Nested documents that are no expressions are paths too.
fn collect<'a>(spec: &'a Document, prefix: &[&'a str], flags: bool, leaves: &mut Leaves<'a>) -> Outcome<()> {
    if spec.is_empty() {
        return refuse("specification must have at least one field");
    }
    for (name, value) in spec.iter() {
        let mut path = prefix.to_vec();
        path.extend(name.split('.'));
        path::check_parts(&path)?;
        if path.iter().any(|part| part.is_empty() || part.starts_with('$')) {
            return refuse(format!("FieldPath field names may not be empty or start with '$': '{name}'"));
        }
        match value {
            Value::Object(inner) if !is_expression(inner) => collect(inner, &path, flags, leaves)?,
            Value::Bool(_) | Value::Int(_) | Value::Long(_) | Value::Double(_) if flags => {
                let leaf = if value.is_truthy() { Leaf::Include } else { Leaf::Exclude };
                leaves.push((path, leaf));
            }
            expression => leaves.push((path, Leaf::Compute(expression))),
        }
    }
    Ok(())
}

fn is_expression(object: &Document) -> bool {
    object.iter().next().is_some_and(|(name, _)| name.starts_with('$'))
}

fn compute(
    leaves: &Leaves<'_>,
    document: &Document,
    given: &mut Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<()> {
    let scope = Scope::new(document, variables, budget);
    for (path, leaf) in leaves {
        if let Leaf::Compute(expression) = leaf {
            assign(given, path, evaluate(expression, &scope)?, budget)?;
        }
    }
    Ok(())
}

/// About what a field costs beside its name and value, in bytes.
const FIELD: u64 = 64;

/// Sets a field, in every element of an array on the way; a missing value takes the field away.
pub(super) fn assign(
    document: &mut Document,
    path: &[&str],
    value: Option<Value>,
    budget: &Budget,
) -> Outcome<()> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    budget.bytes(FIELD + first.len() as u64)?;
    match (rest.is_empty(), value) {
        (true, Some(value)) => document.set(*first, value),
        (true, None) => {
            budget.each(document.len() / 8)?;
            document.remove(first);
        }
        (false, value) => {
            if document.get(first).is_none() {
                document.set(*first, Document::new());
            }
            if let Some(inner) = document.get_mut(first) {
                return assign_in(inner, rest, value, budget);
            }
        }
    }
    Ok(())
}

fn assign_in(at: &mut Value, path: &[&str], value: Option<Value>, budget: &Budget) -> Outcome<()> {
    budget.work(1)?;
    match at {
        Value::Object(inner) => assign(inner, path, value, budget),
        Value::Array(items) => {
            for item in items {
                value.as_ref().map_or(Ok(()), |value| budget.make(value))?;
                assign_in(item, path, value.clone(), budget)?;
            }
            Ok(())
        }
        scalar => {
            let mut inner = Document::new();
            assign(&mut inner, path, value, budget)?;
            *scalar = Value::Object(inner);
            Ok(())
        }
    }
}
