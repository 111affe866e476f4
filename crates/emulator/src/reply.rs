//! What the emulator answers.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

/// One HTTP answer, complete with its body.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that describe the connection or the length.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; `None` when it is none.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn raw(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn of_json(status: StatusCode, value: &Value) -> Self {
        Self::raw(status, "application/json", value.to_string())
    }

    /// An error of the emulator itself, as opposed to one of a platform.
    pub(crate) fn own_error(status: StatusCode, message: &str) -> Self {
        Self::of_json(status, &json!({ "error": message }))
    }

    pub(crate) fn method_not_allowed(allowed: &'static str) -> Self {
        Self::own_error(StatusCode::METHOD_NOT_ALLOWED, &format!("this path answers {allowed} only"))
            .with(ALLOW, allowed)
    }

    /// The same reply with this header, which must be valid as a header value.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}
