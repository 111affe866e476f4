//! WeChat's daily quota of classic fetches, midnight in Beijing, and the two calls that clear counters.

use serde_json::{Value, json};

use super::kit::{APP, Kit, OTHER_APP, OTHER_SECRET, SECRET, errcode, seconds, two_apps};
use crate::{Fault, FaultKind, Settings};

fn quota_of(fetches: u32) -> Settings {
    Settings { daily_quota: fetches, ..two_apps() }
}

fn clear(kit: &mut Kit, token: &str, appid: &str) -> Value {
    let body = json!({ "appid": appid }).to_string();
    kit.post(&format!("/cgi-bin/clear_quota?access_token={token}"), &body)
}

fn clear_by_secret(kit: &mut Kit, appid: &str, secret: &str) -> Value {
    let body = json!({ "appid": appid, "appsecret": secret }).to_string();
    kit.post("/cgi-bin/clear_quota/v2", &body)
}

#[test]
fn a_fetch_beyond_the_quota_is_refused() {
    let mut kit = Kit::with(quota_of(1));
    kit.fetch();
    assert_eq!(errcode(&kit.classic()), 45009);
}

#[test]
fn a_refused_fetch_kills_no_token() {
    let mut kit = Kit::with(quota_of(1));
    let token = kit.fetch();
    kit.classic();
    assert_eq!(kit.probe(&token), 0);
}

#[test]
fn a_fetch_with_a_wrong_secret_costs_nothing() {
    let mut kit = Kit::with(quota_of(1));
    kit.get(&super::kit::classic_target(APP, "wrong"));
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn the_apps_have_a_quota_each() {
    let mut kit = Kit::with(quota_of(1));
    kit.fetch();
    kit.fetch_for(OTHER_APP, OTHER_SECRET);
}

#[test]
fn the_second_before_midnight_in_beijing_still_belongs_to_the_day() {
    let mut kit = Kit::with(quota_of(1));
    kit.fetch();
    kit.pass(seconds(8 * 3_600 - 1));
    assert_eq!(errcode(&kit.classic()), 45009);
}

#[test]
fn midnight_in_beijing_resets_the_quota() {
    let mut kit = Kit::with(quota_of(1));
    kit.fetch();
    kit.pass(seconds(8 * 3_600));
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn the_stable_interface_works_when_the_classic_quota_is_used_up() {
    let mut kit = Kit::with(quota_of(0));
    assert_eq!(errcode(&kit.stable(false)), 0);
}

#[test]
fn clearing_says_ok() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    assert_eq!(clear(&mut kit, &token, APP), json!({ "errcode": 0, "errmsg": "ok" }));
}

#[test]
fn clearing_resets_the_quota() {
    let mut kit = Kit::with(quota_of(1));
    let token = kit.fetch();
    clear(&mut kit, &token, APP);
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn clearing_needs_the_token_of_the_app() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    assert_eq!(errcode(&clear(&mut kit, &token, OTHER_APP)), 40013);
}

#[test]
fn clearing_with_a_dead_token_is_refused() {
    assert_eq!(errcode(&clear(&mut Kit::new(), "nonsense", APP)), 40001);
}

#[test]
fn clearing_needs_post() {
    assert_eq!(errcode(&Kit::new().get("/cgi-bin/clear_quota")), 43002);
}

#[test]
fn clearing_by_secret_needs_no_token() {
    let mut kit = Kit::with(quota_of(1));
    kit.fetch();
    clear_by_secret(&mut kit, APP, SECRET);
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn clearing_by_secret_reads_the_query_too() {
    let target = format!("/cgi-bin/clear_quota/v2?appid={APP}&appsecret={SECRET}");
    assert_eq!(Kit::new().post(&target, "")["errmsg"], "ok");
}

#[test]
fn clearing_by_secret_needs_the_appid() {
    assert_eq!(errcode(&Kit::new().post("/cgi-bin/clear_quota/v2", "{}")), 41002);
}

#[test]
fn clearing_by_secret_needs_a_known_appid() {
    assert_eq!(errcode(&clear_by_secret(&mut Kit::new(), "wxnobody", SECRET)), 40013);
}

#[test]
fn clearing_by_secret_needs_the_secret() {
    let body = json!({ "appid": APP }).to_string();
    assert_eq!(errcode(&Kit::new().post("/cgi-bin/clear_quota/v2", &body)), 41004);
}

#[test]
fn clearing_by_secret_needs_the_right_secret() {
    assert_eq!(errcode(&clear_by_secret(&mut Kit::new(), APP, "wrong")), 40125);
}

fn clear_ten_times(kit: &mut Kit) {
    let token = kit.fetch();
    for _ in 0..5 {
        clear(kit, &token, APP);
        clear_by_secret(kit, APP, SECRET);
    }
}

#[test]
fn the_eleventh_clearing_of_a_month_is_refused() {
    let mut kit = Kit::new();
    clear_ten_times(&mut kit);
    assert_eq!(errcode(&clear_by_secret(&mut kit, APP, SECRET)), 48006);
}

#[test]
fn the_next_month_in_beijing_has_ten_clearings_again() {
    let mut kit = Kit::new();
    clear_ten_times(&mut kit);
    // From 16:00 on the 20th to 00:00 on the 1st, in Beijing.
    kit.pass(seconds(8 * 3_600 + 10 * 86_400));
    assert_eq!(errcode(&clear_by_secret(&mut kit, APP, SECRET)), 0);
}

#[test]
fn clearing_does_not_forgive_forced_refreshes() {
    let mut kit = Kit::with(Settings { force_limit: 1, ..two_apps() });
    kit.stable(true);
    clear_by_secret(&mut kit, APP, SECRET);
    assert_eq!(errcode(&kit.stable(true)), 45009);
}

fn use_up_the_quota(kit: &mut Kit) {
    kit.machine.inject(kit.wall, Fault::new(FaultKind::QuotaUsedUp)).unwrap();
}

#[test]
fn a_quota_can_be_used_up_on_demand() {
    let mut kit = Kit::new();
    use_up_the_quota(&mut kit);
    assert_eq!(errcode(&kit.classic()), 45009);
}

#[test]
fn a_quota_used_up_on_demand_concerns_the_stable_interface_too() {
    let mut kit = Kit::new();
    use_up_the_quota(&mut kit);
    assert_eq!(errcode(&kit.stable(false)), 45009);
}

#[test]
fn a_quota_used_up_on_demand_concerns_calls_only_when_their_path_is_named() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    let fault = Fault::new(FaultKind::QuotaUsedUp).on("/cgi-bin/get_api_domain_ip");
    kit.machine.inject(kit.wall, fault).unwrap();
    assert_eq!(kit.probe(&token), 45009);
}

#[test]
fn a_quota_used_up_on_demand_returns_at_midnight_in_beijing() {
    let mut kit = Kit::new();
    use_up_the_quota(&mut kit);
    kit.pass(seconds(8 * 3_600));
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn a_quota_used_up_for_longer_than_the_day_returns_at_midnight_all_the_same() {
    let mut kit = Kit::new();
    let fault = Fault::new(FaultKind::QuotaUsedUp).lasting(seconds(24 * 3_600));
    kit.machine.inject(kit.wall, fault).unwrap();
    kit.pass(seconds(8 * 3_600));
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn clearing_lifts_a_quota_used_up_on_demand() {
    let mut kit = Kit::new();
    use_up_the_quota(&mut kit);
    clear_by_secret(&mut kit, APP, SECRET);
    assert_eq!(errcode(&kit.classic()), 0);
}

#[test]
fn clearing_lifts_it_for_one_app_only() {
    let mut kit = Kit::new();
    use_up_the_quota(&mut kit);
    clear_by_secret(&mut kit, APP, SECRET);
    let other = super::kit::classic_target(OTHER_APP, OTHER_SECRET);
    assert_eq!(errcode(&kit.get(&other)), 45009);
}
