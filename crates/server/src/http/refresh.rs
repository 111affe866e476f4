//! `POST /v1/credentials/{name}/refresh`: an operator's refresh.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use tokenward_api::{ErrorCode, RefreshRequest};
use tokenward_core::credential::RefreshRefused;
use tokenward_core::time::Span;
use tokio::sync::oneshot;

use super::answer::{Body, Refusal, json};
use super::{Api, status};
use crate::clock;
use crate::driver::Input;
use crate::feed::Entry;

/// How long the answer waits for the platform.
const WAIT: Duration = Duration::from_secs(15);

/// Refreshes, waits until it is over, and shows the credential's standing.
///
/// # Errors
/// It would break what holders were told, or the budget forbids it.
pub async fn refresh(
    api: &Api,
    entry: &Arc<Entry>,
    request: RefreshRequest,
) -> Result<Response<Body>, Refusal> {
    let asked_at = clock::now().wall;
    let (begun, was_begun) = oneshot::channel();
    let (over, is_over) = oneshot::channel();
    drop(api.driver.send(Input::Refresh { id: entry.id, force: request.force, begun, over }));
    match was_begun.await {
        Err(_) => return Err(ErrorCode::ShuttingDown.problem("nothing is fetched any more").into()),
        Ok(Err(refused)) => return Err(explain(entry, refused)),
        Ok(Ok(_)) => {}
    }
    // The sender is dropped when the refresh is over; nothing is ever sent.
    drop(tokio::time::timeout(WAIT, is_over).await);
    let (view, now) = (entry.view_full(), clock::now());
    match &view.trouble {
        Some(trouble) if trouble.at >= asked_at => Err(Refusal::failed_refresh(entry.name.as_str(), trouble)),
        _ => Ok(json(StatusCode::OK, &status::of(entry, now))),
    }
}

fn explain(entry: &Entry, refused: RefreshRefused) -> Refusal {
    let now = clock::now();
    match refused {
        RefreshRefused::WouldBreakPromise { told_until } => {
            let until = clock::rfc3339(now.wall_of(told_until));
            let detail =
                format!("holders of the token of {} were told to rely on it until {until}", entry.name);
            ErrorCode::WouldBreakPromise.problem(detail).into()
        }
        RefreshRefused::Limited { until } => {
            let detail = format!("the budget allows no fetch for {} now", entry.name);
            Refusal::retry(ErrorCode::Limited.problem(detail), until - now.boot)
        }
        RefreshRefused::StoreFails => {
            let detail =
                format!("the token of {} could not be stored yet; another fetch would lose it", entry.name);
            ErrorCode::StoreFails.problem(detail).into()
        }
        RefreshRefused::Draining => ErrorCode::ShuttingDown.problem("nothing is fetched any more").into(),
        RefreshRefused::NoSource => {
            let from = entry.ticket.as_ref().map(|ticket| ticket.from.as_str()).unwrap_or_default();
            let detail = format!("there is no usable token of {from}, from which {} is derived", entry.name);
            Refusal::retry(ErrorCode::NoUsableToken.problem(detail), Span::seconds(10))
        }
        RefreshRefused::NotFetchable => {
            let detail = format!("{} is pushed by its platform and cannot be fetched", entry.name);
            ErrorCode::Malformed.problem(detail).into()
        }
    }
}
