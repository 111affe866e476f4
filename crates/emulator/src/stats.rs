//! What the emulator counted since it started. Tests assert on these numbers, so each says exactly what it
//! counts; control calls are counted nowhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer of `GET /_emulator/stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The emulator's clock, RFC 3339.
    pub now: String,
    /// Tokens newly minted. A stable token that is told again is not counted again.
    pub issued: u64,
    /// Token requests that a platform refused, for its own reasons or because a fault (`busy`, `errcode`,
    /// `frozen`, `quota_used_up`) made it refuse.
    pub refused: u64,
    /// Token requests that arrived, whatever became of them.
    pub token_requests: u64,
    /// All other platform requests that arrived, whatever became of them.
    pub calls: u64,
    /// Calls that were refused because their token was missing, unknown, superseded or expired.
    pub token_refused: u64,
    /// By token interface: `classic`, `stable`, `baidu`, `oauth2`.
    pub by_api: BTreeMap<String, ApiStats>,
    /// By path, for the paths that were asked; unknown paths share the key `other`.
    pub by_path: BTreeMap<String, PathStats>,
    /// By app id, for every app that exists. A request that names no known app is not counted here.
    pub by_app: BTreeMap<String, AppStats>,
    /// How often each kind of fault changed what happened to a request.
    pub faults: BTreeMap<String, u64>,
}

/// Counts of one token interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiStats {
    /// Token requests that arrived.
    pub requests: u64,
    /// Tokens newly minted.
    pub issued: u64,
    /// Answers that repeated a token (stable only).
    pub repeated: u64,
    /// Tokens minted by a forced refresh (stable only); also counted in `issued`.
    pub forced: u64,
    /// Token requests refused.
    pub refused: u64,
}

/// Counts of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStats {
    /// Requests that arrived.
    pub requests: u64,
    /// Requests refused because of their token.
    pub token_refused: u64,
    /// Requests refused for any other reason.
    pub refused: u64,
}

/// Counts of one app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppStats {
    /// Tokens newly minted, by all interfaces.
    pub issued: u64,
    /// Token requests refused.
    pub refused: u64,
    /// Calls refused because of their token, when the token was once issued to this app.
    pub token_refused: u64,
    /// Calls that carried a token of this app and were not refused because of it.
    pub calls: u64,
    /// Tokens minted by a forced refresh.
    pub forced: u64,
    /// Answers of the stable interface that repeated a token.
    pub repeated: u64,
    /// Classic fetches counted against the daily quota since midnight in Beijing or the last clearing.
    pub quota_used: u32,
}
