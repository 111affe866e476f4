//! One app (a client, in the words of OAuth 2.0) that the emulated platforms know.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An app id and its secret, valid on all three platforms at once.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// WeChat calls it `appid`, Baidu the API key, OAuth 2.0 `client_id`.
    pub id: String,
    /// WeChat calls it `secret`, Baidu the secret key, OAuth 2.0 `client_secret`.
    pub secret: String,
}

/// Why a text is no app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an app is written ID:SECRET, both non-empty, for example wx0123456789abcdef:my-secret")]
pub struct ParseAppError;

impl App {
    /// An app from its two parts.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: secret.into() }
    }
}

/// The app that exists when none is configured: `wx0123456789abcdef` with the secret
/// `0123456789abcdef0123456789abcdef`.
impl Default for App {
    fn default() -> Self {
        Self::new("wx0123456789abcdef", "0123456789abcdef0123456789abcdef")
    }
}

/// Reads `ID:SECRET`. The first colon divides, so a secret may contain colons.
impl FromStr for App {
    type Err = ParseAppError;

    fn from_str(text: &str) -> Result<Self, ParseAppError> {
        let (id, secret) = text.split_once(':').ok_or(ParseAppError)?;
        if id.is_empty() || secret.is_empty() {
            return Err(ParseAppError);
        }
        Ok(Self::new(id, secret))
    }
}

/// Shows the id only: settings are printed in tests and logs, and secrets are printed nowhere.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}
