//! Cloud development in one call: `POST /v1/cloud/{credential}/{env}/…`, for services in any language.
//!
//! A statement comes as JSON and goes through the safe builder, or as text of somebody who has text. The call itself
//! is one of the gateway's: token, replay and rights are those of `/v1/call`. Files are in `files`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenward_api::{ErrorCode, PlatformError, Problem};
use tokenward_cloud::structured::{
    AddRequest, AggregateRequest, CountRequest, QueryRequest, RemoveRequest, SetRequest, StructuredError,
    UpdateRequest,
};
use tokenward_cloud::wire::{
    self, AddAnswer, AggregateAnswer, AnswerError, ChangeAnswer, CountAnswer, FunctionAnswer, QueryAnswer,
    RemoveAnswer,
};
use tokenward_cloud::{CloudError, Kind, ejson};
use tokenward_core::time::Span;

use super::Api;
use super::answer::{Body, Refusal, json as answer_json};
use crate::clients::Caller;
use crate::config::Right;
use crate::feed::Entry;
use crate::gateway::{self, Rules, Said};

/// Whose cloud, and which environment of it.
pub struct Place<'a> {
    /// The credential.
    pub credential: &'a str,
    /// The environment.
    pub env: &'a str,
}

/// The platform that has a cloud.
const PLATFORM: &str = "wechat";
/// When to ask again after a quota; the platform does not say.
const QUOTA: Span = Span::seconds(60);

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
    let said =
        gateway::ask(api, caller, Rules::Both, entry, path.trim_start_matches('/'), sent.into()).await?;
    let shown = shown(operation, &said).map_err(|error| failed(api, entry, said.status, error))?;
    Ok(answer_json(StatusCode::OK, &shown))
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
    let path = path.trim_start_matches('/');
    let event = Bytes::copy_from_slice(event);
    let said = gateway::ask(api, caller, Rules::Both, entry, path, event).await?;
    let answer: FunctionAnswer = read(&said).map_err(|error| failed(api, entry, said.status, error))?;
    Ok(answer_json(StatusCode::OK, &returned(answer.resp_data)))
}

/// What a function returns is JSON in a text. Nothing is `null`; should it be no JSON, it is passed on as the text it is.
fn returned(text: String) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

pub(super) fn admit<'f>(api: &'f Api, caller: &Caller, credential: &str) -> Result<&'f Arc<Entry>, Refusal> {
    let entry = caller.permit(&api.feed, credential, Right::Call)?.entry();
    if entry.platform == PLATFORM {
        return Ok(entry);
    }
    let detail =
        format!("{credential} is of the platform {:?}, which has no cloud development", entry.platform);
    let mut problem = ErrorCode::NotCallable.problem(detail);
    problem.next_step = format!("Name a credential of the platform {PLATFORM:?}.");
    Err(problem.into())
}

pub(super) fn malformed(detail: impl Into<String>) -> Refusal {
    ErrorCode::Malformed.problem(detail).into()
}

/// The path and the text of a statement.
fn statement(operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<(&'static str, String), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = kind.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    let path = path_of(operation).ok_or_else(|| {
        Refusal::from(ErrorCode::NoSuchPath.problem(format!("the database has no operation {operation:?}")))
    })?;
    if is_text {
        // What JavaScript's fetch calls a text that it is given.
        if body.trim_ascii_start().starts_with(b"{") {
            return Err(malformed("a statement as JSON is sent with Content-Type: application/json"));
        }
        let text = std::str::from_utf8(body).map_err(|_| malformed("the statement is not UTF-8"))?;
        return Ok((path, text.to_owned()));
    }
    let built = match operation {
        "query" => parse::<QueryRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "add" => parse::<AddRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "update" => parse::<UpdateRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "set" => parse::<SetRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "delete" => parse::<RemoveRequest>(body)?.statement().map(|built| built.text().to_owned()),
        "count" => parse::<CountRequest>(body)?.statement().map(|built| built.text().to_owned()),
        _ => parse::<AggregateRequest>(body)?.statement().map(|built| built.text().to_owned()),
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

/// A statement as JSON. serde's message may repeat a value, which is the caller's own.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        malformed(format!("the statement is not the JSON expected: {error}. Text is sent as text/plain"))
    })
}

/// What the platform said, if it is no refusal.
pub(super) fn read<T: DeserializeOwned>(said: &Said) -> Result<T, AnswerError> {
    let read = wire::read(&said.body)?;
    if said.status.is_success() {
        return Ok(read);
    }
    Err(AnswerError::Unreadable(serde::de::Error::custom("the status is no success")))
}

/// A refusal, or an answer that nobody can read.
pub(super) fn failed(api: &Api, entry: &Entry, status: StatusCode, error: AnswerError) -> Refusal {
    let error = match error {
        AnswerError::Refused(error) => error,
        AnswerError::Unreadable(error) => {
            let detail = format!("HTTP {status} with an answer that is not the platform's protocol: {error}");
            return ErrorCode::CallBroken.problem(detail).into();
        }
    };
    let message = match gateway::without_secrets(api, entry, &error.message) {
        Ok(message) => message,
        Err(problem) => return problem.into(),
    };
    let problem = refused(&CloudError { message, ..error.clone() });
    match error.kind() {
        Kind::Quota => Refusal::retry(problem, QUOTA),
        _ => problem.into(),
    }
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
fn shown(operation: &str, said: &Said) -> Result<Value, AnswerError> {
    Ok(match operation {
        "query" => {
            let QueryAnswer { pager, data } = read(said)?;
            json!({
                "documents": documents(&data),
                "offset": pager.offset,
                "limit": pager.limit,
                "total": pager.total,
            })
        }
        "aggregate" => json!({ "documents": documents(&read::<AggregateAnswer>(said)?.data) }),
        "add" => json!({ "ids": read::<AddAnswer>(said)?.id_list }),
        "update" | "set" => json!(read::<ChangeAnswer>(said)?),
        "delete" => json!(read::<RemoveAnswer>(said)?),
        _ => json!(read::<CountAnswer>(said)?),
    })
}

/// What is no document, such as one that is nested too deeply to be read, stays the text it is.
fn documents(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|text| ejson::document(text).unwrap_or_else(|_| Value::from(text.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_returns_is_json_text_or_nothing() {
        assert_eq!(returned(r#"{"a":1}"#.to_owned()), json!({"a": 1}));
        assert_eq!(returned("no json".to_owned()), json!("no json"));
        assert_eq!(returned(String::new()), Value::Null);
    }
}
