//! What comes to the gateway: who may call what.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokenward_api::{ErrorCode, Problem};
use tokenward_providers::PathRule;

use super::origin::Relay;
use super::prepared::{CallerBody, Persistent, Prepared, malformed, too_large};
use super::target::Target;
use super::{Gateway, Route};
use tokenward_core::view::Reading;

use crate::clients::Caller;
use crate::clock;
use crate::config::Right;
use crate::feed::Entry;
use crate::http::{Api, Refusal};

/// The largest answer that is read whole, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

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
    let rule = allowed(Some(caller), route, &parts.method, &target)?;
    check_length(&parts.headers, route)?;
    let prepared = Prepared {
        route,
        target,
        rule,
        method: parts.method,
        headers: parts.headers,
        persistent: Persistent::Relayed,
        counts: entry.calls_of(caller.label()),
    };
    prepared.make(api, entry, CallerBody::of(body)).await
}

/// What the platform answered to a call of our own.
pub struct Said {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// Whose rules a call of our own is asked about.
#[derive(Clone, Copy)]
pub enum Rules {
    /// The credential's and the caller's.
    Both,
    /// The credential's: it is made for a call that the caller may make.
    OfCredential,
}

/// Whether a call of our own may be made for a caller.
///
/// # Errors
/// It may not.
pub fn may_ask(api: &Api, caller: &Caller, entry: &Entry, path: &str) -> Result<(), Refusal> {
    let target = Target::parse(path).map_err(|bad| malformed(&bad.to_string()))?;
    allowed(Some(caller), api.gateway.route(entry)?, &Method::POST, &target)?;
    Ok(())
}

/// Makes a call of our own for a caller, with JSON, and reads the answer whole.
///
/// # Errors
/// It may not be made, was not made, or no whole answer came in time.
pub async fn ask(
    api: &Api,
    caller: &Caller,
    rules: Rules,
    entry: &Arc<Entry>,
    path_and_query: &str,
    body: Bytes,
) -> Result<Said, Refusal> {
    let asked = matches!(rules, Rules::Both).then_some(caller);
    ask_as(api, asked, caller.label(), entry, path_and_query, body).await
}

/// The same for a sink, which no client asks for: the credential's rules hold.
///
/// # Errors
/// It may not be made, was not made, or no whole answer came in time.
pub async fn ask_for_sink(api: &Api, entry: &Arc<Entry>, path: &str, body: Bytes) -> Result<Said, Refusal> {
    ask_as(api, None, "(sink)", entry, path, body).await
}

async fn ask_as(
    api: &Api,
    asked: Option<&Caller>,
    label: &str,
    entry: &Arc<Entry>,
    path_and_query: &str,
    body: Bytes,
) -> Result<Said, Refusal> {
    let route = api.gateway.route(entry)?;
    if body.len() as u64 > route.rules.max_body {
        return Err(too_large(route.rules.max_body).into());
    }
    let target = Target::parse(path_and_query).map_err(|bad| malformed(&bad.to_string()))?;
    let rule = allowed(asked, route, &Method::POST, &target)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let prepared = Prepared {
        route,
        target,
        rule,
        method: Method::POST,
        headers,
        persistent: Persistent::KeptBack,
        counts: entry.calls_of(label),
    };
    let response = prepared.make(api, entry, CallerBody::Whole(body)).await?;
    let status = response.status();
    let read = Limited::new(response.into_body(), LARGEST_ANSWER).collect();
    let patience = Duration::from_millis(route.rules.timeout.0.unsigned_abs());
    let Ok(read) = tokio::time::timeout(patience, read).await else {
        return Err(ErrorCode::CallTimedOut.problem("the platform did not finish its answer in time").into());
    };
    let read =
        read.map_err(|error| ErrorCode::CallBroken.problem(format!("the answer broke off: {error}")))?;
    Ok(Said { status, body: read.to_bytes() })
}

/// A text of the platform's without the secrets and the current token of a credential.
///
/// # Errors
/// The credential has no base URL.
pub fn without_secrets(api: &Api, entry: &Entry, text: &str) -> Result<String, Box<Problem>> {
    let scrubbed = api.gateway.route(entry)?.material.scrub(text);
    Ok(match entry.view().read(clock::boot()) {
        Reading::Token(offer, _) => scrubbed.replace(offer.token.expose(), "-"),
        _ => scrubbed,
    })
}

impl Gateway {
    /// Where the calls of a credential go.
    ///
    /// # Errors
    /// It has no base URL.
    pub fn route(&self, entry: &Entry) -> Result<&Route, Box<Problem>> {
        let route = self.routes.get(entry.id.0 as usize).filter(|route| !route.places.is_empty());
        route.ok_or_else(|| match &entry.ticket {
            Some(ticket) => {
                let detail = format!("{} is a ticket: no calls are made with it", entry.name);
                let mut problem = ErrorCode::NotCallable.problem(detail);
                problem.next_step = format!("Call with {}, from which it is derived.", ticket.from);
                problem
            }
            None => ErrorCode::NotCallable
                .problem(format!("{} has no base_url, so there is nowhere to call", entry.name)),
        })
    }
}

/// What the path is to the platform, also if the base URL has a part of it. Read as the most generous server would:
/// without regard to case, to parameters of segments and to a slash at the end.
#[must_use]
pub fn rule_of(route: &Route, target: &Target<'_>) -> PathRule {
    let path = generous(target.path);
    let provider = &route.material.provider;
    match provider.path_rule(&path) {
        PathRule::Token => {
            let prefixes = route.places.iter().map(|place| place.prefix.trim_start_matches('/'));
            let whole = prefixes.filter(|prefix| !prefix.is_empty());
            let rules = whole.map(|prefix| provider.path_rule(&format!("{}/{path}", generous(prefix))));
            rules.into_iter().find(|rule| *rule != PathRule::Token).unwrap_or(PathRule::Token)
        }
        special => special,
    }
}

/// A path without what some servers overlook.
fn generous(path: &str) -> Cow<'_, str> {
    let plain = |byte: u8| !byte.is_ascii_uppercase() && byte != b'%' && byte != b';';
    if path.bytes().all(plain) && !path.ends_with('/') {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let segments = decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    let joined = segments.collect::<Vec<_>>().join("/");
    Cow::Owned(joined.trim_end_matches('/').to_owned())
}

/// What the path is, if it may be called: by this caller, or by whoever holds a token of the credential.
///
/// # Errors
/// The credential's rules forbid it, or the caller's.
pub fn allowed(
    caller: Option<&Caller>,
    route: &Route,
    method: &Method,
    target: &Target<'_>,
) -> Result<PathRule, Box<Problem>> {
    let decoded = percent_decode_str(target.path).decode_utf8_lossy();
    if route.rules.has_patterns() || caller.is_some_and(Caller::has_paths) {
        let path = format!("/{decoded}");
        if !route.rules.allows(method, &path, &generous(target.path)) {
            let detail = format!("the rules of {} do not allow {method} {path}", route.material.name);
            return Err(ErrorCode::CallNotAllowed.problem(detail));
        }
        if caller.is_some_and(|caller| !caller.may_call(method, &path)) {
            let detail = format!("the `paths` of this client do not allow {method} {path}");
            return Err(ErrorCode::CallNotAllowed.problem(detail));
        }
    }
    let rule = rule_of(route, target);
    if method == Method::TRACE || method == Method::CONNECT {
        // What answers TRACE repeats the request, with what was put into it (RFC 9110 §9.3.8).
        return Err(ErrorCode::CallNotAllowed.problem(format!("{method} is not called for anybody")));
    }
    match rule {
        PathRule::Issues => {
            let detail = format!("/{decoded} issues tokens: Tokenward alone calls it");
            return Err(ErrorCode::CallNotAllowed.problem(detail));
        }
        PathRule::TokenForToken => {
            // Whoever is not known holds a token of ours, and could make the call without us.
            if caller.is_some_and(|caller| caller.check(Right::Token).is_err()) {
                let detail =
                    format!("/{decoded} answers with a ticket, and this client has no right to tokens");
                let mut problem = ErrorCode::CallNotAllowed.problem(detail);
                problem.next_step =
                    "Configure the ticket (platform \"wechat-ticket\") and sign with /v1/sign, or give the client the right \"token\".".to_owned();
                return Err(problem);
            }
        }
        PathRule::TokenByOperator | PathRule::SecretInBody { .. } => match caller {
            Some(caller) => caller.check(Right::Admin)?,
            None => {
                let detail = format!("/{decoded} is for operators, and a token names nobody");
                return Err(ErrorCode::CallNotAllowed.problem(detail));
            }
        },
        PathRule::Token | PathRule::Secret { .. } | PathRule::Untouched => {}
    }
    Ok(rule)
}

/// Refuses bodies that are known to be too large.
///
/// # Errors
/// It is.
pub fn check_length(headers: &HeaderMap, route: &Route) -> Result<(), Box<Problem>> {
    let rules = &route.rules;
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > rules.max_body) {
        return Err(too_large(rules.max_body));
    }
    Ok(())
}
