//! Each kind of fault: what it answers, and what effect the request still has.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::kit::{APP, Kit, SECRET, classic_target, errcode, form_request, header};
use crate::{Delivery, Outcome, Reply, Request};

/// A kit with one fault, injected as a control call does it.
fn with_fault(fault: Value) -> Kit {
    let mut kit = Kit::new();
    let reply = kit.reply(&Request::post("/_emulator/fault", fault.to_string()));
    assert_eq!(reply.status, StatusCode::OK, "{:?}", reply.json());
    kit
}

fn fetch(kit: &mut Kit) -> Outcome {
    kit.outcome(&Request::get(&classic_target(APP, SECRET)))
}

fn fetch_reply(fault: Value) -> Reply {
    fetch(&mut with_fault(fault)).reply().unwrap().clone()
}

fn refusal(fault: Value) -> Value {
    let reply = Kit::new().reply(&Request::post("/_emulator/fault", fault.to_string()));
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    reply.json().unwrap()
}

#[test]
fn latency_delays() {
    let mut kit = with_fault(json!({ "kind": "latency", "latency": "500ms" }));
    assert_eq!(fetch(&mut kit).delay, Duration::from_millis(500));
}

#[test]
fn latency_leaves_the_effect() {
    let mut kit = with_fault(json!({ "kind": "latency" }));
    fetch(&mut kit);
    assert_eq!(kit.stats().issued, 1);
}

#[test]
fn of_several_latencies_the_longest_counts() {
    let mut kit = with_fault(json!({ "kind": "latency", "latency": "3s" }));
    kit.post("/_emulator/fault", r#"{"kind":"latency","latency":"1s"}"#);
    assert_eq!(fetch(&mut kit).delay, Duration::from_secs(3));
}

#[test]
fn busy_is_minus_one() {
    assert_eq!(errcode(&fetch_reply(json!({ "kind": "busy" })).json().unwrap()), -1);
}

#[test]
fn busy_has_no_effect() {
    let mut kit = with_fault(json!({ "kind": "busy" }));
    fetch(&mut kit);
    assert_eq!(kit.stats().issued, 0);
}

#[test]
fn baidu_is_busy_in_its_own_words() {
    assert_eq!(with_fault(json!({ "kind": "busy" })).recognize("x")["error_code"], 2);
}

#[test]
fn oauth_is_busy_in_its_own_words() {
    let mut kit = with_fault(json!({ "kind": "busy" }));
    let reply = kit.reply(&form_request("grant_type=client_credentials"));
    assert_eq!(
        (reply.status, reply.json().unwrap()["error"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("temporarily_unavailable"))
    );
}

#[test]
fn a_status_is_answered() {
    assert_eq!(fetch_reply(json!({ "kind": "status", "status": 503 })).status, 503);
}

#[test]
fn a_status_is_502_unless_said() {
    assert_eq!(fetch_reply(json!({ "kind": "status" })).body, "502 Bad Gateway\n");
}

#[test]
fn reset_before_resets() {
    let mut kit = with_fault(json!({ "kind": "reset_before" }));
    assert!(matches!(fetch(&mut kit).delivery, Delivery::Reset));
}

#[test]
fn reset_before_has_no_effect() {
    let mut kit = with_fault(json!({ "kind": "reset_before" }));
    fetch(&mut kit);
    assert_eq!(kit.stats().issued, 0);
}

#[test]
fn reset_after_issue_resets() {
    let mut kit = with_fault(json!({ "kind": "reset_after_issue" }));
    assert!(matches!(fetch(&mut kit).delivery, Delivery::Reset));
}

#[test]
fn reset_after_issue_issues() {
    let mut kit = with_fault(json!({ "kind": "reset_after_issue" }));
    fetch(&mut kit);
    assert_eq!(kit.stats().issued, 1);
}

#[test]
fn a_refusal_is_not_lost_with_reset_after_issue() {
    let mut kit = with_fault(json!({ "kind": "reset_after_issue" }));
    assert_eq!(errcode(&kit.get(&classic_target(APP, "wrong"))), 40125);
}

#[test]
fn reset_after_issue_concerns_calls_only_when_their_path_is_named() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.post("/_emulator/fault", r#"{"kind":"reset_after_issue"}"#);
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn the_answer_of_a_named_call_can_be_lost() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.post("/_emulator/fault", r#"{"kind":"reset_after_issue","path":"/cgi-bin/message"}"#);
    let target = format!("/cgi-bin/message/custom/send?access_token={token}");
    assert!(matches!(kit.outcome(&Request::post(&target, "{}")).delivery, Delivery::Reset));
}

#[test]
fn html_is_html() {
    let reply = fetch_reply(json!({ "kind": "html" }));
    assert_eq!(
        (reply.status, header(&reply.headers, CONTENT_TYPE)),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
}

#[test]
fn html_can_have_another_status() {
    assert_eq!(fetch_reply(json!({ "kind": "html", "status": 502 })).status, 502);
}

#[test]
fn truncate_cuts_the_answer() {
    let mut kit = with_fault(json!({ "kind": "truncate" }));
    assert!(matches!(fetch(&mut kit).delivery, Delivery::Cut(_)));
}

#[test]
fn truncate_leaves_the_effect() {
    let mut kit = with_fault(json!({ "kind": "truncate" }));
    fetch(&mut kit);
    assert_eq!(kit.stats().issued, 1);
}

#[test]
fn an_errcode_comes_with_its_documented_text() {
    let errmsg =
        fetch_reply(json!({ "kind": "errcode", "errcode": 40164 })).json().unwrap()["errmsg"].clone();
    assert!(errmsg.as_str().unwrap().starts_with("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in"));
}

#[test]
fn an_errcode_can_have_another_text() {
    let answer = fetch_reply(json!({ "kind": "errcode", "errcode": 89503, "errmsg": "ask the admin" }));
    assert_eq!(answer.json().unwrap(), json!({ "errcode": 89503, "errmsg": "ask the admin" }));
}

#[test]
fn an_errcode_reads_as_an_error_code_at_baidu() {
    let mut kit = with_fault(json!({ "kind": "errcode", "errcode": 17 }));
    assert_eq!(kit.recognize("x")["error_msg"], "Open api daily request limit reached");
}

#[test]
fn an_errcode_names_an_error_at_oauth() {
    let fault = json!({ "kind": "errcode", "errcode": 1, "error": "unauthorized_client", "status": 403 });
    let reply = with_fault(fault).reply(&form_request(""));
    assert_eq!(
        (reply.status.as_u16(), reply.json().unwrap()["error"].as_str()),
        (403, Some("unauthorized_client"))
    );
}

#[test]
fn frozen_is_40243() {
    assert_eq!(errcode(&fetch_reply(json!({ "kind": "frozen" })).json().unwrap()), 40243);
}

#[test]
fn frozen_concerns_the_stable_interface_too() {
    assert_eq!(errcode(&with_fault(json!({ "kind": "frozen" })).stable(false)), 40243);
}

#[test]
fn frozen_leaves_live_tokens_alone() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.post("/_emulator/fault", r#"{"kind":"frozen"}"#);
    assert_eq!(kit.probe(&token), 0);
}

/// What `expires_in` says under this fault.
fn told(detail: Value) -> Option<Value> {
    let mut fault = json!({ "kind": "expires_in" });
    fault.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
    fetch_reply(fault).json().unwrap().get("expires_in").cloned()
}

#[test]
fn any_life_can_be_told() {
    for value in [json!(0), json!(-1), json!(1e300), json!(u64::MAX), json!("7200"), json!(null)] {
        assert_eq!(told(json!({ "value": value })), Some(value));
    }
}

#[test]
fn the_true_life_can_be_told_as_text() {
    assert_eq!(told(json!({ "as": "string" })), Some(json!("7200")));
}

#[test]
fn the_life_can_be_missing() {
    assert_eq!(told(json!({ "as": "missing" })), None);
}

#[test]
fn an_untrue_life_leaves_refusals_alone() {
    let mut kit = with_fault(json!({ "kind": "expires_in", "value": 0, "times": 1 }));
    kit.get("/cgi-bin/token");
    assert_eq!(kit.classic()["expires_in"], 0);
}

#[test]
fn oauth_answers_can_lack_their_life() {
    let mut kit = with_fault(json!({ "kind": "expires_in", "as": "missing" }));
    let form = format!("grant_type=client_credentials&client_id={APP}&client_secret={SECRET}");
    assert!(kit.oauth_token(&form).json().unwrap().get("expires_in").is_none());
}

#[test]
fn an_unknown_kind_is_answered_with_the_kinds() {
    assert_eq!(refusal(json!({ "kind": "gremlins" }))["kinds"].as_array().unwrap().len(), 11);
}

#[test]
fn a_missing_kind_is_an_error() {
    assert_eq!(refusal(json!({}))["error"], "a fault needs a \"kind\"");
}

#[test]
fn an_errcode_needs_a_number() {
    assert_eq!(refusal(json!({ "kind": "errcode" }))["error"], "kind \"errcode\" needs an \"errcode\"");
}

#[test]
fn a_misplaced_field_is_an_error() {
    assert_eq!(
        refusal(json!({ "kind": "busy", "latency": "1s" }))["error"],
        "\"latency\" does not belong to kind \"busy\""
    );
}

#[test]
fn malformed_faults_are_errors() {
    for fault in [
        json!({ "kind": "busy", "times": 0 }),
        json!({ "kind": "busy", "times": -1 }),
        json!({ "kind": "busy", "for": 30 }),
        json!({ "kind": "busy", "for": "soon" }),
        json!({ "kind": "busy", "path": "cgi-bin" }),
        json!({ "kind": "busy", "colour": "red" }),
        json!({ "kind": "status", "status": 99 }),
        json!({ "kind": "expires_in" }),
        json!({ "kind": "expires_in", "as": "poem" }),
        json!([]),
        json!("busy"),
    ] {
        refusal(fault);
    }
}
