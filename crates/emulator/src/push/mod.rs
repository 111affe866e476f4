//! `POST /_emulator/push`: the platform as it calls back. It greets the address, pushes one message, and tells what came
//! back, decrypted.
//!
//! The message's time is the real clock's, not the emulator's: whoever is called back lives in real time. Addresses
//! beyond this machine are refused, as everywhere in the emulator.

mod cipher;
mod envelope;
mod exchange;

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock;
use crate::reply::Reply;
use crate::request::Request;
use cipher::Cipher;
use envelope::Sealed;
use exchange::{Address, Answer};

/// What is pushed, and to whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    url: String,
    token: String,
    #[serde(default)]
    aes_key: Option<String>,
    #[serde(default)]
    app_id: Option<String>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    format: Format,
    content: Value,
    #[serde(default)]
    openid: Option<String>,
    /// `false` leaves the greeting out.
    #[serde(default)]
    handshake: Option<bool>,
    /// As WeCom greets: with an encrypted `echostr`.
    #[serde(default)]
    encrypted_handshake: bool,
    /// Another time or word than the ones of now: for repeated and for late messages.
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    nonce: Option<String>,
    /// Sixteen bytes instead of random ones: the same message to the byte.
    #[serde(default)]
    random: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Plain,
    Compatible,
    #[default]
    Secure,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Xml,
    Json,
}

/// The platform waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a request is this call.
pub(crate) fn is_asked(request: &Request) -> bool {
    request.path.trim_end_matches('/') == "/_emulator/push" && request.method == Method::POST
}

/// Pushes, and says what came back.
pub(crate) async fn answer(request: &Request) -> Reply {
    let push = match serde_json::from_slice::<Push>(&request.body) {
        Ok(push) => push,
        Err(error) => return refused(&format!("the body does not fit: {error}")),
    };
    match push.carry_out().await {
        Ok(value) => Reply::of_json(StatusCode::OK, &value),
        Err(message) => refused(&message),
    }
}

fn refused(message: &str) -> Reply {
    Reply::own_error(StatusCode::BAD_REQUEST, message)
}

impl Push {
    async fn carry_out(&self) -> Result<Value, String> {
        let address = Address::parse(&self.url)?;
        let cipher = self.aes_key.as_deref().map(Cipher::parse).transpose()?;
        if cipher.is_none() && (self.mode != Mode::Plain || self.encrypted_handshake) {
            return Err("\"aes_key\" is missing: 43 letters and digits".to_owned());
        }
        if self.random.as_ref().is_some_and(|random| random.len() != 16) {
            return Err("\"random\" has 16 bytes".to_owned());
        }
        let mut chance = Chance::seeded(clock::fresh_seed());
        let mut told = serde_json::Map::new();
        if self.handshake.unwrap_or(true) {
            let shaken = self.greet(&address, cipher.as_ref(), &mut chance).await;
            let accepted = shaken.get("accepted").and_then(Value::as_bool).unwrap_or(false);
            told.insert("handshake".to_owned(), shaken);
            if !accepted {
                return Ok(Value::Object(told));
            }
        }
        told.insert("message".to_owned(), self.send(&address, cipher.as_ref(), &mut chance).await?);
        Ok(Value::Object(told))
    }

    async fn greet(&self, address: &Address, cipher: Option<&Cipher>, chance: &mut Chance) -> Value {
        let (timestamp, nonce) = (self.timestamp(), self.nonce(chance));
        let word = format!("{:019}", chance.next_u64() % 10_u64.pow(19));
        let mut query = vec![("timestamp", timestamp.as_str()), ("nonce", nonce.as_str())];
        let (signature, echo);
        match cipher.filter(|_| self.encrypted_handshake) {
            Some(cipher) => {
                echo = cipher.encrypt(&word, self.app_id(), &self.random(chance));
                signature = signed(&[&self.token, &timestamp, &nonce, &echo]);
                query.insert(0, ("msg_signature", &signature));
            }
            None => {
                echo = word.clone();
                signature = signed(&[&self.token, &timestamp, &nonce]);
                query.insert(0, ("signature", &signature));
            }
        }
        query.push(("echostr", &echo));
        match tokio::time::timeout(PATIENCE, address.get(&query)).await {
            Ok(Ok(answer)) => {
                let accepted = answer.status == 200 && answer.body == word;
                json!({ "status": answer.status, "body": answer.body, "accepted": accepted })
            }
            Ok(Err(error)) => json!({ "error": error, "accepted": false }),
            Err(_) => json!({ "error": "no answer within 5 s", "accepted": false }),
        }
    }

    async fn send(
        &self,
        address: &Address,
        cipher: Option<&Cipher>,
        chance: &mut Chance,
    ) -> Result<Value, String> {
        let content = match &self.content {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (timestamp, nonce) = (self.timestamp(), self.nonce(chance));
        let signature = signed(&[&self.token, &timestamp, &nonce]);
        let openid = self.openid.clone().unwrap_or_else(|| "oEmulatedUser".to_owned());
        let mut query = vec![
            ("signature", signature.as_str()),
            ("timestamp", &timestamp),
            ("nonce", &nonce),
            ("openid", &openid),
        ];
        let message_signature;
        let body = match cipher.filter(|_| self.mode != Mode::Plain) {
            None => content,
            Some(cipher) => {
                let encrypt = cipher.encrypt(&content, self.app_id(), &self.random(chance));
                message_signature = signed(&[&self.token, &timestamp, &nonce, &encrypt]);
                query.extend([("encrypt_type", "aes"), ("msg_signature", &message_signature)]);
                let clear = (self.mode == Mode::Compatible).then_some(content.as_str());
                envelope::wrap(self.format, &encrypt, clear)?
            }
        };
        let content_type = match self.format {
            Format::Xml => "text/xml",
            Format::Json => "application/json",
        };
        let began = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, address.post(&query, content_type, body)).await;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(match answer {
            Ok(Ok(answer)) => self.judge(&answer, cipher, took),
            Ok(Err(error)) => json!({ "error": error, "accepted": false, "took_ms": took }),
            Err(_) => json!({ "error": "no answer within 5 s", "accepted": false, "took_ms": took }),
        })
    }

    /// What the platform makes of an answer.
    fn judge(&self, answer: &Answer, cipher: Option<&Cipher>, took: u64) -> Value {
        let opened = envelope::unwrap(&answer.body).map(|sealed| self.open(&sealed, cipher));
        let accepted = answer.status == 200 && !matches!(opened, Some(Err(_)));
        let mut told = json!({
            "status": answer.status, "body": answer.body, "accepted": accepted, "took_ms": took,
        });
        if let (Some(opened), Some(fields)) = (opened, told.as_object_mut()) {
            let (name, text) = match opened {
                Ok(text) => ("answer", text),
                Err(error) => ("error", error.to_owned()),
            };
            fields.insert(name.to_owned(), json!(text));
        }
        told
    }

    fn open(&self, sealed: &Sealed, cipher: Option<&Cipher>) -> Result<String, &'static str> {
        let cipher = cipher.ok_or("the answer is encrypted, and there is no key")?;
        let parts = [self.token.as_str(), &sealed.timestamp, &sealed.nonce, &sealed.encrypt];
        if signed(&parts) != sealed.signature {
            return Err("the signature of the answer is wrong");
        }
        let (text, receiver) = cipher.decrypt(&sealed.encrypt).ok_or("the answer cannot be decrypted")?;
        if receiver == self.app_id() { Ok(text) } else { Err("the answer is for another app") }
    }

    fn app_id(&self) -> &str {
        self.app_id.as_deref().unwrap_or_default()
    }

    fn timestamp(&self) -> String {
        self.timestamp.unwrap_or_else(|| clock::wall_now().unix_seconds()).to_string()
    }

    fn random(&self, chance: &mut Chance) -> String {
        self.random.clone().unwrap_or_else(|| chance.hex(16))
    }

    fn nonce(&self, chance: &mut Chance) -> String {
        self.nonce.clone().unwrap_or_else(|| format!("{:010}", chance.next_u64() % 10_u64.pow(10)))
    }
}

/// The documents: the parts in dictionary order, joined, SHA-1, as lower-case hexadecimal.
fn signed(parts: &[&str]) -> String {
    let mut parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    parts.sort();
    let mut sum = Sha1::new();
    for part in parts {
        sum.update(part);
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
