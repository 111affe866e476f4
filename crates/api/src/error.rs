//! Errors on the wire: RFC 9457 problem details with a stable code and a next step.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A problem, as `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Problem {
    /// `https://tokenward.dev/problems/CODE`: a name, not necessarily a page.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem in a few words, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here.
    pub detail: String,
    /// The stable name of the problem.
    pub code: String,
    /// What to do about it.
    pub next_step: String,
    /// The platform's own words, when it was the platform that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformError>,
}

/// A platform's refusal in its own terms.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct PlatformError {
    /// The platform's code: a number where the platform uses numbers.
    #[schema(value_type = Object)]
    pub errcode: serde_json::Value,
    /// The platform's message.
    pub errmsg: String,
}

impl PlatformError {
    /// From the platform's code as text: numbers become numbers again.
    #[must_use]
    pub fn new(code: &str, message: &str) -> PlatformError {
        let errcode = code.parse::<i64>().map_or_else(|_| code.into(), serde_json::Value::from);
        PlatformError { errcode, errmsg: message.to_owned() }
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal, $next_step:literal;)+) => {
        /// Problems of our own making. Failures of a platform keep their own codes beside these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)+ }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)+];

            /// The stable name.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(ErrorCode::$name => $code,)+ } }

            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(self) -> u16 { match self { $(ErrorCode::$name => $status,)+ } }

            /// The problem in a few words.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(ErrorCode::$name => $title,)+ } }

            /// What to do, in general.
            #[must_use]
            pub fn next_step(self) -> &'static str { match self { $(ErrorCode::$name => $next_step,)+ } }
        }
    };
}

error_codes! {
    /// The request cannot be understood.
    Malformed = "malformed", 400, "The request cannot be understood",
        "Correct the request; /openapi.json describes every call.";
    /// There is no key, or nobody has it.
    Unauthorized = "unauthorized", 401, "No client key, or an unknown one",
        "Send `Authorization: Bearer CLIENT_KEY` with a key that stands in [clients] of the configuration.";
    /// The client may not do this.
    Forbidden = "forbidden", 403, "This client may not do this",
        "Add the right to `may` of this client in the configuration, or use another client's key.";
    /// There is no such credential, or the client may not see it.
    NoSuchCredential = "no_such_credential", 404, "No such credential",
        "Check the name; the client sees only what its `credentials` in the configuration match.";
    /// There is no such file in the cloud.
    NoSuchFile = "no_such_file", 404, "No such file",
        "Check the path and the environment; a file is there once its upload was answered.";
    /// There is no such message of a callback.
    NoSuchMessage = "no_such_message", 404, "No such message",
        "`tokenward callback list` shows all messages that wait or were given up.";
    /// A body of unknown length cannot be passed on.
    LengthRequired = "length_required", 411, "The length must be known",
        "Send `Content-Length`: the storage wants to know the length before the first byte.";
    /// There is no such path.
    NoSuchPath = "no_such_path", 404, "No such path", "Check the path; /openapi.json lists all of them.";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed",
        "Use a method that /openapi.json lists for this path.";
    /// It would break what holders were told.
    WouldBreakPromise = "would_break_told_life", 409, "Holders rely on the current token",
        "Wait for the planned refresh, or send {\"force\":true} if the current token must go.";
    /// The body is too large.
    TooLarge = "too_large", 413, "The request is too large",
        "Send a smaller body: 64 KiB at most, on the gateway what `max_body` allows.";
    /// There is nowhere to call.
    NotCallable = "not_callable", 409, "This credential has nowhere to call",
        "Add `base_url` to the credential: where the gateway sends its calls.";
    /// The credential does not make this signature.
    CannotSign = "cannot_sign", 409, "This credential does not make this signature",
        "Name a credential of the platform \"wechat-ticket\": kind \"jsapi\" and `domains` for pages, kind \"wx_card\" for cards.";
    /// Pages of this domain are not signed.
    DomainNotAllowed = "domain_not_allowed", 403, "Pages of this domain are not signed",
        "Add the page's domain to `domains` of [credentials.NAME] in the configuration, if it is yours.";
    /// The rules do not allow this call.
    CallNotAllowed = "call_not_allowed", 403, "This call is not allowed",
        "Use another path, or change `paths` of the client or [credentials.NAME.gateway] in the configuration.";
    /// The platform refuses the token even after a refresh.
    TokenRefused = "token_refused", 502, "The platform refuses the token even after a refresh",
        "Run `tokenward status NAME`: look for somebody else who fetches tokens for this app, and for a frozen app.";
    /// The platform's cloud refuses.
    CloudRefused = "cloud_refused", 502, "The platform's cloud refuses",
        "Read `platform`: the code and the message are the platform's own.";
    /// The cloud's storage refuses.
    StorageRefused = "storage_refused", 502, "The cloud's storage refuses",
        "Read `platform`: the code and the message are the storage's own.";
    /// The platform cannot be reached.
    Unreachable = "platform_unreachable", 502, "The platform cannot be reached",
        "Check the network, [egress] and `base_url`; nothing was sent, so the call can be made again.";
    /// The connection broke in the middle of a call.
    CallBroken = "call_broken", 502, "The connection to the platform broke",
        "Find out whether the call had its effect before you make it again.";
    /// The platform did not answer in time.
    CallTimedOut = "call_timed_out", 504, "The platform did not answer in time",
        "Find out whether the call had its effect before you make it again; `timeout` in [credentials.NAME.gateway] \
         says how long to wait.";
    /// The budget allows no more now.
    Limited = "limited", 429, "The budget allows no fetch now", "Try again after the time in Retry-After.";
    /// There is no usable token now.
    NoUsableToken = "no_usable_token", 503, "There is no usable token now",
        "Try again after the time in Retry-After; `tokenward status NAME` says what is wrong.";
    /// The store fails.
    StoreFails = "store_fails", 503, "The store fails",
        "Free space on the disk that holds data_dir, or make it writable; Tokenward tries again by itself.";
    /// The server is shutting down.
    ShuttingDown = "shutting_down", 503, "The server is shutting down", "Try again on another connection.";
    /// No token came in time.
    TimedOut = "timed_out", 504, "No token came in time",
        "Try again; `tokenward status NAME` says what the platform is doing.";
    /// Something is wrong in Tokenward itself.
    Internal = "internal", 500, "Something is wrong in Tokenward itself",
        "Report it with the log line of this moment.";
}

impl ErrorCode {
    /// A problem of this kind.
    #[must_use]
    pub fn problem(self, detail: impl Into<String>) -> Box<Problem> {
        Box::new(Problem {
            kind: Problem::kind(self.as_str()),
            title: self.title().to_owned(),
            status: self.status(),
            detail: detail.into(),
            code: self.as_str().to_owned(),
            next_step: self.next_step().to_owned(),
            platform: None,
        })
    }
}

impl Problem {
    /// The `type` of problems with this code.
    #[must_use]
    pub fn kind(code: &str) -> String {
        format!("https://tokenward.dev/problems/{code}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn a_platforms_number_stays_a_number() {
        let json = serde_json::to_string(&PlatformError::new("40164", "invalid ip")).unwrap();
        assert_eq!(json, r#"{"errcode":40164,"errmsg":"invalid ip"}"#);
        assert_eq!(PlatformError::new("invalid_client", "").errcode, "invalid_client");
    }
}
