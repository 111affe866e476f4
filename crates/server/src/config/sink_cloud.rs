//! `to = "cloud-database"`: which record of WeChat's cloud database, and what stands in it.

use std::collections::HashSet;
use std::ops::Range;

use tokenward_core::name::Name;
use tokenward_core::time::Span;

use super::reader::{Placed, Reader, Section};
use super::sink::PlaceConfig;
use super::{CredentialConfig, SinkConfig};
use crate::sinks::{CloudRecord, Shape, Template};

/// `to = "cloud-database"`
#[derive(Clone, Debug)]
pub(crate) struct CloudConfig {
    /// Whose token writes the record, if not the credential's own.
    pub(crate) with: Option<Name>,
    pub(crate) env: String,
    pub(crate) record: CloudRecord,
    /// How often the record is read back; zero for never.
    pub(crate) check_every: Span,
    span: Range<usize>,
}

pub(super) const KEYS: [&str; 9] =
    ["to", "with", "env", "collection", "preset", "config_name", "id", "fields", "check_every"];

/// Each look is a call that counts: 48 a day.
const CHECK_EVERY: Span = Span::minutes(30);
/// More looks than this are worth a word.
const OFTEN: Span = Span::minutes(1);
const PLATFORM: &str = "wechat";
const LONGEST_ENV: usize = 40;
const PRESETS: &str = "Presets are \"setconfig\" and \"cloud-token\"; or write `fields`.";

impl CloudConfig {
    pub(super) fn read(sink: &Name, section: &mut Section<'_>, reader: &mut Reader) -> Option<CloudConfig> {
        let with = section.string("with", reader);
        let span = with.as_ref().map_or(section.span.clone(), |with| with.span.clone());
        let with = with.map(|with| name(&with, reader));
        let env = section.required_string("env", "env = \"prod-1a2b3c\"", reader);
        let env = env.filter(|env| is_env(env, reader));
        let record = record(sink, section, reader);
        let check_every = section.duration("check_every", reader);
        if let Some(often) =
            check_every.as_ref().filter(|every| every.value > Span::ZERO && every.value < OFTEN)
        {
            let message = "each look at the record is a call that counts against the platform's quotas";
            reader.warn(often.span.clone(), message, "Write \"30m\", or \"0s\" for never.");
        }
        let check_every = check_every.map_or(CHECK_EVERY, |every| every.value);
        let with = match with {
            Some(name) => Some(name?),
            None => None,
        };
        Some(CloudConfig { with, env: env?.value, record: record?, check_every, span })
    }
}

fn name(with: &Placed<String>, reader: &mut Reader) -> Option<Name> {
    let parsed = Name::parse(&with.value);
    let complain = |error| {
        let message = format!("`with` is {:?}, which cannot be a name: {error}", with.value);
        reader.error(with.span.clone(), message, "Name a credential of the platform \"wechat\".");
    };
    parsed.map_err(complain).ok()
}

/// As the platform's own SDK has it.
fn is_env(env: &Placed<String>, reader: &mut Reader) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let right = env.value.len() <= LONGEST_ENV && env.value.bytes().all(plain);
    if !right {
        let message = format!("`env` is {:?}, which is no id of an environment", env.value);
        let fix = "Write the id that stands in the cloud console, like \"prod-1a2b3c\", not the name.";
        reader.error(env.span.clone(), message, fix);
    }
    right
}

fn record(sink: &Name, section: &mut Section<'_>, reader: &mut Reader) -> Option<CloudRecord> {
    let preset = section.string("preset", reader);
    let config_name = section.string("config_name", reader);
    let id = section.string("id", reader);
    let collection = section.string("collection", reader);
    let fields = section.texts("fields", reader);
    let span = preset.as_ref().map_or(section.span.clone(), |preset| preset.span.clone());
    let chosen = preset.as_ref().map(|preset| preset.value.as_str());
    if let (Some(config_name), true) = (&config_name, chosen != Some("setconfig")) {
        let message = "`config_name` is for `preset = \"setconfig\"`";
        reader.error(config_name.span.clone(), message, "Remove it, or name the record with `id`.");
    }
    let id = id.map(|id| id.value);
    let shape = match (chosen, fields) {
        (Some("setconfig"), None) => {
            let config_name = config_name.map_or_else(|| "access_token".to_owned(), |name| name.value);
            Some(Shape::SetConfig { config_name, id })
        }
        (Some("cloud-token"), None) => {
            Some(Shape::CloudToken { id: id.unwrap_or_else(|| "access_token".to_owned()) })
        }
        (None, Some(fields)) => fields_of(fields, id, section, reader),
        (Some(preset @ ("setconfig" | "cloud-token")), Some(_)) => {
            let message = format!("the preset {preset:?} has its own fields");
            reader.error(span.clone(), message, "Remove `preset` or `fields`.");
            None
        }
        (Some(other), _) => {
            let message = format!("there is no preset {other:?} for the cloud database");
            reader.error(span.clone(), message, PRESETS);
            None
        }
        (None, None) => {
            reader.error(span.clone(), "a cloud database needs `preset` or `fields`", PRESETS);
            None
        }
    }?;
    let default = match &shape {
        Shape::SetConfig { .. } => Some("setconfig"),
        Shape::CloudToken { .. } => Some("cloud-token"),
        Shape::Fields { .. } => None,
    };
    let Some(collection) = collection.map(|it| it.value).or(default.map(str::to_owned)) else {
        reader.error(span, "`collection` is missing", "Add collection = \"tokens\".");
        return None;
    };
    let record = CloudRecord { collection, shape };
    if let Err(error) = record.check(sink) {
        let fix = "Correct `collection`, `config_name`, `id` or the names of `fields`.";
        reader.error(span, format!("the record cannot be written: {error}"), fix);
        return None;
    }
    Some(record)
}

fn fields_of(
    fields: Vec<(String, Placed<String>)>,
    id: Option<String>,
    section: &Section<'_>,
    reader: &mut Reader,
) -> Option<Shape> {
    let Some(id) = id else {
        let message = "`fields` are written into the record that `id` names";
        reader.error(section.span.clone(), message, "Add id = \"access_token\".");
        return None;
    };
    let (mut parsed, mut has_token, count) = (Vec::new(), false, fields.len());
    for (name, text) in fields {
        match Template::parse(&text.value) {
            Ok(template) if !template.has_sdk_secret() => {
                has_token |= template.has_token();
                parsed.push((name, template));
            }
            Ok(_) => {
                let message = "`sdk_secret` is for keys in Redis alone";
                reader.error(text.span, message, "Remove it.");
            }
            Err(why) => reader.error(text.span, why, "Write ${token}, ${expires_at}, … where values go."),
        }
    }
    if parsed.len() < count {
        return None;
    }
    if !has_token {
        let message = "the token stands in none of the `fields`";
        reader.error(section.span.clone(), message, "Write fields = { token = \"${token}\" }.");
        return None;
    }
    Some(Shape::Fields { id, fields: parsed })
}

/// What is wrong only when all credentials are seen together: whose token writes, and two that write one record.
pub(super) fn check_together(credentials: &[CredentialConfig], reader: &mut Reader) {
    let mut records = HashSet::new();
    for (credential, sink, cloud) in credentials.iter().flat_map(of) {
        let wanted = cloud.with.as_ref().unwrap_or(&credential.name);
        let Some(with) = credentials.iter().find(|credential| credential.name == *wanted) else {
            let message = format!("`with` names {wanted}, and there is no such credential");
            reader.error(cloud.span.clone(), message, "Name a credential of the platform \"wechat\".");
            continue;
        };
        if with.provider.platform() != PLATFORM {
            let message = format!(
                "{wanted} is of the platform {:?}, which has no cloud database",
                with.provider.platform()
            );
            let fix = "Add with = \"NAME\": a credential of the platform \"wechat\" whose app owns the environment.";
            reader.error(cloud.span.clone(), message, fix);
        }
        let CloudRecord { collection, .. } = &cloud.record;
        if !records.insert((cloud.env.clone(), collection.clone(), cloud.record.name())) {
            let message = format!("two sinks write the record with the {}", cloud.record.name());
            reader.error(sink.span.clone(), message, "Give each a record of its own.");
        }
    }
}

fn of(credential: &CredentialConfig) -> impl Iterator<Item = (&CredentialConfig, &SinkConfig, &CloudConfig)> {
    credential.sinks.iter().filter_map(move |sink| match &sink.place {
        PlaceConfig::Cloud(cloud) => Some((credential, sink, cloud)),
        _ => None,
    })
}
