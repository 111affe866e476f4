//! `tokenward.toml`: from text to a configuration that is known to make sense.
//!
//! Invariants: every key is either understood or an error; every error points at file, line and column and
//! says how to mend it; no secret stands in a [`Config`], only references to secrets, and none is ever shown.

mod blot;
mod callback;
mod calls;
mod client;
mod credential;
mod diagnostic;
mod egress;
mod facade;
mod listen;
mod reader;
mod schedule;
mod server;
mod sink;
mod sink_cloud;
mod sink_redis;
mod sink_webhook;
mod span_text;
mod ticket;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use callback::{CallbackConfig, CallbackListen, KindPattern, TargetConfig};
pub use calls::{CallPattern, CallRules};
pub use client::{ClientConfig, Right};
pub use credential::CredentialConfig;
pub use diagnostic::{ConfigError, Finding};
pub use egress::EgressConfig;
pub use facade::{FacadeConfig, HandOut};
pub use listen::TlsConfig;
pub use server::{LogFormat, ServerConfig};
pub use sink::SinkConfig;
pub(crate) use sink::{FileConfig, PlaceConfig};
pub(crate) use sink_cloud::CloudConfig;
pub(crate) use sink_redis::{RedisConfig, RedisKeys};
pub(crate) use sink_webhook::WebhookConfig;
pub use span_text::parse_span;

use diagnostic::ConfigText;
use reader::{Reader, Section};
use tokenward_core::secret::Secret;
use tokenward_vault::SecretSource;

use crate::sinks::InKey;

/// A configuration that makes sense.
#[derive(Debug)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[egress]`
    pub egress: EgressConfig,
    /// `[facade.wechat]`, if there is one.
    pub facade: Option<FacadeConfig>,
    /// `[callback]`, if there is one.
    pub callback: Option<CallbackListen>,
    /// `[callbacks.*]`
    pub callbacks: Vec<CallbackConfig>,
    /// `[clients.*]`
    pub clients: Vec<ClientConfig>,
    /// `[credentials.*]`
    pub credentials: Vec<CredentialConfig>,
    /// What makes sense and is still worth a word.
    pub warnings: Vec<Finding>,
    text: ConfigText,
}

/// A reference to a secret, and where it stands in the configuration.
#[derive(Clone, Debug)]
pub struct SecretRef {
    /// Where the secret is.
    pub source: SecretSource,
    span: std::ops::Range<usize>,
}

/// Sections and keys of the contract that a later version brings; to accept them silently would be a lie.
const LATER_SECTIONS: [&str; 1] = ["alerts"];

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong: all of it is reported at once.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, &error))?;
        Config::parse(&text, path)
    }

    /// Reads every secret that the configuration points to, and forgets it. Blocks while programs run. Returns what makes
    /// sense and is still worth a word.
    ///
    /// # Errors
    /// Points at every secret that cannot be read or used.
    pub fn check_secrets(&self) -> Result<Vec<Finding>, ConfigError> {
        let mut errors = Vec::new();
        let mut read =
            |secret: &SecretRef| self.read_secret(secret).map_err(|error| errors.extend(error.findings)).ok();
        // By app: a ticket has no secret of its own, and several credentials may be one app.
        let mut real: HashMap<String, Vec<Secret>> = HashMap::new();
        for credential in &self.credentials {
            let secrets = credential.secrets.iter().filter_map(&mut read);
            real.entry(credential.app_id()).or_default().extend(secrets);
        }
        self.clients.iter().for_each(|client| drop(read(&client.key)));
        let callbacks = self.callbacks.iter().filter_map(|callback| callback.gather(self).err());
        errors.extend(callbacks.flat_map(|error| error.findings));
        let mut warnings = Vec::new();
        let mut shared = crate::sinks::Shared::default();
        for credential in &self.credentials {
            let real = real.get(&credential.app_id()).map(Vec::as_slice).unwrap_or_default();
            for sink in &credential.sinks {
                match crate::sinks::check(self, credential, sink, real, &mut shared) {
                    Ok(warning) => warnings.extend(warning),
                    Err(error) => errors.extend(error.findings),
                }
            }
        }
        if errors.is_empty() { Ok(warnings) } else { Err(ConfigError { findings: errors }) }
    }

    /// Points at a sink that writes where another one does.
    pub(crate) fn written_twice(&self, sink: &SinkConfig) -> ConfigError {
        let message = "another sink writes the same key of the same Redis".to_owned();
        let fix = "Give one of them another `prefix` or `key`, another database or server, or remove it.";
        self.text.complain(sink.span.clone(), message, fix.to_owned())
    }

    /// Points at a secret in the place of one that an SDK is to have.
    pub(crate) fn real_secret(&self, secret: &SecretRef, shown: InKey) -> Finding {
        let who = match shown {
            InKey::AsText => "whoever can list the keys of Redis can read it there",
            InKey::AsDigest => {
                "an SDK that has it fetches for itself when its key is missing, and its digest stands in Redis"
            }
        };
        let message = format!("`sdk_secret` is the real secret of the app: {who}");
        let fix = "Configure the SDK with another text, and write that here: it only reads tokens.";
        self.text.remark(secret.span.clone(), message, fix.to_owned())
    }

    /// Points at the key of a webhook that can be guessed.
    pub(crate) fn short_key(&self, key: &SecretRef) -> Finding {
        let message = "the key of the webhook is short: it can be guessed".to_owned();
        let fix = "Take 16 characters or more of a random generator, and tell the receiver.";
        self.text.remark(key.span.clone(), message, fix.to_owned())
    }

    /// Reads a secret. Blocks while a program runs.
    ///
    /// # Errors
    /// Points at it if it cannot be read.
    pub(crate) fn read_secret(&self, secret: &SecretRef) -> Result<Secret, ConfigError> {
        let read = secret.source.read();
        read.map(|text| Secret::new(text.as_str())).map_err(|error| self.unreadable_secret(secret, &error))
    }

    /// Points at a secret that cannot be read.
    #[must_use]
    pub fn unreadable_secret(&self, secret: &SecretRef, error: &tokenward_vault::SourceError) -> ConfigError {
        let fix = match &secret.source {
            SecretSource::Env(name) => format!("Set it: `export {name}=…`, or let this point to where the secret is."),
            _ => "Make it readable for the user that Tokenward runs as, or let this point to where the secret is.".to_owned(),
        };
        self.text.complain(secret.span.clone(), format!("the secret cannot be read: {error}"), fix)
    }

    /// Points at a secret that can be read and not be used.
    #[must_use]
    pub(crate) fn unusable_secret(&self, secret: &SecretRef, why: &str) -> ConfigError {
        self.text.complain(secret.span.clone(), why.to_owned(), "Correct what the secret holds.".to_owned())
    }

    /// Points at a certificate that cannot be used.
    #[must_use]
    pub fn unusable_tls(&self, tls: &TlsConfig, why: impl std::fmt::Display) -> ConfigError {
        let fix =
            "Let `cert` and `key` point to PEM files that belong together; `tokenward cert` makes a pair.";
        self.text.complain(tls.span.clone(), format!("the certificate cannot be used: {why}"), fix.to_owned())
    }

    /// Reads a configuration text. `path` is what errors call it; relative paths in it start from its folder.
    ///
    /// # Errors
    /// Something in it is wrong: all of it is reported at once.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut reader = Reader::new(folder);
        let document = match toml::de::DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => {
                let span = error.span().unwrap_or_default();
                let fix = "Correct the TOML; strings need quotes, tables need [brackets].";
                reader.error(span, error.message().to_owned(), fix);
                return Err(reader.into_error(text, path));
            }
        };
        let mut root = Section::new("", document.get_ref(), document.span());
        let server = ServerConfig::read(root.section("server", &mut reader), &mut reader);
        let egress = EgressConfig::read(root.section("egress", &mut reader), &mut reader);
        let facade = FacadeConfig::read_all(root.section("facade", &mut reader), &mut reader);
        let mut credentials = Vec::new();
        for (name, section) in root.named_sections("credentials", &mut reader) {
            credentials.extend(CredentialConfig::read(&name, section, &mut reader));
        }
        ticket::resolve(&mut credentials, &mut reader);
        credential::check_together(&credentials, &mut reader);
        let mut clients = Vec::new();
        for (name, section) in root.named_sections("clients", &mut reader) {
            clients.extend(ClientConfig::read(&name, section, &mut reader));
        }
        client::check_together(&clients, &credentials, &mut reader);
        let callback = CallbackListen::read(&mut root, &mut reader);
        let mut callbacks = Vec::new();
        for (name, section) in root.named_sections("callbacks", &mut reader) {
            callbacks.extend(CallbackConfig::read(&name, section, &credentials, &mut reader));
        }
        let place = root.take("callback").map(serde_spanned::Spanned::span).unwrap_or_default();
        callback::check_together(callback.as_ref(), &callbacks, place, &mut reader);
        root.later(&LATER_SECTIONS, &mut reader);
        root.finish(
            &["server", "egress", "facade", "callback", "callbacks", "clients", "credentials"],
            &mut reader,
        );
        if reader.has_errors() {
            return Err(reader.into_error(text, path));
        }
        let warnings = reader.into_warnings(text, path);
        let text = ConfigText::new(text, path);
        Ok(Config { server, egress, facade, callback, callbacks, clients, credentials, warnings, text })
    }
}

/// A path of the configuration, relative to the folder of its file.
fn resolve(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}
