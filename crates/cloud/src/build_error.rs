//! Why a statement cannot be built. Builders keep their first error until they are finished.

use crate::value::ValueError;

/// A statement that the platform would refuse, misread, or carry out on more than was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value cannot stand in a script.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Not the path of a field.
    #[error(
        "`{0}` is not the path of a field: names joined by dots, none empty, `__proto__` or beginning with `$`; \
         `$`, `$[]` and `$[name]` may stand for elements of a list after the first name"
    )]
    Path(String),
    /// Not a name.
    #[error("`{0}` is not a name: not empty, no dots, not `__proto__`, not beginning with `$`")]
    Name(String),
    /// One of the two would be lost.
    #[error("`{0}` is named twice: the platform would keep only one")]
    Twice(String),
    /// A document's id cannot be changed.
    #[error("`_id` cannot be changed: remove the document and add it anew")]
    Id,
    /// No document has such an id.
    #[error("an empty id names no document")]
    EmptyId,
    /// A collection without name.
    #[error("the name of a collection cannot be empty")]
    EmptyCollection,
    /// Documents are objects.
    #[error("a document must be an object")]
    NotAnObject,
    /// An operator that counts was given something else.
    #[error("`{0}` needs a number")]
    NotANumber(&'static str),
    /// Nothing to add, change, combine or select.
    #[error("{0}: nothing was given")]
    Empty(&'static str),
    /// The platform would ignore it, which can change or remove more than was meant.
    #[error("{verb} ignores {option}: leave it out, or put it into the filter")]
    Ignored {
        /// What is done.
        verb: &'static str,
        /// What has no effect on it.
        option: &'static str,
    },
    /// A change to a whole collection that was not asked for in so many words.
    #[error("{0} without a filter concerns every document: say so with `Filter::everything()`")]
    EveryDocument(&'static str),
    /// The platform takes 0 for its default.
    #[error("a limit of 0 means the platform's default: leave it out, or do not ask")]
    LimitZero,
    /// Fields are either selected or left out.
    #[error("fields are either selected or left out; only `_id` can be left out of a selection")]
    MixedProjection,
    /// Conditions that an element cannot be compared with.
    #[error(
        "conditions on one element are a conjunction of different fields: \
         the platform does not combine others reliably there"
    )]
    ElementConditions,
    /// The platform does not encode a server date everywhere.
    #[error(
        "a server date cannot stand here: set it by a path of its own, or compare with it outside of lists"
    )]
    ServerDateHere,
    /// The platform does not encode places and server dates everywhere.
    #[error("a condition on elements cannot compare with a place or a server date")]
    ElementOperand,
    /// `geoNear` reads the collection itself.
    #[error("`geoNear` must be the first stage")]
    GeoNearFirst,
    /// A bucket needs two ends.
    #[error("`bucket` needs two boundaries or more")]
    Boundaries,
}
