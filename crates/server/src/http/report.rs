//! `POST /v1/credentials/{name}/report`: "this token was refused" (the passive refresh).

use std::sync::Arc;
use std::time::Duration;

use tokenward_api::{ErrorCode, ReportRequest};
use tokenward_core::credential::ReportAnswer;
use tokenward_core::secret::Secret;
use tokio::sync::oneshot;

use super::Api;
use super::answer::Refusal;
use crate::clock;
use crate::driver::Input;
use crate::feed::Entry;

/// How long a report waits until it is verified and what follows from it is done.
const WAIT: Duration = Duration::from_secs(10);

/// Waits until the report is settled: after it, the current token is the one to use.
///
/// # Errors
/// The report is malformed, reports are used up, or the platform cannot be asked.
pub async fn report(api: &Api, entry: &Arc<Entry>, request: &ReportRequest) -> Result<(), Refusal> {
    if let Some(generation) = reported(entry, request)? {
        let (reply, answer) = oneshot::channel();
        let input = Input::Report { id: entry.id, generation, proven: false, reply };
        drop(api.driver.send(input));
        match tokio::time::timeout(WAIT, answer).await {
            Ok(Ok(ReportAnswer::Limited { until })) => {
                let detail = format!("reports of {} have used up what they may cost", entry.name);
                return Err(Refusal::retry(ErrorCode::Limited.problem(detail), until - clock::boot()));
            }
            Ok(Ok(ReportAnswer::Failing)) => {
                return Err(Refusal::no_token(entry.name.as_str(), &entry.view(), clock::boot()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Our own gateway saw that the platform refused this generation: waits until it is replaced, or is found to have
/// been. `proven` where the refusal can have no other reason than a dead token.
///
/// # Errors
/// The platform cannot be asked.
pub async fn report_refused(
    api: &Api,
    entry: &Arc<Entry>,
    generation: u64,
    proven: bool,
) -> Result<(), Refusal> {
    let (reply, answer) = oneshot::channel();
    drop(api.driver.send(Input::Report { id: entry.id, generation, proven, reply }));
    match tokio::time::timeout(WAIT, answer).await {
        Ok(Ok(ReportAnswer::Failing)) => {
            Err(Refusal::no_token(entry.name.as_str(), &entry.view(), clock::boot()))
        }
        _ => Ok(()),
    }
}

/// Somebody may have seen this generation refused: lets it be looked at, and waits for the outcome, but not long.
pub async fn look(api: &Api, entry: &Arc<Entry>, generation: u64, patience: Duration) {
    let (reply, answer) = oneshot::channel();
    drop(api.driver.send(Input::Report { id: entry.id, generation, proven: false, reply }));
    drop(tokio::time::timeout(patience, answer).await);
}

/// The generation that is meant; `None` when it is a token that is not the current one.
fn reported(entry: &Entry, request: &ReportRequest) -> Result<Option<u64>, Refusal> {
    match (request.generation, &request.token) {
        (Some(generation), None) => Ok(Some(generation)),
        (None, Some(token)) => {
            let view = entry.view();
            let token = Secret::new(token.as_str());
            Ok(view.offer.as_ref().filter(|offer| offer.token == token).map(|offer| offer.generation))
        }
        _ => Err(ErrorCode::Malformed.problem("a report names either a `generation` or a `token`").into()),
    }
}
