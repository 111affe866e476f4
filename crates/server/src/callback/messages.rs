//! `GET /v1/callbacks/messages`, `GET /v1/callbacks/messages/{id}` and `POST /v1/callbacks/redeliver`: messages that are on
//! their way or were given up.
//!
//! What they are about and what happened to them. The text of one is shown to the operator who asks for it, and logged that
//! it was; else to nobody but its target.

use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use tokenward_api::{
    CallbackFailure, CallbackMessage, CallbackMessages, ErrorCode, Problem, RedeliverRequest, Redelivered,
    WholeCallbackMessage,
};
use tokenward_core::name::Name;
use tokenward_core::time::Now;
use tokio::sync::oneshot;

use super::dispatcher::{Input, Unreadable, Wanted, read_text};
use super::queue::Item;
use super::{Callbacks, target};
use crate::clients::Caller;
use crate::clock;
use crate::http::{Api, Body, Refusal, json};

/// Which messages to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    callback: Option<String>,
    state: Option<String>,
    limit: Option<usize>,
    after: Option<u64>,
}

/// What to show of a message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Its text, too.
    #[serde(default)]
    text: bool,
}

const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1_000;

/// A page of messages, the oldest first.
///
/// # Errors
/// The caller may not see them, or there is no such state.
pub async fn list(api: &Api, caller: &Caller, page: &Page) -> Result<Response<Body>, Refusal> {
    let callbacks = permitted(api, caller)?;
    let dead = match page.state.as_deref() {
        None => None,
        Some("dead") => Some(true),
        Some("waiting") => Some(false),
        Some(other) => {
            return Err(ErrorCode::Malformed
                .problem(format!("{other:?} is not a state; the states are dead, waiting"))
                .into());
        }
    };
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT);
    let callback = page.callback.as_deref().map(|name| callbacks.named(name)).transpose()?;
    let wanted = Wanted { callback, id: None, after: page.after, dead, limit: limit + 1 };
    let mut items = callbacks.ask(|answer| Input::List(wanted, answer)).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| item.delivery.id);
    let now = clock::now();
    let messages = items.iter().map(|item| shown(item, now)).collect();
    Ok(json(StatusCode::OK, &CallbackMessages { messages, next }))
}

/// Everything about a message.
///
/// # Errors
/// The caller may not see it, or there is no such message, or its text cannot be read.
pub async fn show(api: &Api, caller: &Caller, id: u64, whole: &Whole) -> Result<Response<Body>, Refusal> {
    let callbacks = permitted(api, caller)?;
    let wanted = Wanted { id: Some(id), limit: 1, ..Wanted::default() };
    let items = callbacks.ask(|answer| Input::List(wanted, answer)).await?;
    let missing = || ErrorCode::NoSuchMessage.problem(format!("there is no message {id}"));
    let item = items.first().ok_or_else(missing)?;
    let delivery = &item.delivery;
    let text = match whole.text {
        true => {
            let (callback, target) = (delivery.callback.as_str(), delivery.target.as_str());
            tracing::info!(callback, target, id, "the operator looks at the text of a message");
            let read = read_text(callbacks.store.as_ref(), &callbacks.keys, delivery).await;
            Some(read.map_err(|why| unreadable(id, &why))?)
        }
        false => None,
    };
    let headers = target::headers(delivery, item.attempts.max(1));
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let failures = item
        .failures
        .iter()
        .map(|failure| CallbackFailure { at: clock::rfc3339(failure.at), detail: failure.detail.clone() });
    Ok(json(
        StatusCode::OK,
        &WholeCallbackMessage {
            message: shown(item, clock::now()),
            tried_since: clock::rfc3339(delivery.since),
            headers: headers.iter().map(header).collect(),
            failures: failures.collect(),
            text,
        },
    ))
}

fn unreadable(id: u64, why: &Unreadable) -> Box<Problem> {
    let detail = format!("message {id} cannot be read: {why}");
    match why {
        Unreadable::Gone => ErrorCode::NoSuchMessage.problem(detail),
        Unreadable::StoreFails(_) => Box::new(Problem {
            next_step: "See that data_dir can be read, and ask again.".to_owned(),
            ..*ErrorCode::StoreFails.problem(detail)
        }),
        Unreadable::Sealed(_) | Unreadable::NoText => Box::new(Problem {
            next_step:
                "See whether somebody changed data_dir or the key ring; put both back from one backup."
                    .to_owned(),
            ..*ErrorCode::Internal.problem(detail)
        }),
    }
}

/// Sends a message again, or all that were given up.
///
/// # Errors
/// The caller may not, or there is no such message.
pub async fn redeliver(
    api: &Api,
    caller: &Caller,
    request: RedeliverRequest,
) -> Result<Response<Body>, Refusal> {
    let callbacks = permitted(api, caller)?;
    let callback = request.callback.as_deref().map(|name| callbacks.named(name)).transpose()?;
    // One that is named may also be one that waits for its next attempt.
    let dead = request.id.is_none().then_some(true);
    let wanted = Wanted { callback, id: request.id, after: None, dead, limit: usize::MAX };
    let items = callbacks.ask(|answer| Input::Redeliver(wanted, answer)).await?;
    if let (Some(id), true) = (request.id, items.is_empty()) {
        let mut problem = ErrorCode::NoSuchMessage.problem(format!("no message {id} can be sent again"));
        "`tokenward callback list` shows all that wait or were given up; a target that is gone from the configuration \
         must come back first."
            .clone_into(&mut problem.next_step);
        return Err(problem.into());
    }
    Ok(json(StatusCode::OK, &Redelivered { redelivered: items.len() }))
}

/// Messages are the operator's, over the admin socket.
fn permitted<'a>(api: &'a Api, caller: &Caller) -> Result<&'a Callbacks, Refusal> {
    if !matches!(caller, Caller::Operator) {
        let problem = Problem {
            next_step: "Run the command on the server's machine, as the user that Tokenward runs as."
                .to_owned(),
            ..*ErrorCode::Forbidden.problem("messages of callbacks are shown on the admin socket only")
        };
        return Err(Box::new(problem).into());
    }
    let none = || ErrorCode::NoSuchMessage.problem("the configuration has no [callback]");
    Ok(api.callbacks.as_deref().ok_or_else(none)?)
}

impl Callbacks {
    fn named(&self, name: &str) -> Result<Name, Refusal> {
        // Also one that is gone from the configuration: its messages may still be there.
        Name::parse(name).map_err(|error| ErrorCode::Malformed.problem(format!("{name:?}: {error}")).into())
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let ending = || ErrorCode::ShuttingDown.problem("messages are not delivered any more");
        self.dispatcher.send(input(answer)).map_err(|_| ending())?;
        Ok(answered.await.map_err(|_| ending())?)
    }
}

fn shown(item: &Item, now: Now) -> CallbackMessage {
    let delivery = &item.delivery;
    let state = match (&delivery.dead, item.due) {
        (Some(_), _) => "dead",
        (None, Some(_)) => "waiting",
        (None, None) => "under_way",
    };
    CallbackMessage {
        id: delivery.id,
        callback: delivery.callback.as_str().to_owned(),
        target: delivery.target.as_str().to_owned(),
        kind: delivery.kind.clone(),
        state: state.to_owned(),
        received_at: clock::rfc3339(delivery.received),
        attempts: item.attempts,
        next_attempt_at: item.due.map(|due| clock::rfc3339(now.wall_of(due))),
        failure: item.failure().map(str::to_owned),
    }
}
