//! What stands in a file: the shapes that existing code reads.

use serde_json::json;
use tokenward_core::time::Span;
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};
use super::found::Found;
use super::standing::SinkFailure;
use super::template::Template;

/// A shape of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// `{"access_token":"…","createTime":"…"}`. Code that reads it takes the token to live two hours from then, so that
    /// `createTime` is two hours before the end of the told life.
    AccessTokenJson,
    /// `{"access_token":"…","expires_in":…}` with the end of the told life in milliseconds since 1970.
    WechatTxt,
    /// `SHOP_TOKEN=…`, and its end as `SHOP_TOKEN_EXPIRES_AT` in seconds since 1970.
    Dotenv,
    /// The token, and nothing else.
    Plain,
    /// Whatever one likes.
    Template(Template),
    /// A folder of files, `token`, `expires_at` and `token.json`, that change together.
    Folder,
}

/// The names of the files of a folder.
pub(super) const IN_FOLDER: [&str; 3] = ["token", "expires_at", "token.json"];
/// What code that reads `createTime` takes a token's life to be.
const ASSUMED_LIFE: Span = Span::hours(2);

impl FileFormat {
    /// The shapes that have a name.
    pub(crate) const PRESETS: [(&'static str, FileFormat); 5] = [
        ("access_token.json", FileFormat::AccessTokenJson),
        ("wechat.txt", FileFormat::WechatTxt),
        ("dotenv", FileFormat::Dotenv),
        ("plain", FileFormat::Plain),
        ("folder", FileFormat::Folder),
    ];

    /// The files by their names; a single one has none.
    pub(crate) fn files(
        &self,
        subject: &Subject,
        delivery: &Delivery,
    ) -> Result<Vec<(&'static str, Zeroizing<String>)>, SinkFailure> {
        let token = delivery.token.expose();
        let single = |text: Zeroizing<String>| Ok(vec![("", text)]);
        match self {
            FileFormat::AccessTokenJson => {
                let created = delivery.told_end - ASSUMED_LIFE;
                let created = jiff::Timestamp::from_millisecond(created.0)
                    .map_err(|_| SinkFailure::new("the clock is out of range", "Set the machine's clock."))?;
                // With the milliseconds, as JavaScript writes a date.
                single(json_text(&json!({ "access_token": token, "createTime": format!("{created:.3}") })))
            }
            FileFormat::WechatTxt => {
                single(json_text(&json!({ "access_token": token, "expires_in": delivery.told_end.0 })))
            }
            FileFormat::Dotenv => dotenv(subject, delivery).and_then(single),
            FileFormat::Plain => single(Zeroizing::new(token.to_owned())),
            FileFormat::Template(template) => single(template.fill(subject, delivery)),
            FileFormat::Folder => Ok(vec![
                ("token", Zeroizing::new(token.to_owned())),
                ("expires_at", Zeroizing::new(delivery.told_end.unix_seconds().to_string())),
                (
                    "token.json",
                    json_text(&json!({
                        "credential": subject.credential.as_str(),
                        "token": token,
                        "generation": delivery.generation,
                        "expires_at": delivery.told_end.unix_seconds(),
                    })),
                ),
            ]),
        }
    }
}

impl FileFormat {
    /// Whether the token can be told from what else stands in it.
    pub(super) fn is_readable(&self, subject: &Subject) -> bool {
        match self {
            FileFormat::Template(template) => template.is_readable(subject),
            _ => true,
        }
    }

    /// The token in a file that somebody wrote, of a folder in the last of its files.
    pub(super) fn find(&self, subject: &Subject, bytes: &[u8]) -> Option<Found> {
        let text = std::str::from_utf8(bytes).ok()?;
        match self {
            FileFormat::AccessTokenJson | FileFormat::WechatTxt | FileFormat::Folder => {
                Found::in_object(text)
            }
            FileFormat::Dotenv => Found::in_variables(text),
            FileFormat::Plain => Found::alone(text),
            FileFormat::Template(template) => template.find(subject, bytes),
        }
    }
}

fn json_text(value: &serde_json::Value) -> Zeroizing<String> {
    Zeroizing::new(value.to_string())
}

fn dotenv(subject: &Subject, delivery: &Delivery) -> Result<Zeroizing<String>, SinkFailure> {
    let token = delivery.token.expose();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+/=:,@%".contains(&byte);
    let quoted = if token.bytes().all(is_plain) {
        token.to_owned()
    } else if token.bytes().any(|byte| byte == b'\'' || byte.is_ascii_control()) {
        return Err(SinkFailure::new(
            "the token has a quote or a line end in it, which this format has no way to write",
            "Use `preset = \"access_token.json\"` or a template.",
        ));
    } else {
        format!("'{token}'")
    };
    let name: String = subject.credential.as_str().chars().map(variable).collect();
    let end = delivery.told_end.unix_seconds();
    Ok(Zeroizing::new(format!("{name}_TOKEN={quoted}\n{name}_TOKEN_EXPIRES_AT={end}\n")))
}

fn variable(char: char) -> char {
    if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' }
}

#[cfg(test)]
mod tests {
    use tokenward_core::secret::Secret;

    use super::super::delivery::testing::{delivery, subject};
    use super::*;

    fn written(format: &FileFormat) -> String {
        let files = format.files(&subject(), &delivery()).unwrap();
        files.iter().map(|(name, text)| format!("{name}{}", text.as_str())).collect()
    }

    #[test]
    fn create_time_is_two_hours_before_the_end_of_the_told_life() {
        assert_eq!(
            written(&FileFormat::AccessTokenJson),
            r#"{"access_token":"tok\"en","createTime":"2026-11-20T10:00:00.000Z"}"#
        );
    }

    #[test]
    fn wechat_txt_has_the_end_in_milliseconds() {
        assert_eq!(
            written(&FileFormat::WechatTxt),
            r#"{"access_token":"tok\"en","expires_in":1795176000000}"#
        );
    }

    #[test]
    fn dotenv_is_named_after_the_credential() {
        assert_eq!(written(&FileFormat::Dotenv), "SHOP_TOKEN='tok\"en'\nSHOP_TOKEN_EXPIRES_AT=1795176000\n");
    }

    #[test]
    fn dotenv_refuses_what_it_cannot_write() {
        let odd = Delivery { token: Secret::new("a'b\n"), ..delivery() };
        assert!(FileFormat::Dotenv.files(&subject(), &odd).is_err());
    }

    #[test]
    fn a_plain_file_has_the_token_alone() {
        assert_eq!(written(&FileFormat::Plain), "tok\"en");
    }

    #[test]
    fn a_folder_has_files_that_belong_together() {
        let text = written(&FileFormat::Folder);
        assert!(text.starts_with("tokentok\"enexpires_at1795176000token.json{"), "{text}");
    }
}
