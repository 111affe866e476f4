//! Calls that need a token: enough of each for a client to tell success from failure, and no more.

use http::header::CONTENT_DISPOSITION;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Refusal;
use super::refusal::json_reply;
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::desk::Desk;
use crate::reply::Reply;
use crate::route::Route;

/// A JPEG's first and last marker with nothing between them: binary, and plainly no JSON.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9";

/// Answers a call whose token was found alive.
pub(super) fn call(desk: &mut Desk<'_>, app: AppIndex) -> Result<Answer, Refusal> {
    let value = match desk.route {
        Route::ApiDomainIp => json!({ "ip_list": ["101.89.47.18", "101.91.34.103", "101.226.129.166"] }),
        Route::CallbackIp => json!({ "ip_list": ["106.55.206.146", "106.55.206.211", "109.244.134.0/24"] }),
        Route::UserGet => followers(app),
        Route::CustomSend => return custom_send(desk),
        Route::MediaGet => return media(desk),
        _ => return Err(Refusal::INVALID_URL),
    };
    if desk.request.method != Method::GET && desk.request.method != Method::POST {
        return Err(Refusal::GET_REQUIRED);
    }
    Ok(Answer::served(json_reply(&value)))
}

fn followers(app: AppIndex) -> Value {
    let openids: Vec<String> = (1..=2).map(|n| format!("oEmulated{:08}Follower{n:03}", app.0)).collect();
    json!({
        "total": openids.len(),
        "count": openids.len(),
        "next_openid": openids.last(),
        "data": { "openid": openids },
    })
}

fn custom_send(desk: &Desk<'_>) -> Result<Answer, Refusal> {
    if desk.request.body.is_empty() {
        return Err(Refusal::EMPTY_BODY);
    }
    let message: Value = serde_json::from_slice(&desk.request.body).map_err(|_| Refusal::DATA_FORMAT)?;
    if !message.is_object() {
        return Err(Refusal::DATA_FORMAT);
    }
    Ok(Answer::served(json_reply(&json!({ "errcode": 0, "errmsg": "ok" }))))
}

/// Success is binary; errors of the same call are JSON.
fn media(desk: &Desk<'_>) -> Result<Answer, Refusal> {
    desk.query.get("media_id").ok_or(Refusal::INVALID_MEDIA_ID)?;
    let reply = Reply::raw(StatusCode::OK, "image/jpeg", PICTURE)
        .with(CONTENT_DISPOSITION, "attachment; filename=\"media.jpg\"");
    Ok(Answer::served(reply))
}
