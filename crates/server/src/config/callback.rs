//! `[callback]` and `[callbacks.*]`: where platforms push to, what makes them believed, and who gets their messages.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;

use reqwest::Url;
use tokenward_core::name::Name;
use tokenward_core::secret::Secret;
use tokenward_core::time::Span;
use tokenward_providers::wechat_callback::{AesKey, Callback, Mode};

use super::listen::{self, TlsConfig};
use super::reader::{Placed, Reader, Section};
use super::{Config, ConfigError, CredentialConfig, SecretRef};

/// `[callback]`
#[derive(Clone, Debug)]
pub struct CallbackListen {
    /// Where platforms reach it.
    pub listen: SocketAddr,
    /// Its certificate, if it speaks TLS.
    pub tls: Option<TlsConfig>,
}

/// `[callbacks.NAME]`
#[derive(Clone, Debug)]
pub struct CallbackConfig {
    /// Its name, the last part of its path.
    pub name: Name,
    /// How messages come.
    pub mode: Mode,
    /// For whom they may be encrypted.
    pub receivers: Vec<String>,
    /// How old a message may be, and how far ahead of our clock.
    pub replay_window: Span,
    /// Who gets them.
    pub targets: Vec<TargetConfig>,
    pub(super) token: SecretRef,
    pub(super) keys: Vec<SecretRef>,
    span: Range<usize>,
}

/// `[callbacks.NAME.forward.TARGET]`
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// Its name.
    pub name: Name,
    /// Where messages are posted. Shown nowhere: it may hold a secret.
    pub url: Url,
    /// Which messages.
    pub events: Vec<KindPattern>,
    /// Whether its answer goes back to the platform.
    pub answers: bool,
    /// How long it may take.
    pub timeout: Span,
    /// After which time a message is given up.
    pub retry_for: Span,
}

/// What a message is about, or the beginning of it before a `*`. Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindPattern {
    start: String,
    open: bool,
}

impl KindPattern {
    fn parse(text: &str) -> Option<KindPattern> {
        let (start, open) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        let is_word = start.chars().all(|c| c.is_ascii_graphic() && c != '*');
        let pattern = KindPattern { start: start.to_ascii_lowercase(), open };
        (is_word && !text.is_empty()).then_some(pattern)
    }

    /// Whether it covers messages about this.
    #[must_use]
    pub fn matches(&self, kind: &str) -> bool {
        let kind = kind.to_ascii_lowercase();
        if self.open { kind.starts_with(&self.start) } else { kind == self.start }
    }
}

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7602);
const REPLAY_WINDOW: Span = Span::minutes(5);
const LONGEST_WINDOW: Span = Span::hours(1);
const TIMEOUT: Span = Span::seconds(10);
const LONGEST_TIMEOUT: Span = Span::minutes(2);
const RETRY_FOR: Span = Span::hours(24);

impl CallbackListen {
    /// Reads `[callback]`, if it is there. Messages carry their own protection, so this listener may be public without
    /// TLS.
    pub(super) fn read(root: &mut Section<'_>, reader: &mut Reader) -> Option<CallbackListen> {
        root.take("callback")?;
        let mut section = root.section("callback", reader);
        let listen = section.string("listen", reader);
        let tls = TlsConfig::read(&mut section, reader);
        section.finish(&["listen", "tls"], reader);
        let listen = listen::address(listen, true, "0.0.0.0:7602", reader).unwrap_or(DEFAULT_LISTEN);
        Some(CallbackListen { listen, tls })
    }
}

impl CallbackConfig {
    pub(super) fn read(
        name: &Placed<Name>,
        mut section: Section<'_>,
        credentials: &[CredentialConfig],
        reader: &mut Reader,
    ) -> Option<CallbackConfig> {
        let token = one_token(section.secrets("token", true, reader), reader);
        let keys = section.secrets("aes_key", false, reader);
        let mode = read_mode(&mut section, !keys.is_empty(), reader);
        let receivers = read_receivers(name, mode, &mut section, credentials, reader);
        let window = bounded(&mut section, "replay_window", REPLAY_WINDOW, LONGEST_WINDOW, reader);
        let mut targets = Vec::new();
        for (target, section) in section.named_sections("forward", reader) {
            targets.extend(TargetConfig::read(&target, section, reader));
        }
        section.finish(&["token", "aes_key", "mode", "app_id", "replay_window", "forward"], reader);
        if targets.is_empty() {
            reader.warn(
                name.span.clone(),
                format!("the messages of the callback {} go nowhere", name.value),
                format!("Add [callbacks.{}.forward.TARGET] with to = \"http://…\".", name.value),
            );
        }
        Some(CallbackConfig {
            name: name.value.clone(),
            mode: mode?,
            receivers,
            replay_window: window,
            targets,
            token: token?,
            keys,
            span: name.span.clone(),
        })
    }

    /// Reads its secrets. Blocks while programs run.
    ///
    /// # Errors
    /// Points at the secret that cannot be read, or is no key.
    pub fn gather(&self, all: &Config) -> Result<Callback, ConfigError> {
        let read =
            |secret: &SecretRef| secret.source.read().map_err(|error| all.unreadable_secret(secret, &error));
        let token = Secret::new(read(&self.token)?.as_str());
        let mut keys = Vec::new();
        for secret in &self.keys {
            keys.push(AesKey::parse(read(secret)?.trim()).map_err(|error| {
                let fix =
                    "Copy the EncodingAESKey from the platform's settings, without the `=` that some show.";
                all.text.complain(secret.span.clone(), format!("{}: {error}", secret.source), fix.to_owned())
            })?);
        }
        Ok(Callback { mode: self.mode, token, keys, receivers: self.receivers.clone() })
    }
}

fn one_token(tokens: Vec<SecretRef>, reader: &mut Reader) -> Option<SecretRef> {
    if let Some(second) = tokens.get(1) {
        reader.error(second.span.clone(), "a callback has one token", "Keep the one set at the platform.");
    }
    tokens.into_iter().next()
}

fn read_mode(section: &mut Section<'_>, has_keys: bool, reader: &mut Reader) -> Option<Mode> {
    let Some(word) = section.string("mode", reader) else {
        if !has_keys {
            reader.error(
                section.span.clone(),
                format!("`aes_key` is missing in [{}]", section.key("").trim_end_matches('.')),
                "Add aes_key = { env = \"…\" }, the EncodingAESKey; or mode = \"plain\" if messages come in the clear.",
            );
        }
        return has_keys.then_some(Mode::Secure);
    };
    let mode = match word.value.as_str() {
        "plain" => Mode::Plain,
        "compatible" => Mode::Compatible,
        "secure" => Mode::Secure,
        other => {
            let message = format!("`{}` is {other:?}", section.key("mode"));
            reader.error(word.span, message, "Write \"secure\", \"compatible\" or \"plain\".");
            return None;
        }
    };
    if mode != Mode::Plain && !has_keys {
        let message = format!("mode {:?} needs `aes_key`", word.value);
        reader.error(word.span, message, "Add aes_key = { env = \"…\" }, the EncodingAESKey.");
        return None;
    }
    if mode != Mode::Secure {
        reader.warn(
            word.span,
            format!("in mode {:?} a signature does not cover its message", word.value),
            "Switch the platform to secure mode (安全模式) as soon as you can, and write mode = \"secure\".",
        );
    }
    Some(mode)
}

/// Whom messages may be encrypted for. The app of a WeChat credential of the same name need not be repeated.
fn read_receivers(
    name: &Placed<Name>,
    mode: Option<Mode>,
    section: &mut Section<'_>,
    credentials: &[CredentialConfig],
    reader: &mut Reader,
) -> Vec<String> {
    let written = section.strings("app_id", reader);
    if let Some(ids) = written {
        return ids.into_iter().map(|id| id.value).collect();
    }
    let namesake = credentials
        .iter()
        .find(|credential| credential.name == name.value && credential.provider.platform() == "wechat");
    if let Some(namesake) = namesake {
        return vec![namesake.provider.app_id().to_owned()];
    }
    if mode.is_some_and(|mode| mode != Mode::Plain) {
        reader.error(
            name.span.clone(),
            format!("`app_id` is missing in [callbacks.{}]", name.value),
            "Add app_id = \"wx…\": for whom messages are encrypted (the app, the component, the corporation, the suite).",
        );
    }
    Vec::new()
}

/// A duration with a default, above zero.
fn bounded<'a>(
    section: &mut Section<'a>,
    key: &'a str,
    default: Span,
    most: Span,
    reader: &mut Reader,
) -> Span {
    let Some(found) = section.duration(key, reader) else { return default };
    if found.value > Span::ZERO && found.value <= most {
        return found.value;
    }
    let message = format!("`{}` must be above 0s and at most {}s", section.key(key), most.whole_seconds());
    reader.error(found.span, message, format!("Write \"{}s\".", default.whole_seconds()));
    default
}

impl TargetConfig {
    fn read(name: &Placed<Name>, mut section: Section<'_>, reader: &mut Reader) -> Option<TargetConfig> {
        let to = section.required_string("to", "to = \"http://127.0.0.1:8080/wechat\"", reader);
        let mut events = Vec::new();
        for text in section.strings("events", reader).unwrap_or_default() {
            match KindPattern::parse(&text.value) {
                Some(pattern) => events.push(pattern),
                None => reader.error(
                    text.span,
                    format!("{:?} is no type of message", text.value),
                    "Write \"text\", \"event:subscribe\", \"event:*\", \"info:*\" or \"*\".",
                ),
            }
        }
        if events.is_empty() {
            events.extend(KindPattern::parse("*"));
        }
        let answers = section.flag("answer", reader);
        let timeout = bounded(&mut section, "timeout", TIMEOUT, LONGEST_TIMEOUT, reader);
        let retry_for = bounded(&mut section, "retry_for", RETRY_FOR, RETRY_FOR.part(30, 1), reader);
        section.finish(&["to", "events", "answer", "timeout", "retry_for"], reader);
        let to = to?;
        let url = Url::parse(&to.value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url.filter(Url::has_host) else {
            reader.error(
                to.span,
                "`to` is no URL that messages can be posted to",
                "Write \"http://host:port/path\".",
            );
            return None;
        };
        Some(TargetConfig { name: name.value.clone(), url, events, answers, timeout, retry_for })
    }
}

/// Callbacks need a listener, and a listener callbacks.
pub(super) fn check_together(
    listen: Option<&CallbackListen>,
    callbacks: &[CallbackConfig],
    place: Range<usize>,
    reader: &mut Reader,
) {
    match (listen, callbacks.first()) {
        (None, Some(first)) => reader.error(
            first.span.clone(),
            "there is nowhere for platforms to call back",
            "Add [callback] with listen = \"0.0.0.0:7602\".",
        ),
        (Some(_), None) => reader.warn(
            place,
            "[callback] listens for nobody",
            "Add [callbacks.NAME] with the token and the EncodingAESKey set at the platform.",
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_matched_whole_or_by_its_beginning() {
        let matches = |pattern: &str, kind: &str| KindPattern::parse(pattern).unwrap().matches(kind);
        assert!(matches("event:subscribe", "event:Subscribe"));
        assert!(!matches("event:subscribe", "event:subscribe_msg"));
        assert!(!matches("location", "event:LOCATION"));
        assert!(matches("event:*", "event:CLICK"));
        assert!(matches("*", "other"));
        assert_eq!(KindPattern::parse("a*b"), None);
        assert_eq!(KindPattern::parse(""), None);
    }
}
