//! A sink that is a web server of somebody's own, told of each new token with a signed POST.
//!
//! What is signed is the moment and the body, so that nobody else can make a delivery and nobody can repeat an old one:
//! each attempt is signed anew, and a receiver refuses what is not of the last minutes. The token itself is not sent,
//! unless that is asked for. What is told has a number that rises with each thing that is told, also over restarts, so that
//! receivers know the last word, be its life longer or shorter. A redirect is never followed: it would lead the delivery to somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokenward_core::name::Name;
use tokenward_core::secret::Secret;
use tokenward_core::time::{Span, Wall};
use zeroize::Zeroizing;

use super::LEAST_EXTENSION;
use super::delivery::{Delivery, Subject};
use super::standing::SinkFailure;
use crate::clock;
use crate::config::{Config, ConfigError, EgressConfig, WebhookConfig};
use crate::fetch;

/// A receiver.
pub(crate) struct WebhookTarget {
    http: reqwest::Client,
    config: WebhookConfig,
    key: Secret,
    sink: Name,
    subject: Subject,
    numbers: Arc<AtomicU64>,
    /// What was told last, or tried to, and its number.
    last: Option<(Delivery, u64)>,
}

/// Between two attempts that fail.
pub(super) const LONGEST_PAUSE: Span = Span::seconds(30);
const TIMESTAMP: &str = "Tokenward-Timestamp";
const SIGNATURE: &str = "Tokenward-Signature";
/// In bytes; shorter keys can be guessed.
const SHORTEST_KEY: usize = 16;

impl std::fmt::Debug for WebhookTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookTarget").field("config", &self.config).finish_non_exhaustive()
    }
}

impl WebhookTarget {
    /// Reads the key and prepares the way.
    ///
    /// # Errors
    /// The key cannot be read, or `[egress]` cannot be used.
    pub(super) fn gather(
        all: &Config,
        sink: &Name,
        config: &WebhookConfig,
        subject: Subject,
        numbers: Arc<AtomicU64>,
    ) -> Result<WebhookTarget, ConfigError> {
        let key = all.read_secret(&config.key)?;
        super::warn(is_short(&key).then(|| all.short_key(&config.key)));
        let inside = EgressConfig { proxy: None, allow_private: true, ..all.egress.clone() };
        let http = fetch::way_out(if config.internal { &inside } else { &all.egress })?;
        Ok(WebhookTarget {
            http,
            config: config.clone(),
            key,
            sink: sink.clone(),
            subject,
            numbers,
            last: None,
        })
    }

    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        let (delivery, number) = self.numbered(delivery);
        let body = self.body(&delivery, number);
        let now = clock::wall().unix_seconds();
        let sent = self
            .http
            .post(self.config.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(TIMESTAMP, now)
            .header(SIGNATURE, signature(&self.key, now, &body))
            .body(body.as_str().to_owned())
            .send();
        let host = self.config.url.host_str().unwrap_or_default();
        match sent.await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => Err(SinkFailure::new(
                format!("{host} answers with a redirect ({}), which is not followed", answer.status()),
                "Write the URL that it leads to into `url`.",
            )),
            Ok(answer) => Err(SinkFailure::new(
                format!("{host} answers {}", answer.status()),
                "Read the receiver's log; if it says 401, compare its key and its clock.",
            )),
            Err(error) => {
                let error = error.without_url();
                Err(SinkFailure::new(
                    format!("{host} cannot be told: {}", fetch::reasons(&error)),
                    "See that the receiver runs and that [egress] leads there; a name that leads into a private network \
                     needs internal = true.",
                ))
            }
        }
    }

    /// What is told, and under which number. Another attempt to tell the same tells it in the same words: an end that is
    /// computed anew may differ by little.
    fn numbered(&mut self, delivery: &Delivery) -> (Delivery, u64) {
        let is_same = |last: &Delivery| {
            let moved = delivery.told_end - last.told_end;
            last.is_same_token(delivery) && moved < LEAST_EXTENSION && moved > Span::ZERO - LEAST_EXTENSION
        };
        if let Some((last, number)) = self.last.as_ref().filter(|(last, _)| is_same(last)) {
            return (last.clone(), *number);
        }
        let numbered = (delivery.clone(), self.numbers.fetch_add(1, Ordering::Relaxed));
        self.last = Some(numbered.clone());
        numbered
    }

    fn body(&self, delivery: &Delivery, number: u64) -> Zeroizing<String> {
        let at = |moment: Wall| clock::rfc3339(moment);
        let mut body = json!({
            "event": "token",
            "credential": self.subject.credential.as_str(),
            "sink": self.sink.as_str(),
            "sequence": number,
            "generation": delivery.generation,
            "issued_at": at(delivery.issued),
            "expires_at": at(delivery.told_end),
        });
        if let (true, Some(fields)) = (self.config.with_token, body.as_object_mut()) {
            fields.insert("token".to_owned(), delivery.token.expose().into());
        }
        Zeroizing::new(body.to_string())
    }
}

/// Whether a key can be guessed.
pub(super) fn is_short(key: &Secret) -> bool {
    key.expose().len() < SHORTEST_KEY
}

/// `v1=…`: HMAC-SHA-256 over the moment, a dot and the body, in hexadecimal digits.
fn signature(key: &Secret, unix_seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{unix_seconds}.").as_bytes());
    signing.update(body.as_bytes());
    let digits: String = signing.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `docs/sinks.md`.
    #[test]
    fn the_moment_and_the_body_are_signed() {
        let body = r#"{"credential":"shop","event":"token","generation":17}"#;
        assert_eq!(
            signature(&Secret::new("example-webhook-key"), 1_700_000_000, body),
            "v1=041b4ad8678cc33572ee1b8cc8154e1ef97fa6a2133209273682596bb78b75a8"
        );
    }
}
