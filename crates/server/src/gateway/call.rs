//! One call: checked, sent with the token, and once more if the token was refused.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokenward_api::{ErrorCode, Problem};
use tokenward_core::secret::Secret;
use tokenward_core::view::{Offer, Reading};
use tokenward_providers::{Answer, PathRule, Placement, Provider, encode};

use super::body::{CallBody, Copy};
use super::headers;
use super::inspect;
use super::origin::{Relay, SendError};
use super::target::Target;
use super::{Gateway, Place, Route};
use crate::clients::Caller;
use crate::clock;
use crate::config::Right;
use crate::feed::Entry;
use crate::http::{Api, Refusal};

/// The token that a call is made with.
struct Held {
    token: Secret,
    generation: u64,
}

/// A call that may be sent, several times if need be.
struct Prepared<'a> {
    route: &'a Route,
    target: Target<'a>,
    rule: PathRule,
    method: Method,
    headers: HeaderMap,
}

/// Makes a call, and again if the token was refused.
///
/// # Errors
/// It was not made, or no answer came.
///
/// `start` is what stands in the path before the credential's name.
pub async fn call(
    api: &Api,
    caller: &Caller,
    request: Request<Incoming>,
    start: &str,
) -> Result<Response<Relay>, Refusal> {
    let (parts, body) = request.into_parts();
    if parts.uri.authority().is_some() {
        return Err(malformed("the request names a host: send only the path").into());
    }
    let rest = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let rest = rest.strip_prefix(start).unwrap_or_default();
    let (name, target) = rest.split_once('/').unwrap_or((rest, ""));
    let entry = caller.permit(&api.feed, name, Right::Call)?.entry();
    let route = api.gateway.route(entry)?;
    let target = Target::parse(target).map_err(|bad| malformed(&bad.to_string()))?;
    let rule = allowed(caller, route, &parts.method, &target)?;
    check_length(&parts.headers, &route.rules)?;
    let headers = headers::of_request(&parts.headers);
    let prepared = Prepared { route, target, rule, method: parts.method, headers };
    let held = prepared.hold(api, entry).await?;
    crate::feed::Counts::add(&entry.counts.calls);
    prepared.make(api, entry, held, body).await
}

impl Gateway {
    fn route(&self, entry: &Entry) -> Result<&Route, Box<Problem>> {
        let route = self.routes.get(entry.id.0 as usize).filter(|route| !route.places.is_empty());
        route.ok_or_else(|| {
            ErrorCode::NotCallable
                .problem(format!("{} has no base_url, so there is nowhere to call", entry.name))
        })
    }
}

/// What the path is, if this caller may call it.
fn allowed(
    caller: &Caller,
    route: &Route,
    method: &Method,
    target: &Target<'_>,
) -> Result<PathRule, Box<Problem>> {
    let decoded = percent_decode_str(target.path).decode_utf8_lossy();
    if route.rules.has_patterns() || caller.has_paths() {
        let path = format!("/{decoded}");
        if !route.rules.allows(method, &path) {
            let detail = format!("the rules of {} do not allow {method} {path}", route.material.name);
            return Err(ErrorCode::CallNotAllowed.problem(detail));
        }
        if !caller.may_call(method, &path) {
            let detail = format!("the `paths` of this client do not allow {method} {path}");
            return Err(ErrorCode::CallNotAllowed.problem(detail));
        }
    }
    let lower = if decoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(decoded.to_ascii_lowercase())
    } else {
        Cow::Borrowed(decoded.as_ref())
    };
    let rule = route.material.provider.path_rule(&lower);
    match rule {
        PathRule::Issues => {
            let detail = format!("/{decoded} issues tokens: Tokenward alone calls it");
            return Err(ErrorCode::CallNotAllowed.problem(detail));
        }
        PathRule::TokenByOperator | PathRule::SecretInBody { .. } => caller.check(Right::Admin)?,
        PathRule::Token | PathRule::Secret { .. } | PathRule::Untouched => {}
    }
    Ok(rule)
}

fn check_length(headers: &HeaderMap, rules: &crate::config::CallRules) -> Result<(), Box<Problem>> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > rules.max_body) {
        return Err(too_large(rules.max_body));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(malformed("the request says in two ways where its body ends"));
    }
    Ok(())
}

fn too_large(most: u64) -> Box<Problem> {
    ErrorCode::TooLarge.problem(format!("the body has more than the {most} bytes that may be sent"))
}

fn malformed(detail: &str) -> Box<Problem> {
    ErrorCode::Malformed.problem(detail)
}

impl<'a> Prepared<'a> {
    fn provider(&self) -> &'a dyn Provider {
        self.route.material.provider.as_ref()
    }

    fn needs_token(&self) -> bool {
        matches!(self.rule, PathRule::Token | PathRule::TokenByOperator)
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

    async fn make(
        &self,
        api: &Api,
        entry: &Arc<Entry>,
        held: Option<Held>,
        body: Incoming,
    ) -> Result<Response<Relay>, Refusal> {
        let rules = &self.route.rules;
        let bodyless = hyper::body::Body::is_end_stream(&body);
        let copy = Copy::of_at_most(rules.replay_buffer, rules.max_body);
        let first = match self.own_body() {
            Some(own) => CallBody::whole(own),
            None if bodyless => CallBody::whole(bytes::Bytes::new()),
            None => CallBody::Passing(body, Arc::clone(&copy)),
        };
        let mut response = self.send(held.as_ref(), first, bodyless, &copy).await?;
        let Some(held) = held else {
            decorate(&mut response, None, "false");
            return Ok(response);
        };
        let Some(complaint) = self.complaint(&mut response).await else {
            decorate(&mut response, Some(held.generation), "false");
            return Ok(response);
        };
        crate::feed::Counts::add(&entry.counts.refused);
        let Some(fresh) = self.replace(api, entry, &held).await else {
            decorate(&mut response, Some(held.generation), "false");
            return Ok(response);
        };
        let whole = if bodyless { Some(bytes::Bytes::new()) } else { copy.whole() };
        let again =
            whole.filter(|_| self.provider().refused_before_effect(self.method.is_safe(), &complaint));
        let Some(whole) = again else {
            decorate(&mut response, Some(held.generation), "impossible");
            return Ok(response);
        };
        crate::feed::Counts::add(&entry.counts.replayed);
        let mut second = self.send(Some(&fresh), CallBody::whole(whole), bodyless, &copy).await?;
        decorate(&mut second, Some(fresh.generation), "true");
        Ok(second)
    }

    /// The body of calls that consist of the app's id and secret: whatever the client sent is not used.
    fn own_body(&self) -> Option<bytes::Bytes> {
        let PathRule::SecretInBody { id, secret } = self.rule else { return None };
        let secrets = self.route.material.secrets();
        let value = secrets.first().map(|secret| secret.expose()).unwrap_or_default();
        Some(serde_json::json!({ id: self.provider().app_id(), secret: value }).to_string().into())
    }

    async fn complaint(&self, response: &mut Response<Relay>) -> Option<Answer> {
        let answer = inspect::suspicious(self.provider().complaints(), response).await?;
        self.provider().complaint(&answer).then_some(answer)
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
            self.request(place, held, CallBody::whole(bytes::Bytes::new()))
                .unwrap_or_else(|_| Request::new(CallBody::whole(bytes::Bytes::new())))
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
        let mut headers = self.headers.clone();
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
