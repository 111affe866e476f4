//! One environment: its collections, and what the calls of the database do to them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::collection::Collection;
use super::database;
use super::failure::CloudFailure;
use super::request::{self, Request, Verb};
use super::value::{Document, Value};
use super::{CloudCall, Done, ejson, script};
use crate::chance::Chance;

/// The collections of one environment, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    collections: BTreeMap<String, Collection>,
}

/// How many documents `get` returns unless the text says otherwise.
const DEFAULT_LIMIT: u64 = 10;
/// More are not returned whatever the text says.
const MOST: u64 = 1_000;
/// The largest result, in bytes.
const LARGEST_RESULT: usize = 1024 * 1024;

impl Environment {
    /// Carries out a call of the database at a moment, in milliseconds since 1970.
    pub(crate) fn carry_out(&mut self, call: CloudCall, body: &Json, now: i64, chance: &mut Chance) -> Done {
        match call {
            CloudCall::CollectionAdd => self.add_collection(text(body, "collection_name")?),
            CloudCall::CollectionDelete => self.delete_collection(text(body, "collection_name")?),
            CloudCall::CollectionGet => Ok(self.list(body)),
            call => {
                let request = script::evaluate(text(body, "query")?, now)?;
                check_verb(call, &request.verb)?;
                let result = self.database(request, now, chance)?;
                let reads = matches!(call, CloudCall::Query | CloudCall::Aggregate);
                if reads && result.to_string().len() > LARGEST_RESULT {
                    return Err(CloudFailure::new(-602_001, "the result has more than 1 MB"));
                }
                Ok(result)
            }
        }
    }

    fn add_collection(&mut self, name: &str) -> Done {
        if self.collections.contains_key(name) {
            return Err(CloudFailure::new(-501_000, format!("Db or Table already exist: {name}")));
        }
        self.collections.insert(name.to_owned(), Collection::default());
        Ok(json!({}))
    }

    fn delete_collection(&mut self, name: &str) -> Done {
        self.collections.remove(name).map(|_| json!({})).ok_or_else(CloudFailure::no_such_collection)
    }

    fn list(&self, body: &Json) -> Json {
        let number = |name: &str, default: usize| {
            body.get(name).and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let (limit, offset) = (number("limit", 10), number("offset", 0));
        let page = self.collections.iter().skip(offset).take(limit);
        let collections = page.map(|(name, collection)| {
            json!({
                "name": name,
                "count": collection.len(),
                "size": collection.size(),
                "index_count": 1,
                "index_size": 4096,
            })
        });
        let collections: Vec<Json> = collections.collect();
        json!({ "collections": collections, "pager": pager(offset, limit, self.collections.len()) })
    }

    fn database(&mut self, request: Request, now: i64, chance: &mut Chance) -> Done {
        let others = match &request.verb {
            // A pipeline may look into other collections while it runs on this one.
            Verb::Aggregate(_) => self.collections.clone(),
            _ => BTreeMap::new(),
        };
        let collection =
            self.collections.get_mut(&request.collection).ok_or_else(CloudFailure::no_such_collection)?;
        match request.verb {
            Verb::Get(find) => {
                let limit = find.limit.unwrap_or(DEFAULT_LIMIT).min(MOST);
                let found = collection.find(&request::Find { limit: Some(limit), ..find.clone() }, limit)?;
                let pager = json!({ "Offset": find.skip, "Limit": limit, "Total": found.total });
                Ok(json!({ "pager": pager, "data": texts(found.documents, ejson::plain) }))
            }
            Verb::Count(filter) => Ok(json!({ "count": collection.count(&filter)? })),
            Verb::Add(documents) => {
                if documents.is_empty() {
                    let text = "The request is missing a required parameter `MgoDocs`.";
                    return Err(CloudFailure::invalid(text));
                }
                let documents = documents.into_iter().map(|document| with_id(document, chance));
                let ids = collection.add(documents.collect())?;
                Ok(json!({ "id_list": ids.iter().map(ejson::plain).collect::<Vec<Json>>() }))
            }
            Verb::Update(filter, update, reach) => {
                if update.is_empty() {
                    return Ok(json!({ "matched": collection.count(&filter)?, "modified": 0, "id": "" }));
                }
                let done = collection.update(&filter, &update, reach, now)?;
                Ok(json!({ "matched": done.matched, "modified": done.modified, "id": "" }))
            }
            Verb::Set(id, document) => Ok(match collection.set(&id, document) {
                Some(is_changed) => json!({ "matched": 1, "modified": u8::from(is_changed), "id": "" }),
                None => json!({ "matched": 0, "modified": 0, "id": ejson::plain(&id) }),
            }),
            Verb::Remove(filter, reach) => Ok(json!({ "deleted": collection.remove(&filter, reach)? })),
            Verb::Aggregate(stages) => {
                let input = collection.all();
                let surroundings = database::Surroundings {
                    collection: &|name: &str| others.get(name).map(Collection::all).unwrap_or_default(),
                    seed: chance.next_u64(),
                };
                let output = database::run(&stages, input, &surroundings)?;
                Ok(json!({ "data": texts(output, ejson::canonical) }))
            }
        }
    }
}

fn pager(offset: usize, limit: usize, total: usize) -> Json {
    json!({ "Offset": offset, "Limit": limit, "Total": total })
}

fn texts(documents: Vec<Document>, form: fn(&Value) -> Json) -> Vec<String> {
    documents.into_iter().map(|document| form(&Value::Object(document)).to_string()).collect()
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
