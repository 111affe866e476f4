//! Cloud development in one call: `POST /v1/cloud/{credential}/{env}/…`, for services in any language.
//!
//! A statement comes as JSON and goes through the safe builder, or as text of somebody who has text. The call itself
//! is one of the gateway's: token, replay and rights are those of `/v1/call`. Deliberately absent so far: files.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokenward_api::{ErrorCode, PlatformError, Problem};
use tokenward_cloud::structured::{
    AddRequest, AggregateRequest, CountRequest, QueryRequest, RemoveRequest, SetRequest, StructuredError,
    UpdateRequest,
};
use tokenward_cloud::{CloudError, Kind, ejson, wire};

use super::Api;
use super::answer::{Body, Refusal, json as answer_json};
use crate::clients::Caller;
use crate::config::Right;
use crate::feed::Entry;
use crate::gateway;

/// Whose cloud, and which environment of it.
pub struct Place<'a> {
    /// The credential.
    pub credential: &'a str,
    /// The environment.
    pub env: &'a str,
}

/// The platform that has a cloud.
const PLATFORM: &str = "wechat";

/// Carries out a statement: `operation` is `query`, `add`, `update`, `set`, `delete`, `count` or `aggregate`.
///
/// # Errors
/// The statement cannot be built, or the platform refuses it.
pub async fn database(
    api: &Arc<Api>,
    caller: &Caller,
    place: &Place<'_>,
    operation: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let entry = admit(api, caller, place.credential)?;
    let (path, query) = statement(operation, headers, body)?;
    let request = wire::ScriptRequest { env: place.env.to_owned(), query };
    let sent = serde_json::to_vec(&request).unwrap_or_default();
    let answer = ask(api, caller, entry, path, sent.into()).await?;
    Ok(answer_json(StatusCode::OK, &shown(operation, &answer)))
}

/// Calls a function with an event, and answers with what it returned.
///
/// # Errors
/// The event is not JSON, or the platform refuses.
pub async fn function(
    api: &Arc<Api>,
    caller: &Caller,
    place: &Place<'_>,
    name: &str,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let entry = admit(api, caller, place.credential)?;
    let event = if body.trim_ascii().is_empty() { b"{}".as_slice() } else { body };
    if serde_json::from_slice::<Value>(event).is_err() {
        return Err(malformed("the event is not JSON"));
    }
    let encode = tokenward_providers::encode;
    let path =
        format!("{}?env={}&name={}", wire::path::INVOKE_CLOUD_FUNCTION, encode(place.env), encode(name));
    let answer = ask(api, caller, entry, &path, Bytes::copy_from_slice(event)).await?;
    let returned = answer.get("resp_data").and_then(Value::as_str).unwrap_or("null");
    // What a function returns is JSON in a text; should it be none, it is passed on as the text it is.
    let returned = serde_json::from_str(returned).unwrap_or_else(|_| Value::from(returned));
    Ok(answer_json(StatusCode::OK, &returned))
}

fn admit<'f>(api: &'f Api, caller: &Caller, credential: &str) -> Result<&'f Arc<Entry>, Refusal> {
    let entry = caller.permit(&api.feed, credential, Right::Call)?.entry();
    if entry.platform == PLATFORM {
        return Ok(entry);
    }
    let detail =
        format!("{credential} is of the platform {:?}, which has no cloud development", entry.platform);
    Err(ErrorCode::NotCallable.problem(detail).into())
}

fn malformed(detail: impl Into<String>) -> Refusal {
    ErrorCode::Malformed.problem(detail).into()
}

/// The path and the text of a statement.
fn statement(operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<(&'static str, String), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = kind.starts_with("text/");
    let path = path_of(operation).ok_or_else(|| {
        Refusal::from(ErrorCode::NoSuchPath.problem(format!("the database has no operation {operation:?}")))
    })?;
    if is_text {
        let text = std::str::from_utf8(body).map_err(|_| malformed("the statement is not UTF-8"))?;
        return Ok((path, text.to_owned()));
    }
    let built = match operation {
        "query" => read::<QueryRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "add" => read::<AddRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "update" => read::<UpdateRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "set" => read::<SetRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "delete" => read::<RemoveRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "count" => read::<CountRequest>(body)?.statement().map(|built| built.text().to_owned()),
        _ => read::<AggregateRequest>(body)?.statement().map(|built| built.text().to_owned()),
    };
    let text = built.map_err(|wrong: StructuredError| malformed(format!("the statement: {wrong}")))?;
    Ok((path, text))
}

fn path_of(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "query" => wire::path::DATABASE_QUERY,
        "add" => wire::path::DATABASE_ADD,
        "update" | "set" => wire::path::DATABASE_UPDATE,
        "delete" => wire::path::DATABASE_DELETE,
        "count" => wire::path::DATABASE_COUNT,
        "aggregate" => wire::path::DATABASE_AGGREGATE,
        _ => return None,
    })
}

/// A statement as JSON. serde's message names fields and places, and repeats no value of the caller's.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        malformed(format!("the statement is not the JSON expected: {error}. Text is sent as text/plain"))
    })
}

/// Makes the call, and returns the platform's answer if it is no refusal.
async fn ask(
    api: &Arc<Api>,
    caller: &Caller,
    entry: &Arc<Entry>,
    path: &str,
    body: Bytes,
) -> Result<Map<String, Value>, Refusal> {
    let answer = gateway::ask(api, caller, entry, path.trim_start_matches('/'), body).await?;
    let Ok(Value::Object(fields)) = serde_json::from_slice(&answer) else {
        return Err(ErrorCode::CloudRefused.problem("the platform's answer is not JSON").into());
    };
    let code = fields.get("errcode").and_then(Value::as_i64).unwrap_or(0);
    if code == 0 {
        return Ok(fields);
    }
    let message = fields.get("errmsg").and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(refused(&CloudError { code, message }).into())
}

/// The platform's refusal as a problem, with the status that fits its kind.
fn refused(error: &CloudError) -> Box<Problem> {
    let mut problem = ErrorCode::CloudRefused.problem(format!("{}: {}", error.meaning(), error.message));
    problem.status = match error.kind() {
        Kind::Missing => 404,
        Kind::Permission => 403,
        Kind::Quota => 429,
        Kind::TooLarge => 413,
        Kind::Timeout => 504,
        Kind::Statement | Kind::Request | Kind::Environment | Kind::Database => 422,
        _ => 502,
    };
    problem.next_step = error.next_step().to_owned();
    problem.platform = Some(PlatformError::new(&error.code.to_string(), &error.message));
    problem
}

/// The answer as a service wants it: documents as JSON, without the platform's wrapping.
fn shown(operation: &str, answer: &Map<String, Value>) -> Value {
    let field = |name: &str| answer.get(name).cloned().unwrap_or_default();
    let documents = || {
        let texts = answer.get("data").and_then(Value::as_array).into_iter().flatten();
        let texts = texts.filter_map(Value::as_str);
        texts.map(|text| ejson::document(text).unwrap_or_else(|_| Value::from(text))).collect::<Vec<Value>>()
    };
    match operation {
        "query" => {
            let pager = field("pager");
            let of = |name: &str| pager.get(name).cloned().unwrap_or_default();
            json!({
                "documents": documents(),
                "offset": of("Offset"),
                "limit": of("Limit"),
                "total": of("Total"),
            })
        }
        "aggregate" => json!({ "documents": documents() }),
        "add" => json!({ "ids": field("id_list") }),
        "update" | "set" => {
            json!({ "matched": field("matched"), "modified": field("modified"), "id": field("id") })
        }
        "delete" => json!({ "deleted": field("deleted") }),
        _ => json!({ "count": field("count") }),
    }
}
