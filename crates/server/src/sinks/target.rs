//! Where a sink writes: one variant for each kind, one file for each.

use std::sync::Arc;

use tokenward_core::time::Span;

use super::LONGEST_PAUSE;
use super::cloud::CloudTarget;
use super::delivery::{Delivery, Subject};
use super::file::FileTarget;
use super::standing::SinkFailure;
use super::webhook::WebhookTarget;
use crate::config::{Config, ConfigError, CredentialConfig, PlaceConfig, SinkConfig};
use crate::http::Api;

/// A place that tokens are written to.
#[derive(Debug)]
pub(crate) enum Target {
    File(FileTarget),
    Cloud(CloudTarget),
    Webhook(WebhookTarget),
}

impl Target {
    /// Puts together what the configuration says of a sink.
    pub(super) fn gather(
        all: &Config,
        credential: &CredentialConfig,
        config: &SinkConfig,
        api: &Arc<Api>,
    ) -> Result<Target, ConfigError> {
        let sdk_secret = config.sdk_secret.as_ref().map(|secret| all.read_secret(secret)).transpose()?;
        let subject =
            Subject { credential: credential.name.clone(), app_id: credential.app_id(), sdk_secret };
        Ok(match &config.place {
            PlaceConfig::File(file) => Target::File(FileTarget::new(file, subject)),
            PlaceConfig::Cloud(cloud) => Target::Cloud(CloudTarget::new(cloud, subject, Arc::clone(api))?),
            PlaceConfig::Webhook(webhook) => {
                Target::Webhook(WebhookTarget::gather(all, &config.name, webhook, subject)?)
            }
        })
    }

    /// Writes a token over what is there. Whoever reads at the same time gets the one or the other, whole.
    pub(crate) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        match self {
            Target::File(file) => file.deliver(delivery).await,
            Target::Cloud(cloud) => cloud.deliver(delivery).await,
            Target::Webhook(webhook) => webhook.deliver(delivery).await,
        }
    }

    /// Whether what was delivered is still there.
    pub(crate) async fn has(&mut self, delivered: &Delivery) -> Result<bool, SinkFailure> {
        match self {
            Target::File(file) => file.has().await,
            Target::Cloud(cloud) => cloud.has(delivered).await,
            // Whoever was told has been told.
            Target::Webhook(_) => Ok(true),
        }
    }

    /// The longest pause between two attempts.
    pub(crate) fn longest_pause(&self) -> Span {
        match self {
            Target::File(_) => LONGEST_PAUSE,
            Target::Cloud(_) => super::cloud::LONGEST_PAUSE,
            Target::Webhook(_) => super::webhook::LONGEST_PAUSE,
        }
    }
}
