//! The control calls.

use http::header::{ALLOW, DATE};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::kit::{APP, Kit, OTHER_APP, OTHER_SECRET, errcode, header, seconds, token_in};
use crate::{Happening, Reply, Request};

fn post(call: &str, body: Value) -> Reply {
    Kit::new().reply(&Request::post(&format!("/_emulator/{call}"), body.to_string()))
}

#[test]
fn the_index_lists_the_calls() {
    assert!(Kit::new().get("/_emulator/")["calls"]["POST /_emulator/time"].is_string());
}

#[test]
fn an_unknown_call_is_not_found() {
    assert_eq!(Kit::new().reply(&Request::get("/_emulator/nothing")).status, StatusCode::NOT_FOUND);
}

#[test]
fn another_method_is_told_the_right_ones() {
    let reply = Kit::new().reply(&Request::new(Method::PUT, "/_emulator/fault"));
    assert_eq!(
        (reply.status, header(&reply.headers, ALLOW)),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, POST, DELETE")
    );
}

#[test]
fn invalidating_kills_a_classic_token() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.post("/_emulator/invalidate", "");
    assert_eq!(kit.probe(&token), 40001);
}

#[test]
fn invalidating_kills_a_stable_token() {
    let mut kit = Kit::new();
    let token = token_in(&kit.stable(false));
    kit.post("/_emulator/invalidate", "{}");
    assert_eq!(kit.probe(&token), 40001);
}

#[test]
fn after_invalidating_a_plain_ask_gives_another_stable_token() {
    let mut kit = Kit::new();
    let token = token_in(&kit.stable(false));
    kit.post("/_emulator/invalidate", "{}");
    assert_ne!(token_in(&kit.stable(false)), token);
}

#[test]
fn invalidating_kills_a_token_of_baidu() {
    let mut kit = Kit::new();
    let token = token_in(&kit.baidu_token());
    kit.post("/_emulator/invalidate", "{}");
    assert_eq!(kit.recognize(&token)["error_code"], 110);
}

#[test]
fn invalidating_kills_an_oauth_token() {
    let mut kit = Kit::new();
    let token = kit.oauth_fetch("");
    kit.post("/_emulator/invalidate", "{}");
    assert_eq!(kit.resource(Some(&format!("Bearer {token}"))).status, StatusCode::UNAUTHORIZED);
}

#[test]
fn invalidating_tells_how_many_tokens_died() {
    let mut kit = Kit::new();
    kit.fetch();
    kit.fetch();
    kit.oauth_fetch("");
    assert_eq!(kit.post("/_emulator/invalidate", "{}"), json!({ "invalidated": 3 }));
}

#[test]
fn invalidating_one_app_leaves_the_others() {
    let mut kit = Kit::new();
    let token = kit.fetch_for(OTHER_APP, OTHER_SECRET);
    kit.post("/_emulator/invalidate", &json!({ "app_id": APP }).to_string());
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn invalidating_an_unknown_app_is_an_error() {
    assert_eq!(post("invalidate", json!({ "app_id": "wxnobody" })).status, StatusCode::NOT_FOUND);
}

#[test]
fn an_unknown_field_is_an_error() {
    assert_eq!(post("invalidate", json!({ "appid": APP })).status, StatusCode::BAD_REQUEST);
}

#[test]
fn advancing_ages_tokens() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.post("/_emulator/time", r#"{"advance":"2h"}"#);
    assert_eq!(kit.probe(&token), 42001);
}

#[test]
fn advancing_passes_midnight_in_beijing() {
    let mut kit = Kit::with(crate::Settings { daily_quota: 1, ..super::kit::two_apps() });
    kit.fetch();
    kit.post("/_emulator/time", r#"{"advance":"8h"}"#);
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn advancing_tells_the_new_time() {
    let answer = Kit::new().post("/_emulator/time", r#"{"advance":"90m"}"#);
    assert_eq!(answer, json!({ "now": "2026-11-20T09:30:00Z", "advanced": "90m" }));
}

#[test]
fn advances_add_up() {
    let mut kit = Kit::new();
    kit.machine.advance(kit.wall, seconds(60));
    kit.machine.advance(kit.wall, seconds(60));
    assert_eq!(kit.get("/_emulator/time")["now"], "2026-11-20T08:02:00Z");
}

#[test]
fn the_date_header_follows_the_emulators_clock() {
    let mut kit = Kit::new();
    kit.machine.advance(kit.wall, seconds(60));
    let reply = kit.reply(&Request::get("/cgi-bin/token"));
    assert_eq!(header(&reply.headers, DATE), "Fri, 20 Nov 2026 08:01:00 GMT");
}

#[test]
fn the_clock_does_not_go_back() {
    assert_eq!(post("time", json!({ "advance": "-5m" })).status, StatusCode::BAD_REQUEST);
}

#[test]
fn the_clock_does_not_leap_over_a_century() {
    assert_eq!(post("time", json!({ "advance": "99999d" })).status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_body_that_is_no_json_is_an_error() {
    let reply = Kit::new().reply(&Request::post("/_emulator/time", "advance=2h"));
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[test]
fn an_event_tells_the_beginning_of_a_token_only() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    let events = kit.machine.take_events();
    let Happening::Issued { token: told, .. } = &events[0].what else { panic!("{events:?}") };
    assert_eq!(*told, format!("{}…", &token[..10]));
}

#[test]
fn an_event_reads_as_a_line() {
    let mut kit = Kit::new();
    kit.get("/cgi-bin/token?appid=wxnobody");
    assert_eq!(kit.machine.take_events()[0].to_string(), "classic: refused an unknown app: 40013");
}

#[test]
fn events_are_taken_once() {
    let mut kit = Kit::new();
    kit.fetch();
    kit.machine.take_events();
    assert_eq!(kit.machine.take_events(), []);
}
