//! Answers: JSON, problems, and the body type that all of them share.

use axum::body::Body as RoutedBody;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde::Serialize;
use tokenward_api::{ErrorCode, PlatformError, Problem};
use tokenward_core::time::Boot;
use tokenward_core::view::{Trouble, View};

use crate::gateway::Relay;

/// A body that is at hand whole, one that a routed handler made, or one that comes from a platform.
pub type Body = Either<Full<Bytes>, Either<RoutedBody, Relay>>;

/// A body that is at hand whole.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}

/// A problem on its way out, with the seconds after which to try again, if there is a point.
#[derive(Debug)]
pub struct Refusal {
    problem: Box<Problem>,
    retry_after: Option<i64>,
}

impl From<Box<Problem>> for Refusal {
    fn from(problem: Box<Problem>) -> Refusal {
        Refusal { problem, retry_after: None }
    }
}

impl Refusal {
    /// A problem that may be gone after so many milliseconds; rounded up to whole seconds, at least one.
    pub fn retry(problem: Box<Problem>, wait: tokenward_core::time::Span) -> Refusal {
        Refusal { problem, retry_after: Some(wait.0.max(0).div_euclid(1000) + 1) }
    }

    /// There is no usable token: why, and when to ask again.
    pub fn no_token(name: &str, view: &View, now: Boot) -> Refusal {
        let wait = view.next_fetch.map_or(tokenward_core::time::Span::minutes(1), |at| at - now);
        let Some(trouble) = view.trouble.as_deref() else {
            let detail = format!("there is no usable token for {name} yet");
            return Refusal::retry(ErrorCode::NoUsableToken.problem(detail), wait);
        };
        Refusal::retry(failed(name, trouble), wait)
    }

    /// The refresh that an operator asked for was made and failed.
    pub fn failed_refresh(name: &str, trouble: &Trouble) -> Refusal {
        let mut problem = failed(name, trouble);
        problem.title = "The refresh failed".to_owned();
        problem.status = 502;
        problem.detail = format!("the refresh of {name} failed: {}", trouble.failure.detail);
        problem.into()
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// After how many seconds to try again, if there is a point.
    pub fn retry_after(&self) -> Option<i64> {
        self.retry_after
    }

    /// As an answer.
    pub fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &self.problem);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tokenward\""));
        }
        response
    }
}

/// The platform's failure as a problem: its own code and next step, under the status of "no token now".
fn failed(name: &str, trouble: &Trouble) -> Box<Problem> {
    let failure = &trouble.failure;
    let code = failure.kind.code();
    let nonsense = failure.kind == tokenward_core::failure::FailureKind::Nonsense;
    Box::new(Problem {
        kind: Problem::kind(code),
        title: ErrorCode::NoUsableToken.title().to_owned(),
        status: if nonsense { 502 } else { ErrorCode::NoUsableToken.status() },
        detail: format!("no token for {name}: {}", failure.detail),
        code: code.to_owned(),
        next_step: failure.next_step.replace("NAME", name),
        platform: failure.refusal.as_ref().map(|refusal| PlatformError::new(&refusal.code, &refusal.message)),
    })
}

/// A JSON answer that nobody may cache.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A text answer.
pub fn text(content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(whole(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
