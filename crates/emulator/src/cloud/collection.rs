//! One collection: its documents in the order in which they were added, found by id without a search.

use std::collections::{BTreeMap, HashMap};

use super::database::{DatabaseError, Filter, Occasion, Projection, SortOrder, Update};
use super::request::{Find, Reach};
use super::value::{Document, Value};

/// Documents, and which of them has which id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collection {
    /// By when they were added.
    documents: BTreeMap<u64, Document>,
    by_id: HashMap<String, u64>,
    next: u64,
}

/// What `get` found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The documents of the page.
    pub(crate) documents: Vec<Document>,
    /// How many match, on whatever page.
    pub(crate) total: u64,
}

/// What `update` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Updated {
    /// How many matched.
    pub(crate) matched: u64,
    /// How many are different now.
    pub(crate) modified: u64,
}

type Outcome<T> = Result<T, DatabaseError>;

/// An id as a key: numbers are equal whatever their type.
fn key(id: &Value) -> String {
    match id.as_f64() {
        Some(number) => format!("n{number}"),
        None => format!("s{}", super::ejson::canonical(id)),
    }
}

impl Collection {
    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    /// About how many bytes they have.
    pub(crate) fn size(&self) -> usize {
        let text =
            |document: &Document| super::ejson::plain(&Value::Object(document.clone())).to_string().len();
        self.documents.values().map(text).sum()
    }

    /// Every document, in the order in which they were added.
    pub(crate) fn all(&self) -> Vec<Document> {
        self.documents.values().cloned().collect()
    }

    /// Adds documents whose ids are set: all of them, or none.
    pub(crate) fn add(&mut self, documents: Vec<Document>) -> Outcome<Vec<Value>> {
        let mut ids = Vec::with_capacity(documents.len());
        let mut seen = std::collections::HashSet::new();
        for document in &documents {
            let id = document.get("_id").cloned().unwrap_or(Value::Null);
            if self.by_id.contains_key(&key(&id)) || !seen.insert(key(&id)) {
                let shown = super::ejson::plain(&id);
                return Err(DatabaseError::new(format!(
                    "E11000 duplicate key error collection, index: _id_ dup key: {{ : {shown} }}"
                )));
            }
            ids.push(id);
        }
        for (document, id) in documents.into_iter().zip(&ids) {
            self.insert(id, document);
        }
        Ok(ids)
    }

    fn insert(&mut self, id: &Value, document: Document) {
        self.by_id.insert(key(id), self.next);
        self.documents.insert(self.next, document);
        self.next += 1;
    }

    /// The places of documents that may match: one, if the filter is an id, else all.
    fn candidates(&self, filter: &Document) -> Vec<u64> {
        let id = filter.get("_id").filter(|id| !matches!(id, Value::Object(_) | Value::Regex(..)));
        match id {
            Some(id) => self.by_id.get(&key(id)).copied().into_iter().collect(),
            None => self.documents.keys().copied().collect(),
        }
    }

    /// A page of what matches, with how many match at all. `limit` is what holds without one of its own.
    pub(crate) fn find(&self, find: &Find, limit: u64) -> Outcome<Found> {
        let filter = Filter::parse(&find.filter)?;
        let mut matching = Vec::new();
        for place in self.candidates(&find.filter) {
            let Some(document) = self.documents.get(&place) else { continue };
            if filter.matches(document)? {
                matching.push(document.clone());
            }
        }
        let total = matching.len() as u64;
        let order: Document =
            find.sort.iter().map(|(path, direction)| (path.clone(), Value::Int(*direction))).collect();
        let order = SortOrder::parse(&order)?;
        if order.is_empty() {
            filter.order_by_distance(&mut matching);
        } else {
            order.sort(&mut matching);
        }
        let skip = usize::try_from(find.skip).unwrap_or(usize::MAX);
        let limit = usize::try_from(find.limit.unwrap_or(limit)).unwrap_or(usize::MAX);
        let page = matching.into_iter().skip(skip).take(limit);
        let documents = match &find.projection {
            Some(projection) => {
                let projection = Projection::parse(projection)?;
                page.map(|document| projection.apply(&document)).collect::<Outcome<Vec<Document>>>()?
            }
            None => page.collect(),
        };
        Ok(Found { documents, total })
    }

    /// How many match.
    pub(crate) fn count(&self, filter: &Document) -> Outcome<u64> {
        let find = Find { filter: filter.clone(), limit: Some(0), ..Find::default() };
        Ok(self.find(&find, 0)?.total)
    }

    /// Changes what matches. An error in one document changes none.
    pub(crate) fn update(
        &mut self,
        filter: &Document,
        update: &Document,
        reach: Reach,
        now: i64,
    ) -> Outcome<Updated> {
        let parsed = Filter::parse(filter)?;
        let update = Update::parse(update)?;
        let mut done = Updated::default();
        let mut changed = Vec::new();
        for place in self.candidates(filter) {
            let Some(before) = self.documents.get(&place) else { continue };
            let Some(found) = parsed.find_match(before, &super::database::Variables::default())? else {
                continue;
            };
            done.matched += 1;
            let mut document = before.clone();
            let occasion = Occasion { matched_index: found.index, now, ..Occasion::default() };
            if update.apply(&mut document, occasion)? {
                done.modified += 1;
                changed.push((place, document));
            }
            if reach == Reach::One {
                break;
            }
        }
        self.documents.extend(changed);
        Ok(done)
    }

    /// Replaces the document with this id, and returns whether it is another one now; or adds it: `None`.
    pub(crate) fn set(&mut self, id: &Value, document: Document) -> Option<bool> {
        let whole: Document = std::iter::once(("_id".to_owned(), id.clone())).chain(document).collect();
        match self.by_id.get(&key(id)) {
            Some(place) => {
                let before = self.documents.insert(*place, whole);
                Some(before.as_ref() != self.documents.get(place))
            }
            None => {
                self.insert(id, whole);
                None
            }
        }
    }

    /// Removes what matches, and says how much that was.
    pub(crate) fn remove(&mut self, filter: &Document, reach: Reach) -> Outcome<u64> {
        let parsed = Filter::parse(filter)?;
        let mut gone = Vec::new();
        for place in self.candidates(filter) {
            let Some(document) = self.documents.get(&place) else { continue };
            if parsed.matches(document)? {
                gone.push((place, document.get("_id").cloned().unwrap_or(Value::Null)));
                if reach == Reach::One {
                    break;
                }
            }
        }
        for (place, id) in &gone {
            self.documents.remove(place);
            self.by_id.remove(&key(id));
        }
        Ok(gone.len() as u64)
    }
}
