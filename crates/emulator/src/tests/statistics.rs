//! What is counted as what. Other tests of the project assert on these numbers.

use serde_json::json;

use super::kit::{APP, Kit, OTHER_APP, OTHER_SECRET, classic_target, seconds};
use crate::{ApiStats, AppStats, Fault, FaultKind, PathStats, Request};

#[test]
fn nothing_is_counted_at_first() {
    assert_eq!(Kit::new().stats().by_app[APP], AppStats::default());
}

#[test]
fn a_new_token_is_issued() {
    let mut kit = Kit::new();
    kit.fetch();
    assert_eq!(kit.stats().issued, 1);
}

#[test]
fn a_repeated_stable_token_is_not_issued_again() {
    let mut kit = Kit::new();
    kit.stable(false);
    kit.stable(false);
    let counted = ApiStats { requests: 2, issued: 1, repeated: 1, ..ApiStats::default() };
    assert_eq!(kit.stats().by_api["stable"], counted);
}

#[test]
fn a_forced_refresh_is_issued_and_forced() {
    let mut kit = Kit::new();
    kit.stable(true);
    let counted = ApiStats { requests: 1, issued: 1, forced: 1, ..ApiStats::default() };
    assert_eq!(kit.stats().by_api["stable"], counted);
}

#[test]
fn a_refused_token_request_is_refused() {
    let mut kit = Kit::new();
    kit.get(&classic_target(APP, "wrong"));
    assert_eq!((kit.stats().refused, kit.stats().by_app[APP].refused), (1, 1));
}

#[test]
fn a_call_with_a_dead_token_is_token_refused() {
    let mut kit = Kit::new();
    kit.probe("nonsense");
    assert_eq!((kit.stats().token_refused, kit.stats().refused), (1, 0));
}

#[test]
fn a_forgotten_token_is_still_counted_for_its_app() {
    let mut kit = Kit::new();
    let oldest = kit.fetch();
    kit.fetch();
    kit.fetch();
    kit.probe(&oldest);
    assert_eq!(kit.stats().by_app[APP].token_refused, 1);
}

#[test]
fn a_call_with_a_live_token_is_a_call_of_its_app() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.probe(&token);
    assert_eq!((kit.stats().calls, kit.stats().by_app[APP].calls), (1, 1));
}

#[test]
fn probes_are_counted_by_path() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.probe(&token);
    kit.probe("nonsense");
    let counted = PathStats { requests: 2, token_refused: 1, refused: 0 };
    assert_eq!(kit.stats().by_path["/cgi-bin/get_api_domain_ip"], counted);
}

#[test]
fn unknown_paths_share_a_count() {
    let mut kit = Kit::new();
    kit.get("/one");
    kit.get("/rest/2.0/two");
    assert_eq!(kit.stats().by_path["other"].requests, 2);
}

#[test]
fn the_interfaces_are_counted_apart() {
    let mut kit = Kit::new();
    kit.fetch();
    kit.stable(false);
    kit.baidu_token();
    kit.oauth_fetch("");
    assert!(kit.stats().by_api.values().all(|api| api.requests == 1 && api.issued == 1));
}

#[test]
fn the_apps_are_counted_apart() {
    let mut kit = Kit::new();
    kit.fetch_for(OTHER_APP, OTHER_SECRET);
    assert_eq!((kit.stats().by_app[APP].issued, kit.stats().by_app[OTHER_APP].issued), (0, 1));
}

#[test]
fn quota_used_begins_anew_with_the_day() {
    let mut kit = Kit::new();
    kit.fetch();
    let today = kit.stats().by_app[APP].quota_used;
    kit.pass(seconds(8 * 3_600));
    assert_eq!((today, kit.stats().by_app[APP].quota_used), (1, 0));
}

#[test]
fn a_request_that_a_fault_swallowed_still_arrived() {
    let mut kit = Kit::new();
    kit.machine.inject(kit.wall, Fault::new(FaultKind::ResetBefore)).unwrap();
    kit.outcome(&Request::get(&classic_target(APP, "x")));
    let counted = ApiStats { requests: 1, ..ApiStats::default() };
    assert_eq!(kit.stats().by_api["classic"], counted);
}

#[test]
fn a_busy_answer_is_a_refusal_of_its_app() {
    let mut kit = Kit::new();
    kit.machine.inject(kit.wall, Fault::new(FaultKind::Busy)).unwrap();
    kit.classic();
    assert_eq!(kit.stats().by_app[APP].refused, 1);
}

#[test]
fn faults_are_counted_by_kind() {
    let mut kit = Kit::new();
    kit.machine.inject(kit.wall, Fault::new(FaultKind::Busy)).unwrap();
    kit.classic();
    kit.classic();
    assert_eq!(kit.stats().faults["busy"], 2);
}

#[test]
fn control_calls_are_not_counted() {
    let mut kit = Kit::new();
    kit.get("/_emulator/stats");
    assert_eq!((kit.stats().calls, kit.stats().by_path.len()), (0, 0));
}

#[test]
fn the_statistics_are_served() {
    let mut kit = Kit::new();
    kit.fetch();
    let served = kit.get("/_emulator/stats");
    assert_eq!(served, json!(kit.stats()));
}

#[test]
fn the_statistics_can_be_narrowed_to_an_app() {
    let mut kit = Kit::new();
    let served = kit.get(&format!("/_emulator/stats?app_id={OTHER_APP}"));
    assert_eq!(served["by_app"].as_object().unwrap().keys().collect::<Vec<_>>(), [OTHER_APP]);
}

#[test]
fn the_statistics_of_an_unknown_app_are_an_error() {
    assert!(Kit::new().get("/_emulator/stats?app_id=wxnobody")["error"].is_string());
}
