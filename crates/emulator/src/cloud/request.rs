//! What a query text asks of the database.

use super::value::{Document, Value};

/// One request to one collection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// The collection.
    pub(crate) collection: String,
    /// What to do.
    pub(crate) verb: Verb,
}

/// What to do with a collection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verb {
    /// Find documents.
    Get(Find),
    /// Count documents.
    Count(Document),
    /// Insert documents.
    Add(Vec<Document>),
    /// Change documents: a filter, update operators, and whether one or all.
    Update(Document, Document, Reach),
    /// Replace the document with this id, or make it.
    Set(Value, Document),
    /// Remove documents.
    Remove(Document, Reach),
    /// Run a pipeline.
    Aggregate(Vec<Document>),
}

/// How many of the documents that match are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// One.
    One,
    /// All.
    All,
}

/// Which documents, in which order, and what of them.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Find {
    /// The filter.
    pub(crate) filter: Document,
    /// Paths and directions.
    pub(crate) sort: Vec<(String, i32)>,
    /// How many to leave out.
    pub(crate) skip: u64,
    /// How many to return at the most; `None` for what the endpoint does then.
    pub(crate) limit: Option<u64>,
    /// What to return of each.
    pub(crate) projection: Option<Document>,
}

impl Verb {
    /// The word that ends such a text.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Verb::Get(_) => "get",
            Verb::Count(_) => "count",
            Verb::Add(_) => "add",
            Verb::Update(..) => "update",
            Verb::Set(..) => "set",
            Verb::Remove(..) => "remove",
            Verb::Aggregate(_) => "end",
        }
    }
}
