//! Statements on one collection: what to select, and what to do with it.
//!
//! What the platform would silently ignore is refused: it removes every match of a filter, whatever the limit says.
//! So are changes to a whole collection, unless they are asked for by [`Filter::everything`].

use serde::Serialize;

use crate::aggregate::{Pipeline, Within};
use crate::build_error::BuildError;
use crate::filter::Filter;
use crate::path;
use crate::script::{Fragment, Piece};
use crate::statement::{Add, Change, Count, Get, Remove};
use crate::update::{Order, Update};
use crate::value::Value;

/// A collection; see [`collection`].
#[derive(Clone, Debug)]
pub struct Collection {
    name: String,
}

/// One document of a collection.
#[derive(Clone, Debug)]
pub struct Document {
    collection: Collection,
    id: Id,
}

/// The documents of a collection that a filter selects.
#[derive(Clone, Debug)]
pub struct Query {
    collection: Collection,
    filter: Option<Filter>,
    orders: Vec<(String, Order)>,
    skip: Option<u32>,
    limit: Option<u32>,
    projection: Vec<(String, bool)>,
}

/// The id of a document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// As the platform makes them.
    Text(String),
    /// As some people make them.
    Number(i64),
}

/// A collection by its name.
#[must_use]
pub fn collection(name: impl Into<String>) -> Collection {
    Collection { name: name.into() }
}

impl Default for Id {
    fn default() -> Id {
        Id::Text(String::new())
    }
}

impl From<&str> for Id {
    fn from(id: &str) -> Id {
        Id::Text(id.to_owned())
    }
}

impl From<String> for Id {
    fn from(id: String) -> Id {
        Id::Text(id)
    }
}

impl From<i64> for Id {
    fn from(id: i64) -> Id {
        Id::Number(id)
    }
}

fn data(value: Piece) -> Piece {
    Fragment::options([("data", Some(value))])
}

fn document(value: &(impl Serialize + ?Sized)) -> Result<Value, BuildError> {
    match Value::of(value)? {
        object @ Value::Object(_) => Ok(object),
        _ => Err(BuildError::NotAnObject),
    }
}

impl Collection {
    pub(crate) fn into_piece(self) -> Piece {
        if self.name.is_empty() {
            return Err(BuildError::EmptyCollection);
        }
        Fragment::call("db.collection", [Ok(Fragment::string(&self.name))])
    }

    /// Its documents, to be narrowed down.
    #[must_use]
    pub fn query(self) -> Query {
        Query {
            collection: self,
            filter: None,
            orders: Vec::new(),
            skip: None,
            limit: None,
            projection: Vec::new(),
        }
    }

    /// The documents that fulfil a condition.
    #[must_use]
    pub fn filter(self, filter: Filter) -> Query {
        self.query().filter(filter)
    }

    /// Its documents in an order.
    #[must_use]
    pub fn order_by(self, path: impl Into<String>, order: Order) -> Query {
        self.query().order_by(path, order)
    }

    /// Its documents but so many.
    #[must_use]
    pub fn skip(self, count: u32) -> Query {
        self.query().skip(count)
    }

    /// So many of its documents at most.
    #[must_use]
    pub fn limit(self, count: u32) -> Query {
        self.query().limit(count)
    }

    /// Its documents with these fields alone.
    #[must_use]
    pub fn only<T: Into<String>>(self, fields: impl IntoIterator<Item = T>) -> Query {
        self.query().only(fields)
    }

    /// Its documents without these fields.
    #[must_use]
    pub fn without<T: Into<String>>(self, fields: impl IntoIterator<Item = T>) -> Query {
        self.query().without(fields)
    }

    /// Reads its documents: ten, unless there is a limit.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn get(self) -> Result<Get, BuildError> {
        self.query().get()
    }

    /// Counts its documents.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn count(self) -> Result<Count, BuildError> {
        self.query().count()
    }

    /// Adds documents.
    ///
    /// # Errors
    /// There are none, one is not an object, or one holds what cannot stand in a script.
    #[expect(clippy::should_implement_trait, reason = "the platform's name for it")]
    pub fn add<T: Serialize>(self, documents: &[T]) -> Result<Add, BuildError> {
        if documents.is_empty() {
            return Err(BuildError::Empty("add"));
        }
        let values = documents.iter().map(|it| document(it).and_then(|it| Fragment::value(&it)));
        let values = Fragment::array(values);
        self.into_piece()?.then("add", [data(values)]).map(|it| Add::built(it.into_text()))
    }

    /// One document by its id.
    #[must_use]
    pub fn doc(self, id: impl Into<Id>) -> Document {
        Document { collection: self, id: id.into() }
    }

    /// Stages that its documents go through.
    #[must_use]
    pub fn aggregate(self) -> Pipeline<Within> {
        Pipeline::within(self)
    }
}

impl Document {
    fn into_piece(self) -> Piece {
        let id = match self.id {
            Id::Text(id) if id.is_empty() => return Err(BuildError::EmptyId),
            Id::Text(id) => Value::String(id),
            Id::Number(id) => Value::Int(id),
        };
        self.collection.into_piece()?.then("doc", [Fragment::value(&id)])
    }

    /// Reads it.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn get(self) -> Result<Get, BuildError> {
        self.into_piece()?.then("get", []).map(|it| Get::built(it.into_text()))
    }

    /// Replaces it whole, or adds it if it is not there.
    ///
    /// # Errors
    /// It is not an object, holds an `_id`, or holds what cannot stand in a script.
    pub fn set(self, value: &(impl Serialize + ?Sized)) -> Result<Change, BuildError> {
        let value = document(value)?;
        if matches!(&value, Value::Object(fields) if fields.iter().any(|(key, _)| key == "_id")) {
            return Err(BuildError::Id);
        }
        let value = Fragment::value(&value);
        self.into_piece()?.then("set", [data(value)]).map(|it| Change::built(it.into_text()))
    }

    /// Changes it.
    ///
    /// # Errors
    /// The change cannot be made so.
    pub fn update(self, update: Update) -> Result<Change, BuildError> {
        let update = update.into_piece();
        self.into_piece()?.then("update", [data(update)]).map(|it| Change::built(it.into_text()))
    }

    /// Removes it.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn remove(self) -> Result<Remove, BuildError> {
        self.into_piece()?.then("remove", []).map(|it| Remove::built(it.into_text()))
    }
}

impl Query {
    /// Narrows it down by one more condition.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Query {
        self.filter = Some(match self.filter.take() {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// Orders by a field; the next call orders what is equal so far.
    #[must_use]
    pub fn order_by(mut self, path: impl Into<String>, order: Order) -> Query {
        self.orders.push((path.into(), order));
        self
    }

    /// Leaves out so many at the beginning.
    #[must_use]
    pub fn skip(mut self, count: u32) -> Query {
        self.skip = Some(count);
        self
    }

    /// Reads so many at most. Without it the platform gives ten; it is not known to give more than a thousand.
    #[must_use]
    pub fn limit(mut self, count: u32) -> Query {
        self.limit = Some(count);
        self
    }

    /// Reads these fields alone, and `_id` unless it is left out.
    #[must_use]
    pub fn only<T: Into<String>>(self, fields: impl IntoIterator<Item = T>) -> Query {
        self.project(fields, true)
    }

    /// Reads all fields but these.
    #[must_use]
    pub fn without<T: Into<String>>(self, fields: impl IntoIterator<Item = T>) -> Query {
        self.project(fields, false)
    }

    fn project<T: Into<String>>(mut self, fields: impl IntoIterator<Item = T>, wanted: bool) -> Query {
        self.projection.extend(fields.into_iter().map(|field| (field.into(), wanted)));
        self
    }

    /// Reads the documents.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn get(self) -> Result<Get, BuildError> {
        if self.limit == Some(0) {
            return Err(BuildError::LimitZero);
        }
        let mut script = selected(self.collection, self.filter)?;
        path::check_distinct(self.orders.iter().map(|(path, _)| path.as_str()))?;
        for (path, order) in &self.orders {
            let path = path::check(path)?;
            script = script.then("orderBy", [Ok(Fragment::string(path)), Ok(order.word())])?;
        }
        if let Some(count) = self.skip {
            script = script.then("skip", [Ok(Fragment::count(count))])?;
        }
        if let Some(count) = self.limit {
            script = script.then("limit", [Ok(Fragment::count(count))])?;
        }
        if !self.projection.is_empty() {
            script = script.then("field", [projection(&self.projection)])?;
        }
        script.then("get", []).map(|it| Get::built(it.into_text()))
    }

    /// Reads one page of it: at most `size` documents after the `read` ones of the pages before. Without an order, and
    /// where the order leaves documents equal, they come by `_id`, so that no page repeats what another has. `None`
    /// when the query's own limit is reached.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn page(&self, read: u32, size: u32) -> Result<Option<Get>, BuildError> {
        let left = self.limit.map_or(u32::MAX, |limit| limit.saturating_sub(read));
        if left == 0 && self.limit != Some(0) {
            return Ok(None);
        }
        let mut page = self.clone();
        page.skip = Some(self.skip.unwrap_or(0).saturating_add(read)).filter(|skip| *skip > 0);
        page.limit = Some(size.min(left));
        if !page.orders.iter().any(|(path, _)| path == "_id") {
            page.orders.push(("_id".to_owned(), Order::Ascending));
        }
        page.get().map(Some)
    }

    /// Counts the documents.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn count(self) -> Result<Count, BuildError> {
        let script = self.whole("count")?;
        script.then("count", []).map(|it| Count::built(it.into_text()))
    }

    /// Changes all of the documents.
    ///
    /// # Errors
    /// There is no filter, or the change cannot be made so.
    pub fn update(self, update: Update) -> Result<Change, BuildError> {
        let script = self.every("update")?;
        script.then("update", [data(update.into_piece())]).map(|it| Change::built(it.into_text()))
    }

    /// Removes all of the documents.
    ///
    /// # Errors
    /// There is no filter, or there is what the platform ignores.
    pub fn remove(self) -> Result<Remove, BuildError> {
        let script = self.every("remove")?;
        script.then("remove", []).map(|it| Remove::built(it.into_text()))
    }

    /// The selection, for a verb that concerns all of it.
    fn whole(self, verb: &'static str) -> Piece {
        let given = [
            (!self.orders.is_empty(), "the order"),
            (self.skip.is_some(), "skip"),
            (self.limit.is_some(), "the limit"),
            (!self.projection.is_empty(), "the choice of fields"),
        ];
        match given.into_iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(BuildError::Ignored { verb, option }),
            None => selected(self.collection, self.filter),
        }
    }

    /// The selection, for a verb that must not concern a collection by oversight.
    fn every(self, verb: &'static str) -> Piece {
        if self.filter.is_none() { Err(BuildError::EveryDocument(verb)) } else { self.whole(verb) }
    }
}

fn selected(collection: Collection, filter: Option<Filter>) -> Piece {
    let script = collection.into_piece()?;
    match filter {
        Some(filter) => script.then("where", [filter.into_piece()]),
        None => Ok(script),
    }
}

/// `{"title":true,"_id":false}`
fn projection(fields: &[(String, bool)]) -> Piece {
    for (field, _) in fields {
        path::check(field)?;
    }
    path::check_distinct(fields.iter().map(|(field, _)| field.as_str()))?;
    let mut others = fields.iter().filter(|(field, _)| field != "_id").map(|(_, wanted)| *wanted);
    if let Some(first) = others.next()
        && others.any(|wanted| wanted != first)
    {
        return Err(BuildError::MixedProjection);
    }
    let literal = |wanted: bool| Ok(Fragment::bare(if wanted { "true" } else { "false" }));
    Fragment::object(fields.iter().map(|(field, wanted)| (field, literal(*wanted))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_up_to_the_limit() {
        let query = collection("c").order_by("n", Order::Descending).skip(5).limit(25);
        let page = |read| query.page(read, 20).unwrap().map(|get| get.text().to_owned());
        let start = r#"db.collection("c").orderBy("n","desc").orderBy("_id","asc")"#;
        assert_eq!(page(0), Some(format!("{start}.skip(5).limit(20).get()")));
        assert_eq!(page(20), Some(format!("{start}.skip(25).limit(5).get()")));
        assert_eq!(page(25), None);
        let inside = collection("c").order_by("_id.x", Order::Ascending).page(0, 1).unwrap().unwrap();
        assert!(
            inside.text().contains(r#".orderBy("_id.x","asc").orderBy("_id","asc")"#),
            "a part is not unique"
        );
        let plain = collection("c").query().page(0, 100).unwrap().unwrap();
        assert_eq!(plain.text(), r#"db.collection("c").orderBy("_id","asc").limit(100).get()"#);
    }
}
