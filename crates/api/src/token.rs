//! Handing out a token, and reporting one.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token and how long its holder may rely on it.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Token {
    /// The credential's name.
    #[schema(example = "shop")]
    pub credential: String,
    /// The token.
    #[schema(example = "84_hVb2…")]
    pub token: String,
    /// The told life in whole seconds: ask again after it.
    #[schema(example = 3621)]
    pub expires_in: i64,
    /// The end of the told life.
    #[schema(example = "2026-11-20T12:00:00Z")]
    pub expires_at: String,
    /// Which of the credential's tokens this is; greater is newer.
    #[schema(example = 17)]
    pub generation: u64,
}

/// "This token was refused": by generation, or by the token itself.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// The generation that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The token that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// How to refresh.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// Refresh even where holders were told that they may rely on the current token.
    #[serde(default)]
    pub force: bool,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("credential", &self.credential)
            .field("generation", &self.generation)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReportRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportRequest").field("generation", &self.generation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_token() {
        let token = Token {
            credential: "shop".into(),
            token: "hunter2".into(),
            expires_in: 1,
            expires_at: String::new(),
            generation: 1,
        };
        assert!(!format!("{token:?}").contains("hunter2"));
        let report = ReportRequest { generation: None, token: Some("hunter2".into()) };
        assert!(!format!("{report:?}").contains("hunter2"));
    }

    #[test]
    fn a_misspelt_report_is_refused() {
        assert!(serde_json::from_str::<ReportRequest>(r#"{"generatoin":1}"#).is_err());
    }
}
