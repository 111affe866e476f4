//! The OAuth 2.0 token endpoint (RFC 6749 §4.4), so that any client library can use any credential: the client
//! id is the credential's name, the client secret the client key. And its description (RFC 8414).

use std::sync::Arc;

use base64::Engine as _;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokenward_api::path;
use tokenward_core::view::Reading;
use zeroize::Zeroizing;

use super::answer::{self, Body, Refusal};
use super::{Api, token};
use crate::config::Right;

/// A credential's name and a client key.
type Pair = (String, Zeroizing<String>);

/// A request that has been understood.
struct TokenRequest {
    /// Credential and key. Two where a client may have encoded them, or not: the first that fits counts.
    pairs: Vec<Pair>,
    /// The key came in the header, so that the answer to a wrong one must challenge (RFC 6749 §5.2).
    basic: bool,
}

/// RFC 6749 §5.2, with words for a person.
struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after: Option<HeaderValue>,
    challenge: bool,
}

impl OAuthError {
    fn invalid(error: &'static str, description: impl Into<String>) -> OAuthError {
        let description = description.into();
        OAuthError {
            status: StatusCode::BAD_REQUEST,
            error,
            description,
            retry_after: None,
            challenge: false,
        }
    }

    fn into_response(self) -> Response<Body> {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = answer::json(self.status, &body);
        let headers = response.headers_mut();
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        headers.extend(self.retry_after.map(|wait| (header::RETRY_AFTER, wait)));
        if self.challenge {
            let challenge = HeaderValue::from_static("Basic realm=\"tokenward\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Answers a token request.
pub async fn token(api: &Api, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
    match hand_out(api, headers, body).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn hand_out(api: &Api, headers: &HeaderMap, body: &[u8]) -> Result<Response<Body>, OAuthError> {
    let request = read(headers, body)?;
    let refused = |description: &str| OAuthError {
        status: StatusCode::UNAUTHORIZED,
        challenge: request.basic,
        ..OAuthError::invalid("invalid_client", description)
    };
    let pairs = request.pairs.iter();
    let found = pairs.filter_map(|(credential, key)| Some((credential, api.clients.find(key.as_bytes())?)));
    let (credential, caller) = found
        .into_iter()
        .next()
        .ok_or_else(|| refused("no client of Tokenward has this client_secret (a client key)"))?;
    let permit = caller.see(&api.feed, credential).map_err(|_| {
        refused("there is no credential with this client_id for this client_secret (a client key)")
    })?;
    caller.check(Right::Token).map_err(|problem| {
        let detail = format!("{}. {}", problem.detail, problem.next_step);
        OAuthError::invalid("unauthorized_client", detail)
    })?;
    let entry: &Arc<_> = permit.entry();
    let (view, now) = token::wait_for_usable(api, entry).await.map_err(|refusal| unavailable(&refusal))?;
    let Reading::Token(offer, told_end) = view.read(now.boot) else {
        return Err(OAuthError::invalid("temporarily_unavailable", "there is no usable token now"));
    };
    crate::feed::Counts::add(&entry.counts.reads);
    let body = json!({
        "access_token": offer.token.expose(),
        "token_type": "Bearer",
        "expires_in": (told_end - now.boot).whole_seconds().max(0),
    });
    let mut response = answer::json(StatusCode::OK, &body);
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// No token now: RFC 6749 has no error for it at this endpoint, so the one of §4.1.2.1 is borrowed, with the
/// status that says it.
fn unavailable(refusal: &Refusal) -> OAuthError {
    let problem = refusal.problem();
    OAuthError {
        status: StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        retry_after: refusal.retry_after().map(HeaderValue::from),
        ..OAuthError::invalid(
            "temporarily_unavailable",
            format!("{}: {} {}", problem.code, problem.detail, problem.next_step),
        )
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<TokenRequest, OAuthError> {
    let fields = fields(headers, body)?;
    let field = |name: &str| {
        let mut found = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone());
        match (found.next(), found.next()) {
            (value, None) => Ok(value),
            _ => Err(OAuthError::invalid("invalid_request", format!("`{name}` stands there twice"))),
        }
    };
    match field("grant_type")?.as_deref() {
        // WeChat's spelling is welcome: SDKs that speak its dialect are pointed here, too.
        Some("client_credentials" | "client_credential") => {}
        Some(_) => {
            let description = "only grant_type=client_credentials is known here";
            return Err(OAuthError::invalid("unsupported_grant_type", description));
        }
        None => return Err(OAuthError::invalid("invalid_request", "there is no `grant_type`")),
    }
    if let Some(pairs) = basic(headers)? {
        if field("client_secret")?.is_some() {
            let description = "the client secret comes in two ways: in the header and in the body";
            return Err(OAuthError::invalid("invalid_request", description));
        }
        return Ok(TokenRequest { pairs, basic: true });
    }
    match (field("client_id")?, field("client_secret")?) {
        (Some(credential), Some(key)) => {
            Ok(TokenRequest { pairs: vec![(credential, Zeroizing::new(key))], basic: false })
        }
        _ => Err(OAuthError {
            status: StatusCode::UNAUTHORIZED,
            challenge: true,
            ..OAuthError::invalid(
                "invalid_client",
                "send the credential's name as client_id and a client key as client_secret",
            )
        }),
    }
}

/// The fields of a form or of a JSON object.
fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Vec<(String, String)>, OAuthError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        let object: serde_json::Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| OAuthError::invalid("invalid_request", "the body is not a JSON object"))?;
        let texts = object.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
        return Ok(texts.collect());
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| OAuthError::invalid("invalid_request", "the body is not a form"))?;
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    Ok(pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decoded(key), form_decoded(value))
        })
        .collect())
}

/// RFC 6749 §2.3.1: both parts are form-encoded before they are joined. Clients that do not encode are understood as
/// well.
fn basic(headers: &HeaderMap) -> Result<Option<Vec<Pair>>, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed = || OAuthError {
        status: StatusCode::UNAUTHORIZED,
        challenge: true,
        ..OAuthError::invalid("invalid_client", "the Authorization header is not of the Basic scheme")
    };
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded =
        base64::engine::general_purpose::STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let pair = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = pair.split_once(':').ok_or_else(malformed)?;
    let decoded = (form_decoded(id), Zeroizing::new(form_decoded(secret)));
    let raw = (id.to_owned(), Zeroizing::new(secret.to_owned()));
    Ok(Some(if decoded == raw { vec![raw] } else { vec![decoded, raw] }))
}

fn form_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The description of the endpoint. It stands where the client found it.
pub fn metadata(scheme: &Scheme, headers: &HeaderMap) -> Response<Body> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let issuer = format!("{scheme}://{host}");
    let document = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{}", path::OAUTH_TOKEN),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    answer::json(StatusCode::OK, &document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::try_from(*value).unwrap())).collect()
    }

    fn read_form(authorization: Option<&str>, body: &str) -> Result<(String, String), &'static str> {
        let authorization = authorization.map(|value| (header::AUTHORIZATION, value));
        let headers = headers(&authorization.into_iter().collect::<Vec<_>>());
        let read = read(&headers, body.as_bytes());
        let first = |request: TokenRequest| {
            let (credential, key) = request.pairs.into_iter().next().unwrap();
            (credential, key.to_string())
        };
        read.map(first).map_err(|error| error.error)
    }

    #[test]
    fn the_key_comes_in_the_header_or_in_the_body() {
        let expected = Ok(("shop".to_owned(), "a key+".to_owned()));
        let basic = "Basic c2hvcDphJTIwa2V5JTJC";
        assert_eq!(read_form(Some(basic), "grant_type=client_credentials"), expected);
        let body = "grant_type=client_credential&client_id=shop&client_secret=a+key%2B&scope=x";
        assert_eq!(read_form(None, body), expected);
    }

    #[test]
    fn what_is_wrong_has_the_name_of_the_rfc() {
        let whole = "grant_type=client_credentials&client_id=shop&client_secret=k";
        for (authorization, body, error) in [
            (None, "client_id=shop&client_secret=k", "invalid_request"),
            (None, "grant_type=password&client_id=shop&client_secret=k", "unsupported_grant_type"),
            (None, "grant_type=client_credentials&client_id=shop", "invalid_client"),
            (None, "grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
            (Some("Basic c2hvcDprZXk="), whole, "invalid_request"),
            (Some("Basic !"), "grant_type=client_credentials", "invalid_client"),
            (Some("Bearer x"), "grant_type=client_credentials", "invalid_client"),
        ] {
            assert_eq!(read_form(authorization, body), Err(error), "{body}");
        }
    }
}
