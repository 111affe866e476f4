//! How a client says who it is (RFC 6749 section 2.3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;

use super::error::TokenError;
use crate::apps::{AppIndex, Apps};
use crate::params::{Params, decode};
use crate::request::Request;

/// A client id and what shall prove it.
struct Presented {
    id: String,
    secret: String,
}

/// Finds the app behind a token request, by the `Authorization` header or by the form, never by both.
pub(super) fn authenticate(
    request: &Request,
    form: &Params,
    apps: &Apps,
) -> Result<AppIndex, (Option<AppIndex>, TokenError)> {
    let presented = presented(request, form).map_err(|error| (None, error))?;
    let app = apps.find(&presented.id).ok_or((None, TokenError::invalid_client("unknown client")))?;
    if apps.secret_matches(app, &presented.secret) {
        Ok(app)
    } else {
        Err((Some(app), TokenError::invalid_client("client authentication failed")))
    }
}

fn presented(request: &Request, form: &Params) -> Result<Presented, TokenError> {
    if request.headers.contains_key(AUTHORIZATION) {
        if form.get("client_secret").is_some() {
            return Err(TokenError::invalid_request("the client authenticates in more than one way"));
        }
        return basic(request).ok_or(TokenError::invalid_client("the Authorization header is no Basic one"));
    }
    match (form.get("client_id"), form.get("client_secret")) {
        (Some(id), Some(secret)) => Ok(Presented { id: id.to_owned(), secret: secret.to_owned() }),
        _ => Err(TokenError::invalid_client("no client authentication is included")),
    }
}

/// Id and secret are each form-url-encoded before they are joined and put into base64.
fn basic(request: &Request) -> Option<Presented> {
    let (scheme, encoded) = request.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some(Presented { id: decode(id), secret: decode(secret) })
}

/// The client id that a request names in its `Authorization` header, proven or not.
pub(crate) fn named_client(request: &Request) -> Option<String> {
    basic(request).map(|presented| presented.id)
}
