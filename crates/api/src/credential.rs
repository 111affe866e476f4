//! What can be seen of a credential. Never its token, never its secret.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::PlatformError;

/// One credential's standing.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct CredentialStatus {
    /// Its name.
    #[schema(example = "shop")]
    pub name: String,
    /// The vendor whose API is called.
    #[schema(example = "wechat")]
    pub platform: String,
    /// The credential with whose token it is fetched, where it is a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<String>,
    /// `pending`, `live`, `retrying`, `contested`, `blocked` or `expired`.
    #[schema(example = "live")]
    pub state: String,
    /// Whether a token can be had now.
    pub usable: bool,
    /// The generation of the current token; 0 before the first.
    pub generation: u64,
    /// When the current token was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<String>,
    /// The true end of the current token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When the next refresh is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_refresh_at: Option<String>,
    /// The next three times of the schedule; absent without one. The first is not always the next refresh: a lead
    /// may come before it, and a time shortly after a refresh is served by that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_scheduled: Vec<String>,
    /// Whether a fetch is running.
    pub refreshing: bool,
    /// The last failure, if nothing has succeeded since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// Foreign refreshes: our token died long before its end without our doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_refreshes: Option<ForeignRefreshes>,
    /// Refusals that persisted after refresh and replay, and that the facade did not pass on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusals_kept_back: Option<RefusalsKeptBack>,
    /// Its sinks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkStatus>,
    /// Fetches today.
    pub budget: Budget,
    /// How often the token was handed out since the server was started.
    pub reads: u64,
}

/// A page of credentials.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct CredentialList {
    /// In the order of their names.
    pub credentials: Vec<CredentialStatus>,
    /// What to pass as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Why the last attempt failed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct LastFailure {
    /// The stable name of the failure.
    #[schema(example = "ip_not_allowed")]
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What a person can do.
    pub next_step: String,
    /// When.
    pub at: String,
    /// How many attempts failed in a row.
    pub attempts: u32,
    /// The platform's own words, when it was the platform that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformError>,
}

/// Somebody else fetches tokens for the same app.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct ForeignRefreshes {
    /// How often today (UTC+8).
    pub times_today: u32,
    /// When it was last seen.
    pub last_at: String,
    /// One sentence for people.
    pub detail: String,
    /// What a person can do.
    pub next_step: String,
}

/// The platform refused the token of a call even after a refresh.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct RefusalsKeptBack {
    /// How often since the server was started.
    pub count: u64,
    /// The last time.
    pub last_at: String,
    /// One sentence for people, with the platform's code and message of the last time.
    pub detail: String,
    /// What a person can do.
    pub next_step: String,
}

/// A place where each new token is written.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct SinkStatus {
    /// Its name.
    #[schema(example = "php")]
    pub name: String,
    /// `file`, `redis`, `cloud-database` or `webhook`.
    #[schema(example = "redis")]
    pub kind: String,
    /// The generation that was delivered last; 0 before the first since the server was started.
    pub generation: u64,
    /// The end of the life that was told with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// For how long something has been waiting to be delivered, in seconds.
    pub lag_seconds: i64,
    /// Deliveries that succeeded since the server was started.
    pub delivered: u64,
    /// Deliveries that failed since then.
    pub failed: u64,
    /// How often since then somebody else had removed or overwritten what was delivered.
    pub lost: u64,
    /// The last failure, if nothing has succeeded since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<SinkFailure>,
}

/// Why the last delivery failed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct SinkFailure {
    /// What happened.
    pub detail: String,
    /// What a person can do.
    pub next_step: String,
    /// When.
    pub at: String,
}

/// Fetches on the platform's current day (UTC+8).
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Budget {
    /// How many were used.
    pub used_today: u32,
    /// How many are left; absent where the platform sets no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_today: Option<u32>,
}
