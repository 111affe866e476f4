//! The door: every request comes in here. The token read is matched at once; the rest goes to the router.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Either, Limited};
use hyper::body::Incoming;
use tokenward_api::{ErrorCode, path};
use tower::ServiceExt as _;

use super::answer::{Body, Refusal};
use super::{Api, credentials, health, openapi, refresh, report, token};
use crate::clients::Caller;
use crate::config::Right;

/// Which listener a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// TCP: a key is needed.
    Public,
    /// The admin socket: whoever can open it may do everything.
    Admin,
    /// The metrics listener: metrics and health without a key, nothing else.
    Metrics,
}

/// One listener's way to answer requests.
#[derive(Clone)]
pub struct Door {
    api: Arc<Api>,
    entrance: Entrance,
    router: Router,
}

type Answered = Result<Response<Body>, Refusal>;

const LARGEST_BODY: usize = 64 * 1024;
const NAME_START: &str = "/v1/credentials/";
const TOKEN_END: &str = "/token";

impl Door {
    pub fn new(api: Arc<Api>, entrance: Entrance) -> Door {
        let router = match entrance {
            Entrance::Metrics => open_routes().route(path::METRICS, get(metrics_openly)),
            Entrance::Public | Entrance::Admin => open_routes().merge(routes()),
        };
        let router = router.fallback(no_such_path).method_not_allowed_fallback(method_not_allowed);
        Door { router: router.with_state(Arc::clone(&api)), api, entrance }
    }

    /// Answers one request.
    pub async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let response = match self.hot_name(&request) {
            Some(name) => self.read_token(name, &request).await.unwrap_or_else(Refusal::into_response),
            None => self.route(request).await,
        };
        self.api.telemetry.metrics.http.count(response.status().as_u16());
        Ok(response)
    }

    /// The credential's name, if this is a token read.
    fn hot_name<'r>(&self, request: &'r Request<Incoming>) -> Option<&'r str> {
        if self.entrance == Entrance::Metrics || request.method() != Method::GET {
            return None;
        }
        let name = request.uri().path().strip_prefix(NAME_START)?.strip_suffix(TOKEN_END)?;
        (!name.contains('/')).then_some(name)
    }

    async fn read_token(&self, name: &str, request: &Request<Incoming>) -> Answered {
        let caller = self.caller(request)?;
        let entry = caller.permit(&self.api.feed, name, Right::Token)?.entry();
        let wishes = token::Wishes::parse(request.uri().query())?;
        token::read(&self.api, entry, wishes, request.headers()).await
    }

    fn caller<B>(&self, request: &Request<B>) -> Result<Caller, Refusal> {
        if self.entrance == Entrance::Admin {
            return Ok(Caller::Operator);
        }
        let header = request.headers().get(header::AUTHORIZATION);
        Ok(self.api.clients.authenticate(header.map(http::HeaderValue::as_bytes))?)
    }

    async fn route(&self, mut request: Request<Incoming>) -> Response<Body> {
        // Handlers that need a caller find one, or the reason why there is none.
        let caller = self.caller(&request).map_err(Arc::new);
        request.extensions_mut().insert(CallerOrNot(caller));
        let request = request.map(axum::body::Body::new);
        match self.router.clone().oneshot(request).await {
            Ok(response) => response.map(Either::Right),
            Err(never) => match never {},
        }
    }
}

#[derive(Clone)]
struct CallerOrNot(Result<Caller, Arc<Refusal>>);

type WithCaller = Extension<CallerOrNot>;

impl CallerOrNot {
    fn get(self) -> Result<Caller, Refusal> {
        self.0.map_err(|_| ErrorCode::Unauthorized.problem("no client key, or an unknown one").into())
    }
}

fn open_routes() -> Router<Arc<Api>> {
    Router::new()
        .route(path::HEALTHZ, get(async || Routed(health::healthz())))
        .route(path::READYZ, get(async |State(api): State<Arc<Api>>| Routed(health::readyz(&api))))
        .route(path::OPENAPI, get(async || Routed(openapi::document())))
}

fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(path::METRICS, get(metrics_with_key))
        .route(path::CREDENTIALS, get(list))
        .route("/v1/credentials/{name}", get(show))
        .route("/v1/credentials/{name}/report", post(post_report))
        .route("/v1/credentials/{name}/refresh", post(post_refresh))
        .route("/v1/credentials/{name}/token", get(no_such_path))
}

async fn metrics_openly(State(api): State<Arc<Api>>) -> Routed {
    Routed(health::metrics(&api))
}

async fn metrics_with_key(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
) -> Result<Routed, Routed> {
    caller.get().map_err(Routed::from)?;
    Ok(Routed(health::metrics(&api)))
}

async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    page: Result<Query<credentials::Page>, axum::extract::rejection::QueryRejection>,
) -> Routed {
    let answer = || {
        let Query(page) = page.map_err(|rejection| ErrorCode::Malformed.problem(rejection.body_text()))?;
        credentials::list(&api, &caller.get()?, &page)
    };
    Routed::of(answer())
}

async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path(name): Path<String>,
) -> Routed {
    Routed::of(caller.get().and_then(|caller| credentials::show(&api, &caller, &name)))
}

async fn post_report(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path(name): Path<String>,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let entry = caller.get()?.permit(&api.feed, &name, Right::Report)?.entry();
        let body = read_json(request.into_body()).await?;
        report::report(&api, entry, &body).await
    };
    Routed::of(answer.await)
}

async fn post_refresh(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path(name): Path<String>,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let entry = caller.get()?.permit(&api.feed, &name, Right::Admin)?.entry();
        let body = read_json(request.into_body()).await?;
        refresh::refresh(&api, entry, body).await
    };
    Routed::of(answer.await)
}

/// A JSON body of at most 64 KiB, whatever its content type says; an empty one counts as `{}`.
async fn read_json<T: serde::de::DeserializeOwned>(body: axum::body::Body) -> Result<T, Refusal> {
    let limited = Limited::new(body, LARGEST_BODY);
    let read = tokio::time::timeout(super::listen::BODY_TIMEOUT, limited.collect()).await;
    let Ok(read) = read else {
        return Err(ErrorCode::Malformed.problem("the body did not arrive in time").into());
    };
    let bytes: Bytes = match read {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(ErrorCode::TooLarge.problem("the body has more than 64 KiB").into());
        }
        Err(_) => return Err(ErrorCode::Malformed.problem("the body broke off").into()),
    };
    let bytes = if bytes.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { bytes };
    // serde's message may repeat a part of the body, and that may be a token: only the place is told.
    serde_json::from_slice(&bytes).map_err(|error| {
        let detail =
            format!("the body is not the JSON expected (line {}, column {})", error.line(), error.column());
        ErrorCode::Malformed.problem(detail).into()
    })
}

async fn no_such_path() -> Routed {
    Routed::of(Err(ErrorCode::NoSuchPath.problem("there is nothing at this path").into()))
}

async fn method_not_allowed() -> Routed {
    Routed::of(Err(ErrorCode::MethodNotAllowed.problem("this path does not take this method").into()))
}

/// An answer of ours in axum's terms.
struct Routed(Response<Body>);

impl Routed {
    fn of(answer: Answered) -> Routed {
        Routed(answer.unwrap_or_else(Refusal::into_response))
    }
}

impl From<Refusal> for Routed {
    fn from(refusal: Refusal) -> Routed {
        Routed(refusal.into_response())
    }
}

impl IntoResponse for Routed {
    fn into_response(self) -> axum::response::Response {
        self.0.map(axum::body::Body::new)
    }
}
