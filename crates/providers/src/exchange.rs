//! One HTTP exchange as values: what is sent, what came back.

use core::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokenward_core::secret::Secret;

/// A request to a platform. Its URL and body may carry secrets, so `Debug` shows neither.
#[derive(Clone)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: Method,
    /// The absolute URL.
    pub url: Secret,
    /// Header names in lower case, and their values.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body; empty for none.
    pub body: Secret,
}

/// The methods that token endpoints use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
}

/// An answer, read whole. Its body may carry a token, so `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, and their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Method {
    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

impl Request {
    /// A request without body.
    #[must_use]
    pub fn get(url: String) -> Request {
        Request { method: Method::Get, url: Secret::new(url), headers: Vec::new(), body: Secret::new("") }
    }

    /// A request with a body of this type.
    #[must_use]
    pub fn post(url: String, content_type: &'static str, body: String) -> Request {
        let headers = vec![("content-type", Secret::new(content_type))];
        Request { method: Method::Post, url: Secret::new(url), headers, body: Secret::new(body) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Box<str>>) -> Request {
        self.headers.push((name, Secret::new(value)));
        self
    }
}

impl Answer {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is JSON. A byte-order mark before it is tolerated.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        serde_json::from_slice(body).ok()
    }

    /// Whether the body looks like a page for people.
    #[must_use]
    pub fn is_html(&self) -> bool {
        let start: Vec<u8> =
            self.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(5).collect();
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
            || start.eq_ignore_ascii_case(b"<html")
            || start.eq_ignore_ascii_case(b"<!doc")
    }

    /// `Retry-After` in whole seconds; the form with a date is not used by any platform we know.
    #[must_use]
    pub fn retry_after(&self) -> Option<tokenward_core::time::Span> {
        let seconds: i64 = self.header("retry-after")?.trim().parse().ok()?;
        (seconds >= 0).then(|| tokenward_core::time::Span::seconds(seconds))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { status, body, .. } = self;
        f.debug_struct("Answer")
            .field("status", status)
            .field("body_bytes", &body.len())
            .finish_non_exhaustive()
    }
}

/// What stays as it is in a query or form value (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Names and values as a query or form body.
#[must_use]
pub fn form(pairs: &[(&str, &str)]) -> String {
    let encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    encoded.join("&")
}

/// One value, percent-encoded.
#[must_use]
pub fn encode(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if value.bytes().all(plain) {
        return value.to_owned();
    }
    utf8_percent_encode(value, UNRESERVED).to_string()
}

/// A path under a base URL that may or may not end in a slash.
#[must_use]
pub fn join(base_url: &str, path: &str) -> String {
    format!("{}/{}", base_url.trim_end_matches('/'), path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_requests_nor_answers_show_what_they_carry() {
        let request =
            Request::post("https://x/?secret=hunter2".to_owned(), "text/plain", "hunter2".to_owned());
        let answer = Answer { status: 200, headers: Vec::new(), body: b"hunter2".to_vec() };
        let shown = format!("{request:?} {answer:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
}
