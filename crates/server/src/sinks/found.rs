//! What others left at a sink's place, read back: the other direction of the presets, for taking over a live token.

use serde_json::Value as Json;
use tokenward_core::secret::Secret;
use tokenward_core::time::{Span, Wall};

/// A token that was found, and its end if that stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) token: Secret,
    pub(crate) end: Option<Wall>,
}

/// What code that writes `createTime` takes a token's life to be.
const ASSUMED_LIFE: Span = Span::hours(2);
/// Numbers above are milliseconds since 1970, and seconds otherwise.
const LARGEST_SECONDS: i64 = 100_000_000_000;

impl Found {
    /// Reads a value of any of the presets: bare, as a JSON string or object, as PHP serializes it, or as lines of
    /// variables. `None` if there is no token in it.
    pub(crate) fn read(text: &str) -> Option<Found> {
        let text = text.trim();
        match serde_json::from_str(text) {
            Ok(Json::String(token)) => return Found::bare(&token),
            Ok(json @ Json::Object(_)) => return Found::in_object(&json),
            Ok(_) => return None,
            Err(_) => {}
        }
        if text.starts_with("s:") {
            return Found::bare(php_string(text)?);
        }
        if let Some((_, behind)) = text.split_once("s:12:\"access_token\";") {
            return Found::bare(php_string(behind)?);
        }
        if text.contains("_TOKEN=") {
            return Found::in_variables(text);
        }
        Found::bare(text)
    }

    fn bare(token: &str) -> Option<Found> {
        // Whatever else was meant, this is no token.
        let is_one = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Found { token: Secret::new(token), end: None })
    }

    fn in_object(json: &Json) -> Option<Found> {
        let text = |name| json.get(name).and_then(Json::as_str);
        let token = ["access_token", "token", "accessToken"].into_iter().find_map(text)?;
        let created = json.get("createTime").and_then(moment).map(|created| created + ASSUMED_LIFE);
        // A small `expires_in` is a span that began nobody knows when.
        let at = |name| json.get(name).and_then(moment).filter(|at| at.unix_seconds() > 1_000_000_000);
        let end = created.or_else(|| ["expires_at", "expireTime", "expires_in"].into_iter().find_map(at));
        Some(Found { end, ..Found::bare(token)? })
    }

    fn in_variables(text: &str) -> Option<Found> {
        let value = |suffix: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs
                .find(|(name, _)| name.ends_with(suffix))
                .map(|(_, value)| value.trim().trim_matches(['\'', '"']))
        };
        let end = value("_TOKEN_EXPIRES_AT").and_then(|seconds| seconds.parse().ok());
        Some(Found { end: end.map(of_number), ..Found::bare(value("_TOKEN")?)? })
    }
}

/// `s:6:"abcdef";` at the beginning of a text.
fn php_string(text: &str) -> Option<&str> {
    let (length, behind) = text.strip_prefix("s:")?.split_once(":\"")?;
    let length: usize = length.parse().ok()?;
    let value = behind.get(..length)?;
    behind.get(length..)?.starts_with("\";").then_some(value)
}

/// A moment as JavaScript writes dates, or as a number.
fn moment(value: &Json) -> Option<Wall> {
    match value {
        Json::String(text) => {
            let stamp: Option<jiff::Timestamp> = text.parse().ok();
            stamp.map(|stamp| Wall(stamp.as_millisecond())).or_else(|| text.parse().ok().map(of_number))
        }
        number => number.as_i64().map(of_number),
    }
}

fn of_number(number: i64) -> Wall {
    if number > LARGEST_SECONDS { Wall(number) } else { Wall(number.saturating_mul(1_000)) }
}

#[cfg(test)]
mod tests {
    use super::super::delivery::Delivery;
    use super::super::delivery::testing::{delivery, subject};
    use super::super::file_format::FileFormat;
    use super::super::redis_preset::{KeyOptions, PRESETS};
    use super::*;

    fn plain() -> Delivery {
        Delivery { token: Secret::new("90_tok-EN"), ..delivery() }
    }

    #[test]
    fn every_preset_of_files_is_read_back() {
        for (name, format) in FileFormat::PRESETS {
            let files = format.files(&subject(), &plain()).unwrap();
            let (_, text) = files.last().unwrap();
            let found = Found::read(text).unwrap();
            let end = (name != "plain").then_some(plain().told_end);
            assert_eq!(found, Found { token: plain().token, end }, "{name}");
        }
    }

    #[test]
    fn every_preset_of_redis_is_read_back() {
        for preset in &PRESETS {
            let keyed = preset.keyed(&KeyOptions::default(), &subject());
            let text = keyed.first().unwrap().value.fill(&subject(), &plain());
            assert_eq!(Found::read(&text).unwrap().token, plain().token, "{}", preset.name);
        }
    }

    #[test]
    fn the_moment_of_a_file_may_be_a_number() {
        let found = Found::read(r#"{"access_token":"t","createTime":1795168800000}"#).unwrap();
        assert_eq!(found.end, Some(plain().told_end));
    }

    #[test]
    fn a_span_that_began_nobody_knows_when_is_no_end() {
        assert_eq!(Found::read(r#"{"access_token":"t","expires_in":7200}"#).unwrap().end, None);
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        for text in ["", "null", "[1]", "{\"a\":1}", "two words", "s:9:\"short\";"] {
            assert_eq!(Found::read(text), None, "{text}");
        }
    }
}
