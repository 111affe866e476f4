//! `$unwind`.

use super::reshape::assign;
use super::{Budget, Document, Outcome, Value, check_known, path, refuse};
use crate::cloud::measure::Measure;

/// One document for each element of an array. A value that is no array counts as an array of itself.
pub(super) fn unwind(documents: Vec<Document>, argument: &Value, budget: &Budget) -> Outcome<Vec<Document>> {
    let (named, index, preserve) = match argument {
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
    let Some(named) = named else {
        return refuse("no path specified to $unwind stage");
    };
    let Some(at) = named.strip_prefix('$').filter(|path| !path.is_empty()) else {
        return refuse(format!("path option to $unwind stage should be prefixed with a '$': {named}"));
    };
    path::check_length(at)?;
    index.map_or(Ok(()), path::check_length)?;
    let unwind = Unwind {
        path: at.split('.').collect(),
        index: index.map(|index| index.split('.').collect()),
        preserve,
    };
    let mut all = Vec::new();
    for document in documents {
        let _made = budget.for_one_document();
        unwind.one(document, &mut all, budget)?;
    }
    Ok(all)
}

struct Unwind<'a> {
    path: Vec<&'a str>,
    index: Option<Vec<&'a str>>,
    /// Whether documents stay that have nothing to unwind.
    preserve: bool,
}

impl Unwind<'_> {
    fn one(&self, mut document: Document, all: &mut Vec<Document>, budget: &Budget) -> Outcome<()> {
        match find(&mut document, &self.path) {
            Some(Value::Array(items)) if !items.is_empty() => {
                // The copies need not hold the array as well.
                let items = std::mem::take(items);
                let rest = Measure::of_document(&document);
                for (at, item) in items.into_iter().enumerate() {
                    budget.work(rest.values)?;
                    budget.keep(rest.memory + Measure::of(&item).memory)?;
                    let mut copy = document.clone();
                    assign(&mut copy, &self.path, Some(item), budget)?;
                    self.give(copy, Some(at), all, budget)?;
                }
                Ok(())
            }
            Some(Value::Array(_)) if self.preserve => {
                assign(&mut document, &self.path, None, budget)?;
                self.give(document, None, all, budget)
            }
            None | Some(Value::Null) if self.preserve => self.give(document, None, all, budget),
            None | Some(Value::Null | Value::Array(_)) => Ok(()),
            Some(_) => self.give(document, None, all, budget),
        }
    }

    fn give(
        &self,
        mut document: Document,
        at: Option<usize>,
        all: &mut Vec<Document>,
        budget: &Budget,
    ) -> Outcome<()> {
        if let Some(path) = &self.index {
            let at = at.map_or(Value::Null, |at| Value::Long(i64::try_from(at).unwrap_or(i64::MAX)));
            assign(&mut document, path, Some(at), budget)?;
        }
        all.push(document);
        Ok(())
    }
}

/// What is at a path, through documents only.
fn find<'a>(document: &'a mut Document, path: &[&str]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(document.get_mut(first)?, |value, name| match value {
        Value::Object(inner) => inner.get_mut(name),
        _ => None,
    })
}
