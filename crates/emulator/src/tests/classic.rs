//! WeChat's `/cgi-bin/token`: each fetch issues, and what becomes of the tokens before it.

use http::Method;

use super::kit::{APP, Kit, SECRET, classic_target, errcode, seconds, token_in, two_apps};
use crate::{DeadTokenCode, Request, Settings};

#[test]
fn a_fetch_tells_two_hours() {
    assert_eq!(Kit::new().classic()["expires_in"], 7200);
}

#[test]
fn a_token_is_long_as_on_the_real_platform() {
    assert!(Kit::new().fetch().len() > 130);
}

#[test]
fn each_fetch_issues_another_token() {
    let mut kit = Kit::new();
    assert_ne!(kit.fetch(), kit.fetch());
}

#[test]
fn a_live_token_opens_calls() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn the_previous_token_lives_through_the_overlap() {
    let mut kit = Kit::new();
    let old = kit.fetch();
    kit.fetch();
    kit.pass(seconds(299));
    assert_eq!(kit.probe(&old), 0);
}

#[test]
fn the_previous_token_dies_with_the_overlap_as_superseded() {
    let mut kit = Kit::new();
    let old = kit.fetch();
    kit.fetch();
    kit.pass(seconds(300));
    assert_eq!(kit.probe(&old), 40001);
}

#[test]
fn the_overlap_does_not_lengthen_a_life() {
    let mut kit = Kit::new();
    let old = kit.fetch();
    kit.pass(seconds(7_100));
    kit.fetch();
    kit.pass(seconds(100));
    assert_eq!(kit.probe(&old), 42001);
}

#[test]
fn a_token_that_lived_its_life_is_named_expired() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.pass(seconds(7_200));
    assert_eq!(kit.probe(&token), 42001);
}

#[test]
fn a_third_fetch_kills_the_oldest_at_once() {
    let mut kit = Kit::new();
    let oldest = kit.fetch();
    kit.fetch();
    kit.fetch();
    assert_eq!(kit.probe(&oldest), 40001);
}

#[test]
fn a_third_fetch_leaves_the_second_its_overlap() {
    let mut kit = Kit::new();
    kit.fetch();
    let second = kit.fetch();
    kit.fetch();
    assert_eq!(kit.probe(&second), 0);
}

#[test]
fn the_rule_of_the_newest_two_can_be_switched_off() {
    let mut kit = Kit::with(Settings { strict_newest_two: false, ..two_apps() });
    let oldest = kit.fetch();
    kit.fetch();
    kit.fetch();
    assert_eq!(kit.probe(&oldest), 0);
}

#[test]
fn without_the_rule_of_the_newest_two_the_first_overlap_still_counts() {
    let mut kit = Kit::with(Settings { strict_newest_two: false, ..two_apps() });
    let oldest = kit.fetch();
    kit.fetch();
    kit.pass(seconds(200));
    kit.fetch();
    kit.pass(seconds(100));
    assert_eq!(kit.probe(&oldest), 40001);
}

#[test]
fn the_apps_do_not_touch_each_other() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    for _ in 0..3 {
        kit.fetch_for(super::kit::OTHER_APP, super::kit::OTHER_SECRET);
    }
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn the_stable_interface_does_not_touch_classic_tokens() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.stable(false);
    kit.stable(true);
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn how_dead_tokens_are_named_can_be_set() {
    let mut kit = Kit::with(Settings { superseded_code: DeadTokenCode::InvalidAccessToken, ..two_apps() });
    assert_eq!(kit.probe("nonsense"), 40014);
}

#[test]
fn a_set_life_is_told() {
    let mut kit = Kit::with(Settings { token_ttl: Some(seconds(60)), ..two_apps() });
    assert_eq!(kit.classic()["expires_in"], 60);
}

#[test]
fn a_stale_access_token_parameter_is_ignored() {
    let mut kit = Kit::new();
    let target = format!("{}&access_token=stale", classic_target(APP, SECRET));
    assert!(kit.get(&target)["access_token"].is_string());
}

#[test]
fn a_form_is_accepted() {
    let form = format!("grant_type=client_credential&appid={APP}&secret={SECRET}");
    token_in(&Kit::new().post("/cgi-bin/token", &form));
}

#[test]
fn a_json_body_without_content_type_is_accepted() {
    token_in(&Kit::new().post("/cgi-bin/token", &super::kit::stable_body(false)));
}

#[test]
fn other_methods_are_refused() {
    let request = Request::new(Method::PUT, &classic_target(APP, SECRET));
    assert_eq!(errcode(&Kit::new().reply(&request).json().unwrap()), 43001);
}

#[test]
fn repeated_slashes_collapse() {
    let target = classic_target(APP, SECRET).replace("/cgi-bin/", "//cgi-bin///");
    token_in(&Kit::new().get(&target));
}

#[test]
fn devices_agree_without_skew() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.pass(seconds(7_199));
    assert!((0..50).all(|_| kit.probe(&token) == 0));
}

#[test]
fn with_skew_a_token_dies_early_on_some_devices() {
    let mut kit = Kit::with(Settings { clock_skew: seconds(120), ..two_apps() });
    let token = kit.fetch();
    kit.pass(seconds(7_150));
    let refused = (0..100).filter(|_| kit.probe(&token) == 42001).count();
    assert!((1..100).contains(&refused), "{refused} of 100");
}

#[test]
fn with_skew_a_superseded_token_lives_late_on_some_devices() {
    let mut kit = Kit::with(Settings { clock_skew: seconds(120), ..two_apps() });
    let old = kit.fetch();
    kit.fetch();
    kit.pass(seconds(350));
    let alive = (0..100).filter(|_| kit.probe(&old) == 0).count();
    assert!((1..100).contains(&alive), "{alive} of 100");
}

#[test]
fn beyond_the_skew_all_devices_agree() {
    let mut kit = Kit::with(Settings { clock_skew: seconds(120), ..two_apps() });
    let old = kit.fetch();
    kit.fetch();
    kit.pass(seconds(421));
    assert!((0..100).all(|_| kit.probe(&old) == 40001));
}

#[test]
fn the_same_seed_disagrees_in_the_same_way() {
    let run = || {
        let mut kit = Kit::with(Settings { clock_skew: seconds(120), ..two_apps() });
        let token = kit.fetch();
        kit.pass(seconds(7_200));
        (0..50).map(|_| kit.probe(&token)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
