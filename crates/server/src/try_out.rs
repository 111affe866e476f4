//! Trying a credential without a server: what `check --live` does.

use std::sync::Arc;
use std::time::Duration;

use tokenward_core::event::{Event, Grant};
use tokenward_core::failure::Failure;
use tokenward_core::secret::Secret;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::Span;

use crate::config::{Config, ConfigError, CredentialConfig};
use crate::fetch::Egress;
use crate::material::Material;
use crate::ticket::Ticket;

/// What came of trying a credential.
#[derive(Debug)]
pub enum Trial {
    /// The platform answered with a token of this life.
    Works {
        /// The life.
        life: Span,
        /// Whether another API of the platform was asked, to spare the live token.
        spared: bool,
    },
    /// The platform, or the way to it, refused.
    Fails(Failure),
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks a credential's platform for a token and throws it away. Where that would kill the live token, an API
/// that takes the same id and secret and leaves it alone is asked instead.
///
/// # Errors
/// The secret or `[egress]` cannot be used.
pub async fn try_out(config: &Config, credential: &CredentialConfig) -> Result<Trial, ConfigError> {
    let egress = Egress::new(&config.egress)?;
    if let Some(ticket) = &credential.ticket {
        return try_ticket(config, credential, ticket, &egress).await;
    }
    let (credential, spared) = match credential.spared() {
        Some(other) => (other, true),
        None => (credential.clone(), false),
    };
    Ok(match ask(config, &credential, None, &egress).await? {
        Ok(grant) => Trial::Works { life: grant.life, spared },
        Err(failure) => Trial::Fails(failure),
    })
}

/// A ticket needs a token first, of an API that leaves the live one alone.
async fn try_ticket(
    config: &Config,
    credential: &CredentialConfig,
    ticket: &Ticket,
    egress: &Egress,
) -> Result<Trial, ConfigError> {
    let unresolved = || ConfigError::outside("the ticket has no source.", "Name it in `from`.");
    let source = config.credentials.get(ticket.source.0 as usize).ok_or_else(unresolved)?;
    let spared = source.spared();
    let token = ask(config, spared.as_ref().unwrap_or(source), None, egress).await?;
    let asked = match token {
        Ok(grant) => ask(config, credential, Some(grant.token), egress).await?,
        Err(failure) => Err(failure),
    };
    Ok(match asked {
        Ok(grant) => Trial::Works { life: grant.life, spared: spared.is_some() },
        Err(failure) => Trial::Fails(failure),
    })
}

async fn ask(
    config: &Config,
    credential: &CredentialConfig,
    source: Option<Secret>,
    egress: &Egress,
) -> Result<Result<Grant, Failure>, ConfigError> {
    let material = Material::gather(config, credential)?;
    Ok(match egress.fetch(Arc::new(material), 1, FetchKind::Plain, source, PATIENCE).await {
        Event::Granted { grant, .. } => Ok(grant),
        Event::Failed { failure, .. } => Err(failure),
        _ => Err(Failure::new(tokenward_core::failure::FailureKind::Nonsense, "no answer")),
    })
}
