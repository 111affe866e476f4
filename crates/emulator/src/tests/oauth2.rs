//! The OAuth 2.0 token endpoint and the resource behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::kit::{APP, Kit, OTHER_APP, SECRET, form_request, header, seconds, token_in, two_apps};
use crate::{Reply, Request, Settings};

const GRANT: &str = "grant_type=client_credentials";

fn in_body(form: &str) -> Reply {
    Kit::new().oauth_token(form)
}

fn as_app(form: &str) -> Reply {
    in_body(&format!("{form}&client_id={APP}&client_secret={SECRET}"))
}

fn basic(joined: &str, form: &str) -> Request {
    let value = format!("Basic {}", STANDARD.encode(joined));
    form_request(form).with_header(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())
}

fn error(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.json().unwrap()["error"].as_str().unwrap().to_owned())
}

#[test]
fn a_client_may_authenticate_in_the_body() {
    token_in(&as_app(GRANT).json().unwrap());
}

#[test]
fn a_client_may_authenticate_by_header() {
    let reply = Kit::new().reply(&basic(&format!("{APP}:{SECRET}"), GRANT));
    token_in(&reply.json().unwrap());
}

#[test]
fn id_and_secret_are_form_encoded_in_the_header() {
    // The secret is "second:secret".
    let reply = Kit::new().reply(&basic(&format!("{OTHER_APP}:second%3Asecret"), GRANT));
    token_in(&reply.json().unwrap());
}

#[test]
fn the_token_is_a_bearer_token() {
    assert_eq!(as_app(GRANT).json().unwrap()["token_type"], "Bearer");
}

#[test]
fn a_token_lives_an_hour() {
    assert_eq!(as_app(GRANT).json().unwrap()["expires_in"], 3600);
}

#[test]
fn there_is_no_refresh_token() {
    assert!(as_app(GRANT).json().unwrap().get("refresh_token").is_none());
}

#[test]
fn no_answer_may_be_stored() {
    assert_eq!(header(&as_app(GRANT).headers, CACHE_CONTROL), "no-store");
}

#[test]
fn no_refusal_may_be_stored() {
    assert_eq!(header(&in_body(GRANT).headers, CACHE_CONTROL), "no-store");
}

#[test]
fn a_scope_is_echoed() {
    assert_eq!(as_app(&format!("{GRANT}&scope=read+write")).json().unwrap()["scope"], "read write");
}

#[test]
fn no_scope_is_made_up() {
    assert!(as_app(GRANT).json().unwrap().get("scope").is_none());
}

#[test]
fn a_malformed_scope_is_refused() {
    assert_eq!(error(&as_app(&format!("{GRANT}&scope=a%22b"))), (400, "invalid_scope".into()));
}

#[test]
fn a_missing_grant_type_is_refused() {
    assert_eq!(error(&as_app("x=y")), (400, "invalid_request".into()));
}

#[test]
fn another_grant_type_is_refused() {
    assert_eq!(error(&as_app("grant_type=password")), (400, "unsupported_grant_type".into()));
}

#[test]
fn a_repeated_parameter_is_refused() {
    assert_eq!(error(&as_app(&format!("{GRANT}&{GRANT}"))), (400, "invalid_request".into()));
}

#[test]
fn no_client_at_all_is_refused() {
    assert_eq!(error(&in_body(GRANT)), (401, "invalid_client".into()));
}

#[test]
fn an_unknown_client_is_refused() {
    let reply = Kit::new().reply(&basic("nobody:x", GRANT));
    assert_eq!(error(&reply), (401, "invalid_client".into()));
}

#[test]
fn a_wrong_secret_is_refused() {
    let reply = Kit::new().reply(&basic(&format!("{APP}:wrong"), GRANT));
    assert_eq!(error(&reply), (401, "invalid_client".into()));
}

#[test]
fn a_refused_client_is_told_how_to_authenticate() {
    let reply = Kit::new().reply(&basic(&format!("{APP}:wrong"), GRANT));
    assert_eq!(header(&reply.headers, WWW_AUTHENTICATE), "Basic realm=\"tokenward-emulator\"");
}

#[test]
fn authenticating_in_two_ways_is_refused() {
    let form = format!("{GRANT}&client_id={APP}&client_secret={SECRET}");
    let reply = Kit::new().reply(&basic(&format!("{APP}:{SECRET}"), &form));
    assert_eq!(error(&reply), (400, "invalid_request".into()));
}

#[test]
fn credentials_in_the_query_do_not_count() {
    let request = form_request(GRANT);
    let query = format!("client_id={APP}&client_secret={SECRET}");
    assert_eq!(error(&Kit::new().reply(&Request { query, ..request })), (401, "invalid_client".into()));
}

#[test]
fn another_content_type_is_refused() {
    let request = Request::post("/oauth2/token", format!("{GRANT}&client_id={APP}&client_secret={SECRET}"));
    assert_eq!(error(&Kit::new().reply(&request)), (400, "invalid_request".into()));
}

#[test]
fn the_token_endpoint_answers_post_only() {
    let reply = Kit::new().reply(&Request::get("/oauth2/token"));
    assert_eq!((reply.status, header(&reply.headers, ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}

#[test]
fn a_token_opens_the_resource() {
    let mut kit = Kit::new();
    let token = kit.oauth_fetch("");
    assert_eq!(kit.resource(Some(&format!("Bearer {token}"))).status, StatusCode::OK);
}

#[test]
fn the_resource_names_the_client_the_scope_and_the_audience() {
    let mut kit = Kit::new();
    let token = kit.oauth_fetch("&scope=read&audience=https%3A%2F%2Fcrm.example.com");
    let body = kit.resource(Some(&format!("bearer {token}"))).json().unwrap();
    assert_eq!(
        (&body["client_id"], &body["scope"], &body["audience"]),
        (&APP.into(), &"read".into(), &"https://crm.example.com".into())
    );
}

#[test]
fn paths_below_the_resource_are_the_resource() {
    let reply = Kit::new().reply(&Request::get("/oauth2/resource/orders/7"));
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[test]
fn tokens_coexist() {
    let mut kit = Kit::new();
    let first = kit.oauth_fetch("");
    for _ in 0..5 {
        kit.oauth_fetch("");
    }
    assert_eq!(kit.resource(Some(&format!("Bearer {first}"))).status, StatusCode::OK);
}

#[test]
fn without_credentials_the_challenge_names_no_error() {
    let reply = Kit::new().resource(None);
    assert_eq!(
        (reply.status, header(&reply.headers, WWW_AUTHENTICATE)),
        (StatusCode::UNAUTHORIZED, "Bearer realm=\"tokenward-emulator\"")
    );
}

#[test]
fn an_unknown_token_is_challenged_as_invalid() {
    let reply = Kit::new().resource(Some("Bearer nonsense"));
    assert_eq!(
        (reply.status, header(&reply.headers, WWW_AUTHENTICATE)),
        (
            StatusCode::UNAUTHORIZED,
            "Bearer realm=\"tokenward-emulator\", error=\"invalid_token\", \
             error_description=\"The access token is invalid\""
        )
    );
}

#[test]
fn an_expired_token_is_challenged_as_invalid() {
    let mut kit = Kit::with(Settings { token_ttl: Some(seconds(60)), ..two_apps() });
    let token = kit.oauth_fetch("");
    kit.pass(seconds(60));
    let reply = kit.resource(Some(&format!("Bearer {token}")));
    assert_eq!(reply.json().unwrap()["error_description"], "The access token expired");
}

#[test]
fn a_malformed_header_is_a_bad_request() {
    assert_eq!(Kit::new().resource(Some("Bearer ")).status, StatusCode::BAD_REQUEST);
}
