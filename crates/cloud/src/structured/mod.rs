//! Statements as JSON, for callers in any language: `{"collection":"orders","where":{"age":{"$gt":3}},"limit":20}`.
//!
//! Everything goes through the builder. Invariants: a key that begins with `$` is an operator from a list, or it is
//! refused by its name, so that data cannot bring operators along that nobody wrote; a misspelt field is refused; and
//! an empty `where` changes or removes nothing unless `every_document` says that it is meant, because a filter that
//! lost its only value to `undefined` looks just like that.

mod change;
mod condition;
mod expression;
mod literal;
mod place;
mod stage;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::filter::Filter;
use crate::query::{Document, Id, Query, collection};
use crate::statement::{Add, Aggregate, Change, Count, Get, Remove};
use crate::update::Order;
use crate::value::Value;
use place::Place;

pub use place::{StructuredError, Wrong};

/// Reads documents.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// The collection.
    pub collection: String,
    /// One document by its id; then there is nothing else.
    #[serde(default)]
    pub doc: Option<Id>,
    /// The condition.
    #[serde(default, rename = "where")]
    pub filter: Map<String, Json>,
    /// Paths and `asc` or `desc`.
    #[serde(default)]
    pub order: Vec<(String, Direction)>,
    /// How many to leave out.
    #[serde(default)]
    pub skip: Option<u32>,
    /// How many at most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Paths with `true` for these alone, or with `false` for all others.
    #[serde(default)]
    pub field: Map<String, Json>,
}

/// Counts documents.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    /// The collection.
    pub collection: String,
    /// The condition.
    #[serde(default, rename = "where")]
    pub filter: Map<String, Json>,
}

/// Removes documents: one by its id, or all that fulfil a condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveRequest {
    /// The collection.
    pub collection: String,
    /// One document by its id.
    #[serde(default)]
    pub doc: Option<Id>,
    /// The condition.
    #[serde(default, rename = "where")]
    pub filter: Map<String, Json>,
    /// Whether every document is meant when there is no condition.
    #[serde(default)]
    pub every_document: bool,
}

/// Changes documents: one by its id, or all that fulfil a condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateRequest {
    /// The collection.
    pub collection: String,
    /// One document by its id.
    #[serde(default)]
    pub doc: Option<Id>,
    /// The condition.
    #[serde(default, rename = "where")]
    pub filter: Map<String, Json>,
    /// Whether every document is meant when there is no condition.
    #[serde(default)]
    pub every_document: bool,
    /// `{"$set":{"a.b":1},"$inc":{"n":1}}`
    pub update: Map<String, Json>,
}

/// Replaces one document, or adds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetRequest {
    /// The collection.
    pub collection: String,
    /// Its id.
    pub doc: Id,
    /// All that it is to hold.
    pub data: Json,
}

/// Adds documents.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    /// The collection.
    pub collection: String,
    /// The documents.
    pub data: Vec<Json>,
}

/// Aggregates documents.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateRequest {
    /// The collection.
    pub collection: String,
    /// `[{"$match":{..}},{"$group":{..}}]`
    pub stages: Vec<Json>,
}

/// How many documents a query reads at most.
const MOST_DOCUMENTS: u32 = 1000;

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The least first.
    Asc,
    /// The greatest first.
    Desc,
}

impl From<Direction> for Order {
    fn from(direction: Direction) -> Order {
        match direction {
            Direction::Asc => Order::Ascending,
            Direction::Desc => Order::Descending,
        }
    }
}

/// What a statement that changes or removes is about.
enum Target {
    One(Document),
    Many(Query),
}

fn target(
    name: String,
    doc: Option<Id>,
    filter: &Map<String, Json>,
    every_document: bool,
) -> Result<Target, StructuredError> {
    let place = Place::top("where");
    match doc {
        Some(_) if !filter.is_empty() || every_document => Err(place.wrong(Wrong::OneOrMany)),
        Some(id) => Ok(Target::One(collection(name).doc(id))),
        None if filter.is_empty() && !every_document => Err(place.wrong(Wrong::EveryDocument)),
        None if every_document && !filter.is_empty() => Err(place.wrong(Wrong::OneOrMany)),
        None => Ok(Target::Many(collection(name).filter(condition::filter(&place, filter)?))),
    }
}

/// The documents of a condition; none means every document without saying so.
fn selection(name: String, filter: &Map<String, Json>) -> Result<Query, StructuredError> {
    let query = collection(name).query();
    if filter.is_empty() {
        return Ok(query);
    }
    Ok(query.filter(condition::filter(&Place::top("where"), filter)?))
}

impl QueryRequest {
    /// As a statement. The platform reads a thousand documents at most, and says nothing of a larger limit.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Get, StructuredError> {
        if self.limit.is_some_and(|limit| limit > MOST_DOCUMENTS) {
            return Err(
                Place::top("limit").wrong(Wrong::Shape("at most 1000; `skip` leads to the next page"))
            );
        }
        self.export()
    }

    /// As the statement of an export, which has no page.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn export(self) -> Result<Get, StructuredError> {
        if let Some(id) = self.doc {
            let alone = self.filter.is_empty()
                && self.order.is_empty()
                && self.field.is_empty()
                && self.skip.is_none()
                && self.limit.is_none();
            return match alone {
                true => Ok(collection(self.collection).doc(id).get()?),
                false => Err(Place::top("doc").wrong(Wrong::OneOrMany)),
            };
        }
        Ok(self.query()?.get()?)
    }

    /// As a query of many documents, which can be read page by page.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn query(self) -> Result<Query, StructuredError> {
        if self.doc.is_some() {
            return Err(Place::top("doc").wrong(Wrong::OneOrMany));
        }
        let mut query = selection(self.collection, &self.filter)?;
        for (path, direction) in self.order {
            query = query.order_by(path, direction.into());
        }
        if let Some(count) = self.skip {
            query = query.skip(count);
        }
        if let Some(count) = self.limit {
            query = query.limit(count);
        }
        for (path, wanted) in self.field {
            query = match literal::truth(&wanted) {
                Some(true) => query.only([path]),
                Some(false) => query.without([path]),
                None => return Err(Place::top("field").wrong(Wrong::Shape("true or false for each path"))),
            };
        }
        Ok(query)
    }
}

impl CountRequest {
    /// As a statement.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Count, StructuredError> {
        Ok(selection(self.collection, &self.filter)?.count()?)
    }
}

impl RemoveRequest {
    /// As a statement.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Remove, StructuredError> {
        Ok(match target(self.collection, self.doc, &self.filter, self.every_document)? {
            Target::One(document) => document.remove()?,
            Target::Many(query) => query.remove()?,
        })
    }
}

impl UpdateRequest {
    /// As a statement.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Change, StructuredError> {
        let update = change::update(&Place::top("update"), &self.update)?;
        Ok(match target(self.collection, self.doc, &self.filter, self.every_document)? {
            Target::One(document) => document.update(update)?,
            Target::Many(query) => query.update(update)?,
        })
    }
}

impl SetRequest {
    /// As a statement.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Change, StructuredError> {
        let data = literal::value(&Place::top("data"), &self.data)?;
        Ok(collection(self.collection).doc(self.doc).set(&data)?)
    }
}

impl AddRequest {
    /// As a statement.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Add, StructuredError> {
        let place = Place::top("data");
        let documents: Result<Vec<Value>, _> =
            self.data.iter().map(|it| literal::value(&place, it)).collect();
        Ok(collection(self.collection).add(&documents?)?)
    }
}

impl AggregateRequest {
    /// As a statement.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn statement(self) -> Result<Aggregate, StructuredError> {
        let pipeline = collection(self.collection).aggregate();
        Ok(stage::stages(&Place::top("stages"), &self.stages, pipeline)?.end()?)
    }
}

/// Conditions joined as `where` joins them.
fn joined(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        0 => Filter::everything(),
        1 => filters.swap_remove(0),
        _ => Filter::all_of(filters),
    }
}
