//! What can go wrong.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::duration_text;

/// A kind of fault. "Every request" means every request to a platform; control calls are never struck.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Every request: takes effect at once, is answered this much later in real time.
    Latency(Duration),
    /// Every request: no effect, answered as "busy": -1 at WeChat, 2 at Baidu, 503 at OAuth 2.0.
    Busy,
    /// Every request: no effect, answered with this HTTP status and a short text.
    Status(StatusCode),
    /// Every request: no effect, the connection is reset.
    ResetBefore,
    /// Token requests, or those of the fault's path: takes effect, then the connection is reset without an
    /// answer. Strikes only where there was an effect to lose, that is not on refusals.
    ResetAfterIssue,
    /// Every request: no effect, answered with an HTML page of this HTTP status.
    Html(StatusCode),
    /// Every request: takes effect, the answer breaks off in the middle of its body.
    Truncate,
    /// Every request: no effect, refused with this code.
    Errcode {
        /// The number in `errcode` (WeChat) or `error_code` (Baidu).
        errcode: i64,
        /// The text beside it; `None`: the documented one.
        errmsg: Option<String>,
        /// The word in `error`, for OAuth 2.0; `None`: `server_error`.
        error: Option<String>,
        /// The HTTP status of an OAuth 2.0 answer; `None`: 400.
        status: Option<StatusCode>,
    },
    /// WeChat's token requests, or the business calls of the fault's path: 45009. Ends at the next midnight
    /// in Beijing, and for an app whose counters are cleared.
    QuotaUsedUp,
    /// WeChat's token requests: the app secret is frozen, 40243.
    Frozen,
    /// Token requests that succeed: the token is told to live another time than it does.
    ExpiresIn(ToldLife),
}

/// What the field `expires_in` says instead of the true life.
#[derive(Clone, Debug, PartialEq)]
pub enum ToldLife {
    /// This value, literally: a number of any size or sign, a text, `null`.
    Literal(Value),
    /// The true value, as a text.
    AsText,
    /// The field is missing.
    Missing,
}

impl FaultKind {
    /// The names of all kinds, as control calls use them.
    pub const NAMES: [&'static str; 11] = [
        "latency",
        "busy",
        "status",
        "reset_before",
        "reset_after_issue",
        "html",
        "truncate",
        "errcode",
        "quota_used_up",
        "frozen",
        "expires_in",
    ];

    /// The name of this kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Busy => "busy",
            Self::Status(_) => "status",
            Self::ResetBefore => "reset_before",
            Self::ResetAfterIssue => "reset_after_issue",
            Self::Html(_) => "html",
            Self::Truncate => "truncate",
            Self::Errcode { .. } => "errcode",
            Self::QuotaUsedUp => "quota_used_up",
            Self::Frozen => "frozen",
            Self::ExpiresIn(_) => "expires_in",
        }
    }

    /// Whether the kind stands in for the platform's own answer.
    pub(crate) fn replaces_answer(&self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Status(_) | Self::ResetBefore | Self::Html(_) | Self::Errcode { .. }
        )
    }

    /// Whether the kind strikes only token requests unless the fault names a path.
    pub(crate) fn is_about_tokens(&self) -> bool {
        matches!(self, Self::ResetAfterIssue | Self::QuotaUsedUp | Self::Frozen | Self::ExpiresIn(_))
    }

    /// The fields that this kind alone has, in the spelling of control calls.
    pub(crate) fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Latency(latency) => json!({ "latency": duration_text::format(*latency) }),
            Self::Status(status) | Self::Html(status) => json!({ "status": status.as_u16() }),
            Self::Errcode { errcode, errmsg, error, status } => json!({
                "errcode": errcode,
                "errmsg": errmsg,
                "error": error,
                "status": status.map(|status| status.as_u16()),
            }),
            Self::ExpiresIn(ToldLife::Literal(value)) => json!({ "value": value }),
            Self::ExpiresIn(ToldLife::AsText) => json!({ "as": "string" }),
            Self::ExpiresIn(ToldLife::Missing) => json!({ "as": "missing" }),
            _ => json!({}),
        };
        match details {
            Value::Object(mut fields) => {
                fields.retain(|name, value| name == "value" || !value.is_null());
                fields
            }
            _ => Map::new(),
        }
    }
}
