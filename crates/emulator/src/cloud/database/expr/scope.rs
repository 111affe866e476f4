//! What an expression can see.

use std::rc::Rc;

use crate::cloud::value::{Document, Value};

/// Variables with their values. Adding one leaves the others, and every copy of them, as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(Option<Rc<Binding>>);

#[derive(Debug)]
struct Binding {
    name: String,
    value: Option<Value>,
    outer: Variables,
}

impl Variables {
    /// These variables and one more, which hides one of the same name.
    pub(crate) fn with(&self, name: impl Into<String>, value: Option<Value>) -> Variables {
        Variables(Some(Rc::new(Binding { name: name.into(), value, outer: self.clone() })))
    }

    /// The value of a variable, if there is such a variable; the value may be missing.
    pub(super) fn get(&self, name: &str) -> Option<Option<&Value>> {
        let binding = self.0.as_ref()?;
        if binding.name == name { Some(binding.value.as_ref()) } else { binding.outer.get(name) }
    }
}

/// A document and the variables around it.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    pub(super) root: &'a Document,
    pub(super) variables: Variables,
}

impl<'a> Scope<'a> {
    /// The scope of a document.
    pub(crate) fn new(root: &'a Document, variables: &Variables) -> Scope<'a> {
        Scope { root, variables: variables.clone() }
    }

    /// This scope with one more variable.
    pub(super) fn with(&self, name: &str, value: Option<Value>) -> Scope<'a> {
        Scope { root: self.root, variables: self.variables.with(name, value) }
    }
}
