//! What the SDKs put on the wire, as requests to the database. Documents and conditions come as Extended JSON in texts.

use serde_json::Value as Json;

use super::SdkFailure;
use crate::cloud::request::{Find, Reach, Request, Verb};
use crate::cloud::value::{Document, Value};
use crate::cloud::{civil, ejson};

type Read<T> = Result<T, SdkFailure>;

/// How many documents are returned unless the SDK says otherwise, which it does.
const DEFAULT_LIMIT: u64 = 100;

/// The request behind an action, at a moment in milliseconds since 1970.
pub(super) fn request(verb: &str, body: &Json, now: i64) -> Read<Request> {
    let collection = text(body, "collectionName")?.to_owned();
    let filter = || Ok::<Document, SdkFailure>(document(body, "query", now)?.unwrap_or_default());
    let reach = if body.get("multi") == Some(&Json::Bool(true)) { Reach::All } else { Reach::One };
    let verb = match verb {
        "getDocument" => Verb::Get(find(body, filter()?, now)?),
        "calculateDocument" => Verb::Count(filter()?),
        "insertDocument" => Verb::Add(documents(body, now)?),
        "removeDocument" => Verb::Remove(filter()?, reach),
        "modifyDocument" if body.get("merge") == Some(&Json::Bool(false)) => {
            let id = filter()?.remove("_id");
            let id = id.ok_or_else(|| SdkFailure::invalid("set needs the id of a document"))?;
            let data = data(body, now)?;
            if data.get("_id").is_some() {
                return Err(SdkFailure::invalid("the value of _id cannot be changed"));
            }
            Verb::Set(id, data)
        }
        "modifyDocument" => Verb::Update(filter()?, data(body, now)?, reach),
        "modifyAndReturnDoc" => Verb::Update(filter()?, data(body, now)?, Reach::One),
        "aggregateDocuments" => Verb::Aggregate(stages(body, now)?),
        other => return Err(SdkFailure::unknown(&format!("database.{other}"))),
    };
    Ok(Request { collection, verb })
}

pub(super) fn text<'b>(body: &'b Json, name: &str) -> Read<&'b str> {
    let text = body.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| SdkFailure::invalid(format!("{name} is missing")))
}

fn find(body: &Json, filter: Document, now: i64) -> Read<Find> {
    let number = |name: &str| body.get(name).and_then(Json::as_u64);
    Ok(Find {
        filter,
        sort: sort(body, now)?,
        skip: number("offset").unwrap_or(0),
        limit: Some(number("limit").unwrap_or(DEFAULT_LIMIT)),
        projection: document(body, "projection", now)?,
    })
}

/// `[{field, direction}]`, or `{field: 1}`.
fn sort(body: &Json, now: i64) -> Read<Vec<(String, i32)>> {
    let wrong = || SdkFailure::invalid("order is no order");
    let direction = |value: &Value| match value.as_str() {
        Some("asc") => Some(1),
        Some("desc") => Some(-1),
        _ => value.as_i64().and_then(|number| i32::try_from(number).ok()),
    };
    match value(body, "order", now)? {
        None => Ok(Vec::new()),
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(path, value)| Ok((path.to_owned(), direction(value).ok_or_else(wrong)?)))
            .collect(),
        Some(Value::Array(keys)) => keys
            .iter()
            .map(|key| {
                let key = key.as_object().ok_or_else(wrong)?;
                let path = key.get("field").and_then(Value::as_str).ok_or_else(wrong)?;
                Ok((path.to_owned(), key.get("direction").and_then(direction).ok_or_else(wrong)?))
            })
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn documents(body: &Json, now: i64) -> Read<Vec<Document>> {
    let wrong = || SdkFailure::invalid("data is no list of documents");
    let texts = body.get("data").and_then(Json::as_array).ok_or_else(wrong)?;
    let documents = texts.iter().map(|text| match parsed("data", text.as_str().ok_or_else(wrong)?, now)? {
        Value::Object(document) => Ok(document),
        _ => Err(wrong()),
    });
    documents.collect()
}

fn data(body: &Json, now: i64) -> Read<Document> {
    document(body, "data", now)?.ok_or_else(|| SdkFailure::invalid("data is missing"))
}

fn stages(body: &Json, now: i64) -> Read<Vec<Document>> {
    let wrong = || SdkFailure::invalid("stages is no list of stages");
    let stages = body.get("stages").and_then(Json::as_array).ok_or_else(wrong)?;
    let stages = stages.iter().map(|stage| {
        let argument = parsed("stageValue", text(stage, "stageValue")?, now)?;
        Ok(Document::from_iter([(text(stage, "stageKey")?.to_owned(), argument)]))
    });
    stages.collect()
}

fn document(body: &Json, name: &str, now: i64) -> Read<Option<Document>> {
    match value(body, name, now)? {
        None => Ok(None),
        Some(Value::Object(document)) => Ok(Some(document)),
        Some(_) => Err(SdkFailure::invalid(format!("{name} is no object"))),
    }
}

fn value(body: &Json, name: &str, now: i64) -> Read<Option<Value>> {
    match body.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.is_empty() => Ok(None),
        Some(Json::String(text)) => parsed(name, text, now).map(Some),
        Some(_) => Err(SdkFailure::invalid(format!("{name} is no text"))),
    }
}

fn parsed(name: &str, text: &str, now: i64) -> Read<Value> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| SdkFailure::invalid(format!("{name} is no Extended JSON: {error}")))?;
    let value = with_dates(ejson::read(&json), now);
    match ejson::unreadable(&value) {
        Some(reason) => Err(SdkFailure::invalid(format!("{name}: {reason}"))),
        None => Ok(value),
    }
}

/// Puts the moment in where the SDK asks for the server's date.
fn with_dates(value: Value, now: i64) -> Value {
    match value {
        Value::Object(fields) => match fields.get("$tcb_server_date") {
            Some(date) => {
                let offset = date.as_object().and_then(|date| date.get("offset")?.as_i64());
                // One that is too far away stays what no date is read from.
                let date = civil::moved(now, offset.unwrap_or(0)).map(Value::Date);
                date.unwrap_or_else(|| Document::from_iter([("$date".to_owned(), Value::Null)]).into())
            }
            None => Value::Object(
                fields.into_iter().map(|(name, value)| (name, with_dates(value, now))).collect(),
            ),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(|item| with_dates(item, now)).collect()),
        other => other,
    }
}
