//! `/oauth2/resource` and everything below it: a protected resource (RFC 6750).

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::json;

use super::{Grant, OAuth2, REALM, owner};
use crate::answer::Answer;
use crate::apps::AppIndex;
use crate::desk::Desk;
use crate::reply::Reply;
use crate::request::Request;

/// What is wrong with the credentials of a call.
enum Challenge {
    /// There are none, so the challenge names no error.
    NoCredentials,
    /// The header is not of the form `Bearer TOKEN`.
    Malformed,
    /// The token does not work. The text says why; the code is the same either way.
    Invalid(Option<AppIndex>, &'static str),
}

impl OAuth2 {
    /// Tells what the token stands for, and which call it was that arrived.
    pub(super) fn resource(&mut self, desk: &mut Desk<'_>) -> Answer {
        if desk.request.method != Method::GET && desk.request.method != Method::POST {
            desk.write_refused(None, "method not allowed");
            return Answer::refused(Reply::method_not_allowed("GET, POST"));
        }
        let (app, grant) = match self.check(desk) {
            Ok(found) => found,
            Err(challenge) => return challenge.answer(desk),
        };
        desk.ledger.called(app);
        let body = json!({
            "client_id": desk.apps.id(app),
            "scope": grant.scope,
            "audience": grant.audience,
            "method": desk.request.method.as_str(),
            "path": desk.target.path,
        });
        Answer::served(Reply::of_json(StatusCode::OK, &body))
    }

    fn check(&self, desk: &Desk<'_>) -> Result<(AppIndex, Grant), Challenge> {
        if !desk.request.headers.contains_key(AUTHORIZATION) {
            return Err(Challenge::NoCredentials);
        }
        let text = bearer(desk.request).ok_or(Challenge::Malformed)?;
        let Some(token) = self.tokens.find(text) else {
            return Err(Challenge::Invalid(owner(text, desk.apps), "The access token is invalid"));
        };
        if token.ends <= desk.now {
            return Err(Challenge::Invalid(Some(token.app), "The access token expired"));
        }
        Ok((token.app, token.details.clone()))
    }
}

impl Challenge {
    fn answer(self, desk: &mut Desk<'_>) -> Answer {
        let (status, app, error, description) = match self {
            Self::NoCredentials => {
                desk.write_token_refused(None, "no credentials");
                let reply = Reply::raw(StatusCode::UNAUTHORIZED, "text/plain", "")
                    .with(WWW_AUTHENTICATE, &format!("Bearer realm=\"{REALM}\""));
                return Answer::refused(reply);
            }
            Self::Malformed => {
                let text = "The Authorization header is not of the form Bearer TOKEN";
                (StatusCode::BAD_REQUEST, None, "invalid_request", text)
            }
            Self::Invalid(app, text) => (StatusCode::UNAUTHORIZED, app, "invalid_token", text),
        };
        desk.write_token_refused(app, error);
        let challenge =
            format!("Bearer realm=\"{REALM}\", error=\"{error}\", error_description=\"{description}\"");
        let body = json!({ "error": error, "error_description": description });
        Answer::refused(Reply::of_json(status, &body).with(WWW_AUTHENTICATE, &challenge))
    }
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
