//! Server callbacks of WeChat and WeCom: is a message the platform's, what does it say, and how is it answered.
//!
//! Pure: time and randomness are arguments, whether a message was seen before is for others to know. Invariants: nothing
//! of a message is believed before its signature is checked, in constant time; an encrypted message counts only
//! with the receiver it was encrypted for; no document type is read. Deliberately absent: the clear part of a
//! message in compatible mode. Its signature does not cover it, so the encrypted part is what counts.

mod aes_key;
mod document;
mod query;
mod refused;
mod signature;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::json;
use tokenward_core::secret::Secret;

pub use aes_key::{AesKey, BadAesKey};
pub use document::Format;
pub use query::Query;
pub use refused::Refused;
pub use signature::sign;

use document::Document;

/// One callback's secrets: what it takes to believe the platform and to be believed.
#[derive(Clone, Debug)]
pub struct Callback {
    /// How messages come.
    pub mode: Mode,
    /// The token that was agreed with the platform.
    pub token: Secret,
    /// The current key, then those before it.
    pub keys: Vec<AesKey>,
    /// Whom encrypted messages may be meant for: ids of an app, a corporation, a suite.
    pub receivers: Vec<String>,
}

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the clear.
    Plain,
    /// Both ways: for the time in which the platform is switched from one to the other.
    Compatible,
    /// Encrypted, and in no other way.
    Secure,
}

/// A message of the platform, in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The message itself: XML or JSON, byte for byte what the platform wrote.
    pub text: String,
    /// Which of the two.
    pub format: Format,
    /// What it is about: `text`, `event:subscribe`, `info:component_verify_ticket`, or `other`.
    pub kind: String,
    envelope: Option<Envelope>,
}

/// What a message was encrypted in, and its answer will be.
#[derive(Clone, PartialEq, Eq)]
struct Envelope {
    key: usize,
    receiver: String,
    format: Format,
}

/// Parameters of an answer that the platform does not choose.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Seconds since 1970.
    pub timestamp: i64,
    /// The query's.
    pub nonce: &'a str,
    /// Sixteen bytes that nobody can guess.
    pub random: [u8; 16],
}

/// More than any platform sends to be echoed.
const LONGEST_ECHO: usize = 256;
/// The vendor's own samples end in bits that a strict decoder refuses.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

impl Callback {
    /// The answer to the platform's question whether we are who it believes us to be.
    ///
    /// # Errors
    /// It is not the platform that asks.
    pub fn greet(&self, query: &Query) -> Result<String, Refused> {
        let echo = query.echostr.as_deref().ok_or(Refused::Malformed("there is no echostr"))?;
        let Some(signature) = query.msg_signature.as_deref().filter(|_| !self.keys.is_empty()) else {
            self.check_plain(query)?;
            return harmless(echo);
        };
        signature::check(signature, &[self.token.expose(), &query.timestamp, &query.nonce, echo])?;
        // What was signed is what was sent: a plus that became a space on its way is put right only afterwards.
        let (text, _, _) = self.decrypt(&echo.replace(' ', "+"))?;
        // Otherwise whoever saw an encrypted message could have it decrypted here.
        harmless(&text)
    }

    /// The message in a request.
    ///
    /// # Errors
    /// It is not the platform's, or not a message.
    pub fn open(&self, query: &Query, body: &[u8]) -> Result<Message, Refused> {
        let body = std::str::from_utf8(body).map_err(|_| Refused::Malformed("the body is not UTF-8"))?;
        let encrypted = match self.mode {
            Mode::Plain => false,
            Mode::Compatible => query.msg_signature.is_some(),
            Mode::Secure => true,
        };
        if !encrypted {
            self.check_plain(query)?;
            let document = Document::read(body)?;
            let kind = document.kind();
            return Ok(Message { text: body.to_owned(), format: document.format(), kind, envelope: None });
        }
        let signature = query.msg_signature.as_deref().ok_or(Refused::Unsigned)?;
        let envelope = Document::read(body)?;
        let encrypt = envelope.field("Encrypt").ok_or(Refused::Malformed("there is no Encrypt"))?;
        signature::check(signature, &[self.token.expose(), &query.timestamp, &query.nonce, &encrypt])?;
        let (text, key, receiver) = self.decrypt(&encrypt)?;
        let envelope = Envelope { key, receiver, format: envelope.format() };
        let document = Document::read(&text)?;
        let (format, kind) = (document.format(), document.kind());
        Ok(Message { text, format, kind, envelope: Some(envelope) })
    }

    /// An answer to a message as the platform expects it: encrypted with the key that the message was encrypted with,
    /// or as it is.
    #[must_use]
    pub fn answer(&self, message: &Message, text: &str, stamp: &Stamp<'_>) -> Option<String> {
        let Some(envelope) = &message.envelope else { return Some(text.to_owned()) };
        let encrypt = self.keys.get(envelope.key)?.encrypt(text, &envelope.receiver, stamp.random)?;
        let timestamp = stamp.timestamp.to_string();
        let nonce = stamp.nonce;
        let signature = sign(&[self.token.expose(), &timestamp, nonce, &encrypt]);
        Some(match envelope.format {
            Format::Xml => format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
                 <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
            ),
            Format::Json => json!({
                "Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": stamp.timestamp, "Nonce": nonce,
            })
            .to_string(),
        })
    }

    /// Whether messages may come encrypted.
    #[must_use]
    pub fn takes_encrypted(&self) -> bool {
        self.mode != Mode::Plain
    }

    /// The signature that says that somebody knows the token, as the platform makes it.
    #[must_use]
    pub fn sign_plain(&self, timestamp: &str, nonce: &str) -> String {
        sign(&[self.token.expose(), timestamp, nonce])
    }

    fn check_plain(&self, query: &Query) -> Result<(), Refused> {
        let signature = query.signature.as_deref().ok_or(Refused::Unsigned)?;
        signature::check(signature, &[self.token.expose(), &query.timestamp, &query.nonce])
    }

    /// The text, the key that opened it, and whom it is for.
    fn decrypt(&self, encrypt: &str) -> Result<(String, usize, String), Refused> {
        let encrypted = LENIENT.decode(encrypt.trim()).map_err(|_| Refused::Undecipherable)?;
        let mut refused = Refused::Undecipherable;
        for (index, key) in self.keys.iter().enumerate() {
            match key.decrypt(&encrypted) {
                Some((text, receiver)) if self.receivers.contains(&receiver) => {
                    return Ok((text, index, receiver));
                }
                Some(_) => refused = Refused::NotForUs,
                None => {}
            }
        }
        Err(refused)
    }
}

impl Message {
    /// How an answer to it is written.
    #[must_use]
    pub fn answer_format(&self) -> Format {
        self.envelope.as_ref().map_or(self.format, |envelope| envelope.format)
    }
}

/// An echo that is nothing but a word: no message, and nothing that a browser would run.
fn harmless(echo: &str) -> Result<String, Refused> {
    let is_word = echo.len() <= LONGEST_ECHO
        && echo.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=+/.".contains(&byte));
    if is_word { Ok(echo.to_owned()) } else { Err(Refused::Malformed("the echostr is no word")) }
}

impl std::fmt::Debug for Message {
    /// Messages are private: only what they are about is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
