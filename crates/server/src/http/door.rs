//! The door: every request comes in here. The token read is matched at once, and answered at once while a
//! token is known; everything else goes to the router.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use http::uri::Scheme;
use http::{Method, Request, Response, header};
use http_body_util::Either;
use hyper::body::Incoming;
use tokenward_api::ErrorCode;
use tower::ServiceExt as _;

use super::answer::{Body, Refusal};
use super::routes::{self, CallerOrNot};
use super::{Api, files, token};
use crate::clients::Caller;
use crate::config::Right;
use crate::{facade, gateway};

/// Which listener a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// TCP: a key is needed.
    Public,
    /// The admin socket: whoever can open it may do everything.
    Admin,
    /// The facade: what comes in is the platform's dialect.
    Facade,
    /// The listener for platforms that push: callbacks, nothing else.
    Callback,
    /// The metrics listener: metrics and health without a key, nothing else.
    Metrics,
}

/// One connection's way to answer requests.
pub struct Door {
    inner: Arc<Inner>,
    activity: Arc<Activity>,
}

/// What one connection is doing.
#[derive(Debug, Default)]
pub struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    moves: AtomicU64,
}

impl Activity {
    /// How many requests have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How often something passed in the body of an answer.
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// Notes that something passed in the body of an answer.
    pub fn move_on(&self) {
        Activity::add(&self.moves);
    }

    /// Whether the head of an answer is awaited.
    pub fn is_busy(&self) -> bool {
        self.begun() != self.ended.load(Ordering::Relaxed)
    }

    /// Only the connection's own task counts, so that a load and a store do.
    fn add(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

struct Inner {
    api: Arc<Api>,
    entrance: Entrance,
    router: Router,
}

/// An answer that is there, or one that is being waited for. The first costs no allocation.
#[expect(clippy::large_enum_variant, reason = "a box would cost the hot route its allocation")]
pub enum Answering {
    /// Taken when it is first asked for.
    There(Option<Response<Body>>),
    /// Somebody works on it.
    Coming(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

const NAME_START: &str = "/v1/credentials/";
const TOKEN_END: &str = "/token";
const CALL_START: &str = "/v1/call/";

impl Door {
    pub fn new(api: Arc<Api>, entrance: Entrance, scheme: Scheme) -> Door {
        let router = routes::router(Arc::clone(&api), entrance, scheme);
        Door { inner: Arc::new(Inner { api, entrance, router }), activity: Arc::default() }
    }

    /// The same door for another connection.
    pub fn for_connection(&self) -> Door {
        Door { inner: Arc::clone(&self.inner), activity: Arc::default() }
    }

    /// What this connection is doing.
    pub fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let inner = &self.inner;
        Activity::add(&self.activity.begun);
        match inner.entrance {
            Entrance::Facade => return self.answer_as_platform(request),
            Entrance::Callback => return self.answer_callback(request),
            Entrance::Public | Entrance::Admin if request.uri().path().starts_with(CALL_START) => {
                return self.call_platform(request);
            }
            Entrance::Public | Entrance::Admin if files::is_file(request.uri().path()) => {
                return self.pass_file(request);
            }
            _ => {}
        }
        let at_once = inner.hot_name(&request).map(|name| inner.read_at_once(name, &request));
        let response = match at_once {
            Some(Ok(Some(response))) => response,
            Some(Err(refusal)) => refusal.into_response(),
            Some(Ok(None)) | None => return self.answer_later(request, at_once.is_some()),
        };
        Activity::add(&self.activity.ended);
        Answering::There(Some(inner.counted(response)))
    }
}

impl Door {
    fn answer_later(&self, request: Request<Incoming>, is_token_read: bool) -> Answering {
        let (inner, activity) = (Arc::clone(&self.inner), Arc::clone(&self.activity));
        Answering::Coming(Box::pin(async move {
            let response = match is_token_read {
                true => inner.read_token(&request).await,
                false => inner.route(request).await,
            };
            Activity::add(&activity.ended);
            inner.counted(response)
        }))
    }
}

impl Door {
    fn answer_as_platform(&self, request: Request<Incoming>) -> Answering {
        let (inner, activity) = (Arc::clone(&self.inner), Arc::clone(&self.activity));
        Answering::Coming(Box::pin(async move {
            let response = facade::answer(&inner.api, request, &activity).await;
            Activity::add(&activity.ended);
            inner.counted(response)
        }))
    }

    fn answer_callback(&self, request: Request<Incoming>) -> Answering {
        let (inner, activity) = (Arc::clone(&self.inner), Arc::clone(&self.activity));
        Answering::Coming(Box::pin(async move {
            let response = match &inner.api.callbacks {
                Some(callbacks) => callbacks.answer(request).await,
                // Without callbacks there is no such listener.
                None => {
                    Refusal::from(ErrorCode::NoSuchPath.problem("there are no callbacks")).into_response()
                }
            };
            Activity::add(&activity.ended);
            inner.counted(response)
        }))
    }

    fn call_platform(&self, request: Request<Incoming>) -> Answering {
        let (inner, activity) = (Arc::clone(&self.inner), Arc::clone(&self.activity));
        Answering::Coming(Box::pin(async move {
            let response = inner.call_platform(request, &activity).await;
            Activity::add(&activity.ended);
            inner.counted(response)
        }))
    }
}

impl Door {
    fn pass_file(&self, request: Request<Incoming>) -> Answering {
        let (inner, activity) = (Arc::clone(&self.inner), Arc::clone(&self.activity));
        Answering::Coming(Box::pin(async move {
            let answer = match inner.caller(&request) {
                Ok(caller) => files::answer(&inner.api, &caller, request, &activity).await,
                Err(refusal) => Err(refusal),
            };
            let response = answer.unwrap_or_else(Refusal::into_response);
            Activity::add(&activity.ended);
            inner.counted(response)
        }))
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Answering::There(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Answering::Coming(future) => future.as_mut().poll(context).map(Ok),
        }
    }
}

impl Inner {
    fn counted(&self, response: Response<Body>) -> Response<Body> {
        self.api.telemetry.metrics.http.count(response.status().as_u16());
        response
    }

    async fn call_platform(&self, request: Request<Incoming>, activity: &Arc<Activity>) -> Response<Body> {
        let answer = match self.caller(&request) {
            Ok(caller) => gateway::call(&self.api, &caller, request, CALL_START).await,
            Err(refusal) => Err(refusal),
        };
        let mut response = match answer {
            Ok(response) => response.map(|mut body| {
                body.note_in(Arc::clone(activity));
                Either::Right(Either::Right(body))
            }),
            Err(refusal) => {
                let mut response = refusal.into_response();
                gateway::sign(&mut response, "gateway");
                response
            }
        };
        response.headers_mut().insert(gateway::REQUEST_ID, self.api.request_ids.next());
        response
    }

    /// The credential's name, if this is a token read.
    fn hot_name<'r>(&self, request: &'r Request<Incoming>) -> Option<&'r str> {
        if self.entrance == Entrance::Metrics || request.method() != Method::GET {
            return None;
        }
        let name = request.uri().path().strip_prefix(NAME_START)?.strip_suffix(TOKEN_END)?;
        (!name.contains('/')).then_some(name)
    }

    /// The answer, if there is nothing to wait for.
    fn read_at_once(
        &self,
        name: &str,
        request: &Request<Incoming>,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let caller = self.caller(request)?;
        let entry = caller.permit(&self.api.feed, name, Right::Token)?.entry();
        if request.uri().query().is_some() {
            return Ok(None);
        }
        Ok(token::read_at_once(entry, request.headers()))
    }

    async fn read_token(&self, request: &Request<Incoming>) -> Response<Body> {
        let answer = async {
            let name = self.hot_name(request).unwrap_or_default();
            let caller = self.caller(request)?;
            let entry = caller.permit(&self.api.feed, name, Right::Token)?.entry();
            let wishes = token::Wishes::parse(request.uri().query())?;
            token::read(&self.api, entry, wishes, request.headers()).await
        };
        answer.await.unwrap_or_else(Refusal::into_response)
    }

    fn caller<B>(&self, request: &Request<B>) -> Result<Caller, Refusal> {
        if self.entrance == Entrance::Admin {
            return Ok(Caller::Operator);
        }
        let header = request.headers().get(header::AUTHORIZATION);
        Ok(self.api.clients.authenticate(header.map(http::HeaderValue::as_bytes))?)
    }

    async fn route(&self, mut request: Request<Incoming>) -> Response<Body> {
        // Handlers that need a caller find one, or learn that there is none.
        let caller = self.caller(&request).ok();
        request.extensions_mut().insert(CallerOrNot(caller));
        let request = request.map(axum::body::Body::new);
        match self.router.clone().oneshot(request).await {
            Ok(response) => response.map(|body| Either::Right(Either::Left(body))),
            Err(never) => match never {},
        }
    }
}
