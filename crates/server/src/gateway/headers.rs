//! Headers of a call: what stays on this side, what goes through, what is added.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers that belong to one connection (RFC 9110 §7.6.1), in lower case.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What a client sends for us alone.
const OURS: [HeaderName; 4] = [header::AUTHORIZATION, header::COOKIE, header::HOST, header::EXPECT];
/// The prefix of our own headers.
const PREFIX: &str = "tokenward-";

/// Which credential's token an answer belongs to.
pub const GENERATION: HeaderName = HeaderName::from_static("tokenward-generation");
/// Whether the call was made twice: `true`, `false`, or `impossible` when the body was too large to be kept.
pub const REPLAYED: HeaderName = HeaderName::from_static("tokenward-replayed");
/// Who made the answer: `platform` or `gateway`.
pub const ORIGIN: HeaderName = HeaderName::from_static("tokenward-origin");
/// What the logs call this request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("tokenward-request-id");

/// Takes out of a client's headers what must not reach the platform.
pub fn strip_request(headers: &mut HeaderMap, inspected: bool) {
    strip_hops(headers);
    for name in OURS {
        headers.remove(name);
    }
    if inspected {
        // A compressed complaint could not be read.
        headers.remove(header::ACCEPT_ENCODING);
    }
}

/// Takes out of a platform's headers what belongs to the connection.
pub fn strip_response(headers: &mut HeaderMap) {
    strip_hops(headers);
}

fn strip_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // A client must not name away what tells where the body ends.
        .filter(|name| name != header::CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    if headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        let ours: Vec<HeaderName> =
            headers.keys().filter(|name| name.as_str().starts_with(PREFIX)).cloned().collect();
        for name in ours {
            headers.remove(name);
        }
    }
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
        let mut headers = map(&[
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
        strip_request(&mut headers, true);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "content-type", "x-own"]);
    }
}
