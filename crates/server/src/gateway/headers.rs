//! Headers of a call: what stays on this side, what goes through, what is added.

use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers that belong to one connection (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// What a client sends for us alone. A compressed complaint could not be read.
const OURS: [HeaderName; 5] =
    [header::AUTHORIZATION, header::COOKIE, header::HOST, header::EXPECT, header::ACCEPT_ENCODING];
/// The prefix of our own headers.
const PREFIX: &str = "tokenward-";

/// Which credential's token an answer belongs to.
pub const GENERATION: HeaderName = HeaderName::from_static("tokenward-generation");
/// Whether the call was made twice: `true`, `false`, or `impossible` when it should have been and could not: its body
/// was too large to be kept, or may have had an effect already.
pub const REPLAYED: HeaderName = HeaderName::from_static("tokenward-replayed");
/// Who made the answer: `platform` or `gateway`.
pub const ORIGIN: HeaderName = HeaderName::from_static("tokenward-origin");
/// What the logs call this request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("tokenward-request-id");

/// Marks an answer as one of ours: the platform was not called, or its answer is not passed on.
pub fn sign<B>(response: &mut Response<B>, origin: &'static str) {
    let headers = response.headers_mut();
    headers.insert(ORIGIN, HeaderValue::from_static(origin));
    headers.insert(REPLAYED, HeaderValue::from_static("false"));
}

/// Takes a token out of the headers in which a platform may send it back: where a redirect leads to.
pub fn hide(headers: &mut HeaderMap, hidden: &dyn Fn(&str) -> String) {
    for name in [header::LOCATION, header::CONTENT_LOCATION, header::LINK, header::REFRESH] {
        let text = headers.get(&name).and_then(|value| value.to_str().ok()).map(hidden);
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
}

/// A client's headers as the platform may see them.
#[must_use]
pub fn of_request(headers: &HeaderMap) -> HeaderMap {
    let named = named_by_connection(headers);
    let mut passing = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        if !OURS.contains(name) && !stays(name, &named) {
            passing.append(name.clone(), value.clone());
        }
    }
    passing
}

/// Takes out of a platform's headers what belongs to the connection.
pub fn strip_response(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    let staying: Vec<HeaderName> = headers.keys().filter(|name| stays(name, &named)).cloned().collect();
    for name in staying {
        headers.remove(name);
    }
}

fn stays(name: &HeaderName, named: &[HeaderName]) -> bool {
    HOP_BY_HOP.contains(name) || named.contains(name) || name.as_str().starts_with(PREFIX)
}

/// What `Connection` names beside the usual words. Nobody names away what tells where the body ends.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"))
        .filter_map(|name| HeaderName::try_from(name).ok())
        .filter(|name| name != header::CONTENT_LENGTH)
        .collect()
}

/// A header that is not shown in `Debug`.
#[must_use]
pub fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn what_is_meant_for_us_does_not_go_through() {
        let headers = map(&[
            ("authorization", "Bearer key"),
            ("cookie", "a=b"),
            ("host", "tokenward"),
            ("connection", "close, x-hop, content-length"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("tokenward-generation", "9"),
            ("accept-encoding", "gzip"),
            ("content-length", "3"),
            ("content-type", "text/plain"),
            ("x-own", "2"),
        ]);
        let passing = of_request(&headers);
        let mut left: Vec<&str> = passing.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "content-type", "x-own"]);
    }
}
