//! `GET /v1/credentials` and `GET /v1/credentials/{name}`.

use http::{Response, StatusCode};
use serde::Deserialize;
use tokenward_api::CredentialList;
use tokenward_core::view::State;

use super::answer::{Body, Refusal, json};
use super::{Api, status};
use crate::clients::Caller;
use crate::clock;

/// Which credentials to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    limit: Option<usize>,
    after: Option<String>,
    state: Option<String>,
}

const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1_000;

/// A page of what the caller may see, in the order of names.
///
/// # Errors
/// The state is not one.
pub fn list(api: &Api, caller: &Caller, page: &Page) -> Result<Response<Body>, Refusal> {
    let state = page.state.as_deref().map(parse_state).transpose()?;
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT);
    let mut entries: Vec<_> = api
        .feed
        .iter()
        .filter(|entry| page.after.as_deref().is_none_or(|after| entry.name.as_str() > after))
        .filter(|entry| state.is_none_or(|state| entry.view().state == state))
        .filter(|entry| caller.sees(entry))
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|entry| entry.name.as_str().to_owned());
    let now = clock::now();
    let credentials = entries.into_iter().map(|entry| status::of(entry, now)).collect();
    Ok(json(StatusCode::OK, &CredentialList { credentials, next }))
}

fn parse_state(word: &str) -> Result<State, Refusal> {
    State::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
        let words: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        let detail = format!("{word:?} is not a state; the states are {}", words.join(", "));
        tokenward_api::ErrorCode::Malformed.problem(detail).into()
    })
}

/// One credential.
///
/// # Errors
/// There is none of this name for the caller.
pub fn show(api: &Api, caller: &Caller, name: &str) -> Result<Response<Body>, Refusal> {
    let entry = caller.see(&api.feed, name)?.entry();
    Ok(json(StatusCode::OK, &status::of(entry, clock::now())))
}
