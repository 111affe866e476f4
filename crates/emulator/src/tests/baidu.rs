//! Baidu: coexisting tokens, and what its calls say about dead ones.

use http::StatusCode;

use super::kit::{APP, Kit, seconds, token_in, two_apps};
use crate::{Request, Settings};

const THIRTY_DAYS: u64 = 30 * 86_400;

fn refused(query: &str) -> (StatusCode, String, String) {
    let reply = Kit::new().reply(&Request::get(&format!("/oauth/2.0/token?{query}")));
    let body = reply.json().unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (reply.status, text("error"), text("error_description"))
}

#[test]
fn a_token_lives_thirty_days() {
    assert_eq!(Kit::new().baidu_token()["expires_in"], THIRTY_DAYS);
}

#[test]
fn a_set_life_is_told() {
    let mut kit = Kit::with(Settings { token_ttl: Some(seconds(60)), ..two_apps() });
    assert_eq!(kit.baidu_token()["expires_in"], 60);
}

#[test]
fn a_token_names_its_life_and_its_end() {
    let mut kit = Kit::new();
    let token = token_in(&kit.baidu_token());
    let parts: Vec<&str> = token.split('.').collect();
    let end = kit.wall.plus(seconds(THIRTY_DAYS)).unix_seconds().to_string();
    assert_eq!((parts[0], parts[1].len(), parts[2], parts[3]), ("24", 32, "2592000", end.as_str()));
}

#[test]
fn the_scope_opens_recognition() {
    assert!(Kit::new().baidu_token()["scope"].as_str().unwrap().contains("brain_all_scope"));
}

#[test]
fn parameters_may_come_in_a_form() {
    let form = format!("grant_type=client_credentials&client_id={APP}&client_secret={}", super::kit::SECRET);
    token_in(&Kit::new().post("/oauth/2.0/token", &form));
}

#[test]
fn tokens_coexist() {
    let mut kit = Kit::new();
    let first = token_in(&kit.baidu_token());
    for _ in 0..5 {
        kit.baidu_token();
    }
    assert_eq!(kit.recognize(&first)["words_result_num"], 2);
}

#[test]
fn an_unknown_client_is_named() {
    assert_eq!(
        refused("grant_type=client_credentials&client_id=nobody&client_secret=x"),
        (StatusCode::UNAUTHORIZED, "invalid_client".into(), "unknown client id".into())
    );
}

#[test]
fn a_wrong_secret_is_named() {
    assert_eq!(
        refused(&format!("grant_type=client_credentials&client_id={APP}&client_secret=x")),
        (StatusCode::UNAUTHORIZED, "invalid_client".into(), "Client authentication failed".into())
    );
}

#[test]
fn another_grant_type_is_refused() {
    assert_eq!(refused("grant_type=client_credential").1, "unsupported_grant_type");
}

#[test]
fn an_unknown_token_is_110() {
    assert_eq!(
        Kit::new().recognize("nonsense"),
        serde_json::json!({ "error_code": 110, "error_msg": "Access token invalid or no longer valid" })
    );
}

#[test]
fn an_expired_token_is_111() {
    let mut kit = Kit::new();
    let token = token_in(&kit.baidu_token());
    kit.pass(seconds(THIRTY_DAYS));
    assert_eq!(
        kit.recognize(&token),
        serde_json::json!({ "error_code": 111, "error_msg": "Access token expired" })
    );
}

#[test]
fn a_missing_token_is_100() {
    assert_eq!(Kit::new().recognize("")["error_code"], 100);
}

#[test]
fn a_refused_call_is_http_200() {
    let request = Request::post("/rest/2.0/ocr/v1/general_basic", "");
    assert_eq!(Kit::new().reply(&request).status, StatusCode::OK);
}

#[test]
fn an_unknown_call_is_3() {
    assert_eq!(Kit::new().get("/rest/2.0/nothing")["error_code"], 3);
}
