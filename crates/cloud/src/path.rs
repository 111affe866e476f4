//! Paths and names of fields: the keys that come from outside.

use crate::build_error::BuildError;

/// Checks the path of a field, such as `address.city`, `list.0` or `list.$.done`.
pub(crate) fn check(path: &str) -> Result<&str, BuildError> {
    let sound = !path.starts_with('$') && path.split('.').all(is_segment);
    if sound { Ok(path) } else { Err(BuildError::Path(path.to_owned())) }
}

/// Checks a name without dots: a new field, a variable, a collection's alias.
pub(crate) fn check_name(name: &str) -> Result<&str, BuildError> {
    let sound = !name.is_empty() && !name.starts_with('$') && !name.contains('.') && name != "__proto__";
    if sound { Ok(name) } else { Err(BuildError::Name(name.to_owned())) }
}

/// Checks the path of a field that is to be changed.
pub(crate) fn check_changeable(path: &str) -> Result<&str, BuildError> {
    if path == "_id" || path.starts_with("_id.") { Err(BuildError::Id) } else { check(path) }
}

fn is_segment(segment: &str) -> bool {
    let element = segment == "$" || (segment.starts_with("$[") && segment.ends_with(']'));
    element || (!segment.is_empty() && !segment.starts_with('$') && segment != "__proto__")
}

/// The first that stands twice.
pub(crate) fn check_distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), BuildError> {
    let mut seen = std::collections::BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(BuildError::Twice(name.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_fields_and_of_elements() {
        for path in ["a", "a.b", "list.0", "list.$", "list.$.done", "list.$[]", "list.$[x].y", "姓名", "a b"]
        {
            assert_eq!(check(path), Ok(path));
        }
        for path in ["", "$a", "$", ".a", "a.", "a..b", "__proto__", "a.__proto__.b", "a.$gt", "$[].a"] {
            assert_eq!(check(path), Err(BuildError::Path(path.to_owned())));
        }
    }

    #[test]
    fn the_id_cannot_be_changed() {
        assert_eq!(check_changeable("_id"), Err(BuildError::Id));
        assert_eq!(check_changeable("_identity"), Ok("_identity"));
    }
}
