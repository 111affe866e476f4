//! The query of a callback request.

use percent_encoding::percent_decode_str;

use super::Refused;

/// The query of a callback request, with what must be there. Whatever else is there is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// When the platform signed it, in seconds since 1970: digits.
    pub timestamp: String,
    /// A word that the platform chose.
    pub nonce: String,
    /// Signs timestamp and nonce.
    pub signature: Option<String>,
    /// Signs the encrypted text as well.
    pub msg_signature: Option<String>,
    /// What a handshake wants to have echoed.
    pub echostr: Option<String>,
}

const LONGEST_NONCE: usize = 64;

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// Timestamp or nonce is missing or no such thing.
    pub fn parse(text: &str) -> Result<Query, Refused> {
        let mut query = Query::default();
        let mut optional = [const { None }; 5];
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let names = ["timestamp", "nonce", "signature", "msg_signature", "echostr"];
            let place = names.iter().position(|known| *known == name).and_then(|at| optional.get_mut(at));
            let Some(place) = place else { continue };
            let plain = value.replace('+', " ");
            let value = percent_decode_str(&plain).decode_utf8();
            let value = value.map_err(|_| Refused::Malformed("the query is not UTF-8"))?.into_owned();
            if place.replace(value).is_some() {
                return Err(Refused::Malformed("a parameter is there twice"));
            }
        }
        let [timestamp, nonce, signature, msg_signature, echostr] = optional;
        query.timestamp = timestamp.ok_or(Refused::Unsigned)?;
        query.nonce = nonce.ok_or(Refused::Unsigned)?;
        if query.unix_seconds().is_none() {
            return Err(Refused::Malformed("the timestamp is no number"));
        }
        // The nonce is written into answers, between marks that it must not contain.
        let is_word = query.nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_word || query.nonce.is_empty() || query.nonce.len() > LONGEST_NONCE {
            return Err(Refused::Malformed("the nonce is no word"));
        }
        let filled = |value: Option<String>| value.filter(|value| !value.is_empty());
        Ok(Query {
            signature: filled(signature),
            msg_signature: filled(msg_signature),
            echostr: filled(echostr),
            ..query
        })
    }

    /// When the platform signed it, in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> Option<i64> {
        let digits = self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        if digits && self.timestamp.len() <= 12 { self.timestamp.parse().ok() } else { None }
    }
}
