//! Cloud development (云开发) of a WeChat app: functions, database, files.
//!
//! Calls go through a Tokenward server, which holds the token, or straight to the platform with tokens of any
//! [`TokenSource`]. Files go from here to the storage and back: only their addresses come from the platform, and no
//! token goes along.
//!
//! What only reads is tried again when that can help. What may have had its effect never is: see
//! [`CallError::may_have_had_effect`]. A refused token is replaced and the call made once more, whatever it does,
//! because the platform looks at the token first.

mod database;
mod documents;
mod error;
mod files;
mod function;
mod migration;
mod token_source;
mod transfer;
mod way;

use std::time::Duration;

use tokenward_cloud::wire::{self, AnswerError, Call};

use crate::{Client, ClientError};
use way::Way;

pub use database::Page;
pub use documents::PAGE;
pub use error::CallError;
pub use files::{Download, Link, Refused, Removed};
pub use migration::{ImportOptions, Job, Progress};
pub use token_source::{CredentialTokens, FixedToken, SourceError, TokenSource};

/// An environment of an app's cloud. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cloud {
    way: Way,
    env: String,
    storage: reqwest::Client,
}

/// Whether a call may be made again after a failure that does not say whether it had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It only reads.
    Freely,
    /// It may have had its effect.
    Never,
}

/// The pauses before a call that only reads is made again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// What took longer is not made again: whoever waits has waited enough.
const PATIENCE: Duration = Duration::from_secs(10);

impl Cloud {
    pub(crate) fn through(client: Client, credential: String, env: String) -> Result<Cloud, ClientError> {
        Ok(Cloud { way: Way::gateway(client, credential), env, storage: transfer::storage_client()? })
    }

    /// The cloud at the platform itself, `https://api.weixin.qq.com`, with tokens from somewhere.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn direct(
        platform: &str,
        env: impl Into<String>,
        tokens: impl TokenSource + 'static,
    ) -> Result<Cloud, ClientError> {
        let way = Way::direct(platform, tokens)?;
        Ok(Cloud { way, env: env.into(), storage: transfer::storage_client()? })
    }

    /// The environment.
    #[must_use]
    pub fn env(&self) -> &str {
        &self.env
    }

    /// Makes any call of cloud development. It is made once, and once more only if its token was refused.
    ///
    /// # Errors
    /// It is beyond the documented limits, was not made, or was refused.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Answer, CallError> {
        self.ask(call, Again::Never).await
    }

    pub(crate) async fn ask<C: Call>(&self, call: &C, again: Again) -> Result<C::Answer, CallError> {
        call.check()?;
        let body = serde_json::to_vec(call).map_err(CallError::Event)?;
        self.post(C::PATH, &call.parameters(), body, again).await
    }

    pub(crate) async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        body: Vec<u8>,
        again: Again,
    ) -> Result<T, CallError> {
        let mut pauses = PAUSES.iter();
        let begun = tokio::time::Instant::now();
        loop {
            let failed = match self.way.post(path, parameters, &body).await {
                Ok(answer) => match wire::read(&answer) {
                    Ok(answer) => return Ok(answer),
                    Err(AnswerError::Refused(refusal)) => CallError::Refused(refusal),
                    Err(AnswerError::Unreadable(error)) => CallError::Unreadable(error),
                },
                Err(failed) => failed,
            };
            let again = again == Again::Freely && begun.elapsed() < PATIENCE && failed.may_pass_soon();
            let pause = pauses.next().filter(|_| again);
            let Some(pause) = pause else { return Err(failed) };
            tokio::time::sleep(*pause).await;
        }
    }
}
