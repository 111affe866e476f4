//! Everything but the token read: routed by axum, one resource a file.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use tokenward_api::{ErrorCode, path};

use super::answer::{Body, Refusal, json};
use super::door::Entrance;
use super::{Api, cloud, credentials, health, oauth, openapi, refresh, report, sign, token};
use crate::callback;
use crate::clients::Caller;
use crate::config::Right;

type Answered = Result<Response<Body>, Refusal>;

const LARGEST_BODY: usize = 64 * 1024;
/// Of a statement or an event for the cloud.
const LARGEST_STATEMENT: usize = 1024 * 1024;

/// The routes of one listener.
pub fn router(api: Arc<Api>, entrance: Entrance, scheme: Scheme) -> Router {
    let router = match entrance {
        Entrance::Metrics => open_routes().route(path::METRICS, get(metrics_openly)),
        Entrance::Public | Entrance::Admin => open_routes().merge(routes(scheme)),
        Entrance::Facade | Entrance::Callback => Router::new(),
    };
    router.fallback(no_such_path).method_not_allowed_fallback(method_not_allowed).with_state(api)
}

/// Whoever sent a request, if it is known who it was.
#[derive(Clone)]
pub struct CallerOrNot(pub Option<Caller>);

type WithCaller = Extension<CallerOrNot>;

impl CallerOrNot {
    fn get(self) -> Result<Caller, Refusal> {
        self.0.ok_or_else(|| ErrorCode::Unauthorized.problem("no client key, or an unknown one").into())
    }
}

fn open_routes() -> Router<Arc<Api>> {
    Router::new()
        .route(path::HEALTHZ, get(async || Routed(health::healthz())))
        .route(path::READYZ, get(async |State(api): State<Arc<Api>>| Routed(health::readyz(&api))))
        .route(path::OPENAPI, get(async || Routed(openapi::document())))
}

fn routes(scheme: Scheme) -> Router<Arc<Api>> {
    Router::new()
        .route(path::METRICS, get(metrics_with_key))
        .route(path::OAUTH_TOKEN, post(oauth_token))
        .route(
            path::OAUTH_METADATA,
            get(async move |headers: HeaderMap| Routed(oauth::metadata(&scheme, &headers))),
        )
        .route(path::CREDENTIALS, get(list))
        .route("/v1/credentials/{name}", get(show))
        .route("/v1/credentials/{name}/report", post(post_report))
        .route("/v1/credentials/{name}/refresh", post(post_refresh))
        .route("/v1/credentials/{name}/token", get(no_such_path))
        .route("/v1/sign/{ticket}/js-sdk", post(sign_page))
        .route("/v1/sign/{ticket}/card", post(sign_card))
        .route(path::CALLBACK_MESSAGES, get(list_messages))
        .route("/v1/callbacks/messages/{id}", get(show_message))
        .route(path::CALLBACK_REDELIVER, post(redeliver))
        .route("/v1/cloud/{credential}/{env}/database/{operation}", post(cloud_database))
        .route("/v1/cloud/{credential}/{env}/functions/{name}", post(cloud_function))
}

/// The key is in the request itself, as OAuth 2.0 wants it.
async fn oauth_token(State(api): State<Arc<Api>>, request: Request<axum::body::Body>) -> Routed {
    let (parts, body) = request.into_parts();
    Routed(match read_bytes(body).await {
        Ok(body) => oauth::token(&api, &parts.headers, &body).await,
        Err(refusal) => refusal.into_response(),
    })
}

async fn metrics_openly(State(api): State<Arc<Api>>) -> Routed {
    Routed(health::metrics(&api, None))
}

async fn metrics_with_key(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
) -> Result<Routed, Routed> {
    let caller = caller.get().map_err(Routed::from)?;
    Ok(Routed(health::metrics(&api, Some(&caller))))
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
        let caller = caller.get()?;
        let entry = caller.permit(&api.feed, &name, Right::Report)?.entry();
        let body = read_json(request.into_body()).await?;
        report::report(&api, entry, &body).await?;
        match caller.check(Right::Token) {
            Ok(()) => token::read_current(&api, entry, &HeaderMap::new()).await,
            // Who may report and not read learns that there is a token now, not which.
            Err(_) => token::show_standing(&api, entry).await,
        }
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

async fn sign_page(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path(ticket): Path<String>,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let body = read_json(request.into_body()).await?;
        Ok(json(StatusCode::OK, &sign::page(&api, &caller, &ticket, &body).await?))
    };
    Routed::of(answer.await)
}

async fn sign_card(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path(ticket): Path<String>,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let body = read_json(request.into_body()).await?;
        Ok(json(StatusCode::OK, &sign::card(&api, &caller, &ticket, &body).await?))
    };
    Routed::of(answer.await)
}

async fn list_messages(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    page: Result<Query<callback::Page>, axum::extract::rejection::QueryRejection>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let Query(page) = page.map_err(|rejection| ErrorCode::Malformed.problem(rejection.body_text()))?;
        callback::list(&api, &caller, &page).await
    };
    Routed::of(answer.await)
}

async fn show_message(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path(id): Path<String>,
    whole: Result<Query<callback::Whole>, axum::extract::rejection::QueryRejection>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let Query(whole) = whole.map_err(|rejection| ErrorCode::Malformed.problem(rejection.body_text()))?;
        let missing = || ErrorCode::NoSuchMessage.problem(format!("there is no message {id:?}"));
        callback::show(&api, &caller, id.parse().map_err(|_| missing())?, &whole).await
    };
    Routed::of(answer.await)
}

async fn redeliver(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let body = read_json(request.into_body()).await?;
        callback::redeliver(&api, &caller, body).await
    };
    Routed::of(answer.await)
}

async fn cloud_database(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path((credential, env, operation)): Path<(String, String, String)>,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let (parts, body) = request.into_parts();
        let body = read_at_most(body, LARGEST_STATEMENT).await?;
        let place = cloud::Place { credential: &credential, env: &env };
        cloud::database(&api, &caller, &place, &operation, &parts.headers, &body).await
    };
    Routed::of(answer.await)
}

async fn cloud_function(
    State(api): State<Arc<Api>>,
    Extension(caller): WithCaller,
    Path((credential, env, name)): Path<(String, String, String)>,
    request: Request<axum::body::Body>,
) -> Routed {
    let answer = async {
        let caller = caller.get()?;
        let body = read_at_most(request.into_body(), LARGEST_STATEMENT).await?;
        let place = cloud::Place { credential: &credential, env: &env };
        cloud::function(&api, &caller, &place, &name, &body).await
    };
    Routed::of(answer.await)
}

/// A JSON body of at most 64 KiB, whatever its content type says; an empty one counts as `{}`.
async fn read_json<T: serde::de::DeserializeOwned>(body: axum::body::Body) -> Result<T, Refusal> {
    let bytes = read_bytes(body).await?;
    let bytes = if bytes.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { bytes };
    // serde's message may repeat a part of the body, and that may be a token: only the place is told.
    serde_json::from_slice(&bytes).map_err(|error| {
        let detail =
            format!("the body is not the JSON expected (line {}, column {})", error.line(), error.column());
        ErrorCode::Malformed.problem(detail).into()
    })
}

/// A body of at most 64 KiB that arrives in time.
async fn read_bytes(body: axum::body::Body) -> Result<Bytes, Refusal> {
    read_at_most(body, LARGEST_BODY).await
}

async fn read_at_most(body: axum::body::Body, most: usize) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, most);
    let read = tokio::time::timeout(super::listen::BODY_TIMEOUT, limited.collect()).await;
    let Ok(read) = read else {
        return Err(ErrorCode::Malformed.problem("the body did not arrive in time").into());
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let kib = most / 1024;
            Err(ErrorCode::TooLarge.problem(format!("the body has more than {kib} KiB")).into())
        }
        Err(_) => Err(ErrorCode::Malformed.problem("the body broke off").into()),
    }
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
