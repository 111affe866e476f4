//! Baidu's AI platform: coexisting tokens that name their own end, and one call that checks them.
//!
//! Deliberately absent: redeeming the refresh token (Baidu's documents say to ignore it), quotas, what
//! recognition really does.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::apps::{AppIndex, Apps};
use crate::coexisting::{Coexisting, CoexistingTokens};
use crate::desk::Desk;
use crate::moment::Moment;
use crate::params::Params;
use crate::reply::Reply;
use crate::route::Route;
use crate::token_api::TokenApi;

const SCOPE: &str = "public brain_all_scope brain_ocr_general_basic wise_adapt lebo_resource_base";
/// The number before the dash in the last part of a real token; the number behind it is the app's.
const VENDOR: &str = "282335";
/// Added to the app's index, so that the last part has the length it has on the real platform.
const FIRST_APP: usize = 10_000_000;
/// Ten years, as refresh tokens of the real platform name it in their text.
const REFRESH_LIFE: Duration = Duration::from_secs(315_360_000);

/// The state of the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct Baidu {
    tokens: CoexistingTokens<()>,
}

/// A refused token request: the HTTP status, the OAuth error and its description.
type TokenDenial = (Option<AppIndex>, StatusCode, &'static str, &'static str);

impl Baidu {
    pub(crate) fn answer(&mut self, desk: &mut Desk<'_>) -> Answer {
        match desk.route {
            Route::BaiduToken => self.token(desk).unwrap_or_else(|(app, status, error, description)| {
                desk.write_refused(app, error);
                let body = json!({ "error": error, "error_description": description });
                Answer::refused(Reply::of_json(status, &body).with(CACHE_CONTROL, "no-store"))
            }),
            Route::BaiduOcr => self.recognize(desk),
            _ => {
                desk.write_refused(None, "3");
                api_error(3, "Unsupported openapi method")
            }
        }
    }

    /// GET and POST, parameters in the query; those of a form are accepted too.
    fn token(&mut self, desk: &mut Desk<'_>) -> Result<Answer, TokenDenial> {
        if desk.request.method != Method::GET && desk.request.method != Method::POST {
            let text = "The request method is not supported";
            return Err((None, StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text));
        }
        let params = desk.query.clone().then(Params::body(&desk.request.body));
        let app = params.get("client_id").and_then(|id| desk.apps.find(id));
        if params.get("grant_type") != Some("client_credentials") {
            let text = "The authorization grant type is not supported";
            return Err((app, StatusCode::BAD_REQUEST, "unsupported_grant_type", text));
        }
        let Some(app) = app else {
            return Err((None, StatusCode::UNAUTHORIZED, "invalid_client", "unknown client id"));
        };
        if !params.get("client_secret").is_some_and(|secret| desk.apps.secret_matches(app, secret)) {
            let text = "Client authentication failed";
            return Err((Some(app), StatusCode::UNAUTHORIZED, "invalid_client", text));
        }
        Ok(self.issue(app, desk))
    }

    fn issue(&mut self, app: AppIndex, desk: &mut Desk<'_>) -> Answer {
        let life = desk.settings.baidu_life();
        let ends = desk.now.plus(life);
        let seconds = life.as_secs();
        let end = ends.unix_seconds();
        let mut shaped = |kind: &str, life: u64, end: i64| {
            format!("{kind}.{}.{life}.{end}.{VENDOR}-{}", desk.chance.hex(32), FIRST_APP + app.0)
        };
        let token = shaped("24", seconds, end);
        let refresh_end = desk.now.plus(REFRESH_LIFE).unix_seconds();
        let refresh_token = shaped("25", REFRESH_LIFE.as_secs(), refresh_end);
        let body = json!({
            "access_token": token,
            "expires_in": seconds,
            "refresh_token": refresh_token,
            "scope": SCOPE,
            "session_key": desk.chance.token_text(64),
            "session_secret": desk.chance.hex(32),
        });
        desk.write_issued(TokenApi::Baidu, app, &token, life, false);
        self.tokens.insert(token, Coexisting { app, ends, details: () });
        Answer::granted(Reply::of_json(StatusCode::OK, &body).with(CACHE_CONTROL, "no-store"))
    }

    /// Text recognition: checks the token, does not look at the picture.
    fn recognize(&mut self, desk: &mut Desk<'_>) -> Answer {
        let Some(text) = desk.query.get("access_token") else {
            desk.write_token_refused(None, "100");
            return api_error(100, "Invalid parameter");
        };
        let Some(token) = self.tokens.find(text) else {
            desk.write_token_refused(owner(text, desk.apps), "110");
            return api_error(110, "Access token invalid or no longer valid");
        };
        if token.ends <= desk.now {
            desk.write_token_refused(Some(token.app), "111");
            return api_error(111, "Access token expired");
        }
        desk.ledger.called(token.app);
        Answer::served(Reply::of_json(
            StatusCode::OK,
            &json!({
                "log_id": desk.chance.next_u64() >> 12,
                "words_result_num": 2,
                "words_result": [{ "words": "tokenward" }, { "words": "中控服务器" }],
            }),
        ))
    }

    /// Forgets the tokens of one app, or of all, and returns how many were still alive.
    pub(crate) fn forget_tokens(&mut self, app: Option<AppIndex>, now: Moment) -> usize {
        self.tokens.forget(app, now)
    }
}

/// An error of a call: HTTP 200 always.
pub(crate) fn api_error(code: i64, text: &str) -> Answer {
    let body = json!({ "error_code": code, "error_msg": text });
    Answer::refused(Reply::of_json(StatusCode::OK, &body))
}

/// The app that a token's text names, whether or not the token exists.
pub(crate) fn owner(token: &str, apps: &Apps) -> Option<AppIndex> {
    let (_, number) = token.strip_prefix("24.")?.rsplit_once('-')?;
    apps.at(number.parse::<usize>().ok()?.checked_sub(FIRST_APP)?)
}
