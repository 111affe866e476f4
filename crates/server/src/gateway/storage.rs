//! Files to and from the storage of a platform: an address that the platform named, and no token.
//!
//! The address is used once. It must be HTTPS unless a base URL of the credential is not, and must not lead into the
//! network that Tokenward stands in, unless it has scheme, host and port of a base URL or `egress.allow_private` is set. Redirects
//! are not followed.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, Uri, Version, header};
use reqwest::Url;
use tokenward_api::{ErrorCode, Problem};
use tokenward_core::time::Span;

use super::body::{CallBody, Copy};
use super::connect::Authority;
use super::origin::{Origin, Relay, SendError};
use super::prepared::too_large;
use super::{Route, authority, headers};
use crate::clock;
use crate::feed::Entry;
use crate::http::{Api, Refusal};

/// A request to the storage.
pub struct Parcel {
    /// The method.
    pub method: Method,
    /// Headers beside `Host`.
    pub headers: HeaderMap,
    /// The body.
    pub body: CallBody,
    /// Notes what passes of it.
    pub copy: Arc<Copy>,
}

/// Sends a request to an address that the platform of a credential named, and returns the answer's head.
///
/// # Errors
/// The address is not one to be used, or no answer came.
pub async fn to_storage(
    api: &Api,
    entry: &Entry,
    url: &str,
    parcel: Parcel,
) -> Result<Response<Relay>, Refusal> {
    let route = api.gateway.route(entry)?;
    let (origin, path) = origin(route, &parse(url)?)?;
    let Parcel { method, mut headers, body, copy } = parcel;
    headers.insert(header::HOST, origin.host.clone());
    let mut target = path;
    if origin.connector().wants_whole_url(&origin.authority) {
        if let Some(authorization) = origin.connector().proxy_authorization() {
            let value = headers::sensitive(authorization.to_owned());
            headers.extend(value.map(|value| (header::PROXY_AUTHORIZATION, value)));
        }
        target = format!("http://{}{target}", origin.authority);
    }
    let target = Uri::try_from(target).map_err(|_| unusable("it is no URL"))?;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    exchange(route, &origin, request, &copy).await.map_err(Refusal::from)
}

/// An address that the platform of a credential named, spelt as URLs are, if it is one to be used.
///
/// # Errors
/// It is not.
pub fn storage_url(api: &Api, entry: &Entry, url: &str) -> Result<String, Refusal> {
    let url = parse(url)?;
    origin(api.gateway.route(entry)?, &url)?;
    Ok(url.into())
}

fn parse(url: &str) -> Result<Url, Box<Problem>> {
    Url::parse(url).map_err(|_| unusable("it is no URL"))
}

/// The place that an address names, and the path and query there.
fn origin(route: &Route, url: &Url) -> Result<(Arc<Origin>, String), Box<Problem>> {
    let known = || route.places.iter().map(|place| &place.origin);
    let plain_allowed = known().any(|origin| !origin.authority.tls);
    if url.scheme() != "https" && !(plain_allowed && url.scheme() == "http") {
        return Err(unusable("it is not HTTPS"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("it has a user name"));
    }
    let (authority, host) = authority(url).ok_or_else(|| unusable("it names no host"))?;
    let same = |origin: &&Arc<Origin>| is_same_host(&origin.authority, &authority);
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    let path = format!("{}{query}", url.path());
    if let Some(origin) = known().find(same) {
        return Ok((Arc::clone(origin), path));
    }
    let first = known().next().ok_or_else(|| unusable("the credential has no base_url"))?;
    if !first.connector().trusts(&authority.host) {
        return Err(unusable("it is inside the network; set egress.allow_private if it should be"));
    }
    Ok((first.elsewhere(authority, host), path))
}

fn is_same_host(one: &Authority, other: &Authority) -> bool {
    one.port == other.port && one.tls == other.tls && one.host.eq_ignore_ascii_case(&other.host)
}

/// The storage's time to answer begins when the body has passed, and a body that keeps coming takes none of it.
async fn exchange(
    route: &Route,
    origin: &Arc<Origin>,
    request: Request<CallBody>,
    copy: &Arc<Copy>,
) -> Result<Response<Relay>, Box<Problem>> {
    let mut request = Some(request);
    let mut sending = std::pin::pin!(origin.send(&mut request, None, copy));
    loop {
        let left = copy.progress() + route.rules.timeout - clock::boot();
        if left <= Span::ZERO {
            let seconds = route.rules.timeout.whole_seconds();
            if copy.is_passing() {
                let detail = format!("nothing more of the file came for {seconds} s");
                return Err(ErrorCode::Malformed.problem(detail));
            }
            let detail = format!("the storage did not answer within {seconds} s");
            return Err(ErrorCode::CallTimedOut.problem(detail));
        }
        let patience = Duration::from_millis(u64::try_from(left.0).unwrap_or(0));
        let Ok(sent) = tokio::time::timeout(patience, &mut sending).await else { continue };
        return sent.map_err(|error| match error {
            _ if copy.is_too_large() => too_large(route.rules.max_body),
            SendError::Broken(_) => {
                ErrorCode::CallBroken.problem(format!("on the way to the storage: {error}"))
            }
            _ => ErrorCode::Unreachable.problem(format!("the storage was not reached: {error}")),
        });
    }
}

fn unusable(why: &str) -> Box<Problem> {
    let mut problem = ErrorCode::StorageRefused
        .problem(format!("the address that the platform named for the file is not used: {why}"));
    problem.next_step =
        "Look at who answers in the platform's place: the `base_url` of the credential.".to_owned();
    problem
}
