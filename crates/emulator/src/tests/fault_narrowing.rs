//! Where, how often and how long a fault strikes, and which of several goes first.

use http::StatusCode;
use serde_json::{Value, json};

use super::kit::{APP, Kit, OTHER_APP, OTHER_SECRET, SECRET, classic_target, errcode, seconds};
use crate::{Fault, FaultKind, Request};

fn inject(kit: &mut Kit, fault: Fault) {
    kit.machine.inject(kit.wall, fault).unwrap();
}

fn busy() -> Fault {
    Fault::new(FaultKind::Busy)
}

#[test]
fn a_fault_strikes_as_often_as_told() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().times(2));
    let codes: Vec<i64> = (0..3).map(|_| errcode(&kit.classic())).collect();
    assert_eq!(codes, [-1, -1, 0]);
}

#[test]
fn a_fault_strikes_as_long_as_told() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().lasting(seconds(30)));
    kit.pass(seconds(29));
    assert_eq!(errcode(&kit.classic()), -1);
}

#[test]
fn a_fault_ends_on_the_emulators_clock() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().lasting(seconds(30)));
    kit.machine.advance(kit.wall, seconds(30));
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn a_fault_strikes_its_path() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().on("/cgi-bin/stable_token"));
    assert_eq!((errcode(&kit.classic()), errcode(&kit.stable(false))), (0, -1));
}

#[test]
fn a_fault_strikes_the_paths_that_begin_with_its_own() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().on("/cgi-bin/"));
    assert_eq!(errcode(&kit.classic()), -1);
}

#[test]
fn repeated_slashes_do_not_escape_a_fault() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().on("/cgi-bin/token"));
    let target = classic_target(APP, SECRET).replace("/cgi-bin/", "//cgi-bin//");
    assert_eq!(errcode(&kit.get(&target)), -1);
}

#[test]
fn a_fault_strikes_its_app() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().for_app(APP));
    assert_eq!(errcode(&kit.classic()), -1);
}

#[test]
fn a_fault_of_one_app_spares_the_others() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().for_app(APP));
    kit.fetch_for(OTHER_APP, OTHER_SECRET);
}

#[test]
fn a_fault_of_an_app_strikes_calls_with_its_tokens() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    inject(&mut kit, busy().for_app(APP));
    assert_eq!(kit.probe(&token), -1);
}

#[test]
fn a_fault_of_an_app_finds_it_in_a_json_body() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().for_app(APP));
    assert_eq!(errcode(&kit.stable(false)), -1);
}

#[test]
fn a_fault_of_an_app_finds_it_at_oauth() {
    let mut kit = Kit::new();
    let token = kit.oauth_fetch("");
    inject(&mut kit, busy().for_app(APP));
    assert_eq!(kit.resource(Some(&format!("Bearer {token}"))).status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_fault_of_an_unknown_app_is_an_error() {
    let fault = json!({ "kind": "busy", "app_id": "wxnobody" }).to_string();
    let reply = Kit::new().reply(&Request::post("/_emulator/fault", fault));
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[test]
fn faults_play_in_the_order_of_their_injection() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().times(1));
    inject(&mut kit, Fault::new(FaultKind::Status(StatusCode::BAD_GATEWAY)).times(1));
    let request = Request::get(&classic_target(APP, SECRET));
    let first = errcode(&kit.classic());
    assert_eq!(
        (first, kit.reply(&request).status, errcode(&kit.classic())),
        (-1, StatusCode::BAD_GATEWAY, 0)
    );
}

#[test]
fn a_fault_that_another_forestalled_does_not_count_down() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().times(1));
    inject(&mut kit, Fault::new(FaultKind::ResetAfterIssue).times(1));
    kit.classic();
    assert_eq!(kit.machine.faults(kit.wall).len(), 1);
}

#[test]
fn control_calls_are_never_struck() {
    let mut kit = Kit::new();
    inject(&mut kit, busy());
    assert!(kit.get("/_emulator/stats")["issued"].is_number());
}

#[test]
fn active_faults_are_listed() {
    let mut kit = Kit::new();
    let fault = json!({ "kind": "status", "status": 503, "path": "/cgi-bin/", "times": 3, "for": "30s" });
    kit.post("/_emulator/fault", &fault.to_string());
    kit.classic_reply_is_ignored();
    assert_eq!(
        kit.get("/_emulator/fault")["active"],
        json!([{
            "id": 1, "kind": "status", "status": 503, "path": "/cgi-bin/", "times": 2,
            "until": "2026-11-20T08:00:30Z",
        }])
    );
}

#[test]
fn faults_that_are_over_are_not_listed() {
    let mut kit = Kit::new();
    inject(&mut kit, busy().lasting(seconds(1)));
    kit.pass(seconds(1));
    assert_eq!(kit.get("/_emulator/fault")["active"], json!([]));
}

#[test]
fn deleting_ends_all_faults() {
    let mut kit = Kit::new();
    inject(&mut kit, busy());
    kit.reply(&Request::new(http::Method::DELETE, "/_emulator/fault"));
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn deleting_tells_how_many_there_were() {
    let mut kit = Kit::new();
    inject(&mut kit, busy());
    inject(&mut kit, busy());
    let reply = kit.reply(&Request::new(http::Method::DELETE, "/_emulator/fault"));
    assert_eq!(reply.json(), Some(json!({ "cleared": 2 })));
}

#[test]
fn injecting_tells_the_id() {
    let answer: Value = Kit::new().post("/_emulator/fault", r#"{"kind":"busy"}"#);
    assert_eq!(answer["id"], 1);
}

impl Kit {
    /// One fetch whose answer need not be JSON.
    fn classic_reply_is_ignored(&mut self) {
        self.reply(&Request::get(&classic_target(APP, SECRET)));
    }
}
