//! Named parameters: of a query string, of a form, or the plain fields of a JSON object.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Parameters in the order in which they were sent, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded`, which is also the form of a query string.
    pub(crate) fn form(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// Reads the body of a request, a JSON object or a form, whatever its `Content-Type` says: many clients
    /// of these platforms send none.
    pub(crate) fn body(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Self(
                fields
                    .into_iter()
                    .filter_map(|(name, value)| match value {
                        Value::String(text) => Some((name, text)),
                        Value::Bool(_) | Value::Number(_) => Some((name, value.to_string())),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => Self::form(&String::from_utf8_lossy(body)),
        }
    }

    /// These parameters, then those of `other`; the first of a name counts.
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The first value of this name. An empty value counts as absent, as it does at all three platforms.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A name that occurs more than once.
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.0.iter().enumerate().find_map(|(at, (name, _))| {
            self.0.iter().skip(at + 1).any(|(other, _)| other == name).then_some(name.as_str())
        })
    }
}

/// Decodes one form-encoded text: `+` is a space. Bytes that are no UTF-8 become replacement characters.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded() {
        let params = Params::form("a=1+2%26&b=&c=%E4%B8%AD");
        assert_eq!(params.get("a"), Some("1 2&"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), Some("中"));
    }

    #[test]
    fn a_json_body_gives_its_plain_fields() {
        let params = Params::body(br#"{"appid":"wx1","n":5,"deep":{}}"#);
        assert_eq!(params.get("appid"), Some("wx1"));
        assert_eq!(params.get("n"), Some("5"));
        assert_eq!(params.get("deep"), None);
    }

    #[test]
    fn a_repeated_name_is_found() {
        assert_eq!(Params::form("a=1&b=2&a=3").repeated(), Some("a"));
        assert_eq!(Params::form("a=1&b=2").repeated(), None);
    }
}
