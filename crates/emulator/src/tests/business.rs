//! WeChat's calls that need a token.

use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::kit::{Kit, errcode, header};
use crate::Request;

/// The answer to a GET with a live token.
fn get(path: &str) -> serde_json::Value {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.get(&format!("{path}access_token={token}"))
}

fn post(path: &str, body: &str) -> serde_json::Value {
    let mut kit = Kit::new();
    let token = kit.fetch();
    kit.post(&format!("{path}?access_token={token}"), body)
}

#[test]
fn a_missing_token_is_named() {
    assert_eq!(errcode(&Kit::new().get("/cgi-bin/get_api_domain_ip")), 41001);
}

#[test]
fn an_empty_token_counts_as_missing() {
    assert_eq!(Kit::new().probe(""), 41001);
}

#[test]
fn an_unknown_token_is_invalid() {
    assert_eq!(Kit::new().probe("nonsense"), 40001);
}

#[test]
fn a_forged_token_that_names_no_app_is_invalid() {
    assert_eq!(Kit::new().probe("90_99999999999999999999-x"), 40001);
}

#[test]
fn the_domain_has_addresses() {
    assert_eq!(get("/cgi-bin/get_api_domain_ip?")["ip_list"][0], "101.89.47.18");
}

#[test]
fn pushes_have_addresses() {
    assert_eq!(get("/cgi-bin/getcallbackip?")["ip_list"][0], "106.55.206.146");
}

#[test]
fn an_account_has_as_many_followers_as_it_counts() {
    let answer = get("/cgi-bin/user/get?");
    assert_eq!(answer["count"], answer["data"]["openid"].as_array().unwrap().len());
}

#[test]
fn a_message_is_sent() {
    assert_eq!(post("/cgi-bin/message/custom/send", r#"{"touser":"o1","msgtype":"text"}"#)["errmsg"], "ok");
}

#[test]
fn a_message_that_is_no_json_is_refused() {
    assert_eq!(errcode(&post("/cgi-bin/message/custom/send", "hello")), 47001);
}

#[test]
fn the_token_is_checked_before_the_message() {
    let answer = Kit::new().post("/cgi-bin/message/custom/send?access_token=nonsense", "hello");
    assert_eq!(errcode(&answer), 40001);
}

#[test]
fn a_message_needs_post() {
    assert_eq!(errcode(&get("/cgi-bin/message/custom/send?")), 43002);
}

#[test]
fn a_picture_is_no_json() {
    let mut kit = Kit::new();
    let token = kit.fetch();
    let target = format!("/cgi-bin/media/get?access_token={token}&media_id=m1");
    let reply = kit.reply(&Request::get(&target));
    assert_eq!(header(&reply.headers, CONTENT_TYPE), "image/jpeg");
}

#[test]
fn a_refused_picture_is_json() {
    assert_eq!(errcode(&Kit::new().get("/cgi-bin/media/get?access_token=nonsense&media_id=m1")), 40001);
}

#[test]
fn a_picture_needs_an_id() {
    assert_eq!(errcode(&get("/cgi-bin/media/get?")), 40007);
}

#[test]
fn an_unknown_path_is_an_invalid_url() {
    assert_eq!(errcode(&Kit::new().get("/cgi-bin/nothing")), 40066);
}

#[test]
fn an_unknown_path_is_http_200() {
    assert_eq!(Kit::new().reply(&Request::get("/")).status, StatusCode::OK);
}
