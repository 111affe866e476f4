//! The calls below `/_emulator/`: how a test or a person moves the emulator about.
//!
//! They need no key, follow no platform's conventions, are struck by no fault and counted nowhere.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use crate::cloud::FunctionRun;
use crate::duration_text;
use crate::fault::{Fault, FaultError, FaultKind};
use crate::machine::{Machine, UnknownApp};
use crate::moment::Moment;
use crate::params::Params;
use crate::reply::Reply;
use crate::request::Request;
use crate::wechat::Signed;

/// One call may move the clock by a hundred years at most; more is a slip of the pen.
const LONGEST_ADVANCE: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct InvalidateBody {
    app_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeBody {
    advance: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureBody {
    app_id: String,
    /// A number for `wx.config`, a text in `cardExt`.
    timestamp: Value,
    signature: String,
    url: Option<String>,
    #[serde(rename = "nonceStr")]
    nonce_str_of_page: Option<String>,
    card_id: Option<String>,
    nonce_str: Option<String>,
    code: Option<String>,
    openid: Option<String>,
}

/// Why a control call did nothing.
#[derive(Debug, Error)]
enum ControlError {
    #[error("{0}")]
    BadRequest(String),
    #[error(transparent)]
    BadFault(#[from] FaultError),
    #[error(transparent)]
    UnknownApp(#[from] UnknownApp),
}

pub(crate) fn answer(machine: &mut Machine, wall: Moment, path: &str, request: &Request) -> Reply {
    let call = path.strip_prefix("/_emulator").unwrap_or(path).trim_matches('/');
    let done = match (call, &request.method) {
        ("", &Method::GET) => Ok(index()),
        ("stats", &Method::GET) => stats(machine, wall, request),
        ("fault", &Method::GET) => Ok(active_faults(machine, wall)),
        ("fault", &Method::POST) => inject(machine, wall, request),
        ("fault", &Method::DELETE) => Ok(json!({ "cleared": machine.clear_faults(wall) })),
        ("invalidate", &Method::POST) => invalidate(machine, wall, request),
        ("functions", &Method::GET) => Ok(function_runs(machine)),
        ("signature", &Method::POST) => signature(machine, wall, request),
        ("time", &Method::GET) => Ok(json!({ "now": machine.now(wall).to_string() })),
        ("time", &Method::POST) => advance(machine, wall, request),
        ("" | "stats" | "functions", _) => return Reply::method_not_allowed("GET"),
        ("fault", _) => return Reply::method_not_allowed("GET, POST, DELETE"),
        ("invalidate" | "signature", _) => return Reply::method_not_allowed("POST"),
        ("time", _) => return Reply::method_not_allowed("GET, POST"),
        // Its POST goes out to the network, which is not the machine's: the shell answers it.
        ("push", _) => return Reply::method_not_allowed("POST"),
        _ => {
            let text = "no such control call; GET /_emulator/ lists them";
            return Reply::own_error(StatusCode::NOT_FOUND, text);
        }
    };
    match done {
        Ok(value) => Reply::of_json(StatusCode::OK, &value),
        Err(error) => error.reply(),
    }
}

fn index() -> Value {
    json!({
        "name": "tokenward emulator",
        "version": env!("CARGO_PKG_VERSION"),
        "calls": {
            "GET /_emulator/": "this page",
            "GET /_emulator/stats": "what was counted; ?app_id= narrows by_app to one app",
            "POST /_emulator/invalidate": "{\"app_id\"?}: every live token is forgotten",
            "POST /_emulator/fault":
                "{\"kind\", \"path\"?, \"app_id\"?, \"times\"?, \"for\"?, …}: something goes wrong",
            "GET /_emulator/fault": "the active faults",
            "DELETE /_emulator/fault": "no more faults",
            "POST /_emulator/time": "{\"advance\": \"2h\"}: the clock moves forward",
            "GET /_emulator/time": "the emulator's clock",
            "POST /_emulator/push": "{\"url\", \"token\", \"aes_key\", \"app_id\", \"mode\", \"format\", \"content\", …}: \
                the platform calls back",
            "POST /_emulator/signature": "{\"app_id\", \"timestamp\", \"signature\", and \"nonceStr\", \"url\" of a page or \
                \"card_id\", \"nonce_str\"?, \"code\"?, \"openid\"? of a card}: would WeChat's app accept it?",
            "GET /_emulator/functions": "the last 100 runs of cloud functions",
        },
        "fault_kinds": FaultKind::NAMES,
    })
}

fn stats(machine: &Machine, wall: Moment, request: &Request) -> Result<Value, ControlError> {
    let query = Params::form(&request.query);
    let stats = match query.get("app_id") {
        Some(app_id) => machine.stats_for(wall, app_id)?,
        None => machine.stats(wall),
    };
    Ok(json!(stats))
}

fn function_runs(machine: &Machine) -> Value {
    json!({ "runs": machine.function_runs().map(FunctionRun::to_json).collect::<Vec<Value>>() })
}

fn active_faults(machine: &mut Machine, wall: Moment) -> Value {
    let active: Vec<Value> = machine.faults(wall).iter().map(|fault| fault.to_json()).collect();
    json!({ "active": active })
}

fn inject(machine: &mut Machine, wall: Moment, request: &Request) -> Result<Value, ControlError> {
    let fault = Fault::from_json(&request.body)?;
    let id = machine.inject(wall, fault)?;
    let mut answer = active_faults(machine, wall);
    if let Value::Object(fields) = &mut answer {
        fields.insert("id".to_owned(), json!(id));
    }
    Ok(answer)
}

fn invalidate(machine: &mut Machine, wall: Moment, request: &Request) -> Result<Value, ControlError> {
    let body: InvalidateBody =
        if request.body.is_empty() { InvalidateBody::default() } else { read(&request.body)? };
    let tokens = machine.invalidate(wall, body.app_id.as_deref())?;
    Ok(json!({ "invalidated": tokens }))
}

/// What WeChat's app does when a page calls `wx.config`, or a card is added.
fn signature(machine: &Machine, wall: Moment, request: &Request) -> Result<Value, ControlError> {
    let body: SignatureBody = read(&request.body)?;
    let optional = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let timestamp = match &body.timestamp {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(bad_request("\"timestamp\" is neither a number nor a text")),
    };
    let signed = match (&body.url, &body.nonce_str_of_page, &body.card_id, &body.nonce_str) {
        (Some(url), Some(nonce), None, None) => Signed::Page { nonce, timestamp: &timestamp, url },
        (None, None, Some(card_id), nonce) => {
            let fixed = [card_id.clone(), timestamp];
            let given = [optional(nonce), optional(&body.code), optional(&body.openid)].into_iter().flatten();
            Signed::Card { values: fixed.into_iter().chain(given).collect() }
        }
        _ => {
            let text = "a page has \"url\" and \"nonceStr\", a card has \"card_id\"";
            return Err(bad_request(text));
        }
    };
    let accepted = machine.accepts_signature(wall, &body.app_id, &signed, &body.signature)?;
    Ok(json!({ "accepted": accepted }))
}

fn advance(machine: &mut Machine, wall: Moment, request: &Request) -> Result<Value, ControlError> {
    let body: TimeBody = read(&request.body)?;
    let by = duration_text::parse(&body.advance)
        .map_err(|error| bad_request(&format!("\"advance\": {error}; the clock moves forward only")))?;
    if by > LONGEST_ADVANCE {
        return Err(bad_request("\"advance\" is longer than a hundred years"));
    }
    machine.advance(wall, by);
    Ok(json!({ "now": machine.now(wall).to_string(), "advanced": duration_text::format(by) }))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(|error| bad_request(&format!("the body does not fit: {error}")))
}

fn bad_request(message: &str) -> ControlError {
    ControlError::BadRequest(message.to_owned())
}

impl ControlError {
    fn reply(&self) -> Reply {
        let message = self.to_string();
        match self {
            Self::BadRequest(_) => Reply::own_error(StatusCode::BAD_REQUEST, &message),
            Self::UnknownApp(_) => Reply::own_error(StatusCode::NOT_FOUND, &message),
            Self::BadFault(_) => {
                let body = json!({ "error": message, "kinds": FaultKind::NAMES });
                Reply::of_json(StatusCode::BAD_REQUEST, &body)
            }
        }
    }
}
