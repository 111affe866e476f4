//! WeChat's `/cgi-bin/stable_token`: the same token until near its end, and the forced refresh.

use super::kit::{Kit, errcode, seconds, stable_body, token_in, two_apps};
use crate::{Request, Settings};

#[test]
fn a_plain_ask_repeats_the_token() {
    let mut kit = Kit::new();
    let first = token_in(&kit.stable(false));
    assert_eq!(token_in(&kit.stable(false)), first);
}

#[test]
fn a_plain_ask_tells_the_remaining_life() {
    let mut kit = Kit::new();
    kit.stable(false);
    kit.pass(seconds(6_855));
    assert_eq!(kit.stable(false)["expires_in"], 345);
}

#[test]
fn before_the_window_the_token_is_not_renewed() {
    let mut kit = Kit::new();
    let first = token_in(&kit.stable(false));
    kit.pass(seconds(6_899));
    assert_eq!(token_in(&kit.stable(false)), first);
}

#[test]
fn within_the_window_a_new_token_of_full_life_is_issued() {
    let mut kit = Kit::new();
    kit.stable(false);
    kit.pass(seconds(6_900));
    assert_eq!(kit.stable(false)["expires_in"], 7200);
}

#[test]
fn a_renewed_token_lives_to_its_own_end() {
    let mut kit = Kit::new();
    let old = token_in(&kit.stable(false));
    kit.pass(seconds(6_900));
    kit.stable(false);
    kit.pass(seconds(299));
    assert_eq!(kit.probe(&old), 0);
}

#[test]
fn a_renewed_token_ends_as_expired() {
    let mut kit = Kit::new();
    let old = token_in(&kit.stable(false));
    kit.pass(seconds(6_900));
    kit.stable(false);
    kit.pass(seconds(300));
    assert_eq!(kit.probe(&old), 42001);
}

#[test]
fn a_window_as_long_as_the_life_counts_as_half_of_it() {
    let mut kit = Kit::with(Settings { token_ttl: Some(seconds(60)), ..two_apps() });
    let first = token_in(&kit.stable(false));
    kit.pass(seconds(29));
    assert_eq!(token_in(&kit.stable(false)), first);
}

#[test]
fn a_life_below_a_second_is_not_told() {
    let mut kit = Kit::with(Settings { renew_window: seconds(0), ..two_apps() });
    kit.stable(false);
    kit.pass(seconds(7_199) + std::time::Duration::from_millis(500));
    assert_eq!(kit.stable(false)["expires_in"], 7200);
}

#[test]
fn force_issues_a_new_token() {
    let mut kit = Kit::new();
    let old = token_in(&kit.stable(false));
    assert_ne!(token_in(&kit.stable(true)), old);
}

#[test]
fn force_kills_the_old_token_at_once() {
    let mut kit = Kit::new();
    let old = token_in(&kit.stable(false));
    kit.stable(true);
    assert_eq!(kit.probe(&old), 40001);
}

#[test]
fn force_can_be_set_to_leave_the_overlap() {
    let mut kit = Kit::with(Settings { force_keeps_overlap: true, ..two_apps() });
    let old = token_in(&kit.stable(false));
    kit.stable(true);
    assert_eq!(kit.probe(&old), 0);
}

#[test]
fn a_kept_overlap_ends() {
    let mut kit = Kit::with(Settings { force_keeps_overlap: true, ..two_apps() });
    let old = token_in(&kit.stable(false));
    kit.stable(true);
    kit.pass(seconds(300));
    assert_eq!(kit.probe(&old), 40001);
}

#[test]
fn after_force_a_plain_ask_repeats_the_new_token() {
    let mut kit = Kit::new();
    let new = token_in(&kit.stable(true));
    assert_eq!(token_in(&kit.stable(false)), new);
}

#[test]
fn two_forced_refreshes_need_half_a_minute_between_them() {
    let mut kit = Kit::new();
    kit.stable(true);
    kit.pass(seconds(29));
    assert_eq!(errcode(&kit.stable(true)), 45011);
}

#[test]
fn a_forced_refresh_that_came_too_soon_kills_nothing() {
    let mut kit = Kit::new();
    let token = token_in(&kit.stable(true));
    kit.stable(true);
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn half_a_minute_later_force_works_again() {
    let mut kit = Kit::new();
    kit.stable(true);
    kit.pass(seconds(30));
    assert_eq!(errcode(&kit.stable(true)), 0);
}

fn force_until_the_limit(kit: &mut Kit) {
    for _ in 0..20 {
        token_in(&kit.stable(true));
        kit.pass(seconds(30));
    }
}

#[test]
fn the_twenty_first_forced_refresh_of_a_day_is_refused() {
    let mut kit = Kit::new();
    force_until_the_limit(&mut kit);
    assert_eq!(errcode(&kit.stable(true)), 45009);
}

#[test]
fn at_the_force_limit_a_plain_ask_still_works() {
    let mut kit = Kit::new();
    force_until_the_limit(&mut kit);
    assert_eq!(errcode(&kit.stable(false)), 0);
}

#[test]
fn forced_refreshes_are_counted_anew_after_midnight_in_beijing() {
    let mut kit = Kit::new();
    force_until_the_limit(&mut kit);
    kit.pass(seconds(8 * 3_600));
    assert_eq!(errcode(&kit.stable(true)), 0);
}

#[test]
fn classic_fetches_do_not_touch_stable_tokens() {
    let mut kit = Kit::new();
    let token = token_in(&kit.stable(false));
    for _ in 0..3 {
        kit.fetch();
    }
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn calls_a_minute_are_limited() {
    let mut kit = Kit::with(Settings { stable_minute_quota: 3, ..two_apps() });
    for _ in 0..3 {
        kit.stable(false);
    }
    assert_eq!(errcode(&kit.stable(false)), 45011);
}

#[test]
fn the_next_minute_counts_anew() {
    let mut kit = Kit::with(Settings { stable_minute_quota: 1, ..two_apps() });
    kit.stable(false);
    kit.pass(seconds(60));
    assert_eq!(errcode(&kit.stable(false)), 0);
}

#[test]
fn calls_a_day_are_limited() {
    let mut kit = Kit::with(Settings { stable_daily_quota: 1, ..two_apps() });
    kit.stable(false);
    assert_eq!(
        kit.stable(false)["errmsg"].as_str().unwrap().split(" rid").next(),
        Some("api freq out of limit")
    );
}

#[test]
fn get_is_refused() {
    assert_eq!(errcode(&Kit::new().get("/cgi-bin/stable_token")), 43002);
}

#[test]
fn an_empty_body_is_refused() {
    assert_eq!(errcode(&Kit::new().post("/cgi-bin/stable_token", "")), 44002);
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    assert_eq!(errcode(&Kit::new().post("/cgi-bin/stable_token", "appid=wxaaaa")), 47001);
}

#[test]
fn force_that_is_no_boolean_is_refused() {
    let body = stable_body(true).replace("true", "\"yes\"");
    assert_eq!(errcode(&Kit::new().post("/cgi-bin/stable_token", &body)), 47001);
}

#[test]
fn a_body_without_content_type_is_normal() {
    let request = Request::post("/cgi-bin/stable_token", stable_body(false));
    assert!(request.headers.is_empty());
    token_in(&Kit::new().reply(&request).json().unwrap());
}
