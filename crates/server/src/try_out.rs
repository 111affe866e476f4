//! Trying a credential without a server: what `check --live` does.

use std::sync::Arc;
use std::time::Duration;

use tokenward_core::event::Event;
use tokenward_core::failure::Failure;
use tokenward_core::semantics::FetchKind;
use tokenward_core::time::Span;

use crate::config::{Config, ConfigError, CredentialConfig};
use crate::fetch::Egress;
use crate::material::Material;

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
    let (credential, spared) = match credential.spared() {
        Some(other) => (other, true),
        None => (credential.clone(), false),
    };
    let material = Material::gather(config, &credential)?;
    Ok(match egress.fetch(Arc::new(material), 1, FetchKind::Plain, PATIENCE).await {
        Event::Granted { grant, .. } => Trial::Works { life: grant.life, spared },
        Event::Failed { failure, .. } => Trial::Fails(failure),
        _ => Trial::Fails(Failure::new(tokenward_core::failure::FailureKind::Nonsense, "no answer")),
    })
}
