//! The token endpoint's errors (RFC 6749 section 5.2).

use http::StatusCode;
use http::header::{ALLOW, CACHE_CONTROL, PRAGMA, WWW_AUTHENTICATE};
use serde_json::json;

use super::REALM;
use crate::answer::Answer;
use crate::reply::Reply;

/// A refused token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenError {
    status: StatusCode,
    pub(super) error: &'static str,
    description: &'static str,
}

impl TokenError {
    /// The request is malformed.
    pub(super) fn invalid_request(description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: "invalid_request", description }
    }

    /// The client is unknown, or could not prove who it is.
    pub(super) fn invalid_client(description: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
    }

    pub(super) fn unsupported_grant_type() -> Self {
        let description = "only client_credentials is supported";
        Self { status: StatusCode::BAD_REQUEST, error: "unsupported_grant_type", description }
    }

    pub(super) fn invalid_scope() -> Self {
        let description = "a scope is a list of printable words, each followed by one space except the last";
        Self { status: StatusCode::BAD_REQUEST, error: "invalid_scope", description }
    }

    pub(super) fn method_not_allowed() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self { status, error: "invalid_request", description: "the token endpoint answers POST only" }
    }

    pub(super) fn answer(self) -> Answer {
        let body = json!({ "error": self.error, "error_description": self.description });
        let reply = not_stored(Reply::of_json(self.status, &body));
        Answer::refused(match self.status {
            StatusCode::UNAUTHORIZED => reply.with(WWW_AUTHENTICATE, &format!("Basic realm=\"{REALM}\"")),
            StatusCode::METHOD_NOT_ALLOWED => reply.with(ALLOW, "POST"),
            _ => reply,
        })
    }
}

/// No answer of the token endpoint may be cached (RFC 6749 section 5.1).
pub(super) fn not_stored(reply: Reply) -> Reply {
    reply.with(CACHE_CONTROL, "no-store").with(PRAGMA, "no-cache")
}
