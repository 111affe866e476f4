//! Users' login.

use super::kit::{APP, Kit, SECRET, errcode};

fn with_code(path: &str, name: &str, secret: &str, code: &str) -> serde_json::Value {
    Kit::new().get(&format!("{path}?appid={APP}&secret={secret}&{name}={code}&grant_type=authorization_code"))
}

#[test]
fn a_code_becomes_a_session() {
    let session = with_code("/sns/jscode2session", "js_code", SECRET, "c1");
    assert!(session["openid"].as_str().unwrap().ends_with("c1"), "{session}");
    assert!(session["session_key"].is_string());
}

#[test]
fn a_session_needs_the_secret_and_a_code() {
    assert_eq!(errcode(&with_code("/sns/jscode2session", "js_code", "wrong", "c1")), 40125);
    assert_eq!(errcode(&with_code("/sns/jscode2session", "js_code", SECRET, "invalid")), 40029);
    assert_eq!(errcode(&with_code("/sns/jscode2session", "js_code", SECRET, "")), 41008);
}

#[test]
fn a_users_token_opens_the_users_data_and_an_apps_token_does_not() {
    let mut kit = Kit::new();
    let granted = with_code("/sns/oauth2/access_token", "code", SECRET, "c2");
    let token = granted["access_token"].as_str().unwrap();
    let info = kit.get(&format!("/sns/userinfo?access_token={token}&openid=x"));
    assert_eq!(info["openid"], granted["openid"]);
    assert_eq!(errcode(&kit.get(&format!("/sns/auth?access_token={token}&openid=x"))), 0);
    let of_the_app = kit.fetch();
    assert_eq!(errcode(&kit.get(&format!("/sns/userinfo?access_token={of_the_app}&openid=x"))), 40001);
}

#[test]
fn a_users_token_can_be_refreshed() {
    let granted = with_code("/sns/oauth2/access_token", "code", SECRET, "c3");
    let refresh = granted["refresh_token"].as_str().unwrap();
    let path = format!("/sns/oauth2/refresh_token?appid={APP}&refresh_token={refresh}");
    assert_eq!(Kit::new().get(&path)["openid"], granted["openid"]);
    assert_eq!(errcode(&Kit::new().get(&format!("/sns/oauth2/refresh_token?appid={APP}"))), 40030);
}
