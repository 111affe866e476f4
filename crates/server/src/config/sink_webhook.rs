//! `to = "webhook"`: who is told of each new token.

use std::fmt;

use super::SecretRef;
use super::reader::{Placed, Reader, Section};

/// `to = "webhook"`. The path of the URL may be a secret, so `Debug` shows only its host.
#[derive(Clone)]
pub(crate) struct WebhookConfig {
    pub(crate) url: reqwest::Url,
    /// What deliveries are signed with.
    pub(crate) key: SecretRef,
    /// Whether the token itself is sent.
    pub(crate) with_token: bool,
    /// Whether the URL stands inside our own network.
    pub(crate) internal: bool,
}

pub(super) const KEYS: [&str; 5] = ["to", "url", "key", "with_token", "internal"];

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WebhookConfig { url, key, with_token, internal } = self;
        let mut shown = f.debug_struct("WebhookConfig");
        shown.field("host", &url.host_str()).field("key", key);
        shown.field("with_token", with_token).field("internal", internal).finish()
    }
}

impl WebhookConfig {
    pub(super) fn read(section: &mut Section<'_>, reader: &mut Reader) -> Option<WebhookConfig> {
        let url = section.required_string("url", "url = \"https://hooks.example.com/tokens\"", reader);
        let key = section.secrets("key", true, reader);
        let with_token = section.flag("with_token", reader);
        let internal = section.flag("internal", reader);
        let url = url.and_then(|url| self::url(&url, with_token, reader));
        if key.len() > 1 {
            let message = "a webhook is signed with one key";
            reader.error(
                section.span.clone(),
                message,
                "Let the receiver know the next key before it is used here.",
            );
        }
        Some(WebhookConfig { url: url?, key: key.into_iter().next()?, with_token, internal })
    }
}

fn url(text: &Placed<String>, with_token: bool, reader: &mut Reader) -> Option<reqwest::Url> {
    let parsed = reqwest::Url::parse(&text.value).ok();
    let url = parsed.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let (message, fix) = match &url {
        None => ("`url` is not the URL of a web server", "Write \"https://hooks.example.com/tokens\"."),
        Some(url) if !url.username().is_empty() || url.password().is_some() => {
            ("`url` carries a name or a password", "Remove them: deliveries are signed with `key`.")
        }
        Some(url) if with_token && url.scheme() != "https" => (
            "a token is sent over TLS alone, to this machine itself too",
            "Write an https:// URL, or remove `with_token` and let the receiver fetch the token.",
        ),
        Some(_) => return url,
    };
    reader.error(text.span.clone(), message, fix);
    None
}
