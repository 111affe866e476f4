//! Templates read backwards: the token in a text that one of them wrote, or that others left in its place.
//!
//! That works where text stands between the token and what else changes, or an encoding says where it ends. Nothing is
//! guessed: where two tokens could be meant, or none can be read, there is none.

use std::cell::OnceCell;

use serde_json::Value as Json;
use tokenward_core::secret::Secret;
use tokenward_core::time::Wall;
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};
use super::found::{Found, moment};
use super::php_value;
use super::template::{Encoding, Part, Template, Value};

/// A piece of what a template writes.
enum Piece {
    /// The same for every token.
    Text(Zeroizing<String>),
    /// A value as it is.
    Raw(Value),
    /// What stands behind one another in an encoding that says where it ends.
    Enclosed(Encoding, Vec<Piece>),
    /// Of a digest nothing can be read.
    Digest,
}

/// What has been read.
#[derive(Default)]
struct Read {
    token: Option<Secret>,
    end: Option<Wall>,
}

/// Longer texts are not looked through.
const LONGEST: usize = 1 << 17;
/// The digits of an MD5.
const DIGEST: usize = 32;

impl Template {
    /// Whether a token that it has written can be read again.
    pub(super) fn is_readable(&self, subject: &Subject) -> bool {
        let pieces = self.pieces(subject);
        pieces.iter().any(Piece::has_token) && is_definite(&pieces)
    }

    /// The token in a text that this template wrote.
    pub(super) fn read(&self, subject: &Subject, text: &[u8]) -> Option<Found> {
        let pieces = self.pieces(subject);
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST)?;
        let Read { token, end } = is_definite(&pieces).then(|| read_all(&pieces, text, None))??;
        Some(Found { token: token?, end })
    }

    /// The token that others left where this template writes: in the same text, or in the same field of an object.
    pub(super) fn find(&self, subject: &Subject, text: &[u8]) -> Option<Found> {
        let pieces = self.pieces(subject);
        if let [Piece::Raw(Value::Token)] = &pieces[..] {
            return Found::alone(std::str::from_utf8(text).ok()?);
        }
        self.read(subject, text.trim_ascii()).or_else(|| in_fields(&pieces, text))
    }

    fn pieces(&self, subject: &Subject) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = self.parts().iter().flat_map(|part| Piece::of(part, subject)).collect();
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        pieces
    }
}

impl Piece {
    fn of(part: &Part, subject: &Subject) -> Vec<Piece> {
        let constant = |value: &Value| value.of(subject, &Delivery::nothing());
        let raw = |value: &Value| match value.is_constant() {
            true => Piece::Text(constant(value)),
            false => Piece::Raw(*value),
        };
        match part {
            Part::Text(text) => vec![Piece::Text(text.clone().into())],
            Part::Place(encoding, values) if values.iter().all(|value| value.is_constant()) => {
                let mut plain = Zeroizing::new(String::new());
                values.iter().for_each(|value| plain.push_str(&constant(value)));
                vec![Piece::Text(encoding.write(&plain))]
            }
            Part::Place(Encoding::Raw, values) => values.iter().map(raw).collect(),
            Part::Place(Encoding::Md5, _) => vec![Piece::Digest],
            Part::Place(encoding, values) => {
                vec![Piece::Enclosed(*encoding, values.iter().map(raw).collect())]
            }
        }
    }

    fn has_token(&self) -> bool {
        self.has(Value::Token)
    }

    fn has(&self, value: Value) -> bool {
        match self {
            Piece::Raw(raw) => *raw == value,
            Piece::Enclosed(_, pieces) => pieces.iter().any(|piece| piece.has(value)),
            Piece::Text(_) | Piece::Digest => false,
        }
    }
}

/// Whether it can be seen of each piece where it ends.
fn is_definite(pieces: &[Piece]) -> bool {
    let next = pieces.iter().skip(1).map(Some).chain([None]);
    pieces.iter().zip(next).all(|(piece, next)| match (piece, next) {
        (Piece::Enclosed(_, inner), _) => is_definite(inner),
        (Piece::Raw(Value::Token), Some(next)) => matches!(next, Piece::Text(_)),
        (Piece::Raw(_), Some(Piece::Text(text))) => !text.starts_with(|char: char| char.is_ascii_digit()),
        (Piece::Raw(_), Some(next)) => matches!(next, Piece::Enclosed(..)),
        (Piece::Raw(_), None) | (Piece::Text(_) | Piece::Digest, _) => true,
    })
}

/// Reads a text from its beginning to its end. A token that is known stands wherever there is one.
fn read_all(mut pieces: &[Piece], mut text: &str, token: Option<&str>) -> Option<Read> {
    let decoded = OnceCell::new();
    let mut token = token;
    let mut end = None;
    while let Some((piece, rest)) = pieces.split_first() {
        text = match (piece, token) {
            (Piece::Text(wanted), _) => text.strip_prefix(wanted.as_str())?,
            (Piece::Raw(Value::Token), Some(token)) => text.strip_prefix(token)?,
            (Piece::Raw(Value::Token), None) => {
                let read = token_and_all(rest, text)?;
                return Some(Read { end: read.end.or(end), ..read });
            }
            (Piece::Raw(value), _) => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                let (number, behind) = text.split_at_checked(digits)?;
                end = end_of(*value, number.parse().ok()?).or(end);
                behind
            }
            (Piece::Enclosed(encoding, inner), _) => {
                let (content, behind) = decode(*encoding, text)?;
                let read = read_all(inner, &content, token)?;
                end = read.end.or(end);
                if let Some(read) = read.token {
                    token = Some(decoded.get_or_init(|| read).expose());
                }
                behind
            }
            (Piece::Digest, _) => {
                let (digest, behind) = text.split_at_checked(DIGEST)?;
                digest.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(behind)?
            }
        };
        pieces = rest;
    }
    text.is_empty().then(|| Read { token: token.map(Secret::new), end })
}

/// Reads a token that ends where the text behind it begins, in the one way in which everything fits.
fn token_and_all(rest: &[Piece], text: &str) -> Option<Read> {
    let longest = text.bytes().take_while(u8::is_ascii_graphic).count();
    let mut fitting = (1..=longest).filter_map(|length| {
        let (token, behind) = text.split_at_checked(length)?;
        read_all(rest, behind, Some(token))
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

fn end_of(value: Value, number: i64) -> Option<Wall> {
    match value {
        Value::ExpiresAt => Some(Wall(number.saturating_mul(1_000))),
        Value::ExpiresAtMs => Some(Wall(number)),
        _ => None,
    }
}

/// What an encoding has written at the beginning of a text, and what is behind it.
fn decode(encoding: Encoding, text: &str) -> Option<(Zeroizing<String>, &str)> {
    match encoding {
        Encoding::Json => {
            let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
            let string = Zeroizing::new(strings.next()?.ok()?);
            Some((string, text.get(strings.byte_offset()..)?))
        }
        Encoding::Php => {
            let (string, behind) = php_value::serialized(text.as_bytes())?;
            let string = std::str::from_utf8(string).ok()?;
            Some((string.to_owned().into(), text.get(text.len() - behind.len()..)?))
        }
        Encoding::Raw | Encoding::Md5 => None,
    }
}

/// The token of an object in which others order the fields otherwise, or have more of them.
fn in_fields(pieces: &[Piece], text: &[u8]) -> Option<Found> {
    let before = std::iter::once(None).chain(pieces.iter().map(Some));
    let mut named = before.zip(pieces).map(|(before, piece)| (before.and_then(field), piece));
    let (field, token) = named.clone().find(|(_, piece)| piece.has_token())?;
    if let Piece::Enclosed(Encoding::Php, _) = token {
        return Found::new(php_value::string(text, field)?, None);
    }
    let Ok(json @ Json::Object(_)) = serde_json::from_slice(text) else { return None };
    let end = named.find_map(|(name, piece)| {
        let is_end = piece.has(Value::ExpiresAt) || piece.has(Value::ExpiresAtMs);
        is_end.then(|| json.get(name?).and_then(moment))?
    });
    Found::new(json.get(field?)?.as_str()?, end)
}

/// The name of the field whose value follows: `… "name":`, `… "name":"`, `… s:4:"name";`.
fn field(before: &Piece) -> Option<&str> {
    let Piece::Text(text) = before else { return None };
    let text = text.trim_end_matches(['"', ':', ';', ' ', '\n', '\t']);
    text.rsplit_once('"').map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::super::delivery::testing::{delivery, subject};
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    /// What is read of what a template writes.
    fn again(text: &str) -> Option<Found> {
        let text = template(text);
        text.read(&subject(), text.fill(&subject(), &delivery()).as_bytes())
    }

    fn found(text: &str, there: &str) -> Option<(String, Option<i64>)> {
        let found = template(text).find(&subject(), there.as_bytes())?;
        Some((found.token.expose().to_owned(), found.end.map(|end| end.unix_seconds())))
    }

    #[test]
    fn what_stands_around_a_token_is_not_part_of_it() {
        for text in [
            "${token}",
            "token=${token};until=${expires_at}",
            "${token}|${expires_at}|${token}",
            "${expires_at_ms}:${json app_id token}${php token}${generation}",
            "${credential}${token}${sdk_secret}",
            "${md5 token} ${app_id}${md5 app_id}${token}",
            "${generation}${json token}",
        ] {
            let read = again(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.token, delivery().token, "{text}");
            assert_eq!(read.end, text.contains("expires_at").then_some(delivery().told_end), "{text}");
        }
    }

    #[test]
    fn a_text_that_says_not_where_its_token_ends_is_not_read() {
        for text in [
            "${token}${generation}",
            "${generation}${token}",
            "${md5 token}",
            "${generation}1 ${token}",
            "${json token generation}",
        ] {
            assert!(!template(text).is_readable(&subject()), "{text}");
            assert_eq!(again(text), None, "{text}");
        }
        assert!(template("${generation} ${token}").is_readable(&subject()));
    }

    #[test]
    fn a_token_may_contain_what_stands_behind_it() {
        assert_eq!(found("${token};${expires_at}", "a;b;7\n"), Some(("a;b".to_owned(), Some(7))));
        assert_eq!(found("${token};${token}", "a;b;a;b"), Some(("a;b".to_owned(), None)));
        assert_eq!(found("${token};${token}", "a;b"), None);
    }

    #[test]
    fn another_text_than_the_templates_is_no_token() {
        for there in
            ["", "abc", "token=abc", "token=;until=7", "token=a b;until=7", "token=abc;until=x", "{}"]
        {
            assert_eq!(found("token=${token};until=${expires_at}", there), None, "{there}");
        }
    }

    #[test]
    fn an_object_is_read_by_the_names_of_its_fields() {
        let there = "{ \"until\": 1999999999,\n \"more\": [], \"token\": \"abc\" }";
        let wanted = Some(("abc".to_owned(), Some(1_999_999_999)));
        assert_eq!(found("{\"token\":${json token},\"until\":${expires_at}}", there), wanted);
        assert_eq!(found("{\"token\": \"${token}\", \"until\": ${expires_at}}", there), wanted);
        assert_eq!(found("{\"ticket\":${json token}}", there), None);
    }

    #[test]
    fn a_long_text_of_nothing_but_separators_is_gone_through_in_time() {
        let there = ";".repeat(LONGEST);
        assert_eq!(found("${token};${token}", &there), None);
    }
}
