//! A call that was let in: sent with the token, and once more if the token was refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokenward_api::{ErrorCode, PlatformError, Problem};
use tokenward_core::secret::Secret;
use tokenward_core::time::Span;
use tokenward_core::view::{Offer, Reading};
use tokenward_providers::{Answer, PathRule, Placement, Provider, encode};

use super::body::{CallBody, Copy};
use super::headers;
use super::inspect;
use super::origin::{Relay, SendError};
use super::target::Target;
use super::{Place, Route};
use crate::clock;
use crate::feed::{CallCounts, Entry};
use crate::http::{Api, Refusal};

/// The token that a call is made with.
struct Held {
    token: Secret,
    generation: u64,
}

/// A platform says that it refused the token.
struct Complaint {
    answer: Answer,
    words: tokenward_core::failure::Refusal,
}

/// A call that may be sent, several times if need be.
pub struct Prepared<'a> {
    /// Where it goes.
    pub route: &'a Route,
    /// The path and query.
    pub target: Target<'a>,
    /// What the path is to the platform.
    pub rule: PathRule,
    /// The method.
    pub method: Method,
    /// The client's headers, as they came.
    pub headers: HeaderMap,
    /// What becomes of a refusal that persists after refresh and replay.
    pub persistent: Persistent,
    /// Where it is counted.
    pub counts: Arc<CallCounts>,
}

/// The body of a call.
pub enum CallerBody {
    /// There is none.
    Empty,
    /// It was read already.
    Whole(Bytes),
    /// It comes while it is passed on.
    Coming(Incoming),
}

/// How often the log tells of refusals that persist, for each credential.
const COMPLAINT: Span = Span::minutes(1);
/// Forms up to this are looked through, in bytes.
const LARGEST_FORM: u64 = 64 * 1024;

/// What becomes of a refusal that persists after refresh and replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistent {
    /// It is passed on, verbatim.
    Relayed,
    /// It is told in words of our own, so that nobody takes it for a reason to fetch and call again.
    KeptBack,
}

impl CallerBody {
    /// What came with a request.
    #[must_use]
    pub fn of(body: Incoming) -> CallerBody {
        if hyper::body::Body::is_end_stream(&body) { CallerBody::Empty } else { CallerBody::Coming(body) }
    }
}

/// A body that is larger than the rules allow.
pub fn too_large(most: u64) -> Box<Problem> {
    ErrorCode::TooLarge.problem(format!("the body has more than the {most} bytes that may be sent"))
}

/// A request that is not made, because it cannot be what it seems.
pub fn malformed(detail: &str) -> Box<Problem> {
    ErrorCode::Malformed.problem(detail)
}

impl<'a> Prepared<'a> {
    fn provider(&self) -> &'a dyn Provider {
        self.route.material.provider.as_ref()
    }

    fn needs_token(&self) -> bool {
        matches!(self.rule, PathRule::Token | PathRule::TokenByOperator)
    }

    /// Makes the call, and again if the token was refused.
    ///
    /// # Errors
    /// It was not made, no answer came, or a refusal is kept back.
    pub async fn make(
        &self,
        api: &Api,
        entry: &Arc<Entry>,
        body: CallerBody,
    ) -> Result<Response<Relay>, Refusal> {
        let held = self.hold(api, entry).await?;
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        let rules = &self.route.rules;
        let copy = Copy::of_at_most(rules.replay_buffer, rules.max_body);
        let body = self.own_body().map_or(body, CallerBody::Whole);
        let bodyless = matches!(body, CallerBody::Empty);
        let body = self.without_second_token(body).await?;
        let (first, again) = match body {
            CallerBody::Empty => (CallBody::whole(Bytes::new()), Some(Bytes::new())),
            CallerBody::Whole(whole) => (CallBody::whole(whole.clone()), Some(whole)),
            CallerBody::Coming(body) => (CallBody::Passing(body, Arc::clone(&copy)), None),
        };
        let mut response = self.send(held.as_ref(), first, bodyless, &copy).await?;
        let Some(held) = held else {
            decorate(&mut response, None, "false");
            return Ok(response);
        };
        let Some(complaint) = self.complaint(&mut response).await else {
            entry.note_accepted(held.generation, clock::boot());
            decorate(&mut response, Some(held.generation), "false");
            return Ok(response);
        };
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        let Some(fresh) = self.replace(api, entry, &held).await else {
            self.keep_back(entry, &complaint)?;
            decorate(&mut response, Some(held.generation), "false");
            return Ok(response);
        };
        let whole = again.or_else(|| copy.whole());
        let again =
            whole.filter(|_| self.provider().refused_before_effect(self.method.is_safe(), &complaint.answer));
        let Some(whole) = again else {
            // Whoever makes this call again does so with the new token.
            decorate(&mut response, Some(held.generation), "impossible");
            return Ok(response);
        };
        self.counts.replayed.fetch_add(1, Ordering::Relaxed);
        let mut second = self.send(Some(&fresh), CallBody::whole(whole), bodyless, &copy).await?;
        if self.persistent == Persistent::KeptBack {
            match self.complaint(&mut second).await {
                Some(complaint) => self.keep_back(entry, &complaint)?,
                None => entry.note_accepted(fresh.generation, clock::boot()),
            }
        }
        decorate(&mut second, Some(fresh.generation), "true");
        Ok(second)
    }

    /// A form that carries a token of its own beside the one that is put into the query says two things: it is
    /// refused. Only small forms are looked through; JSON may speak of tokens that are none of this platform's.
    async fn without_second_token(&self, body: CallerBody) -> Result<CallerBody, Refusal> {
        let Placement::Query(name) = self.provider().placement() else { return Ok(body) };
        let kind = self.headers.get(header::CONTENT_TYPE).map_or(b"".as_slice(), HeaderValue::as_bytes);
        let body = match body {
            CallerBody::Coming(body) if kind.starts_with(b"application/x-www-form-urlencoded") => body,
            other => return Ok(other),
        };
        if hyper::body::Body::size_hint(&body).upper().is_none_or(|size| size > LARGEST_FORM) {
            return Ok(CallerBody::Coming(body));
        }
        let read = tokio::time::timeout(crate::http::BODY_TIMEOUT, body.collect()).await;
        let Ok(Ok(read)) = read else { return Err(malformed("the body broke off").into()) };
        let whole = read.to_bytes();
        let query = String::from_utf8_lossy(&whole);
        let form = Target { path: "", query: Some(&query) };
        match (self.needs_token(), form.parameter(name)) {
            (true, Ok(Some(_)) | Err(_)) => {
                Err(malformed("the body has a token of its own: leave it to the query").into())
            }
            _ => Ok(CallerBody::Whole(whole)),
        }
    }

    /// Tells a refusal that nothing helped against in words of our own, if that is wanted.
    fn keep_back(&self, entry: &Entry, complaint: &Complaint) -> Result<(), Refusal> {
        if self.persistent == Persistent::Relayed {
            return Ok(());
        }
        let name = &self.route.material.name;
        let mut problem = ErrorCode::TokenRefused.problem(format!(
            "the platform refuses every token of {name}, a new one too, or there is no new one"
        ));
        let message = self.route.material.scrub(&complaint.words.message);
        let now = clock::now().wall;
        let words = format!("{} {message}", complaint.words.code);
        if entry.last_kept_back().is_none_or(|last| now - last.at >= COMPLAINT) {
            tracing::warn!(credential = %name, %words, "{name}: a call was refused even after a refresh");
        }
        entry.note_kept_back(now, words);
        problem.platform = Some(PlatformError::new(&complaint.words.code, &message));
        Err(problem.into())
    }

    /// The token to call with.
    async fn hold(&self, api: &Api, entry: &Arc<Entry>) -> Result<Option<Held>, Refusal> {
        if !self.needs_token() {
            return Ok(None);
        }
        let held = |offer: &Offer| Held { token: offer.token.clone(), generation: offer.generation };
        if let Reading::Token(offer, _) = entry.view().read(clock::boot()) {
            return Ok(Some(held(offer)));
        }
        let (view, _) = crate::http::wait_for_usable(api, entry).await?;
        Ok(view.offer.as_ref().map(held))
    }

    /// The body of calls that consist of the app's id and secret: whatever the client sent is not used.
    fn own_body(&self) -> Option<Bytes> {
        let PathRule::SecretInBody { id, secret } = self.rule else { return None };
        let secrets = self.route.material.secrets();
        let value = secrets.first().map(|secret| secret.expose()).unwrap_or_default();
        Some(serde_json::json!({ id: self.provider().app_id(), secret: value }).to_string().into())
    }

    async fn complaint(&self, response: &mut Response<Relay>) -> Option<Complaint> {
        let answer = inspect::suspicious(self.provider().complaints(), response).await?;
        self.provider().complaint(&answer).map(|words| Complaint { answer, words })
    }

    /// Says that the token was refused, and waits for the one that takes its place. `None` when there is none,
    /// or it is the same.
    async fn replace(&self, api: &Api, entry: &Arc<Entry>, refused: &Held) -> Option<Held> {
        crate::http::report_refused(api, entry, refused.generation).await.ok()?;
        let fresh = self.hold(api, entry).await.ok()??;
        (fresh.token != refused.token).then_some(fresh)
    }

    /// Sends the call to the first base URL that can be connected to.
    async fn send(
        &self,
        held: Option<&Held>,
        body: CallBody,
        bodyless: bool,
        copy: &Copy,
    ) -> Result<Response<Relay>, Refusal> {
        let preferred = self.route.material.places().map(|(index, _)| index);
        let mut body = Some(body);
        let mut last = None;
        for index in preferred {
            let Some(place) = self.route.places.get(index) else { continue };
            let Some(unsent) = body.take() else { break };
            let mut request = Some(self.request(place, held, unsent)?);
            match self.exchange(place, held, &mut request, bodyless).await {
                Ok(response) => {
                    self.route.material.prefer_place(index);
                    return Ok(response);
                }
                Err(error) => last = Some(error),
            }
            // Still there if nothing was sent: the next place may be better.
            body = request.map(Request::into_body);
        }
        Err(self.explain(last, copy))
    }

    async fn exchange(
        &self,
        place: &Place,
        held: Option<&Held>,
        request: &mut Option<Request<CallBody>>,
        bodyless: bool,
    ) -> Result<Response<Relay>, Failed> {
        let again = || {
            self.request(place, held, CallBody::whole(Bytes::new()))
                .unwrap_or_else(|_| Request::new(CallBody::whole(Bytes::new())))
        };
        let repeatable = bodyless && self.method.is_safe();
        let again: Option<&(dyn Fn() -> Request<CallBody> + Sync)> =
            if repeatable { Some(&again) } else { None };
        let patience = Duration::from_millis(u64::try_from(self.route.rules.timeout.0).unwrap_or(0));
        match tokio::time::timeout(patience, place.origin.send(request, again)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failed::Sending(error)),
            Err(_) => Err(Failed::TimedOut),
        }
    }

    fn request(
        &self,
        place: &Place,
        held: Option<&Held>,
        body: CallBody,
    ) -> Result<Request<CallBody>, Box<Problem>> {
        let mut headers = headers::of_request(&self.headers);
        headers.insert(header::HOST, place.origin.host.clone());
        if matches!(self.rule, PathRule::SecretInBody { .. }) {
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let target = self.target_with(place, held, &mut headers)?;
        let uri = if place.origin.connector().wants_whole_url(&place.origin.authority) {
            if let Some(authorization) = place.origin.connector().proxy_authorization() {
                headers.extend(
                    headers::sensitive(authorization.to_owned())
                        .map(|value| (header::PROXY_AUTHORIZATION, value)),
                );
            }
            format!("http://{}{target}", place.origin.authority)
        } else {
            target
        };
        let uri = Uri::try_from(uri)
            .map_err(|_| malformed("the path or the query has characters that no URL has"))?;
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn target_with(
        &self,
        place: &Place,
        held: Option<&Held>,
        headers: &mut HeaderMap,
    ) -> Result<String, Box<Problem>> {
        let material = &self.route.material;
        let put = |parameters: &[(&str, &str)]| {
            self.target.with(&place.prefix, parameters).map_err(|bad| malformed(&bad.to_string()))
        };
        match (self.rule, held) {
            // The secret is in the body; a client may have written its key into the query.
            (PathRule::SecretInBody { .. }, _) => Ok(format!("{}/{}", place.prefix, self.target.path)),
            (PathRule::Secret { id, secret }, _) => {
                let app_id = encode(self.provider().app_id());
                let secrets = material.secrets();
                let value = secrets.first().map(|secret| encode(secret.expose())).unwrap_or_default();
                match secret {
                    Some(secret) => put(&[(id, &app_id), (secret, &value)]),
                    None => put(&[(id, &app_id)]),
                }
            }
            (_, Some(held)) => match self.provider().placement() {
                Placement::Query(name) => put(&[(name, &encode(held.token.expose()))]),
                Placement::Bearer => {
                    let value = headers::sensitive(format!("Bearer {}", held.token.expose()));
                    headers.extend(value.map(|value| (header::AUTHORIZATION, value)));
                    put(&[])
                }
            },
            (_, None) => put(&[]),
        }
    }

    fn explain(&self, failed: Option<Failed>, copy: &Copy) -> Refusal {
        let name = &self.route.material.name;
        if copy.is_too_large() {
            return too_large(self.route.rules.max_body).into();
        }
        let problem = match failed {
            Some(Failed::TimedOut) => {
                let seconds = self.route.rules.timeout.whole_seconds();
                ErrorCode::CallTimedOut
                    .problem(format!("the platform of {name} did not answer within {seconds} s"))
            }
            Some(Failed::Sending(error @ SendError::Broken(_))) => {
                ErrorCode::CallBroken.problem(format!("the call of {name} may have arrived: {error}"))
            }
            Some(Failed::Sending(error @ SendError::NotSent(_))) => {
                ErrorCode::Unreachable.problem(format!("the call of {name} was not made: {error}"))
            }
            Some(Failed::Sending(SendError::Taken)) | None => {
                ErrorCode::Unreachable.problem(format!("{name} has nowhere to call"))
            }
        };
        problem.into()
    }
}

enum Failed {
    Sending(SendError),
    TimedOut,
}

fn decorate(response: &mut Response<Relay>, generation: Option<u64>, replayed: &'static str) {
    let headers = response.headers_mut();
    headers::strip_response(headers);
    if let Some(generation) = generation {
        headers.insert(headers::GENERATION, HeaderValue::from(generation));
    }
    headers.insert(headers::REPLAYED, HeaderValue::from_static(replayed));
    headers.insert(headers::ORIGIN, HeaderValue::from_static("platform"));
}
