//! `$unwind`.

use super::reshape::assign;
use super::{Document, Outcome, Value, check_known, refuse};

/// One document for each element of an array. A value that is no array counts as an array of itself.
pub(super) fn unwind(documents: Vec<Document>, argument: &Value) -> Outcome<Vec<Document>> {
    let (path, index, preserve) = match argument {
        Value::String(path) => (Some(path.as_str()), None, false),
        Value::Object(spec) => {
            check_known("$unwind", spec, &["path", "includeArrayIndex", "preserveNullAndEmptyArrays"])?;
            let index = match spec.get("includeArrayIndex") {
                None => None,
                Some(Value::String(name)) if !name.is_empty() && !name.starts_with('$') => {
                    Some(name.as_str())
                }
                Some(_) => {
                    return refuse(
                        "expected a non-empty string for the includeArrayIndex option to $unwind stage",
                    );
                }
            };
            let preserve = spec.get("preserveNullAndEmptyArrays").is_some_and(Value::is_truthy);
            (spec.get("path").and_then(Value::as_str), index, preserve)
        }
        _ => {
            return refuse("expected either a string or an object as specification for $unwind stage");
        }
    };
    let Some(path) = path else {
        return refuse("no path specified to $unwind stage");
    };
    let Some(path) = path.strip_prefix('$').filter(|path| !path.is_empty()) else {
        return refuse(format!("path option to $unwind stage should be prefixed with a '$': {path}"));
    };
    let parts: Vec<&str> = path.split('.').collect();
    let mut all = Vec::new();
    for document in documents {
        unwind_one(document, &parts, index, preserve, &mut all);
    }
    Ok(all)
}

fn unwind_one(
    document: Document,
    path: &[&str],
    index: Option<&str>,
    preserve: bool,
    all: &mut Vec<Document>,
) {
    let mut give = |mut document: Document, at: Option<usize>| {
        if let Some(name) = index {
            let at = at.map_or(Value::Null, |at| Value::Long(i64::try_from(at).unwrap_or(i64::MAX)));
            assign(&mut document, &name.split('.').collect::<Vec<_>>(), Some(at));
        }
        all.push(document);
    };
    match find(&document, path) {
        Some(Value::Array(items)) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                let mut copy = document.clone();
                assign(&mut copy, path, Some(item.clone()));
                give(copy, Some(at));
            }
        }
        Some(Value::Array(_)) if preserve => {
            let mut copy = document;
            assign(&mut copy, path, None);
            give(copy, None);
        }
        None | Some(Value::Null) if preserve => give(document, None),
        None | Some(Value::Null | Value::Array(_)) => {}
        Some(_) => give(document, None),
    }
}

/// What is at a path, through documents only.
fn find<'a>(document: &'a Document, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(document.get(first)?, |value, name| value.as_object()?.get(name))
}
