//! Server callbacks: `GET` and `POST /callback/{name}` on a listener of their own, which anybody may reach.
//!
//! Invariants: what is not the platform's costs little and reaches nobody; a message is answered `success` only after it
//! is stored, and at once then; a message that came before is answered `success` and not delivered; the text of a
//! message is in no log, and sealed in the store. Deliberately absent: an answer of our own making. Either a target
//! says what the platform is told, in time, or the platform is told `success`.

mod counts;
mod dispatcher;
mod messages;
mod queue;
mod seen;
mod start;
mod take;
mod target;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use tokenward_core::name::Name;
use tokenward_core::time::{Span, Wall};
use tokenward_providers::wechat_callback::{Callback, Query, Refused};
use tokenward_store::{Delivery, Store};
use tokenward_vault::{KeyRing, Place};
use tokio::sync::mpsc;

use crate::clock;
use crate::config::KindPattern;
use crate::http::{Body, whole};
use crate::keeper::Job;

pub use messages::{Page, Whole, list, redeliver, show};
pub use start::{Deliveries, start};

use counts::{Backlog, Counts};
use dispatcher::{Input, Post};
use queue::TargetId;
use seen::SeenMessages;

/// All callbacks.
pub struct Callbacks {
    by_name: HashMap<String, Arc<Entry>>,
    posts: Arc<Vec<Post>>,
    keys: Arc<KeyRing>,
    /// Where texts are that somebody wants to see; whatever is written goes to the keeper.
    store: Arc<dyn Store>,
    keeper: mpsc::UnboundedSender<Job>,
    dispatcher: mpsc::UnboundedSender<Input>,
    backlog: Arc<Backlog>,
    next_id: AtomicU64,
}

/// One callback.
#[derive(Debug)]
struct Entry {
    name: Name,
    callback: Arc<Callback>,
    targets: Vec<Route>,
    seen: Mutex<SeenMessages>,
    counts: Counts,
    /// When a refusal was last logged, in milliseconds of boot time.
    complained: AtomicI64,
}

/// Which messages go to which target.
#[derive(Debug)]
struct Route {
    name: Name,
    id: TargetId,
    events: Vec<KindPattern>,
    answers: bool,
}

/// Why a request has no other answer.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    NoSuchCallback,
    Method,
    TooLarge,
    BrokenOff,
    NotThePlatform(Refused),
    OutOfTime(Span),
    Full,
}

/// More than the platform sends.
const LARGEST_BODY: usize = 256 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
const PATH: &str = "/callback/";
const SUCCESS: &str = "success";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// How often refusals are logged.
const COMPLAINT: i64 = 60_000;

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callbacks").field("by_name", &self.by_name).finish_non_exhaustive()
    }
}

impl Callbacks {
    /// Answers one request on the listener for callbacks.
    pub async fn answer(self: &Arc<Callbacks>, request: Request<Incoming>) -> Response<Body> {
        let name = request.uri().path().strip_prefix(PATH).unwrap_or_default();
        let Some(entry) = self.by_name.get(name).map(Arc::clone) else {
            return Refusal::NoSuchCallback.into_response();
        };
        let answered = match *request.method() {
            Method::GET => entry.greet(request.uri().query()),
            Method::POST => self.post(&entry, request).await,
            _ => Err(Refusal::Method),
        };
        answered.unwrap_or_else(|refusal| {
            entry.note(refusal);
            refusal.into_response()
        })
    }

    async fn post(
        self: &Arc<Callbacks>,
        entry: &Arc<Entry>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let query = entry.query(request.uri().query())?;
        if request.body().size_hint().lower() > LARGEST_BODY as u64 {
            return Err(Refusal::TooLarge);
        }
        let body = read(request.into_body()).await?;
        let message = entry.callback.open(&query, &body).map_err(Refusal::NotThePlatform)?;
        drop(body);
        self.take(entry, query, message).await
    }

    /// Nothing more is sent out; what waits is for the next run.
    pub fn drain(&self) {
        // Without a dispatcher there is nothing to end.
        drop(self.dispatcher.send(Input::Drain));
    }

    /// Everything that is counted, in the text format.
    pub fn metrics(&self) -> String {
        let callbacks = self.by_name.values().map(|entry| (entry.name.as_str(), &entry.counts));
        let targets = self
            .posts
            .iter()
            .map(|post| (post.target.callback.as_str(), post.target.config.name.as_str(), &post.attempts));
        counts::render(callbacks, targets, &self.backlog)
    }
}

impl Entry {
    fn greet(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let query = self.query(query)?;
        let echo = self.callback.greet(&query).map_err(Refusal::NotThePlatform)?;
        self.counts.count("handshake");
        tracing::info!(callback = %self.name, "the platform greeted, and was answered");
        Ok(plain(StatusCode::OK, echo))
    }

    /// The query of a request of now.
    fn query(&self, query: Option<&str>) -> Result<Query, Refusal> {
        let query = Query::parse(query.unwrap_or_default()).map_err(Refusal::NotThePlatform)?;
        let now = clock::wall();
        if !take::locked(&self.seen).is_in_time(signed_at(&query), now) {
            return Err(Refusal::OutOfTime(now - signed_at(&query)));
        }
        Ok(query)
    }

    /// Counts a refusal, and logs one a minute: the rest may be anybody's.
    fn note(&self, refusal: Refusal) {
        use std::sync::atomic::Ordering::Relaxed;
        self.counts.count(refusal.as_str());
        let (now, last) = (clock::boot().0, self.complained.load(Relaxed));
        let quiet = now.saturating_sub(last) < COMPLAINT;
        if quiet || self.complained.compare_exchange(last, now, Relaxed, Relaxed).is_err() {
            return;
        }
        let (callback, reason) = (&self.name, refusal.to_string());
        tracing::warn!(%callback, reason, "a request was refused; more are counted in the metrics and logged once a minute");
    }
}

/// When the platform signed a request; a query without it was refused before.
fn signed_at(query: &Query) -> Wall {
    Wall(query.unix_seconds().unwrap_or(0).saturating_mul(1000))
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, LARGEST_BODY).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Refusal::BrokenOff),
    }
}

/// An answer that no browser takes for anything but text.
fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, TEXT);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn success() -> Response<Body> {
    plain(StatusCode::OK, SUCCESS)
}

/// Where the sealed text of a message belongs.
fn message_place(delivery: &Delivery) -> Place<'_> {
    Place {
        credential: delivery.callback.as_str(),
        field: "message",
        generation: delivery.id,
        fingerprint: &[0; 32],
    }
}

impl Refusal {
    fn as_str(self) -> &'static str {
        match self {
            Refusal::NoSuchCallback => "no_such_callback",
            Refusal::Method => "method",
            Refusal::TooLarge => "too_large",
            Refusal::BrokenOff => "broken_off",
            Refusal::NotThePlatform(refused) => refused.as_str(),
            Refusal::OutOfTime(_) => "out_of_time",
            Refusal::Full => "full",
        }
    }

    /// Whoever is not the platform learns nothing from it.
    fn into_response(self) -> Response<Body> {
        let (status, text) = match self {
            Refusal::NoSuchCallback => (StatusCode::NOT_FOUND, "not found"),
            Refusal::Method => (StatusCode::METHOD_NOT_ALLOWED, "GET and POST only"),
            Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too large"),
            Refusal::BrokenOff => (StatusCode::REQUEST_TIMEOUT, "the body did not arrive"),
            Refusal::NotThePlatform(Refused::Malformed(_)) => (StatusCode::BAD_REQUEST, "malformed"),
            Refusal::NotThePlatform(_) | Refusal::OutOfTime(_) => (StatusCode::FORBIDDEN, "refused"),
            Refusal::Full => (StatusCode::SERVICE_UNAVAILABLE, "try again"),
        };
        let mut response = plain(status, text);
        // Its body may not have been read.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::NotThePlatform(refused) => refused.fmt(f),
            Refusal::OutOfTime(age) => write!(
                f,
                "it was signed {} s ago by this machine's clock: a repeated message, or a clock that is wrong",
                age.whole_seconds()
            ),
            Refusal::Full => f.write_str("it cannot be kept: too many messages wait, or the store fails"),
            other => f.write_str(other.as_str()),
        }
    }
}
