//! Where a sink writes: one variant for each kind, one file for each.

use super::delivery::{Delivery, Subject};
use super::file::FileTarget;
use super::standing::SinkFailure;
use crate::config::{Config, ConfigError, CredentialConfig, PlaceConfig, SinkConfig};

/// A place that tokens are written to.
#[derive(Debug)]
pub(crate) enum Target {
    File(FileTarget),
}

impl Target {
    /// Puts together what the configuration says of a sink.
    pub(super) fn gather(
        all: &Config,
        credential: &CredentialConfig,
        config: &SinkConfig,
    ) -> Result<Target, ConfigError> {
        let sdk_secret = config.sdk_secret.as_ref().map(|secret| all.read_secret(secret)).transpose()?;
        let subject =
            Subject { credential: credential.name.clone(), app_id: credential.app_id(), sdk_secret };
        Ok(match &config.place {
            PlaceConfig::File(file) => Target::File(FileTarget::new(file, subject)),
        })
    }

    /// Writes a token over what is there. Whoever reads at the same time gets the one or the other, whole.
    pub(crate) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        match self {
            Target::File(file) => file.deliver(delivery).await,
        }
    }

    /// Whether what was delivered is still there.
    pub(crate) async fn has(&mut self, delivered: &Delivery) -> Result<bool, SinkFailure> {
        let _ = delivered;
        match self {
            Target::File(file) => file.has().await,
        }
    }
}
