//! WeChat's refusals at issue time: their order, their texts and their rid.

use std::net::IpAddr;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

use super::kit::{APP, Kit, SECRET, classic_target, errcode, header, seconds, two_apps};
use crate::{Fault, FaultKind, Request, Settings};

fn listed_only(address: &str) -> Settings {
    Settings { allow_list: Some(vec![address.parse().unwrap()]), ..two_apps() }
}

/// The text before the rid, and the rid.
fn text_and_rid(errmsg: &serde_json::Value) -> (String, String) {
    let (text, rid) = errmsg.as_str().unwrap().split_once("rid: ").unwrap();
    (text.to_owned(), rid.to_owned())
}

fn classic_refusal(query: &str) -> i64 {
    errcode(&Kit::new().get(&format!("/cgi-bin/token?{query}")))
}

#[test]
fn a_missing_appid_is_named_first() {
    assert_eq!(classic_refusal(""), 41002);
}

#[test]
fn an_unknown_appid_comes_before_the_grant_type() {
    assert_eq!(classic_refusal("appid=wxnobody"), 40013);
}

#[test]
fn a_missing_secret_comes_before_the_grant_type() {
    assert_eq!(classic_refusal(&format!("appid={APP}")), 41004);
}

#[test]
fn a_wrong_secret_comes_before_the_grant_type() {
    assert_eq!(classic_refusal(&format!("appid={APP}&secret=wrong")), 40125);
}

#[test]
fn the_grant_type_comes_last() {
    let query = format!("appid={APP}&secret={SECRET}&grant_type=client_credentials");
    assert_eq!(classic_refusal(&query), 40002);
}

#[test]
fn the_address_comes_before_the_secret() {
    let mut kit = Kit::with(listed_only("10.0.0.1"));
    assert_eq!(errcode(&kit.get(&classic_target(APP, "wrong"))), 40164);
}

#[test]
fn the_appid_comes_before_the_address() {
    let mut kit = Kit::with(listed_only("10.0.0.1"));
    assert_eq!(errcode(&kit.get(&classic_target("wxnobody", SECRET))), 40013);
}

#[test]
fn a_frozen_secret_comes_before_a_wrong_one() {
    let mut kit = Kit::new();
    kit.machine.inject(kit.wall, Fault::new(FaultKind::Frozen)).unwrap();
    assert_eq!(errcode(&kit.get(&classic_target(APP, "wrong"))), 40243);
}

#[test]
fn the_address_comes_before_a_frozen_secret() {
    let mut kit = Kit::with(listed_only("10.0.0.1"));
    kit.machine.inject(kit.wall, Fault::new(FaultKind::Frozen)).unwrap();
    assert_eq!(errcode(&kit.get(&classic_target(APP, SECRET))), 40164);
}

#[test]
fn a_listed_address_may_fetch() {
    assert_eq!(errcode(&Kit::with(listed_only("127.0.0.1")).classic()), 0);
}

#[test]
fn the_list_does_not_concern_calls() {
    let mut kit = Kit::with(listed_only("127.0.0.1"));
    let token = kit.fetch();
    let request = Request {
        peer: "10.9.9.9".parse::<IpAddr>().unwrap(),
        ..Request::get(&format!("/cgi-bin/getcallbackip?access_token={token}"))
    };
    assert_eq!(errcode(&kit.reply(&request).json().unwrap()), 0);
}

#[test]
fn the_address_is_told_plain_and_mapped() {
    let mut kit = Kit::with(listed_only("10.0.0.1"));
    let request =
        Request { peer: "211.144.216.129".parse().unwrap(), ..Request::get(&classic_target(APP, SECRET)) };
    let (text, _) = text_and_rid(&kit.reply(&request).json().unwrap()["errmsg"]);
    assert_eq!(text, "invalid ip 211.144.216.129 ipv6 ::ffff:211.144.216.129, not in whitelist ");
}

#[test]
fn a_header_can_stand_for_another_address() {
    let mut kit = Kit::with(listed_only("10.0.0.1"));
    let request = Request::get(&classic_target(APP, SECRET))
        .with_header(HeaderName::from_static("x-emulated-ip"), HeaderValue::from_static("10.0.0.1"));
    assert_eq!(errcode(&kit.reply(&request).json().unwrap()), 0);
}

#[test]
fn a_header_that_is_no_address_is_an_error() {
    let request = Request::get(&classic_target(APP, SECRET))
        .with_header(HeaderName::from_static("x-emulated-ip"), HeaderValue::from_static("here"));
    assert_eq!(Kit::new().reply(&request).status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_refusal_is_http_200() {
    assert_eq!(Kit::new().reply(&Request::get("/cgi-bin/token")).status, StatusCode::OK);
}

#[test]
fn a_refusal_is_json() {
    let reply = Kit::new().reply(&Request::get("/cgi-bin/token"));
    assert_eq!(header(&reply.headers, CONTENT_TYPE), "application/json; encoding=utf-8");
}

#[test]
fn a_rid_begins_with_the_time() {
    let mut kit = Kit::new();
    let (_, rid) = text_and_rid(&kit.get("/cgi-bin/token?appid=wxnobody")["errmsg"]);
    let first = rid.split('-').next().unwrap();
    assert_eq!(i64::from_str_radix(first, 16), Ok(kit.wall.unix_seconds()));
}

#[test]
fn a_rid_has_three_groups_of_eight() {
    let (_, rid) = text_and_rid(&Kit::new().get("/cgi-bin/token?appid=wxnobody")["errmsg"]);
    assert_eq!(rid.split('-').map(str::len).collect::<Vec<_>>(), [8, 8, 8]);
}

#[test]
fn two_rids_differ() {
    let mut kit = Kit::new();
    assert_ne!(kit.get("/cgi-bin/token"), kit.get("/cgi-bin/token"));
}

#[test]
fn most_texts_join_their_rid_with_a_space() {
    let (text, _) = text_and_rid(&Kit::new().get("/cgi-bin/token?appid=wxnobody")["errmsg"]);
    assert_eq!(text, "invalid appid ");
}

#[test]
fn the_text_of_a_wrong_secret_joins_its_rid_with_a_comma() {
    let (text, _) = text_and_rid(&Kit::new().get(&classic_target(APP, "wrong"))["errmsg"]);
    assert_eq!(text, "invalid appsecret, ");
}

#[test]
fn user_oauth_paths_join_their_rid_with_a_comma() {
    let (text, _) = text_and_rid(&Kit::new().get("/sns/jscode2session?appid=wxnobody")["errmsg"]);
    assert_eq!(text, "invalid appid, ");
}

#[test]
fn a_dead_token_points_at_the_stable_interface() {
    let (text, _) =
        text_and_rid(&Kit::new().get("/cgi-bin/get_api_domain_ip?access_token=nonsense")["errmsg"]);
    assert_eq!(
        text,
        "invalid credential, access_token is invalid or not latest, could get access_token by \
         getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r "
    );
}

#[test]
fn the_text_of_an_expired_token_says_so() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.pass(seconds(7_200));
    let answer = kit.get(&format!("/cgi-bin/get_api_domain_ip?access_token={token}"));
    assert_eq!(text_and_rid(&answer["errmsg"]).0, "access_token expired ");
}

#[test]
fn busy_has_no_rid() {
    let mut kit = Kit::new();
    kit.machine.inject(kit.wall, Fault::new(FaultKind::Busy)).unwrap();
    assert_eq!(kit.classic()["errmsg"], "system error");
}

#[test]
fn the_day_s_2000_fetches_end_in_the_long_text() {
    let mut kit = Kit::new();
    for _ in 0..2_000 {
        kit.fetch();
    }
    let answer = kit.classic();
    assert_eq!(errcode(&answer), 45009);
    assert_eq!(
        text_and_rid(&answer["errmsg"]).0,
        "reach max api daily quota limit, could get access_token by getStableAccessToken, more details at \
         https://mmbizurl.cn/s/JtxxFh33r "
    );
}
