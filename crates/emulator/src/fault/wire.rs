//! Faults in the JSON of control calls.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use thiserror::Error;

use super::{ActiveFault, Fault, FaultKind, ToldLife};
use crate::duration_text;

const DEFAULT_LATENCY: Duration = Duration::from_secs(2);
const KIND_IS_NEEDED: &str = "a fault needs a \"kind\"";

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FaultError {
    /// No such kind. The kinds are [`FaultKind::NAMES`].
    #[error("unknown fault kind {0:?}")]
    UnknownKind(String),
    /// The body is no JSON object, or a field is missing, misplaced or out of range; the text says which.
    #[error("{0}")]
    Malformed(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    kind: Option<String>,
    path: Option<String>,
    app_id: Option<String>,
    times: Option<u32>,
    #[serde(rename = "for")]
    lasts: Option<String>,
    latency: Option<String>,
    status: Option<u16>,
    errcode: Option<i64>,
    errmsg: Option<String>,
    error: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(rename = "as")]
    told_as: Option<String>,
}

/// Keeps `"value": null` apart from no value at all.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Fault {
    /// Reads the body of `POST /_emulator/fault`.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, FaultError> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| FaultError::Malformed(format!("the body is no fault: {error}")))?;
        let name = body.kind.clone().ok_or_else(|| malformed(KIND_IS_NEEDED))?;
        if !FaultKind::NAMES.contains(&name.as_str()) {
            return Err(FaultError::UnknownKind(name));
        }
        body.check_fields_belong_to(&name)?;
        if body.times == Some(0) {
            return Err(malformed("\"times\" must be at least 1"));
        }
        if body.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(malformed("\"path\" must begin with a slash"));
        }
        let lasts = body.lasts.as_deref().map(|text| duration("for", text)).transpose()?;
        let kind = body.kind(&name)?;
        Ok(Self { kind, path: body.path, app_id: body.app_id, times: body.times, lasts })
    }
}

impl Body {
    fn kind(&self, name: &str) -> Result<FaultKind, FaultError> {
        Ok(match name {
            "latency" => FaultKind::Latency(match &self.latency {
                Some(text) => duration("latency", text)?,
                None => DEFAULT_LATENCY,
            }),
            "busy" => FaultKind::Busy,
            "status" => FaultKind::Status(self.status(StatusCode::BAD_GATEWAY)?),
            "reset_before" => FaultKind::ResetBefore,
            "reset_after_issue" => FaultKind::ResetAfterIssue,
            "html" => FaultKind::Html(self.status(StatusCode::OK)?),
            "truncate" => FaultKind::Truncate,
            "errcode" => FaultKind::Errcode {
                errcode: self.errcode.ok_or_else(|| malformed("kind \"errcode\" needs an \"errcode\""))?,
                errmsg: self.errmsg.clone(),
                error: self.error.clone(),
                status: self.status.map(|_| self.status(StatusCode::BAD_REQUEST)).transpose()?,
            },
            "quota_used_up" => FaultKind::QuotaUsedUp,
            "frozen" => FaultKind::Frozen,
            "expires_in" => FaultKind::ExpiresIn(self.told_life()?),
            other => return Err(FaultError::UnknownKind(other.to_owned())),
        })
    }

    fn status(&self, default: StatusCode) -> Result<StatusCode, FaultError> {
        let Some(status) = self.status else { return Ok(default) };
        StatusCode::from_u16(status)
            .ok()
            .filter(|_| (200..=599).contains(&status))
            .ok_or_else(|| malformed("\"status\" must be an HTTP status from 200 to 599"))
    }

    fn told_life(&self) -> Result<ToldLife, FaultError> {
        match (&self.value, self.told_as.as_deref()) {
            (Some(value), None) => Ok(ToldLife::Literal(value.clone())),
            (None, Some("string")) => Ok(ToldLife::AsText),
            (None, Some("missing")) => Ok(ToldLife::Missing),
            _ => Err(malformed(
                "kind \"expires_in\" needs either \"value\" (what to say literally) or \
                 \"as\": \"string\" or \"missing\"",
            )),
        }
    }

    /// A field of another kind is a slip of the pen that would otherwise go unnoticed.
    fn check_fields_belong_to(&self, kind: &str) -> Result<(), FaultError> {
        let fields: [(&str, bool, &[&str]); 7] = [
            ("latency", self.latency.is_some(), &["latency"]),
            ("status", self.status.is_some(), &["status", "html", "errcode"]),
            ("errcode", self.errcode.is_some(), &["errcode"]),
            ("errmsg", self.errmsg.is_some(), &["errcode"]),
            ("error", self.error.is_some(), &["errcode"]),
            ("value", self.value.is_some(), &["expires_in"]),
            ("as", self.told_as.is_some(), &["expires_in"]),
        ];
        match fields.iter().find(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
            Some((field, _, _)) => {
                Err(FaultError::Malformed(format!("{field:?} does not belong to kind {kind:?}")))
            }
            None => Ok(()),
        }
    }
}

impl ActiveFault {
    /// The fault as `GET /_emulator/fault` lists it.
    pub(crate) fn to_json(&self) -> Value {
        let mut fields = self.fault.kind.details();
        fields.insert("id".to_owned(), json!(self.id));
        fields.insert("kind".to_owned(), json!(self.fault.kind.name()));
        let optional = [
            ("path", self.fault.path.as_ref().map(|path| json!(path))),
            ("app_id", self.fault.app_id.as_ref().map(|app_id| json!(app_id))),
            ("times", self.left.map(|left| json!(left))),
            ("until", self.until.map(|until| json!(until.to_string()))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        }
        Value::Object(fields)
    }
}

fn duration(field: &str, text: &str) -> Result<Duration, FaultError> {
    duration_text::parse(text).map_err(|error| FaultError::Malformed(format!("{field:?}: {error}")))
}

fn malformed(text: &str) -> FaultError {
    FaultError::Malformed(text.to_owned())
}
