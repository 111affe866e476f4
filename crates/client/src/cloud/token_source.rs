//! Where tokens come from when calls go straight to the platform.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::{Client, Token};

/// Why there is no token.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The current token.
    async fn token(&self) -> Result<String, SourceError>;

    /// The platform refused this token: another one, or the same if there is none. Then the refusal stands.
    async fn replace(&self, refused: &str) -> Result<String, SourceError>;
}

/// The tokens of a credential at a Tokenward server, which is told when one is refused.
pub struct CredentialTokens {
    client: Client,
    credential: String,
    /// The last one that was handed out.
    last: Mutex<Option<Token>>,
}

/// One token, for as long as it lives.
pub struct FixedToken(
    /// The token.
    pub String,
);

impl CredentialTokens {
    /// The tokens of this credential. The client needs the rights `token` and `report`.
    #[must_use]
    pub fn new(client: Client, credential: impl Into<String>) -> CredentialTokens {
        CredentialTokens { client, credential: credential.into(), last: Mutex::new(None) }
    }
}

#[async_trait]
impl TokenSource for CredentialTokens {
    async fn token(&self) -> Result<String, SourceError> {
        let token = self.client.token(&self.credential).await?;
        let text = token.token.clone();
        *self.last.lock().await = Some(token);
        Ok(text)
    }

    async fn replace(&self, refused: &str) -> Result<String, SourceError> {
        let mut last = self.last.lock().await;
        let generation = match &*last {
            // Whoever else was refused has reported it already.
            Some(token) if token.token != refused => return Ok(token.token.clone()),
            Some(token) => token.generation,
            None => return Ok(refused.to_owned()),
        };
        let token = self.client.report(&self.credential, generation).await?;
        let text = token.token.clone();
        *last = Some(token);
        Ok(text)
    }
}

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self) -> Result<String, SourceError> {
        Ok(self.0.clone())
    }

    async fn replace(&self, refused: &str) -> Result<String, SourceError> {
        Ok(refused.to_owned())
    }
}

#[async_trait]
impl<S: TokenSource + ?Sized> TokenSource for Arc<S> {
    async fn token(&self) -> Result<String, SourceError> {
        (**self).token().await
    }

    async fn replace(&self, refused: &str) -> Result<String, SourceError> {
        (**self).replace(refused).await
    }
}

impl fmt::Debug for CredentialTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialTokens").field("credential", &self.credential).finish_non_exhaustive()
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedToken")
    }
}
