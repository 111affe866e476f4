//! Texts with places in them: `${token}`, `${json token}`, `${md5 app_id sdk_secret}`.
//!
//! A place names one value or several, which are written one behind the other; a word in front says how. Everything else
//! is written as it stands. What is misspelt is found when the configuration is read, never at a delivery.

use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Place(Encoding, Vec<Value>),
}

/// What can stand at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Token,
    ExpiresIn,
    ExpiresAt,
    ExpiresAtMs,
    IssuedAt,
    IssuedAtMs,
    Generation,
    Credential,
    AppId,
    SdkSecret,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Raw,
    /// As a JSON string, quotes and all.
    Json,
    /// As PHP's `serialize` writes a string.
    Php,
    /// Its MD5, in hexadecimal digits.
    Md5,
}

const VALUES: [(&str, Value); 10] = [
    ("token", Value::Token),
    ("expires_in", Value::ExpiresIn),
    ("expires_at", Value::ExpiresAt),
    ("expires_at_ms", Value::ExpiresAtMs),
    ("issued_at", Value::IssuedAt),
    ("issued_at_ms", Value::IssuedAtMs),
    ("generation", Value::Generation),
    ("credential", Value::Credential),
    ("app_id", Value::AppId),
    ("sdk_secret", Value::SdkSecret),
];

const ENCODINGS: [(&str, Encoding); 3] =
    [("json", Encoding::Json), ("php", Encoding::Php), ("md5", Encoding::Md5)];

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// Says which place is wrong.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let Some((place, after)) = behind.split_once('}') else {
                return Err("a place `${` has no `}`".to_owned());
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(self::place(place)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    /// Whether a value stands in it that only `sdk_secret` gives.
    pub(crate) fn has_sdk_secret(&self) -> bool {
        self.has(Value::SdkSecret)
    }

    /// Whether the token stands in it.
    pub(crate) fn has_token(&self) -> bool {
        self.has(Value::Token)
    }

    /// Whether it is the same for every token.
    pub(crate) fn is_constant(&self) -> bool {
        self.0.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Place(_, values) => values.iter().all(|value| value.is_constant()),
        })
    }

    /// The text, where it is the same for every token.
    pub(crate) fn fill_constant(&self, subject: &Subject) -> Zeroizing<String> {
        self.fill(subject, &Delivery::nothing())
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    fn has(&self, wanted: Value) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Place(_, values) if values.contains(&wanted)))
    }

    /// Whether it is one number and nothing else.
    pub(crate) fn is_number(&self) -> bool {
        const NUMBERS: [Value; 6] = [
            Value::ExpiresIn,
            Value::ExpiresAt,
            Value::ExpiresAtMs,
            Value::IssuedAt,
            Value::IssuedAtMs,
            Value::Generation,
        ];
        matches!(&self.0[..], [Part::Place(Encoding::Raw, values)]
            if matches!(&values[..], [value] if NUMBERS.contains(value)))
    }

    /// The token in a text of this template, where all that stands around it is the same for every token.
    pub(crate) fn bare_token<'a>(&self, text: &'a str, subject: &Subject) -> Option<&'a str> {
        let bare = Part::Place(Encoding::Raw, vec![Value::Token]);
        let place = self.0.iter().position(|part| *part == bare)?;
        let (before, behind) = (self.0.get(..place)?, self.0.get(place + 1..)?);
        let constant = |parts: &[Part]| {
            let around = Template(parts.to_vec());
            around.is_constant().then(|| around.fill_constant(subject))
        };
        text.strip_prefix(constant(before)?.as_str())?.strip_suffix(constant(behind)?.as_str())
    }

    /// Whether what only `sdk_secret` gives can be read in it, and is no digest.
    pub(crate) fn shows_sdk_secret(&self) -> bool {
        self.0.iter().any(|part| match part {
            Part::Place(encoding, values) => *encoding != Encoding::Md5 && values.contains(&Value::SdkSecret),
            Part::Text(_) => false,
        })
    }

    /// The text for a delivery.
    pub(crate) fn fill(&self, subject: &Subject, delivery: &Delivery) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::new());
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(encoding, values) => {
                    let mut plain = Zeroizing::new(String::new());
                    values.iter().for_each(|value| plain.push_str(&value.of(subject, delivery)));
                    out.push_str(&encoding.write(&plain));
                }
            }
        }
        out
    }
}

fn place(text: &str) -> Result<Part, String> {
    let mut words = text.split_whitespace().peekable();
    let first = words.peek().copied().unwrap_or_default();
    let encoding = ENCODINGS.iter().find(|(name, _)| *name == first).map(|(_, encoding)| *encoding);
    if encoding.is_some() {
        words.next();
    }
    let value = |word: &str| {
        let found = VALUES.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let known: Vec<&str> = VALUES.iter().map(|(name, _)| *name).collect();
            format!("`${{{text}}}` names nothing: {word:?} is none of {}", known.join(", "))
        })
    };
    let values = words.map(value).collect::<Result<Vec<Value>, String>>()?;
    if values.is_empty() {
        return Err(format!("`${{{text}}}` names no value"));
    }
    Ok(Part::Place(encoding.unwrap_or(Encoding::Raw), values))
}

impl Value {
    pub(super) fn is_constant(self) -> bool {
        matches!(self, Value::Credential | Value::AppId | Value::SdkSecret)
    }

    pub(super) fn of(self, subject: &Subject, delivery: &Delivery) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Value::Token => delivery.token.expose().to_owned(),
            Value::ExpiresIn => delivery.expires_in().to_string(),
            Value::ExpiresAt => delivery.told_end.unix_seconds().to_string(),
            Value::ExpiresAtMs => delivery.told_end.0.to_string(),
            Value::IssuedAt => delivery.issued.unix_seconds().to_string(),
            Value::IssuedAtMs => delivery.issued.0.to_string(),
            Value::Generation => delivery.generation.to_string(),
            Value::Credential => subject.credential.as_str().to_owned(),
            Value::AppId => subject.app_id.clone(),
            Value::SdkSecret => {
                subject.sdk_secret.as_ref().map_or_else(String::new, |secret| secret.expose().to_owned())
            }
        })
    }
}

impl Encoding {
    /// A text, written so.
    pub(crate) fn write(self, text: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Encoding::Raw => text.to_owned(),
            Encoding::Json => serde_json::Value::from(text).to_string(),
            Encoding::Php => format!("s:{}:\"{text}\";", text.len()),
            Encoding::Md5 => {
                Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::delivery::testing::{delivery, subject};
    use super::*;

    fn filled(text: &str) -> String {
        Template::parse(text).unwrap().fill(&subject(), &delivery()).to_string()
    }

    #[test]
    fn places_are_filled_and_the_rest_stands() {
        assert_eq!(filled("{\"t\":${json token},\"n\":${expires_in}}$"), "{\"t\":\"tok\\\"en\",\"n\":3600}$");
    }

    #[test]
    fn php_counts_bytes() {
        assert_eq!(filled("${php token}"), "s:6:\"tok\"en\";");
    }

    #[test]
    fn a_digest_is_of_all_that_is_named() {
        assert_eq!(filled("k.${md5 app_id sdk_secret}"), "k.f5a94d07f92854b59a0b8f6ef3082265");
    }

    #[test]
    fn what_is_misspelt_is_an_error() {
        assert!(Template::parse("${tokn}").unwrap_err().contains("\"tokn\" is none of token, "));
        assert!(Template::parse("${md5}").unwrap_err().contains("names no value"));
        assert!(Template::parse("${token").unwrap_err().contains("no `}`"));
    }
}
