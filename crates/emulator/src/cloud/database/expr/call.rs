//! The arguments of an operator.

use std::cmp::Ordering;

use super::super::budget::Budget;
use super::super::error::{DatabaseError, Outcome, refuse};
use super::{Scope, evaluate, kind};
use crate::cloud::value::{Document, Value};

/// What an operator gives: a value, or that it is missing.
pub(super) type Answer = Outcome<Option<Value>>;

/// An operator with what it is applied to.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) argument: &'a Value,
    pub(super) scope: &'a Scope<'a>,
}

impl Call<'_> {
    /// What may be spent.
    pub(super) fn budget(&self) -> &Budget {
        self.scope.budget
    }

    /// The expressions of the arguments. One argument needs no list around it.
    pub(super) fn expressions(&self) -> &[Value] {
        match self.argument {
            Value::Array(items) => items,
            single => std::slice::from_ref(single),
        }
    }

    /// The values of all arguments.
    pub(super) fn all(&self) -> Outcome<Vec<Option<Value>>> {
        self.expressions().iter().map(|expression| evaluate(expression, self.scope)).collect()
    }

    /// The values of as many arguments as there must be.
    pub(super) fn exactly<const N: usize>(&self) -> Outcome<[Option<Value>; N]> {
        let given = self.expressions().len();
        self.all()?.try_into().map_err(|_| {
            DatabaseError::new(format!(
                "Expression {} takes exactly {N} arguments. {given} were passed in.",
                self.name
            ))
        })
    }

    /// The values of two to four arguments. Those that are not given are missing at the end.
    pub(super) fn between<const N: usize>(&self, least: usize) -> Outcome<([Option<Value>; N], usize)> {
        let given = self.expressions().len();
        if !(least..=N).contains(&given) {
            return refuse(format!(
                "Expression {} takes at least {least} arguments, and at most {N}, but {given} were passed in.",
                self.name
            ));
        }
        let mut values = self.all()?.into_iter();
        Ok((std::array::from_fn(|_| values.next().flatten()), given))
    }

    /// The argument as a document of named expressions, all of them known.
    pub(super) fn named(&self, required: &[&str], optional: &[&str]) -> Outcome<&Document> {
        let Value::Object(fields) = self.argument else {
            return refuse(format!(
                "{} only supports an object as its argument, found {}",
                self.name,
                kind::name(self.argument)
            ));
        };
        if let Some((unknown, _)) =
            fields.iter().find(|(name, _)| !required.contains(name) && !optional.contains(name))
        {
            return refuse(format!("Unrecognized argument to {}: {unknown}", self.name));
        }
        if let Some(missing) = required.iter().find(|name| fields.get(name).is_none()) {
            return refuse(format!("Missing '{missing}' parameter to {}", self.name));
        }
        Ok(fields)
    }

    /// The value of a named expression; missing if it is not there.
    pub(super) fn field(&self, fields: &Document, name: &str) -> Answer {
        fields.get(name).map_or(Ok(None), |expression| evaluate(expression, self.scope))
    }
}

/// A value that is neither missing nor `null`.
pub(super) fn present(value: Option<Value>) -> Option<Value> {
    value.filter(|value| *value != Value::Null)
}

/// MongoDB's order, in which a missing value comes before all others.
pub(super) fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.compare(b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

/// Whether a value that may be missing counts as true.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_truthy)
}

/// A length or an index as a value.
pub(super) fn whole(number: usize) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `null`, as an answer.
pub(super) const NULL: Answer = Ok(Some(Value::Null));
