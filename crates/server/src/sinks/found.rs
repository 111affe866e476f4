//! What others left at a sink's place, for taking over a live token. It is read in the shape that the sink writes, and in
//! no other: whatever else stands there is no token.

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
    /// A token that stands where it can be told from everything else.
    pub(super) fn new(token: &str, end: Option<Wall>) -> Option<Found> {
        let is_one = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Found { token: Secret::new(token), end })
    }

    /// A token with nothing around it, not even quotes, though some write it as a JSON string. Whatever may be something
    /// else than a token (RFC 6750 §2.1) is none.
    pub(super) fn alone(text: &str) -> Option<Found> {
        let text = text.trim();
        match serde_json::from_str(text) {
            Ok(Json::String(token)) => return Found::new(&token, None).filter(Found::is_plain),
            Ok(_) => return None,
            Err(_) => {}
        }
        Found::new(text, None).filter(Found::is_plain)
    }

    fn is_plain(&self) -> bool {
        let token = self.token.expose().trim_end_matches('=');
        token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
    }

    /// A token in a JSON object, under one of the names that it has with most programs.
    pub(super) fn in_object(text: &str) -> Option<Found> {
        let Ok(json @ Json::Object(_)) = serde_json::from_str(text) else { return None };
        let text = |name| json.get(name).and_then(Json::as_str);
        let token = ["access_token", "token", "accessToken"].into_iter().find_map(text)?;
        let created = json.get("createTime").and_then(moment).map(|created| created + ASSUMED_LIFE);
        // A small `expires_in` is a span that began nobody knows when.
        let at = |name| json.get(name).and_then(moment).filter(|at| at.unix_seconds() > 1_000_000_000);
        let end = created.or_else(|| ["expires_at", "expireTime", "expires_in"].into_iter().find_map(at));
        Found::new(token, end)
    }

    /// A token in lines of variables: `SHOP_TOKEN=…`.
    pub(super) fn in_variables(text: &str) -> Option<Found> {
        let value = |suffix: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs
                .find(|(name, _)| name.ends_with(suffix))
                .map(|(_, value)| value.trim().trim_matches(['\'', '"']))
        };
        let end = value("_TOKEN_EXPIRES_AT").and_then(|seconds| seconds.parse().ok());
        Found::new(value("_TOKEN")?, end.map(of_number))
    }
}

/// A moment as JavaScript writes dates, or as a number.
pub(super) fn moment(value: &Json) -> Option<Wall> {
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
    use tokenward_providers::TicketKind;

    use super::super::delivery::Delivery;
    use super::super::delivery::testing::{delivery, subject};
    use super::super::file_format::FileFormat;
    use super::super::redis_preset::{KeyOptions, KeyedValue, PRESETS};
    use super::*;

    fn plain() -> Delivery {
        Delivery { token: Secret::new("90_tok-EN"), ..delivery() }
    }

    fn found(format: &FileFormat, text: &str) -> Option<Found> {
        format.find(&subject(), text.as_bytes())
    }

    #[test]
    fn every_preset_of_files_is_read_back() {
        for (name, format) in FileFormat::PRESETS {
            let files = format.files(&subject(), &plain()).unwrap();
            let (_, text) = files.last().unwrap();
            let end = (name != "plain").then_some(plain().told_end);
            assert_eq!(found(&format, text), Some(Found { token: plain().token, end }), "{name}");
        }
    }

    /// The first key of every preset, and of its tickets.
    fn first_keys() -> Vec<(String, KeyedValue)> {
        let kinds = [None, Some(TicketKind::Jsapi), Some(TicketKind::WxCard)];
        let all = PRESETS.iter().flat_map(|preset| kinds.map(|kind| (preset, kind)));
        all.filter(|(preset, kind)| kind.is_none_or(|kind| preset.keeps(kind)))
            .map(|(preset, ticket)| {
                let options = KeyOptions { ticket, ..KeyOptions::default() };
                let first = preset.keyed(&options, &subject()).swap_remove(0);
                (format!("{} {ticket:?}", preset.name), first)
            })
            .collect()
    }

    #[test]
    fn every_preset_of_redis_is_read_back_for_tokens_and_for_tickets() {
        for (name, KeyedValue { value, .. }) in first_keys() {
            let text = value.fill(&subject(), &plain());
            let token = |found: Option<Found>| found.map(|found| found.token);
            assert_eq!(token(value.find(&subject(), text.as_bytes())), Some(plain().token), "{name}");
            // Ours is known again whatever is in it.
            let odd = value.fill(&subject(), &delivery());
            assert_eq!(token(value.read(&subject(), odd.as_bytes())), Some(delivery().token), "{name}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        let texts =
            ["", "null", "7", "[1]", "{\"a\":1}", "two words", "s:9:\"short\";", "a:1:{i:0;i:1;}", "a=b"];
        for (name, format) in FileFormat::PRESETS {
            for text in texts {
                assert_eq!(found(&format, text), None, "{name}: {text}");
            }
        }
        for (name, KeyedValue { value, .. }) in first_keys() {
            for text in texts {
                assert_eq!(value.find(&subject(), text.as_bytes()), None, "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_bare_token_may_be_a_json_string_and_is_no_structure() {
        assert_eq!(Found::alone("\"90_t\"\n").map(|found| found.token), Some(Secret::new("90_t")));
        for text in [
            "a:2:{s:6:\"ticket\";s:1:\"t\";s:10:\"expires_in\";i:7200;}",
            "token=abc;until=1999999999",
            "{\"access_token\":\"t\"}",
            "SHOP_TOKEN=abc",
        ] {
            assert_eq!(Found::alone(text), None, "{text}");
        }
    }

    #[test]
    fn the_moment_of_a_file_may_be_a_number() {
        let found = Found::in_object(r#"{"access_token":"t","createTime":1795168800000}"#).unwrap();
        assert_eq!(found.end, Some(plain().told_end));
    }

    #[test]
    fn a_span_that_began_nobody_knows_when_is_no_end() {
        assert_eq!(Found::in_object(r#"{"access_token":"t","expires_in":7200}"#).unwrap().end, None);
    }

    #[test]
    fn what_easywechat_5_writes_is_read() {
        let ticket = KeyOptions { ticket: Some(TicketKind::Jsapi), ..KeyOptions::default() };
        let preset = PRESETS.iter().find(|preset| preset.name == "easywechat5").unwrap();
        let value = preset.keyed(&ticket, &subject()).swap_remove(0).value;
        let theirs: [&[u8]; 2] = [
            b"a:4:{s:7:\"errcode\";i:0;s:6:\"errmsg\";s:2:\"ok\";s:6:\"ticket\";s:1:\"t\";s:10:\"expires_in\";i:7200;}",
            b"\0\0\0\x02\x14\x02\x11\x06ticket\x11\x01t\x11\x0aexpires_in\x08\x1c\x20",
        ];
        for text in theirs {
            assert_eq!(value.find(&subject(), text), Found::new("t", None));
        }
        assert_eq!(
            value.find(&subject(), b"a:1:{s:12:\"access_token\";s:1:\"t\";}"),
            None,
            "that is no ticket"
        );
    }
}
