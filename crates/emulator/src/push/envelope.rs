//! What a message travels in, as XML and as JSON.

use serde_json::{Value, json};

use super::Format;

/// An encrypted answer.
pub(super) struct Sealed {
    pub(super) encrypt: String,
    pub(super) signature: String,
    pub(super) timestamp: String,
    pub(super) nonce: String,
}

/// An encrypted message, beside its clear text in compatible mode.
pub(super) fn wrap(format: Format, encrypt: &str, clear: Option<&str>) -> Result<String, String> {
    match (format, clear) {
        (Format::Xml, None) => Ok(format!(
            "<xml>\n    <ToUserName><![CDATA[gh_emulated]]></ToUserName>\n    <Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>"
        )),
        (Format::Xml, Some(clear)) => {
            let inside = clear.trim_end().strip_suffix("</xml>");
            let inside =
                inside.ok_or("\"content\" does not end with </xml>, as XML in compatible mode must")?;
            Ok(format!("{inside}<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>"))
        }
        (Format::Json, None) => Ok(json!({ "ToUserName": "gh_emulated", "Encrypt": encrypt }).to_string()),
        (Format::Json, Some(clear)) => {
            let mut object: Value =
                serde_json::from_str(clear).map_err(|error| format!("\"content\": {error}"))?;
            let fields = object.as_object_mut().ok_or("\"content\" is no JSON object")?;
            fields.insert("Encrypt".to_owned(), json!(encrypt));
            Ok(object.to_string())
        }
    }
}

/// The encrypted answer in a body, if it is one.
pub(super) fn unwrap(body: &str) -> Option<Sealed> {
    if let Ok(object) = serde_json::from_str::<Value>(body) {
        let text = |name: &str| match object.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        return Some(Sealed {
            encrypt: text("Encrypt")?,
            signature: text("MsgSignature")?,
            timestamp: text("TimeStamp")?,
            nonce: text("Nonce")?,
        });
    }
    Some(Sealed {
        encrypt: field(body, "Encrypt")?,
        signature: field(body, "MsgSignature")?,
        timestamp: field(body, "TimeStamp")?,
        nonce: field(body, "Nonce")?,
    })
}

/// A field of the flat XML that answers are, with or without CDATA.
fn field(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    let value = value.trim();
    let value = value.strip_prefix("<![CDATA[").and_then(|value| value.strip_suffix("]]>")).unwrap_or(value);
    Some(value.to_owned())
}
