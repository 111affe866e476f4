//! Where in a request one is, for errors that say so, and so that no nesting exhausts the stack.

use crate::build_error::BuildError;
use crate::value::{DEEPEST, ValueError};

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructuredError {
    /// The place, such as `where.age.$gt`; empty if the statement as a whole is meant.
    pub at: String,
    /// What is wrong.
    pub what: Wrong,
}

/// What can be wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// Not on the list.
    #[error("`{0}` is not an operator that may stand here")]
    Operator(String),
    /// Something else is expected.
    #[error("expected {0}")]
    Shape(&'static str),
    /// Something else is expected, in the words of the reader.
    #[error("{0}")]
    Options(String),
    /// Both an id and a condition.
    #[error("either `doc`, or `where` and what goes with it, or `every_document`")]
    OneOrMany,
    /// A change to a whole collection that was not asked for in so many words.
    #[error(
        "no condition would concern every document: if that is meant, send `\"every_document\":true` (in the shell `--every-document`)"
    )]
    EveryDocument,
    /// It cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl std::fmt::Display for StructuredError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at.as_str() {
            "" => write!(f, "{}", self.what),
            at => write!(f, "{at}: {}", self.what),
        }
    }
}

impl std::error::Error for StructuredError {}

impl From<BuildError> for StructuredError {
    fn from(error: BuildError) -> StructuredError {
        StructuredError { at: String::new(), what: error.into() }
    }
}

/// A place in a request.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    above: Option<&'a Place<'a>>,
    name: &'a str,
    depth: usize,
}

impl<'a> Place<'a> {
    pub(super) fn top(name: &'a str) -> Place<'a> {
        Place { above: None, name, depth: 0 }
    }

    pub(super) fn below(&'a self, name: &'a str) -> Result<Place<'a>, StructuredError> {
        if self.depth >= DEEPEST {
            return Err(self.wrong(BuildError::from(ValueError::TooDeep)));
        }
        Ok(Place { above: Some(self), name, depth: self.depth + 1 })
    }

    pub(super) fn wrong(&self, what: impl Into<Wrong>) -> StructuredError {
        let mut names = vec![self.name];
        let mut place = self.above;
        while let Some(above) = place {
            names.push(above.name);
            place = above.above;
        }
        names.reverse();
        StructuredError { at: names.join("."), what: what.into() }
    }

    pub(super) fn expected<T>(&self, what: &'static str) -> Result<T, StructuredError> {
        Err(self.wrong(Wrong::Shape(what)))
    }

    pub(super) fn operator<T>(&self, name: &str) -> Result<T, StructuredError> {
        Err(self.wrong(Wrong::Operator(name.to_owned())))
    }
}
