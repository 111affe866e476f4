//! One environment: its collections, and what the calls of the database do to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::collection::{Change, Collection, Found, Updated};
use super::database;
use super::failure::CloudFailure;
use super::index::{IndexChanges, IndexPlan};
use super::journal::Journal;
use super::request::{self, Request, Verb};
use super::value::{Document, Value};
use super::{CloudCall, Done, ejson, script};
use crate::chance::Chance;

/// The collections of one environment, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Shared with the transactions that look at them, until somebody changes them.
    collections: BTreeMap<String, Arc<Collection>>,
    /// How many were made so far: none is taken for a later one of its name.
    made: u64,
}

/// What a call has around it.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// The environment's name.
    pub(crate) env: &'a str,
    /// The emulator's time, in milliseconds since 1970.
    pub(crate) now: i64,
    /// Where ids come from.
    pub(crate) chance: &'a mut Chance,
    /// Where changes are written down; `None`: nowhere.
    pub(crate) journal: Option<&'a mut Journal>,
    /// How many bytes the documents of an answer may have as text.
    pub(crate) largest_result: usize,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answered {
    /// A page of documents.
    Found {
        /// The page, and how many match at all.
        found: Found,
        /// How many were left out.
        skip: u64,
        /// How many the page could have had.
        limit: u64,
    },
    /// How many match.
    Counted(u64),
    /// The ids of the new documents.
    Added(Vec<Value>),
    /// How many documents matched and changed.
    Updated(Updated),
    /// The document was there; whether it is another one now.
    Replaced(bool),
    /// The document was not there. Its id.
    Created(Value),
    /// How many documents are gone.
    Removed(usize),
    /// What came out of a pipeline.
    Output(Vec<Document>),
}

/// The longest name of a collection, in bytes.
const LONGEST_NAME: usize = 120;
/// How many documents `get` returns unless the text says otherwise.
const DEFAULT_LIMIT: u64 = 10;
/// More are not returned whatever the text says.
const MOST: u64 = 1_000;
/// The largest result, in bytes.
pub(super) const LARGEST_RESULT: usize = 1024 * 1024;

impl Environment {
    /// Takes in a collection that was kept.
    pub(crate) fn restore(&mut self, name: String, collection: Collection) {
        self.made += 1;
        self.collections.insert(name, Arc::new(collection.numbered(self.made)));
    }

    /// Shares a collection of another environment.
    pub(crate) fn share(&mut self, name: String, collection: Arc<Collection>) {
        self.collections.insert(name, collection);
    }

    /// Whether it has no collections.
    pub(crate) fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// Carries out a call of the database.
    pub(crate) fn carry_out(&mut self, call: CloudCall, body: &Json, around: &mut Around<'_>) -> Done {
        match call {
            CloudCall::CollectionAdd => self.add_collection(text(body, "collection_name")?, around),
            CloudCall::CollectionDelete => self.delete_collection(text(body, "collection_name")?, around),
            CloudCall::CollectionGet => Ok(self.list(body)),
            CloudCall::UpdateIndex => self.update_index(body, around),
            call => {
                let request = script::evaluate(text(body, "query")?, around.now)?;
                check_verb(call, &request.verb)?;
                let (_, answered) = self.perform(request, around)?;
                answered.fields()
            }
        }
    }

    /// Makes a collection.
    pub(crate) fn add_collection(&mut self, name: &str, around: &mut Around<'_>) -> Done {
        if name.len() > LONGEST_NAME || name.contains(['$', '\0']) {
            return Err(CloudFailure::invalid("this is no name for a collection"));
        }
        if self.collections.contains_key(name) {
            return Err(CloudFailure::new(-501_000, format!("Db or Table already exist: {name}")));
        }
        around.keep(|journal, env| journal.collection(env, name, &[]))?;
        self.restore(name.to_owned(), Collection::default());
        Ok(json!({}))
    }

    fn delete_collection(&mut self, name: &str, around: &mut Around<'_>) -> Done {
        if !self.collections.contains_key(name) {
            return Err(CloudFailure::no_such_collection());
        }
        around.keep(|journal, env| journal.drop_collection(env, name))?;
        self.collections.remove(name);
        Ok(json!({}))
    }

    fn list(&self, body: &Json) -> Json {
        let number = |name: &str, default: usize| {
            body.get(name).and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let (limit, offset) = (number("limit", 10), number("offset", 0));
        let page = self.collections.iter().skip(offset).take(limit);
        let collections = page.map(|(name, collection)| {
            let indexes = collection.indexes().len() + 1;
            json!({
                "name": name,
                "count": collection.len(),
                "size": collection.size(),
                "index_count": indexes,
                "index_size": indexes * 4096,
            })
        });
        let collections: Vec<Json> = collections.collect();
        json!({ "collections": collections, "pager": pager(offset, limit, self.collections.len()) })
    }

    /// Drops indexes, and makes others then: all of it, or nothing.
    fn update_index(&mut self, body: &Json, around: &mut Around<'_>) -> Done {
        let name = text(body, "collection_name")?;
        let collection = self.collections.get_mut(name).ok_or_else(CloudFailure::no_such_collection)?;
        let changes = IndexChanges::read(body)?;
        let indexes = collection.reindexed(&changes.drop, changes.create)?;
        let plans: Vec<IndexPlan> = indexes.iter().map(|index| index.plan().clone()).collect();
        around.keep(|journal, env| journal.collection(env, name, &plans))?;
        Arc::make_mut(collection).set_indexes(indexes);
        Ok(json!({}))
    }

    /// Carries out a request, and writes down what it changes.
    pub(crate) fn perform(
        &mut self,
        request: Request,
        around: &mut Around<'_>,
    ) -> Result<(Vec<Change>, Answered), CloudFailure> {
        let name = request.collection.clone();
        let (changes, answered) = self.plan(request, around)?;
        let all = [(name, changes.clone())];
        around.keep(|journal, env| journal.documents(env, &all))?;
        self.apply(all);
        Ok((changes, answered))
    }

    /// What a request changes in its collection, and what it answers once that is done.
    pub(crate) fn plan(
        &self,
        request: Request,
        around: &mut Around<'_>,
    ) -> Result<(Vec<Change>, Answered), CloudFailure> {
        let Request { collection: name, verb } = request;
        let collection = self.collections.get(&name).ok_or_else(CloudFailure::no_such_collection)?;
        let unchanged = |answered| Ok((Vec::new(), answered));
        match verb {
            Verb::Get(find) => {
                let limit = find.limit.unwrap_or(DEFAULT_LIMIT).min(MOST);
                let found = collection.find(
                    &request::Find { limit: Some(limit), ..find.clone() },
                    limit,
                    around.largest_result as u64,
                )?;
                unchanged(Answered::Found { found, skip: find.skip, limit })
            }
            Verb::Count(filter) => unchanged(Answered::Counted(collection.count(&filter)?)),
            Verb::Aggregate(stages) => {
                unchanged(Answered::Output(self.aggregate(collection, &stages, around)?))
            }
            Verb::Update(filter, update, _) if update.is_empty() => {
                unchanged(Answered::Updated(Updated { matched: collection.count(&filter)?, modified: 0 }))
            }
            Verb::Add(documents) if documents.is_empty() => {
                let text = "The request is missing a required parameter `MgoDocs`.";
                Err(CloudFailure::invalid(text))
            }
            Verb::Add(documents) => {
                let documents = documents.into_iter().map(|document| with_id(document, around.chance));
                let (changes, ids) = collection.add(documents.collect())?;
                Ok((changes, Answered::Added(ids)))
            }
            Verb::Update(filter, update, reach) => {
                let (changes, done) = collection.update(&filter, &update, reach, around.now)?;
                Ok((changes, Answered::Updated(done)))
            }
            Verb::Set(id, document) => {
                let (changes, is_changed) = collection.set(&id, document)?;
                Ok((changes, is_changed.map_or(Answered::Created(id), Answered::Replaced)))
            }
            Verb::Remove(filter, reach) => {
                let changes = collection.remove(&filter, reach)?;
                let removed = changes.len();
                Ok((changes, Answered::Removed(removed)))
            }
        }
    }

    /// Makes changes that were planned, collection by collection.
    pub(crate) fn apply(&mut self, all: impl IntoIterator<Item = (String, Vec<Change>)>) {
        for (name, changes) in all {
            // Without changes nothing needs a copy of its own.
            if let Some(collection) = self.collections.get_mut(&name).filter(|_| !changes.is_empty()) {
                Arc::make_mut(collection).apply(changes);
            }
        }
    }

    /// A collection.
    pub(crate) fn collection(&self, name: &str) -> Option<&Arc<Collection>> {
        self.collections.get(name)
    }

    /// Runs a pipeline, which may look into other collections too.
    fn aggregate(
        &self,
        collection: &Collection,
        stages: &[Document],
        around: &mut Around<'_>,
    ) -> Result<Vec<Document>, CloudFailure> {
        // A condition that comes first is answered by the collection, which has indexes.
        let first = stages.first().and_then(|stage| stage.get("$match")?.as_object());
        let (input, stages) = match first {
            Some(filter) => (collection.matching(filter)?, stages.get(1..).unwrap_or_default()),
            None => (collection.all(), stages),
        };
        let surroundings = database::Surroundings {
            collection: &|name: &str| self.collections.get(name).map(|it| it.all()).unwrap_or_default(),
            seed: around.chance.next_u64(),
            largest_result: around.largest_result as u64,
        };
        Ok(database::run(stages, input, &surroundings)?)
    }
}

impl Answered {
    /// As the HTTP API tells it.
    fn fields(self) -> Done {
        Ok(match self {
            Answered::Found { found, skip, limit } => {
                let pager = json!({ "Offset": skip, "Limit": limit, "Total": found.total });
                json!({ "pager": pager, "data": texts(found.documents, ejson::plain, LARGEST_RESULT)? })
            }
            Answered::Counted(count) => json!({ "count": count }),
            Answered::Added(ids) => {
                json!({ "id_list": ids.iter().map(ejson::plain).collect::<Vec<Json>>() })
            }
            Answered::Updated(done) => {
                json!({ "matched": done.matched, "modified": done.modified, "id": "" })
            }
            Answered::Replaced(is_changed) => {
                json!({ "matched": 1, "modified": u8::from(is_changed), "id": "" })
            }
            Answered::Created(id) => json!({ "matched": 0, "modified": 0, "id": ejson::plain(&id) }),
            Answered::Removed(deleted) => json!({ "deleted": deleted }),
            Answered::Output(documents) => {
                json!({ "data": texts(documents, ejson::canonical, LARGEST_RESULT)? })
            }
        })
    }
}

impl Around<'_> {
    /// Writes something down, if anything is.
    pub(crate) fn keep(
        &mut self,
        write: impl FnOnce(&mut Journal, &str) -> rusqlite::Result<()>,
    ) -> Result<(), CloudFailure> {
        let Some(journal) = self.journal.as_deref_mut() else { return Ok(()) };
        write(journal, self.env)
            .map_err(|error| CloudFailure::new(-502_010, format!("database operation failed: {error}")))
    }
}

fn pager(offset: usize, limit: usize, total: usize) -> Json {
    json!({ "Offset": offset, "Limit": limit, "Total": total })
}

/// Documents as texts, in one of the two forms, with so many bytes at most.
pub(super) fn texts(
    documents: Vec<Document>,
    form: fn(&Value) -> Json,
    most: usize,
) -> Result<Vec<String>, CloudFailure> {
    let mut left = most;
    let texts = documents.into_iter().map(|document| {
        let text = form(&Value::Object(document)).to_string();
        left = left.checked_sub(text.len()).ok_or_else(|| {
            CloudFailure::new(
                -602_001,
                format!("the result has more than {most} bytes: ask for less at a time"),
            )
        })?;
        Ok(text)
    });
    texts.collect()
}

/// Ids are made here unless the client brings one, and stand first.
fn with_id(document: Document, chance: &mut Chance) -> Document {
    let id = document.get("_id").cloned().unwrap_or_else(|| Value::String(chance.hex(32)));
    let others = document.into_iter().filter(|(name, _)| name != "_id");
    std::iter::once(("_id".to_owned(), id)).chain(others).collect()
}

/// A field of a body that is a text and not empty.
pub(super) fn text<'b>(body: &'b Json, name: &str) -> Result<&'b str, CloudFailure> {
    body.get(name)
        .and_then(Json::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(CloudFailure::data_format)
}

/// A text is carried out only by the call that it is made for.
fn check_verb(call: CloudCall, verb: &Verb) -> Result<(), CloudFailure> {
    let fits = match verb {
        Verb::Get(_) => call == CloudCall::Query,
        Verb::Count(_) => call == CloudCall::Count,
        Verb::Add(_) => call == CloudCall::Add,
        Verb::Update(..) | Verb::Set(..) => call == CloudCall::Update,
        Verb::Remove(..) => call == CloudCall::Delete,
        Verb::Aggregate(_) => call == CloudCall::Aggregate,
    };
    if fits {
        return Ok(());
    }
    Err(CloudFailure::invalid(format!(
        "a text that ends in {}() does not belong to {}",
        verb.word(),
        call.path()
    )))
}
