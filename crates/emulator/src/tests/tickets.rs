//! Tickets, and signatures made with them.

use serde_json::{Value, json};

use super::kit::{APP, Kit, errcode, seconds, two_apps};
use crate::Settings;

fn ticket(kit: &mut Kit, token: &str, kind: &str) -> Value {
    kit.get(&format!("/cgi-bin/ticket/getticket?access_token={token}&type={kind}"))
}

fn with_ticket() -> (Kit, String, Value) {
    let mut kit = Kit::new();
    let token = kit.fetch();
    let answer = ticket(&mut kit, &token, "jsapi");
    (kit, token, answer)
}

#[test]
fn a_ticket_comes_with_errcode_0() {
    let (_, _, answer) = with_ticket();
    assert_eq!((errcode(&answer), &answer["expires_in"]), (0, &json!(7200)));
}

#[test]
fn a_dead_token_gets_no_ticket() {
    assert_eq!(errcode(&ticket(&mut Kit::new(), "nonsense", "jsapi")), 40001);
}

#[test]
fn another_type_is_refused() {
    let (mut kit, token, _) = with_ticket();
    assert_eq!(errcode(&ticket(&mut kit, &token, "sms")), 40097);
}

#[test]
fn each_ticket_is_another_one() {
    let (mut kit, token, first) = with_ticket();
    assert_ne!(ticket(&mut kit, &token, "jsapi")["ticket"], first["ticket"]);
}

#[test]
fn tickets_repeat_where_that_is_wanted() {
    let mut kit = Kit::with(Settings { repeat_tickets: true, ..two_apps() });
    let token = kit.fetch();
    let first = ticket(&mut kit, &token, "jsapi");
    kit.pass(seconds(60));
    let second = ticket(&mut kit, &token, "jsapi");
    assert_eq!((&second["ticket"], &second["expires_in"]), (&first["ticket"], &json!(7140)));
    assert_ne!(ticket(&mut kit, &token, "wx_card")["ticket"], first["ticket"]);
}

#[test]
fn the_calls_of_a_day_are_limited() {
    let mut kit = Kit::with(Settings { ticket_daily_quota: 1, ..two_apps() });
    let token = kit.fetch();
    ticket(&mut kit, &token, "jsapi");
    assert_eq!(errcode(&ticket(&mut kit, &token, "jsapi")), 45009);
}

/// SHA-1 by hand, so that the test does not share the code's reading: of
/// `jsapi_ticket=T&noncestr=n&timestamp=1&url=https://a.example/`.
fn page_signature(ticket: &str) -> String {
    use sha1::{Digest, Sha1};
    let text = format!("jsapi_ticket={ticket}&noncestr=n&timestamp=1&url=https://a.example/");
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn show(kit: &mut Kit, signature: &str) -> Value {
    let body = json!({ "app_id": APP, "nonceStr": "n", "timestamp": 1, "url": "https://a.example/#x", "signature": signature });
    kit.post("/_emulator/signature", &body.to_string())
}

#[test]
fn a_page_with_a_good_signature_is_let_in() {
    let (mut kit, _, answer) = with_ticket();
    let signature = page_signature(answer["ticket"].as_str().unwrap());
    assert_eq!(show(&mut kit, &signature), json!({ "accepted": true }));
}

#[test]
fn a_signature_is_good_as_long_as_its_ticket() {
    let (mut kit, _, answer) = with_ticket();
    let signature = page_signature(answer["ticket"].as_str().unwrap());
    kit.pass(seconds(7_200));
    assert_eq!(show(&mut kit, &signature), json!({ "accepted": false }));
}

#[test]
fn a_ticket_outlives_its_token() {
    let (mut kit, _, answer) = with_ticket();
    kit.machine.invalidate(kit.wall, None).unwrap();
    let signature = page_signature(answer["ticket"].as_str().unwrap());
    assert_eq!(show(&mut kit, &signature), json!({ "accepted": true }));
}

#[test]
fn a_card_is_signed_with_a_ticket_for_cards() {
    use sha1::{Digest, Sha1};
    let mut kit = Kit::new();
    let token = kit.fetch();
    let answer = ticket(&mut kit, &token, "wx_card");
    let mut parts = ["1404896688", "123", "pCard", answer["ticket"].as_str().unwrap()];
    parts.sort_unstable();
    let signature: String = Sha1::digest(parts.concat()).iter().map(|byte| format!("{byte:02x}")).collect();
    let body = json!({ "app_id": APP, "nonce_str": "123", "timestamp": 1404896688, "card_id": "pCard", "signature": signature });
    assert_eq!(kit.post("/_emulator/signature", &body.to_string()), json!({ "accepted": true }));
}
