//! What an expression can see.

use std::rc::Rc;

use super::super::budget::Budget;
use crate::cloud::value::{Document, Value};

/// Variables with their values. Adding one leaves the others, and every copy of them, as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(Option<Rc<Binding>>);

#[derive(Debug)]
struct Binding {
    name: String,
    value: Option<Value>,
    outer: Variables,
    /// How many there are, this one among them.
    count: u64,
}

impl Drop for Binding {
    /// One after the other: a binding that dropped the next one itself would descend through all of them.
    fn drop(&mut self) {
        let mut next = self.outer.0.take();
        while let Some(Ok(mut binding)) = next.map(Rc::try_unwrap) {
            next = binding.outer.0.take();
        }
    }
}

impl Variables {
    /// These variables and one more, which hides one of the same name.
    pub(crate) fn with(&self, name: impl Into<String>, value: Option<Value>) -> Variables {
        let count = self.count() + 1;
        Variables(Some(Rc::new(Binding { name: name.into(), value, outer: self.clone(), count })))
    }

    /// How many variables there are.
    pub(super) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |binding| binding.count)
    }

    /// The value of a variable, if there is such a variable; the value may be missing.
    pub(super) fn get(&self, name: &str) -> Option<Option<&Value>> {
        let bindings = std::iter::successors(self.0.as_deref(), |binding| binding.outer.0.as_deref());
        let found = bindings.into_iter().find(|binding| binding.name == name);
        found.map(|binding| binding.value.as_ref())
    }
}

/// A document, the variables around it, and what may be spent.
#[derive(Clone, Debug)]
pub(in super::super) struct Scope<'a> {
    pub(super) root: &'a Document,
    pub(super) variables: Variables,
    pub(super) budget: &'a Budget,
}

impl<'a> Scope<'a> {
    /// The scope of a document.
    pub(in super::super) fn new(root: &'a Document, variables: &Variables, budget: &'a Budget) -> Scope<'a> {
        Scope { root, variables: variables.clone(), budget }
    }

    /// What may be spent.
    pub(in super::super) fn budget(&self) -> &'a Budget {
        self.budget
    }

    /// This scope with one more variable.
    pub(super) fn with(&self, name: &str, value: Option<Value>) -> Scope<'a> {
        Scope { variables: self.variables.with(name, value), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_variables_take_no_stack() {
        let many = (0..300_000).fold(Variables::default(), |all, number| all.with(number.to_string(), None));
        assert_eq!(many.get("0"), Some(None));
        assert_eq!(many.get("a"), None);
    }
}
