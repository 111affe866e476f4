//! Users' login (`/sns/`): another system than the app's own tokens. A code becomes a session or a token of the end
//! user, and that token opens the user's data.
//!
//! Stateless on purpose: a code is any text, and what it becomes is derived from it, so that a code can be used
//! again; on the real platform it cannot. The code `invalid` is refused.

use serde_json::json;

use super::refusal::json_reply;
use super::{Decision, Denial, Refusal};
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::desk::Desk;
use crate::route::Route;

const TOKEN_START: &str = "emulated-user-token-";

/// Answers a call of the login.
pub(super) fn call(desk: &Desk<'_>) -> Decision {
    match desk.route {
        Route::Code2Session => {
            let (app, code) = code(desk, "js_code")?;
            let session_key = format!("ZW11bGF0ZWQtc2Vzc2lvbg{:0>2}==", app.0 % 100);
            Ok(served(&json!({ "session_key": session_key, "openid": openid(app, &code) })))
        }
        Route::UserToken => {
            let (app, code) = code(desk, "code")?;
            Ok(served(&user_token(&openid(app, &code))))
        }
        Route::UserTokenRefresh => {
            let app = app(desk)?;
            let refresh_token = desk.query.get("refresh_token").unwrap_or_default();
            let openid = refresh_token.strip_prefix("emulated-refresh-token-");
            let openid = openid.ok_or(Denial::Request(Some(app), Refusal::INVALID_REFRESH_TOKEN))?;
            Ok(served(&user_token(openid)))
        }
        _ => {
            let token = desk.query.get("access_token").unwrap_or_default();
            let openid = token.strip_prefix(TOKEN_START).ok_or(Denial::Request(None, Refusal::NOT_LATEST))?;
            Ok(served(&match desk.route {
                Route::UserInfo => json!({ "openid": openid, "nickname": "emulated", "privilege": [] }),
                _ => json!({ "errcode": 0, "errmsg": "ok" }),
            }))
        }
    }
}

fn served(value: &serde_json::Value) -> Answer {
    Answer::served(json_reply(value))
}

fn app(desk: &Desk<'_>) -> Result<AppIndex, Denial> {
    let appid = desk.query.get("appid").ok_or(Denial::Request(None, Refusal::APPID_MISSING))?;
    desk.apps.find(appid).ok_or(Denial::Request(None, Refusal::INVALID_APPID))
}

/// The app, its secret checked, and the code.
fn code(desk: &Desk<'_>, name: &str) -> Result<(AppIndex, String), Denial> {
    let app = app(desk)?;
    let denied = |refusal| Denial::Request(Some(app), refusal);
    let secret = desk.query.get("secret").ok_or(denied(Refusal::APPSECRET_MISSING))?;
    if !desk.apps.secret_matches(app, secret) {
        return Err(denied(Refusal::INVALID_APPSECRET));
    }
    let code = desk.query.get(name).filter(|code| !code.is_empty()).ok_or(denied(Refusal::CODE_MISSING))?;
    if code == "invalid" { Err(denied(Refusal::INVALID_CODE)) } else { Ok((app, code.to_owned())) }
}

fn openid(app: AppIndex, code: &str) -> String {
    format!("oEmulated{:08}{code}", app.0)
}

fn user_token(openid: &str) -> serde_json::Value {
    json!({
        "access_token": format!("{TOKEN_START}{openid}"),
        "expires_in": 7200,
        "refresh_token": format!("emulated-refresh-token-{openid}"),
        "openid": openid,
        "scope": "snsapi_userinfo",
    })
}
