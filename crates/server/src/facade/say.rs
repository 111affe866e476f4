//! Answers in the platform's words: status 200, `errcode`, `errmsg`, and a `rid` that names the request.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tokenward_api::ErrorCode;
use tokenward_providers::Said;

use super::Declined;
use crate::clock;
use crate::http::{Api, Body, Refusal, json};

/// A refusal, and why if there is more to say.
pub fn said(said: Said, why: Option<&str>, api: &Api) -> Response<Body> {
    let rid = rid(api);
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let errmsg = format!("{}{why} rid: {rid}", said.text());
    json(StatusCode::OK, &json!({ "errcode": said.code(), "errmsg": errmsg }))
}

/// Why the facade itself answers.
pub fn declined(declined: Declined, api: &Api) -> Response<Body> {
    match declined {
        Declined::Said(refusal) => said(refusal, None, api),
        Declined::Because(refusal, why) => said(refusal, Some(&why), api),
        Declined::Refused(refusal) => refused(&refusal, api),
    }
}

/// A refusal of ours. SDKs take -1 for "try again later", and 48001 for a matter of rights; nothing of ours looks
/// like a refused token, because half of them would fetch and call again without end.
fn refused(refusal: &Refusal, api: &Api) -> Response<Body> {
    let problem = refusal.problem();
    let is = |code: ErrorCode| problem.code == code.as_str();
    let code = if is(ErrorCode::CallNotAllowed) || is(ErrorCode::Forbidden) {
        Said::Unauthorized
    } else if is(ErrorCode::Malformed) || is(ErrorCode::TooLarge) {
        Said::InvalidParameter
    } else {
        Said::SystemError
    };
    let mut why = problem.detail.clone();
    if let Some(platform) = &problem.platform {
        why.push_str(&format!(" ({}: {})", platform.errcode, platform.errmsg));
    }
    why.push_str(". ");
    why.push_str(&problem.next_step);
    let mut response = said(code, Some(&why), api);
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The time in hexadecimal seconds, and two groups of chance, as the platform forms it.
fn rid(api: &Api) -> String {
    let seconds = clock::now().wall.unix_seconds();
    let chance = api.request_ids.next();
    let digits = chance.to_str().unwrap_or("0000000000000000");
    let (first, second) = digits.split_at_checked(8).unwrap_or((digits, ""));
    format!("{seconds:08x}-{first}-{second}")
}
