//! `db.collection(…)` and what follows, up to the verb.

use super::super::measure::Measure;
use super::super::request::{Find, Reach, Request, Verb};
use super::super::value::{Document, Value};
use super::encode;
use super::item::Item;

type Done = Result<Item, String>;

/// A collection, and what has been said about it so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    collection: String,
    /// The document's id, if one is meant.
    id: Option<Value>,
    find: Find,
}

/// An aggregation, or a pipeline within one, and its stages so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aggregation {
    /// `None` for a pipeline within another.
    collection: Option<String>,
    stages: Vec<Document>,
}

/// Stages of an aggregation. Each is called like itself.
const STAGES: [&str; 15] = [
    "addFields",
    "bucket",
    "bucketAuto",
    "count",
    "geoNear",
    "group",
    "limit",
    "lookup",
    "project",
    "replaceRoot",
    "sample",
    "skip",
    "sort",
    "sortByCount",
    "unwind",
];

impl Target {
    /// A whole collection.
    pub(super) fn collection(collection: String) -> Box<Target> {
        Box::new(Target { collection, id: None, find: Find::default() })
    }

    /// How much has been said.
    pub(super) fn measure(&self) -> Measure {
        self.find.measure()
    }

    fn request(self, verb: Verb) -> Done {
        Ok(Item::Request(Box::new(Request { collection: self.collection, verb })))
    }

    /// The documents meant, and how many of them.
    fn reach(&self) -> (Document, Reach) {
        match &self.id {
            Some(id) => (only(id.clone()), Reach::One),
            None => (self.find.filter.clone(), Reach::All),
        }
    }
}

impl Aggregation {
    fn of(collection: Option<String>) -> Box<Aggregation> {
        Box::new(Aggregation { collection, stages: Vec::new() })
    }

    /// `$.pipeline()`
    pub(super) fn pipeline() -> Box<Aggregation> {
        Aggregation::of(None)
    }

    /// How much has been said.
    pub(super) fn measure(&self) -> Measure {
        Measure::around(self.stages.iter().map(Measure::of_document))
    }
}

fn only(id: Value) -> Document {
    let mut filter = Document::new();
    filter.set("_id", id);
    filter
}

/// A method of a collection, a query or a document.
pub(super) fn call_target(mut target: Box<Target>, name: &str, arguments: Vec<Item>, now: i64) -> Done {
    let first = arguments.first();
    let value = || first.and_then(|item| item.to_value(now));
    match name {
        "doc" => match value() {
            Some(id @ (Value::String(_) | Value::Int(_) | Value::Long(_) | Value::Double(_))) => {
                target.id = Some(id);
                Ok(Item::Target(target))
            }
            _ => Err("doc needs an id: text or a number".to_owned()),
        },
        "where" => {
            target.find.filter = encode::filter(first.ok_or("where needs a condition")?, now)?;
            Ok(Item::Target(target))
        }
        "field" => {
            let Some(Value::Object(projection)) = value() else {
                return Err("field needs an object".to_owned());
            };
            target.find.projection = Some(projection);
            Ok(Item::Target(target))
        }
        "orderBy" => {
            let direction = match arguments.get(1).and_then(|item| item.to_value(now)) {
                Some(Value::String(word)) if word == "asc" => 1,
                Some(Value::String(word)) if word == "desc" => -1,
                _ => return Err("orderBy needs \"asc\" or \"desc\"".to_owned()),
            };
            let Some(Value::String(path)) = value() else { return Err("orderBy needs a field".to_owned()) };
            target.find.sort.push((path, direction));
            Ok(Item::Target(target))
        }
        "skip" => {
            target.find.skip = count("skip", value())?;
            Ok(Item::Target(target))
        }
        "limit" => {
            target.find.limit = Some(count("limit", value())?);
            Ok(Item::Target(target))
        }
        "aggregate" => Ok(Item::Aggregation(Aggregation::of(Some(target.collection)))),
        name => verb(*target, name, arguments.into_iter().next(), now),
    }
}

fn count(name: &str, value: Option<Value>) -> Result<u64, String> {
    let number = value.as_ref().and_then(Value::as_i64);
    number
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| format!("{name} needs a number from 0"))
}

/// What stands behind `data` in the argument.
fn data(name: &str, argument: Option<Item>) -> Result<Item, String> {
    let data = match argument {
        Some(Item::Object(mut fields)) => fields.swap_remove("data"),
        Some(Item::Value(Value::Object(mut fields))) => fields.remove("data").map(Item::Value),
        _ => None,
    };
    data.ok_or_else(|| format!("{name} needs {{ data }}"))
}

/// A document as it can be stored.
fn document(value: Value) -> Result<Document, String> {
    let Value::Object(document) = value else {
        return Err("data of add is a document or a list of them".to_owned());
    };
    match Measure::of_document(&document).refusal() {
        Some(refusal) => Err(refusal),
        None => Ok(document),
    }
}

fn verb(target: Target, name: &str, argument: Option<Item>, now: i64) -> Done {
    match name {
        "get" => {
            let mut find = target.find.clone();
            if let Some(id) = &target.id {
                find.filter = only(id.clone());
            }
            target.request(Verb::Get(find))
        }
        "count" => {
            let (filter, _) = target.reach();
            target.request(Verb::Count(filter))
        }
        "remove" => {
            let (filter, reach) = target.reach();
            target.request(Verb::Remove(filter, reach))
        }
        "update" => {
            let (filter, reach) = target.reach();
            let update = encode::update(&data(name, argument)?, now)?;
            target.request(Verb::Update(filter, update, reach))
        }
        "set" => {
            let id = target.id.clone().ok_or("set belongs to a document: doc(id).set")?;
            let Some(whole @ Value::Object(_)) = data(name, argument)?.into_value(now) else {
                return Err("update operator complicit: data of set is a whole document".to_owned());
            };
            let document = document(whole)?;
            if document.get("_id").is_some() {
                return Err("the value of _id cannot be changed".to_owned());
            }
            target.request(Verb::Set(id, document))
        }
        "add" => {
            let documents = match data(name, argument)?.into_value(now) {
                Some(Value::Array(documents)) => documents.into_iter().map(document).collect(),
                Some(one) => document(one).map(|document| vec![document]),
                None => Err("data of add is a document or a list of them".to_owned()),
            }?;
            target.request(Verb::Add(documents))
        }
        _ => Err(format!("RuntimeError: cannot get property {name:?} of a collection")),
    }
}

/// A method of an aggregation.
pub(super) fn call_aggregation(
    mut aggregation: Box<Aggregation>,
    name: &str,
    arguments: Vec<Item>,
    now: i64,
) -> Done {
    match (name, aggregation.collection.take()) {
        ("end", Some(collection)) => {
            let verb = Verb::Aggregate(aggregation.stages);
            Ok(Item::Request(Box::new(Request { collection, verb })))
        }
        ("done", None) => Ok(Item::Pipeline(aggregation.stages)),
        (name, collection) => {
            let item = arguments.first().ok_or_else(|| format!("{name} needs an argument"))?;
            let operand = match name {
                // Conditions of `match` are those of `where`.
                "match" => Value::Object(encode::filter(item, now)?),
                name if STAGES.contains(&name) => {
                    item.to_value(now).ok_or_else(|| format!("{name} cannot take {}", item.kind()))?
                }
                _ => return Err(format!("RuntimeError: cannot get property {name:?} of an aggregation")),
            };
            let mut stage = Document::new();
            stage.set(format!("${name}"), operand);
            aggregation.stages.push(stage);
            aggregation.collection = collection;
            Ok(Item::Aggregation(aggregation))
        }
    }
}
