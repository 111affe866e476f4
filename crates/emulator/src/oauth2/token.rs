//! `POST /oauth2/token`.

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::credentials::authenticate;
use super::error::{TokenError, not_stored};
use super::{Grant, OAuth2, token_text};
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::coexisting::Coexisting;
use crate::desk::Desk;
use crate::params::Params;
use crate::reply::Reply;
use crate::request::Request;
use crate::token_api::TokenApi;

impl OAuth2 {
    pub(super) fn token(&mut self, desk: &mut Desk<'_>) -> Answer {
        match admit(desk) {
            Ok((app, grant)) => self.issue(app, grant, desk),
            Err((app, error)) => {
                desk.write_refused(app, error.error);
                error.answer()
            }
        }
    }

    fn issue(&mut self, app: AppIndex, grant: Grant, desk: &mut Desk<'_>) -> Answer {
        let life = desk.settings.oauth2_life();
        let token = token_text(app, desk);
        let mut body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": life.as_secs(),
        });
        if let (Some(scope), Value::Object(fields)) = (&grant.scope, &mut body) {
            fields.insert("scope".to_owned(), json!(scope));
        }
        desk.write_issued(TokenApi::OAuth2, app, &token, life, false);
        self.tokens.insert(token, Coexisting { app, ends: desk.now.plus(life), details: grant });
        Answer::granted(not_stored(Reply::of_json(StatusCode::OK, &body)))
    }
}

fn admit(desk: &Desk<'_>) -> Result<(AppIndex, Grant), (Option<AppIndex>, TokenError)> {
    let malformed = |description| (None, TokenError::invalid_request(description));
    if desk.request.method != Method::POST {
        return Err((None, TokenError::method_not_allowed()));
    }
    if !is_form(desk.request) {
        return Err(malformed("the body must be application/x-www-form-urlencoded"));
    }
    let text = std::str::from_utf8(&desk.request.body).map_err(|_| malformed("the body is no UTF-8"))?;
    let form = Params::form(text);
    if form.repeated().is_some() {
        return Err(malformed("a parameter is included more than once"));
    }
    let app = authenticate(desk.request, &form, desk.apps)?;
    let denied = |error| (Some(app), error);
    match form.get("grant_type") {
        None => return Err(denied(TokenError::invalid_request("grant_type is missing"))),
        Some("client_credentials") => {}
        Some(_) => return Err(denied(TokenError::unsupported_grant_type())),
    }
    let scope = form.get("scope").map(str::to_owned);
    if scope.as_deref().is_some_and(|scope| !is_scope(scope)) {
        return Err(denied(TokenError::invalid_scope()));
    }
    Ok((app, Grant { scope, audience: form.get("audience").map(str::to_owned) }))
}

fn is_form(request: &Request) -> bool {
    let content_type = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// RFC 6749 section 3.3: words of visible ASCII without quotes and backslashes, one space between them.
fn is_scope(scope: &str) -> bool {
    let is_word_byte = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    scope.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_word_byte))
}
