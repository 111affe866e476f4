//! A call that was let in: made with the token, and once more if the token was refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokenward_api::{ErrorCode, PlatformError, Problem};
use tokenward_core::secret::Secret;
use tokenward_core::time::Span;
use tokenward_core::view::{Offer, Reading};
use tokenward_providers::{Answer, PathRule, Placement, Provider, encode};

use super::Route;
use super::body::{CallBody, Copy};
use super::headers;
use super::inspect::{self, Suspicion};
use super::origin::Relay;
use super::target::Target;
use crate::clock;
use crate::feed::{CallCounts, Entry};
use crate::http::{Api, Refusal};

/// The token that a call is made with.
pub struct Held {
    /// The token.
    pub token: Secret,
    /// Its generation.
    pub generation: u64,
}

/// What an answer says about the token.
enum Inspected {
    /// It was looked into, and there is no complaint.
    Clean,
    /// It could not be looked into.
    Unknown,
    /// The platform says that it refused the token.
    Complaint(Complaint),
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

/// After a refusal that a new token did not mend: how long refusals of calls count as claims, to be verified like
/// anybody's.
const DISTRUST: Span = Span::minutes(10);
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

fn is_form(kind: &[u8]) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    kind.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
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
    pub(super) fn provider(&self) -> &'a dyn Provider {
        self.route.material.provider.as_ref()
    }

    fn needs_token(&self) -> bool {
        self.rule.takes_token()
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
        let body = self.own_body().map_or(body, CallerBody::Whole);
        let bodyless = matches!(body, CallerBody::Empty);
        let (first, again, copy) = self.outgoing(self.without_second_token(body).await?, held.is_some());
        let mut response = self.send(held.as_ref(), first, bodyless, &copy).await?;
        let Some(held) = held else {
            self.decorate(&mut response, None, "false");
            return Ok(response);
        };
        let complaint = match self.inspect(&mut response).await {
            Inspected::Complaint(complaint) => complaint,
            inspected => {
                self.note_accepted(entry, &held, &inspected, &response);
                self.decorate(&mut response, Some(&held), "false");
                return Ok(response);
            }
        };
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        let Some(fresh) = self.replace(api, entry, &held, &complaint).await else {
            self.keep_back(entry, &complaint)?;
            self.decorate(&mut response, Some(&held), "false");
            return Ok(response);
        };
        let whole = again.or_else(|| copy.whole());
        let again =
            whole.filter(|_| self.provider().refused_before_effect(self.method.is_safe(), &complaint.answer));
        let Some(whole) = again else {
            // Whoever makes this call again does so with the new token. What he is told then has to be verified.
            entry.distrust_until(clock::boot() + DISTRUST);
            self.decorate(&mut response, Some(&held), "impossible");
            return Ok(response);
        };
        self.counts.replayed.fetch_add(1, Ordering::Relaxed);
        let copy = Copy::of_nothing();
        let mut second = self.send(Some(&fresh), CallBody::whole(whole), bodyless, &copy).await?;
        match self.inspect(&mut second).await {
            Inspected::Complaint(complaint) => {
                entry.distrust_until(clock::boot() + DISTRUST);
                self.keep_back(entry, &complaint)?;
            }
            inspected => self.note_accepted(entry, &fresh, &inspected, &second),
        }
        self.decorate(&mut second, Some(&fresh), "true");
        Ok(second)
    }

    /// The body as it is sent first, as it would be sent again if that is known already, and the copy that is made of
    /// it on its way. Nothing is kept of a body that is never sent again.
    fn outgoing(&self, body: CallerBody, with_token: bool) -> (CallBody, Option<Bytes>, Arc<Copy>) {
        let rules = &self.route.rules;
        match body {
            CallerBody::Empty => (CallBody::whole(Bytes::new()), Some(Bytes::new()), Copy::of_nothing()),
            CallerBody::Whole(whole) => (CallBody::whole(whole.clone()), Some(whole), Copy::of_nothing()),
            CallerBody::Coming(body) => {
                let limit = if with_token { rules.replay_buffer } else { 0 };
                let copy = Copy::of_at_most(limit, rules.max_body);
                (CallBody::Passing(body, Arc::clone(&copy)), None, copy)
            }
        }
    }

    /// A call went through: its token works. Only what was looked into says so.
    fn note_accepted(&self, entry: &Entry, held: &Held, inspected: &Inspected, response: &Response<Relay>) {
        if matches!(inspected, Inspected::Clean) && response.status().is_success() {
            entry.note_accepted(held.generation, clock::boot());
        }
    }

    /// A form that carries a token of its own beside the one that is put into the query says two things: it is
    /// refused. Only small forms are looked through; JSON may speak of tokens that are none of this platform's.
    async fn without_second_token(&self, body: CallerBody) -> Result<CallerBody, Refusal> {
        let Placement::Query(name) = self.provider().placement() else { return Ok(body) };
        let kind = self.headers.get(header::CONTENT_TYPE).map_or(b"".as_slice(), HeaderValue::as_bytes);
        let body = match body {
            CallerBody::Coming(body) if is_form(kind) => body,
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

    async fn inspect(&self, response: &mut Response<Relay>) -> Inspected {
        match inspect::look_into(self.provider().complaints(), response).await {
            Suspicion::None => Inspected::Clean,
            Suspicion::Unknown => Inspected::Unknown,
            Suspicion::Answer(answer) => match self.provider().complaint(&answer) {
                Some(words) => Inspected::Complaint(Complaint { answer, words }),
                None => Inspected::Clean,
            },
        }
    }

    /// Says that the token was refused, and waits for the one that takes its place. `None` when there is none,
    /// or it is the same. While calls of this credential are refused whatever their token, a refusal proves nothing.
    async fn replace(
        &self,
        api: &Api,
        entry: &Arc<Entry>,
        refused: &Held,
        complaint: &Complaint,
    ) -> Option<Held> {
        let proven = self.provider().is_proof(&complaint.answer) && !entry.is_distrusted(clock::boot());
        crate::http::report_refused(api, entry, refused.generation, proven).await.ok()?;
        let fresh = self.hold(api, entry).await.ok()??;
        (fresh.token != refused.token).then_some(fresh)
    }

    fn decorate(&self, response: &mut Response<Relay>, held: Option<&Held>, replayed: &'static str) {
        let headers = response.headers_mut();
        headers::strip_response(headers);
        headers::hide(headers, &|text| self.without_secrets(text, held));
        if let Some(held) = held {
            headers.insert(headers::GENERATION, HeaderValue::from(held.generation));
        }
        headers.insert(headers::REPLAYED, HeaderValue::from_static(replayed));
        headers.insert(headers::ORIGIN, HeaderValue::from_static("platform"));
    }

    fn without_secrets(&self, text: &str, held: Option<&Held>) -> String {
        let scrubbed = self.route.material.scrub(text);
        let token = held.map(|held| held.token.expose()).filter(|token| !token.is_empty());
        token.map_or(scrubbed.clone(), |token| scrubbed.replace(token, "-").replace(&encode(token), "-"))
    }
}
