//! `/admin`: the endpoint that the cloud's own SDKs speak to (`wx-server-sdk`, `@cloudbase/node-sdk`).
//!
//! One POST for each action; HTTP 200 always, and errors as `{code, message, requestId}`. Whoever reaches it may do
//! everything, as a function of the environment may: signatures are not looked at. Deliberately absent: calls of the open
//! API from functions, real-time watches, and the older actions of SDKs before 2020.

mod actions;
mod statement;
mod transaction;

use serde_json::{Map, Value as Json, json};

pub(crate) use transaction::Transactions;

use super::errand::Errand;
use super::failure::CloudFailure;
use super::{Cloud, lock};
use crate::params::Params;
use crate::reply::Reply;
use crate::wechat::json_reply;

/// Why an action failed, as SDKs are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SdkFailure {
    code: &'static str,
    message: String,
}

/// What an action answers beside the id of the request.
type Acted = Result<Map<String, Json>, SdkFailure>;

impl Cloud {
    /// Carries out an action of an SDK.
    pub(super) async fn sdk(&self, errand: &Errand) -> Reply {
        let mut answer = match self.act(errand).await {
            Ok(fields) => fields,
            Err(SdkFailure { code, message }) => {
                Map::from_iter([("code".into(), json!(code)), ("message".into(), json!(message))])
            }
        };
        answer.insert("requestId".into(), json!(lock(&self.shared.hints).hex(32)));
        json_reply(&Json::Object(answer))
    }

    async fn act(&self, errand: &Errand) -> Acted {
        let body: Json = serde_json::from_slice(&errand.body).map_err(|_| {
            SdkFailure::invalid("the body is not JSON; calls of the open API are not emulated")
        })?;
        let query = Params::form(&errand.query);
        let env = query.get("env").or_else(|| body.get("envName").and_then(Json::as_str)).unwrap_or_default();
        let env = self.existing(env)?;
        let action = body.get("action").and_then(Json::as_str).unwrap_or_default().to_owned();
        match action.split_once('.') {
            Some(("database", verb)) => {
                self.act_on_database(env.to_owned(), verb.to_owned(), body, errand.now).await
            }
            Some(("storage", verb)) => self.act_on_files(env, verb, &body, errand).await,
            Some(("functions", "invokeFunction")) => self.act_on_function(env, &body).await,
            _ => Err(SdkFailure::unknown(&action)),
        }
    }
}

impl SdkFailure {
    fn invalid(message: impl Into<String>) -> SdkFailure {
        SdkFailure { code: "INVALID_PARAM", message: message.into() }
    }

    fn unknown(action: &str) -> SdkFailure {
        SdkFailure::invalid(format!("this emulator has no action {action:?}"))
    }
}

/// The codes of the HTTP API have names in the SDKs.
impl From<CloudFailure> for SdkFailure {
    fn from(failure: CloudFailure) -> SdkFailure {
        let code = match failure.code {
            -501_007 if failure.text.starts_with(CloudFailure::NO_SUCH_ENV) => "INVALIID_ENV",
            -501_002 => "SERVER_TIMEOUT",
            -501_003 => "EXCEED_REQUEST_LIMIT",
            -501_004 => "EXCEED_CONCURRENT_REQUEST_LIMIT",
            -501_005 => "INVALIID_ENV",
            -501_007 | 47001 => "INVALID_PARAM",
            -501_009 => "RESOURCE_NOT_INITIAL",
            -502_001 | -502_010 => "DATABASE_REQUEST_FAILED",
            -502_002 => "DATABASE_INVALID_OPERRATOR",
            -502_003 => "DATABASE_PERMISSION_DENIED",
            -502_005 => "DATABASE_COLLECTION_NOT_EXIST",
            -503_001 => "STORAGE_REQUEST_FAIL",
            -503_002 => "STORAGE_EXCEED_AUTHORITY",
            -503_003 => "STORAGE_FILE_NONEXIST",
            -503_004 => "STORAGE_SIGN_PARAM_INVALID",
            -504_001 => "FUNCTIONS_REQUEST_FAIL",
            -504_002 => "FUNCTIONS_EXECUTE_FAIL",
            _ => "SYS_ERR",
        };
        SdkFailure { code, message: failure.text }
    }
}

#[cfg(test)]
mod tests;
