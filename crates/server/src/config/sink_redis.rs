//! `to = "redis"`

use std::path::PathBuf;

use tokenward_providers::TicketKind;

use super::SecretRef;
use super::reader::{Placed, Reader, Section};
use crate::sinks::{InKey, KeyOptions, PRESETS, RedisPreset, Template};

/// `to = "redis"`
#[derive(Clone, Debug)]
pub(crate) struct RedisConfig {
    pub(crate) url: SecretRef,
    /// A certificate in PEM that is trusted in place of the system's.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) keys: RedisKeys,
    /// Where a message is published after each write, and what it says.
    pub(crate) publish: Option<(String, Template)>,
}

/// What is written.
#[derive(Clone, Debug)]
pub(crate) enum RedisKeys {
    Preset(&'static RedisPreset, KeyOptions),
    Own { key: Template, value: Template },
}

impl RedisKeys {
    /// How `sdk_secret` stands in the keys; `None` where it does not.
    pub(crate) fn sdk_secret_in_key(&self) -> Option<InKey> {
        match self {
            RedisKeys::Preset(preset, options) => preset.sdk_secret_in_key(options),
            RedisKeys::Own { key, value } => match key.has_sdk_secret() || value.has_sdk_secret() {
                true if key.shows_sdk_secret() || value.shows_sdk_secret() => Some(InKey::AsText),
                true => Some(InKey::AsDigest),
                false => None,
            },
        }
    }
}

pub(super) const KNOWN: [&str; 14] = [
    "to",
    "url",
    "ca_file",
    "preset",
    "prefix",
    "app",
    "agent_id",
    "corp_id",
    "sdk_stable",
    "sdk_secret",
    "key",
    "value",
    "publish",
    "message",
];

pub(super) fn read(
    section: &mut Section<'_>,
    ticket: Option<TicketKind>,
    has_sdk_secret: bool,
    reader: &mut Reader,
) -> Option<RedisConfig> {
    let span = section.span.clone();
    let mut urls = section.secrets("url", true, reader);
    if urls.len() > 1 {
        let fix = "Write redis-cluster://host:6379,host:6379 for several nodes, or another sink for another server.";
        reader.error(span, "a sink has one `url`", fix);
        return None;
    }
    let url = urls.pop();
    let ca_file = section.string("ca_file", reader).map(|path| super::resolve(&reader.folder, &path.value));
    let publish = section.string("publish", reader);
    let message = section.string("message", reader);
    let message = match &message {
        Some(message) => template(message, reader),
        // A message is seen by everybody who listens: it says that there is something new, not what.
        None => Template::parse("${credential} ${generation}").ok(),
    };
    let keys = keys(section, ticket, has_sdk_secret, reader);
    let publish = publish.map(|channel| Some((channel.value, message?)));
    Some(RedisConfig { url: url?, ca_file, keys: keys?, publish: publish.flatten() })
}

fn keys(
    section: &mut Section<'_>,
    ticket: Option<TicketKind>,
    has_sdk_secret: bool,
    reader: &mut Reader,
) -> Option<RedisKeys> {
    let known: Vec<String> = PRESETS.iter().map(|preset| format!("\"{}\"", preset.name)).collect();
    let known = known.join(", ");
    let (preset, key, value) =
        (section.string("preset", reader), section.string("key", reader), section.string("value", reader));
    let options = KeyOptions { ticket, ..options(section, reader) };
    match (preset, key, value) {
        (Some(named), None, None) => {
            let Some(preset) = RedisPreset::find(&named.value) else {
                let message = format!("there is no preset {:?} for Redis", named.value);
                reader.error(
                    named.span,
                    message,
                    format!("Presets are {known}; or write `key` and `value`."),
                );
                return None;
            };
            fits(&named, preset, &options, has_sdk_secret, reader)
                .then_some(RedisKeys::Preset(preset, options))
        }
        (None, Some(key), Some(value)) => own(&key, &value, has_sdk_secret, reader),
        _ => {
            let message = "a sink in Redis needs `preset`, or `key` and `value`";
            reader.error(section.span.clone(), message, format!("Presets are {known}."));
            None
        }
    }
}

fn options(section: &mut Section<'_>, reader: &mut Reader) -> KeyOptions {
    let mut text = |key| section.string(key, reader).map(|placed| placed.value);
    let (prefix, app) = (text("prefix"), text("app"));
    let mut id = |key| {
        let placed = section.string(key, reader)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if placed.value.bytes().all(is_plain) {
            return Some(placed.value);
        }
        reader.error(
            placed.span,
            format!("`{key}` has letters, digits, `-`, `_` and `.` alone"),
            "Correct it.",
        );
        None
    };
    let (agent_id, corp_id) = (id("agent_id").unwrap_or_default(), id("corp_id").unwrap_or_default());
    let sdk_stable = section.flag("sdk_stable", reader);
    KeyOptions { prefix, app, agent_id, corp_id, sdk_stable, ticket: None }
}

/// Whether everything is there that the keys of a preset are made of.
fn fits(
    named: &Placed<String>,
    preset: &RedisPreset,
    options: &KeyOptions,
    has_sdk_secret: bool,
    reader: &mut Reader,
) -> bool {
    if let Some(kind) = options.ticket.filter(|kind| !preset.keeps(*kind)) {
        let keeping = PRESETS.iter().filter(|preset| preset.keeps(kind)).map(|preset| preset.name);
        let message =
            format!("the preset {:?} has no key for tickets of the kind {:?}", preset.name, kind.as_str());
        let known = keeping.collect::<Vec<_>>().join("\", \"");
        reader.error(
            named.span.clone(),
            message,
            format!("Presets with one are \"{known}\"; or write `key` and `value`."),
        );
        return false;
    }
    let mut wrong = Vec::new();
    if preset.wants_sdk_secret && options.ticket.is_none() && !has_sdk_secret {
        wrong.push((
            "`sdk_secret`, which stands in its keys".to_owned(),
            "Add sdk_secret = { env = \"…\" }: what the SDK is configured with, which should not be the real one.".to_owned(),
        ));
    }
    if preset.wants_agent_id && options.agent_id.is_empty() {
        wrong.push(("`agent_id`".to_owned(), "Add agent_id = \"1000002\".".to_owned()));
    }
    if preset.wants_corp_id && options.corp_id.is_empty() {
        wrong.push(("`corp_id`".to_owned(), "Add corp_id = \"ding…\".".to_owned()));
    }
    for (what, fix) in &wrong {
        reader.error(named.span.clone(), format!("the preset {:?} needs {what}", preset.name), fix.clone());
    }
    if let Some(app) = options.app.as_deref().filter(|app| !preset.apps.contains(app)) {
        let fix = match preset.apps {
            [] => "Remove `app`: this preset has only one kind.".to_owned(),
            apps => format!("Kinds are \"{}\".", apps.join("\", \"")),
        };
        reader.error(named.span.clone(), format!("the preset {:?} knows no app {app:?}", preset.name), fix);
        return false;
    }
    wrong.is_empty()
}

fn own(
    key: &Placed<String>,
    value: &Placed<String>,
    has_sdk_secret: bool,
    reader: &mut Reader,
) -> Option<RedisKeys> {
    let (key_template, value_template) = (template(key, reader), template(value, reader));
    let (key_template, value_template) = (key_template?, value_template?);
    if !key_template.is_constant() {
        let message = "`key` must be the same for every token";
        reader.error(
            key.span.clone(),
            message,
            "Use ${app_id}, ${credential}, ${md5 app_id sdk_secret} or plain text.",
        );
        return None;
    }
    if !value_template.has_token() {
        reader.error(
            value.span.clone(),
            "the token stands nowhere in `value`",
            "Write ${token} or ${json token}.",
        );
        return None;
    }
    if key_template.has_sdk_secret() && !has_sdk_secret {
        reader.error(
            key.span.clone(),
            "`sdk_secret` stands in `key` and is not set",
            "Add sdk_secret = { env = \"…\" }.",
        );
        return None;
    }
    Some(RedisKeys::Own { key: key_template, value: value_template })
}

fn template(text: &Placed<String>, reader: &mut Reader) -> Option<Template> {
    let parsed = Template::parse(&text.value);
    parsed
        .map_err(|why| {
            reader.error(
                text.span.clone(),
                why,
                "Write ${token}, ${expires_at}, ${json token}, … where values go.",
            )
        })
        .ok()
}
