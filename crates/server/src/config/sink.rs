//! `[credentials.NAME.sinks.SINK]`: where each new token is written.

use std::ops::Range;
use std::path::PathBuf;

use tokenward_core::name::Name;
use tokenward_providers::TicketKind;

use super::SecretRef;
use super::reader::{Placed, Reader, Section};
use super::sink_cloud::{self, CloudConfig};
use super::sink_redis::{self, RedisConfig};
use super::sink_webhook::{self, WebhookConfig};
use crate::sinks::{Afterwards, FileFormat, Owner, Signal, Template};

/// `[credentials.NAME.sinks.SINK]`
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Its name.
    pub name: Name,
    /// What an SDK has as the app's secret, where a key is made of it.
    pub sdk_secret: Option<SecretRef>,
    pub(crate) place: PlaceConfig,
    pub(super) span: Range<usize>,
}

/// Where it writes.
#[derive(Clone, Debug)]
pub(crate) enum PlaceConfig {
    File(FileConfig),
    Redis(RedisConfig),
    Cloud(CloudConfig),
    Webhook(WebhookConfig),
}

/// `to = "file"`
#[derive(Clone, Debug)]
pub(crate) struct FileConfig {
    pub(crate) path: PathBuf,
    pub(crate) format: FileFormat,
    pub(crate) mode: u32,
    pub(crate) owner: Option<Owner>,
    pub(crate) afterwards: Option<Afterwards>,
}

const PLACES: [&str; 4] = ["file", "redis", "cloud-database", "webhook"];
const FILE: [&str; 8] = ["to", "path", "preset", "template", "mode", "owner", "run", "signal"];

impl SinkConfig {
    /// The sinks of a credential: of a ticket of this kind, or of a token.
    pub(super) fn read_all(
        section: &mut Section<'_>,
        ticket: Option<TicketKind>,
        reader: &mut Reader,
    ) -> Vec<SinkConfig> {
        let found = section.named_sections("sinks", reader);
        let read = |(name, section)| SinkConfig::read(&name, section, ticket, reader);
        found.into_iter().filter_map(read).collect()
    }

    fn read(
        name: &Placed<Name>,
        mut section: Section<'_>,
        ticket: Option<TicketKind>,
        reader: &mut Reader,
    ) -> Option<SinkConfig> {
        let to = section.required_string("to", "to = \"file\"", reader)?;
        let mut sdk_secrets = match to.value.as_str() {
            "redis" => section.secrets("sdk_secret", false, reader),
            _ => Vec::new(),
        };
        let sdk_secret = sdk_secrets.pop();
        let (place, known): (_, &[&str]) = match to.value.as_str() {
            "file" => (file(&mut section, reader).map(PlaceConfig::File), &FILE),
            "redis" => {
                let redis = sink_redis::read(&mut section, ticket, sdk_secret.is_some(), reader);
                let unused = redis.as_ref().is_some_and(|redis| redis.keys.sdk_secret_in_key().is_none());
                if let Some(secret) = sdk_secret.as_ref().filter(|_| unused) {
                    let message = "`sdk_secret` is used for nothing: no key of this sink is made of it";
                    reader.warn(secret.span.clone(), message, "Remove it.");
                }
                (redis.map(PlaceConfig::Redis), &sink_redis::KNOWN)
            }
            "cloud-database" => (
                CloudConfig::read(&name.value, &mut section, reader).map(PlaceConfig::Cloud),
                &sink_cloud::KEYS,
            ),
            "webhook" => {
                (WebhookConfig::read(&mut section, reader).map(PlaceConfig::Webhook), &sink_webhook::KEYS)
            }
            other => {
                let message = format!("there is no kind of sink {other:?}");
                reader.error(to.span, message, format!("Kinds are {}.", PLACES.join(", ")));
                return None;
            }
        };
        section.finish(known, reader);
        Some(SinkConfig { name: name.value.clone(), sdk_secret, place: place?, span: name.span.clone() })
    }
}

fn file(section: &mut Section<'_>, reader: &mut Reader) -> Option<FileConfig> {
    let path = section.required_string("path", "path = \"/run/app/access_token.json\"", reader);
    let format = file_format(section, reader);
    let mode = section.string("mode", reader).map_or(Some(0o600), |mode| file_mode(&mode, reader));
    let owner = section.string("owner", reader).map(|owner| {
        let parsed = Owner::parse(&owner.value);
        parsed.map_err(|why| reader.error(owner.span, why, "Write \"user\", \"user:group\" or numbers.")).ok()
    });
    let run = section.strings("run", reader);
    let signal = signal(section, reader);
    let afterwards = match (run, signal) {
        (Some(words), Some(_)) => {
            let span = words.first().map_or(section.span.clone(), |word| word.span.clone());
            reader.error(span, "a sink has `run` or `signal`, not both", "Remove one of them.");
            None
        }
        (Some(words), None) => Some(Afterwards::Run(words.into_iter().map(|word| word.value).collect())),
        (None, signal) => signal.map(Afterwards::Signal),
    };
    let path = path.map(|path| super::resolve(&reader.folder, &path.value))?;
    Some(FileConfig { path, format: format?, mode: mode?, owner: owner.flatten(), afterwards })
}

fn file_format(section: &mut Section<'_>, reader: &mut Reader) -> Option<FileFormat> {
    let preset = section.string("preset", reader);
    let template = section.string("template", reader);
    let known: Vec<String> = FileFormat::PRESETS.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let known = known.join(", ");
    match (preset, template) {
        (Some(preset), None) => {
            let found = FileFormat::PRESETS.into_iter().find(|(name, _)| *name == preset.value);
            if found.is_none() {
                let message = format!("there is no preset {:?} for files", preset.value);
                reader.error(preset.span, message, format!("Presets are {known}; or write a `template`."));
            }
            found.map(|(_, format)| format)
        }
        (None, Some(template)) => file_template(&template, reader).map(FileFormat::Template),
        (Some(preset), Some(_)) => {
            reader.error(preset.span, "a sink has `preset` or `template`, not both", "Remove one of them.");
            None
        }
        (None, None) => {
            let message = "a file needs `preset` or `template`";
            reader.error(section.span.clone(), message, format!("Presets are {known}."));
            None
        }
    }
}

fn file_template(text: &Placed<String>, reader: &mut Reader) -> Option<Template> {
    let wrong = match Template::parse(&text.value) {
        Ok(template) if !template.has_token() => "the token stands nowhere in `template`".to_owned(),
        Ok(template) if template.has_sdk_secret() => "`sdk_secret` is for keys in Redis alone".to_owned(),
        Ok(template) => return Some(template),
        Err(why) => why,
    };
    reader.error(
        text.span.clone(),
        wrong,
        "Write ${token}, ${expires_at}, ${json token}, … where values go.",
    );
    None
}

fn file_mode(mode: &Placed<String>, reader: &mut Reader) -> Option<u32> {
    let parsed =
        u32::from_str_radix(&mode.value, 8).ok().filter(|mode| mode & !0o666 == 0 && mode & 0o400 != 0);
    match parsed {
        None => {
            let message = format!("{:?} is not a file mode in octal digits", mode.value);
            reader.error(mode.span.clone(), message, "Write \"0600\" or \"0640\".");
        }
        Some(parsed) if parsed & 0o004 != 0 => {
            let message = "every user of the machine could read the token";
            reader.warn(
                mode.span.clone(),
                message,
                "Give the file to a group: owner = \"root:www-data\", mode = \"0640\".",
            );
        }
        Some(_) => {}
    }
    parsed
}

fn signal(section: &mut Section<'_>, reader: &mut Reader) -> Option<Signal> {
    use rustix::process::Signal as Number;
    let is_there = section.take("signal").is_some();
    let mut table = section.section("signal", reader);
    if !is_there {
        return None;
    }
    let pid_file = table.required_string("pid_file", "pid_file = \"/run/app.pid\"", reader);
    let name = table.string("signal", reader);
    let number = match name.as_ref().map(|name| name.value.as_str()) {
        None | Some("HUP") => Some(Number::HUP),
        Some("USR1") => Some(Number::USR1),
        Some("USR2") => Some(Number::USR2),
        Some(_) => None,
    };
    if let (None, Some(name)) = (number, name) {
        reader.error(name.span, "this signal is not sent", "Write \"HUP\", \"USR1\" or \"USR2\".");
    }
    table.finish(&["pid_file", "signal"], reader);
    Some(Signal { pid_file: super::resolve(&reader.folder, &pid_file?.value), number: number? })
}

/// What is wrong only when all sinks are seen together: two that write to one place.
pub(super) fn check_together<'a>(sinks: impl Iterator<Item = &'a SinkConfig>, reader: &mut Reader) {
    let mut paths = std::collections::HashSet::new();
    for sink in sinks {
        let PlaceConfig::File(file) = &sink.place else { continue };
        if !paths.insert(file.path.clone()) {
            let message = format!("two sinks write {}", file.path.display());
            reader.error(sink.span.clone(), message, "Give each a file of its own.");
        }
    }
}
