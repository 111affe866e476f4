//! One collection: its documents in the order in which they were added, and its indexes.
//!
//! Nothing is changed by the calls that say what is to be changed: they return [`Change`]s, which are written down
//! first and [applied](Collection::apply) then. An error in one document therefore changes none.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::database::{
    DatabaseError, Filter, Occasion, OutputSize, Projection, SortOrder, Update, Variables, is_operators,
};
use super::index::{Index, IndexPlan, Key, MOST_INDEXES};
use super::measure::Measure;
use super::request::{Find, Reach};
use super::value::{Document, Value};

/// Documents, found by their ids and by the values that are indexed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collection {
    /// By when they were added.
    documents: BTreeMap<u64, Document>,
    by_id: HashMap<Key, u64>,
    indexes: Vec<Index>,
    next: u64,
    /// Which collection of its environment it is.
    number: u64,
    version: u64,
}

/// What happens to the document at a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// This one stands there.
    Put(u64, Document),
    /// None stands there.
    Remove(u64),
}

/// What `get` found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The documents of the page.
    pub(crate) documents: Vec<Document>,
    /// How many match, on whatever page.
    pub(crate) total: u64,
}

/// What `update` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Updated {
    /// How many match.
    pub(crate) matched: u64,
    /// How many are different then.
    pub(crate) modified: u64,
}

type Outcome<T> = Result<T, DatabaseError>;
type Changes = Vec<Change>;

impl Collection {
    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    /// How many bytes of BSON they have.
    pub(crate) fn size(&self) -> u64 {
        self.documents.values().map(|document| Measure::of_document(document).bson).sum()
    }

    /// Every document, in the order in which they were added.
    pub(crate) fn all(&self) -> Vec<Document> {
        self.documents.values().cloned().collect()
    }

    /// The documents that match, in the order in which they were added.
    pub(crate) fn matching(&self, filter: &Document) -> Outcome<Vec<Document>> {
        let parsed = Filter::parse(filter)?;
        let mut matching = Vec::new();
        for (_, document) in self.candidates(filter) {
            if parsed.matches(document)? {
                matching.push(document.clone());
            }
        }
        Ok(matching)
    }

    /// A page of what matches, with how many match at all. `limit` is what holds without one of its own.
    /// Its text may have `largest` bytes.
    pub(crate) fn find(&self, find: &Find, limit: u64, largest: u64) -> Outcome<Found> {
        let filter = Filter::parse(&find.filter)?;
        let mut matching = Vec::new();
        for (_, document) in self.candidates(&find.filter) {
            if filter.matches(document)? {
                matching.push(document);
            }
        }
        let total = matching.len() as u64;
        let order: Document =
            find.sort.iter().map(|(path, direction)| (path.clone(), Value::Int(*direction))).collect();
        let order = SortOrder::parse(&order)?;
        if order.is_empty() {
            filter.order_by_distance(&mut matching)?;
        } else {
            filter.sort(&mut matching, &order)?;
        }
        let skip = usize::try_from(find.skip).unwrap_or(usize::MAX);
        let limit = usize::try_from(find.limit.unwrap_or(limit)).unwrap_or(usize::MAX);
        let projection = find.projection.as_ref().map(Projection::parse).transpose()?;
        let (mut documents, mut size) = (Vec::new(), OutputSize::new(largest));
        for document in matching.into_iter().skip(skip).take(limit) {
            let given = match &projection {
                Some(projection) => Cow::Owned(projection.apply(document)?),
                None => Cow::Borrowed(document),
            };
            size.add(&given)?;
            documents.push(given.into_owned());
        }
        Ok(Found { documents, total })
    }

    /// How many match.
    pub(crate) fn count(&self, filter: &Document) -> Outcome<u64> {
        let parsed = Filter::parse(filter)?;
        let mut count = 0;
        for (_, document) in self.candidates(filter) {
            count += u64::from(parsed.matches(document)?);
        }
        Ok(count)
    }

    /// Documents with their ids set are to be added: all of them, or none.
    pub(crate) fn add(&self, documents: Vec<Document>) -> Outcome<(Changes, Vec<Value>)> {
        let ids = documents.iter().map(id_of).collect();
        let changes = documents.into_iter().zip(self.next..).map(|(document, at)| Change::Put(at, document));
        let changes: Changes = changes.collect();
        self.check(&changes)?;
        Ok((changes, ids))
    }

    /// What matches is to be changed.
    pub(crate) fn update(
        &self,
        filter: &Document,
        update: &Document,
        reach: Reach,
        now: i64,
    ) -> Outcome<(Changes, Updated)> {
        let parsed = Filter::parse(filter)?;
        let update = Update::parse(update)?;
        let mut done = Updated::default();
        let mut changes = Vec::new();
        for (place, before) in self.candidates(filter) {
            let Some(found) = parsed.find_match(before, &Variables::default())? else { continue };
            done.matched += 1;
            let mut document = before.clone();
            let occasion = Occasion { matched_index: found.index, now, ..Occasion::default() };
            if update.apply(&mut document, occasion)? {
                done.modified += 1;
                parsed.keep(&document)?;
                changes.push(Change::Put(place, document));
            }
            if reach == Reach::One {
                break;
            }
        }
        self.check(&changes)?;
        Ok((changes, done))
    }

    /// The document with this id is to be replaced: then it says whether it will be another one; or to be added: `None`.
    pub(crate) fn set(&self, id: &Value, document: Document) -> Outcome<(Changes, Option<bool>)> {
        let whole: Document = std::iter::once(("_id".to_owned(), id.clone())).chain(document).collect();
        let place = self.by_id.get(&Key::of(id)).copied();
        let is_changed = place.map(|place| self.documents.get(&place) != Some(&whole));
        let changes = vec![Change::Put(place.unwrap_or(self.next), whole)];
        self.check(&changes)?;
        Ok((changes, is_changed))
    }

    /// What matches is to be removed.
    pub(crate) fn remove(&self, filter: &Document, reach: Reach) -> Outcome<Changes> {
        let parsed = Filter::parse(filter)?;
        let mut gone = Vec::new();
        for (place, document) in self.candidates(filter) {
            if parsed.matches(document)? {
                gone.push(Change::Remove(place));
                if reach == Reach::One {
                    break;
                }
            }
        }
        Ok(gone)
    }

    /// The same, as another one than those with other numbers.
    pub(crate) fn numbered(self, number: u64) -> Collection {
        Collection { number, ..self }
    }

    /// Which collection of its environment it is, and a number that grows with every change.
    pub(crate) fn version(&self) -> (u64, u64) {
        (self.number, self.version)
    }

    /// Makes the changes.
    pub(crate) fn apply(&mut self, changes: Changes) {
        self.version += u64::from(!changes.is_empty());
        // What one document gives up may be what another one takes.
        for change in &changes {
            let (Change::Put(place, _) | Change::Remove(place)) = change;
            if let Some(before) = self.documents.remove(place) {
                self.by_id.remove(&Key::of(&id_of(&before)));
                self.indexes.iter_mut().for_each(|index| index.remove(*place, &before));
            }
        }
        for change in changes {
            let Change::Put(place, document) = change else { continue };
            self.by_id.insert(Key::of(&id_of(&document)), place);
            self.indexes.iter_mut().for_each(|index| index.add(place, &document));
            self.documents.insert(place, document);
            self.next = self.next.max(place + 1);
        }
    }

    /// The indexes beside the one of `_id`.
    pub(crate) fn indexes(&self) -> Vec<&IndexPlan> {
        self.indexes.iter().map(Index::plan).collect()
    }

    /// The indexes as they are to be, after some were dropped and others made. What is there already, stays.
    pub(crate) fn reindexed(&self, drop: &[String], create: Vec<IndexPlan>) -> Outcome<Vec<Index>> {
        let kept = self.indexes.iter().filter(|index| !drop.contains(&index.plan().name));
        let mut indexes: Vec<Index> = kept.cloned().collect();
        for plan in create {
            match indexes.iter().find(|index| index.plan().name == plan.name) {
                Some(index) if *index.plan() == plan => continue,
                Some(_) => {
                    return Err(DatabaseError::new(format!("Index with name: {} already exists", plan.name)));
                }
                None => {}
            }
            let documents = self.documents.iter().map(|(place, document)| (*place, document));
            indexes.push(Index::build(plan, documents)?);
        }
        if indexes.len() > MOST_INDEXES {
            return Err(DatabaseError::new("a collection may have 20 indexes at most"));
        }
        Ok(indexes)
    }

    /// Uses these indexes from now on.
    pub(crate) fn set_indexes(&mut self, indexes: Vec<Index>) {
        self.version += 1;
        self.indexes = indexes;
    }

    /// Refuses changes that would give two documents one id, or the same values where an index is unique.
    fn check(&self, changes: &[Change]) -> Outcome<()> {
        let replaced: BTreeSet<u64> =
            changes.iter().map(|(Change::Put(place, _) | Change::Remove(place))| *place).collect();
        let mut ids = HashMap::new();
        // The documents that stay hold against the new ones, and the new ones against each other.
        let mut added: Vec<Index> =
            self.indexes.iter().filter(|index| index.plan().unique).map(Index::empty).collect();
        for change in changes {
            let Change::Put(place, document) = change else { continue };
            check_document(document)?;
            let id = id_of(document);
            let key = Key::of(&id);
            let stays = self.by_id.get(&key).is_some_and(|owner| !replaced.contains(owner));
            if stays || ids.insert(key, *place).is_some_and(|other| other != *place) {
                let shown = super::ejson::plain(&id);
                return Err(DatabaseError::new(format!(
                    "E11000 duplicate key error collection, index: _id_ dup key: {{ : {shown} }}"
                )));
            }
            for index in &self.indexes {
                index.check(document)?;
                if let Some(taken) = index.conflict(document, |owner| !replaced.contains(&owner)) {
                    return Err(index.duplicate(&taken));
                }
            }
            for index in &mut added {
                if let Some(taken) = index.conflict(document, |owner| owner != *place) {
                    return Err(index.duplicate(&taken));
                }
                index.add(*place, document);
            }
        }
        Ok(())
    }

    /// The documents that may match, with their places, in the order in which they were added.
    fn candidates(&self, filter: &Document) -> Vec<(u64, &Document)> {
        match self.narrowed(filter) {
            Some(places) => {
                places.into_iter().filter_map(|place| Some((place, self.documents.get(&place)?))).collect()
            }
            None => self.documents.iter().map(|(place, document)| (*place, document)).collect(),
        }
    }

    /// The places of documents that may match, if an id or an index tells them.
    fn narrowed(&self, filter: &Document) -> Option<BTreeSet<u64>> {
        let of_field = filter.iter().filter_map(|(path, condition)| self.found_by(path, condition));
        let all = filter.get("$and").and_then(Value::as_array).unwrap_or_default();
        let of_and = all.iter().filter_map(|part| self.narrowed(part.as_object()?));
        of_field.chain(of_and).min_by_key(BTreeSet::len)
    }

    /// The places where a value is one of those that a condition asks for.
    fn found_by(&self, path: &str, condition: &Value) -> Option<BTreeSet<u64>> {
        if path.starts_with('$') {
            return None;
        }
        let conditions = match condition {
            Value::Object(operators) if is_operators(condition) => operators,
            value => return self.found_at(path, value),
        };
        let equal = conditions.get("$eq").and_then(|value| self.found_at(path, value));
        let any = conditions.get("$in").and_then(Value::as_array).and_then(|values| {
            let found = values.iter().map(|value| self.found_at(path, value));
            Some(found.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        });
        [equal, any].into_iter().flatten().min_by_key(BTreeSet::len)
    }

    fn found_at(&self, path: &str, sought: &Value) -> Option<BTreeSet<u64>> {
        if path == "_id" {
            // An id that is a list or a pattern is compared in other ways.
            return Some(self.by_id.get(&Key::of_sought(sought)?).copied().into_iter().collect());
        }
        self.indexes.iter().find_map(|index| index.find(path, sought))
    }
}

/// What is stored keeps to MongoDB's limits, whichever way it came.
fn check_document(document: &Document) -> Outcome<()> {
    if let Some(refusal) = Measure::of_document(document).refusal() {
        return Err(DatabaseError::new(refusal));
    }
    if let Some((name, _)) = document.iter().find(|(name, _)| name.starts_with('$')) {
        return Err(DatabaseError::new(format!(
            "a document has no field {name:?}: names do not begin with $"
        )));
    }
    match document.get("_id") {
        Some(Value::Array(_) | Value::Regex(..)) => {
            Err(DatabaseError::new("the value of _id is neither a list nor a regular expression"))
        }
        _ => Ok(()),
    }
}

/// The id of a document; each has one.
fn id_of(document: &Document) -> Value {
    document.get("_id").cloned().unwrap_or(Value::Null)
}
