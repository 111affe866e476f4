//! Tickets, and what is signed with them: the real binary against the emulator.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Answer, Lab, SECRET, Server, classic, documented, scaled, tokenward};
use serde_json::{Value, json};
use tokenward_emulator::{Fault, FaultKind};

const PAGE: &str = "https://shop.example.com/cart?id=1";
const TICKETS: &str = "[credentials.pages]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"jsapi\"\n\
    domains = [\"shop.example.com\", \"*.m.example.com\"]\n\
    [credentials.cards]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"wx_card\"\n";

/// Tickets first: the order in the file does not matter.
fn tickets() -> String {
    format!("{TICKETS}{}", classic("5m"))
}

async fn sign_page(server: &Server, ticket: &str, url: &str) -> Answer {
    server.post(&format!("/v1/sign/{ticket}/js-sdk"), json!({ "url": url })).await
}

/// What WeChat's app says to a signature.
async fn shown(lab: &Lab, signature: Value) -> bool {
    let url = format!("{}/_emulator/signature", lab.emulator.url());
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().post(url).json(&signature).send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    answer["accepted"].as_bool().unwrap_or_else(|| panic!("{answer}"))
}

/// What a page hands to `wx.config`, with its own address.
fn page(signed: &Answer, url: &str) -> Value {
    assert_eq!(signed.status, 200, "{signed:?}");
    let body = &signed.body;
    json!({
        "app_id": body["appId"], "timestamp": body["timestamp"], "nonceStr": body["nonceStr"],
        "signature": body["signature"], "url": url,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_accepts_a_page_that_we_signed() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let signed = sign_page(&server, "pages", PAGE).await;
    assert!(shown(&lab, page(&signed, PAGE)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_page_cannot_use_the_signature() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let signed = sign_page(&server, "pages", PAGE).await;
    assert!(!shown(&lab, page(&signed, "https://shop.example.com/other")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fragment_of_a_page_is_not_signed() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let signed = sign_page(&server, "pages", &format!("{PAGE}#/item/7")).await;
    assert!(shown(&lab, page(&signed, PAGE)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signature_has_a_nonce_of_its_own() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let (one, other) = (sign_page(&server, "pages", PAGE).await, sign_page(&server, "pages", PAGE).await);
    assert_ne!(one.body["nonceStr"], other.body["nonceStr"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_accepts_a_card_that_we_signed() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let card = json!({ "card_id": "pCard", "code": "1434008071", "openid": "oUser" });
    let signed = server.post("/v1/sign/cards/card", card).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    let mut given: Value = serde_json::from_str(signed.body["cardExt"].as_str().unwrap()).unwrap();
    // In the text of a card, the moment is a text.
    given["timestamp"] = given["timestamp"].as_str().unwrap().parse::<u64>().unwrap().into();
    given["app_id"] = "wxclassic".into();
    given["card_id"] = signed.body["cardId"].clone();
    assert!(shown(&lab, given).await, "{signed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_domains_are_not_signed() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    for url in ["https://evil.example/", "https://shop.example.com.evil.example/", "https://m.example.com/"] {
        let refused = sign_page(&server, "pages", url).await;
        assert_eq!((refused.status, refused.code()), (403, "domain_not_allowed"), "{url}");
    }
    assert_eq!(sign_page(&server, "pages", "https://a.m.example.com/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_page_is_malformed() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let refused = sign_page(&server, "pages", "javascript:alert(1)").await;
    assert_eq!((refused.status, refused.code()), (400, "malformed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_kind_of_ticket_signs() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    for ticket in ["cards", "shop"] {
        let refused = sign_page(&server, ticket, PAGE).await;
        assert_eq!((refused.status, refused.code()), (409, "cannot_sign"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_without_domains_signs_no_page() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets().replace("domains = [\"shop.example.com\", \"*.m.example.com\"]\n", ""));
    let refused = sign_page(&server, "pages", PAGE).await;
    assert_eq!((refused.status, refused.code()), (409, "cannot_sign"));
}

#[tokio::test(flavor = "multi_thread")]
async fn to_sign_takes_the_right_to_call_and_no_right_to_the_ticket() {
    let lab = Lab::new(documented()).await;
    let client = |name: &str, right: &str| {
        format!(
            "[clients.{name}]\nkey = {{ inline = \"{name}-key-0123456789\" }}\ncredentials = [\"pages\"]\nmay = [\"{right}\"]\n"
        )
    };
    let server = lab.serve(&format!("{}{}{}", client("site", "call"), client("reader", "token"), tickets()));
    let sign = |name: &str| {
        let url = format!("{}/v1/sign/pages/js-sdk", server.url);
        server.send(
            server
                .http()
                .post(url)
                .bearer_auth(format!("{name}-key-0123456789"))
                .json(&json!({ "url": PAGE })),
        )
    };
    assert_eq!(sign("site").await.status, 200);
    assert_eq!(sign("reader").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_a_credential_like_any_other() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let ticket = server.token("pages").await;
    assert!(ticket.body["expires_in"].as_i64().unwrap() > 7_100, "{ticket:?}");
    let status = server.status("pages").await;
    assert_eq!((&status["platform"], &status["derived_from"]), (&json!("wechat-ticket"), &json!("shop")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_survives_a_restart() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let before = server.token("pages").await;
    assert!(server.stop().success());
    let server = lab.serve(&tickets());
    assert_eq!(server.token("pages").await.token(), before.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_and_tokens_rotate_each_in_its_own_time() {
    let lab = Lab::new(scaled(4, 2)).await;
    let server = lab.serve(&format!("{TICKETS}{}", classic("2s")));
    let (ticket, token) = (server.token("pages").await, server.token("shop").await);
    assert_ne!(server.next_token("pages", ticket.generation()).await.token(), ticket.token());
    assert_ne!(server.next_token("shop", token.generation()).await.token(), token.token());
    let signed = sign_page(&server, "pages", PAGE).await;
    assert!(shown(&lab, page(&signed, PAGE)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_and_the_ticket_asked_for_once_more() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let (ticket, token) = (server.token("pages").await, server.token("shop").await);
    lab.control().invalidate(None).unwrap();
    let refreshed = server.post("/v1/credentials/pages/refresh", json!({})).await;
    assert_eq!(refreshed.status, 200, "the answer is about the second attempt: {refreshed:?}");
    assert_ne!(server.token("pages").await.token(), ticket.token());
    assert_ne!(server.token("shop").await.token(), token.token());
    assert_eq!(lab.issued(), 2, "one token for the one that died");
    let asked = lab.emulator.stats().by_path["/cgi-bin/ticket/getticket"];
    assert_eq!(
        (asked.token_refused, asked.requests - asked.token_refused),
        (1, 3),
        "two kinds, and one again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_the_ticket_says_where_to_look() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets().replace(SECRET, "another-secret"));
    server.wait_for_state("shop", "blocked").await;
    let refused = server.token("pages").await;
    assert_eq!((refused.status, refused.code()), (503, "source_unavailable"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_reader_waits_for_the_token_and_the_ticket() {
    let lab = Lab::new(documented()).await;
    lab.control().inject(Fault::new(FaultKind::Latency(std::time::Duration::from_millis(300)))).unwrap();
    let server = lab.serve(&tickets());
    assert_eq!(server.token("pages").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_while_a_dead_token_is_replaced_slowly() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    assert!(server.stop().success());
    lab.control().invalidate(None).unwrap();
    let slow = Fault::new(FaultKind::Latency(std::time::Duration::from_secs(4))).on("/cgi-bin/token");
    lab.control().inject(slow).unwrap();
    let server = lab.serve(&tickets());
    let ticket = server.token("pages").await;
    assert_eq!(ticket.status, 200, "{ticket:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_refuses_every_token_does_not_make_us_rotate_live_ones() {
    let lab = Lab::new(documented()).await;
    let refused = FaultKind::Errcode { errcode: 40001, errmsg: None, error: None, status: None };
    lab.control().inject(Fault::new(refused).on("/cgi-bin/ticket/getticket")).unwrap();
    let server = lab.serve(&tickets());
    let token = server.token("shop").await;
    while lab.emulator.stats().by_path.get("/cgi-bin/ticket/getticket").is_none_or(|path| path.requests < 4) {
        server.wait_for_line("source_refused");
    }
    assert_eq!(server.token("shop").await.token(), token.token(), "a probe found it alive");
    assert_eq!(lab.issued(), 1);
    assert_eq!(server.status("shop").await["state"], "live", "and nobody else is accused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_cannot_lend_its_signature_to_another() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let url = "https://shop.example.com/?a&timestamp=123&url=https://evil.example/";
    let refused = sign_page(&server, "pages", url).await;
    assert_eq!((refused.status, refused.code()), (400, "malformed"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_only_call_gets_no_ticket() {
    let lab = Lab::new(documented()).await;
    let site = "[clients.site]\nkey = { inline = \"site-key-0123456789\" }\ncredentials = [\"*\"]\nmay = [\"call\"]\n";
    let server = lab.serve(&format!("{site}{}", tickets()));
    let url = format!("{}/v1/call/shop/cgi-bin/ticket/getticket?type=jsapi", server.url);
    let refused = server.send(server.http().get(url).bearer_auth("site-key-0123456789")).await;
    assert_eq!((refused.status, refused.code()), (403, "call_not_allowed"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_calls_are_made_with_a_ticket() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let refused = server.get("/v1/call/pages/cgi-bin/user/get").await;
    assert_eq!((refused.status, refused.code()), (409, "not_callable"));
    assert!(refused.body["next_step"].as_str().unwrap().contains("shop"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_signs() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&tickets());
    let output = server.command(&["sign", "js-sdk", "pages", PAGE]);
    let signed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(signed["appId"], "wxclassic");
    let output = server.command(&["sign", "card", "cards", "pCard", "--code", "7"]);
    let signed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(signed["cardId"], "pCard");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_tried_with_a_token_that_spares_the_live_one() {
    let lab = Lab::new(documented()).await;
    let config = lab.write_config(&tickets());
    let output = tokenward().arg("-c").arg(&config).args(["check", "--live"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(lab.emulator.stats().by_api["classic"].requests, 0, "{said}");
}

/// What `check` says about these credentials.
fn complaint(lab: &Lab, credentials: &str) -> String {
    let config = lab.write_config(credentials);
    let output = tokenward().arg("-c").arg(&config).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_cannot_be_is_refused_at_load() {
    let lab = Lab::new(documented()).await;
    let expect = |from: &str, to: &str, words: &str| {
        let said = complaint(&lab, &tickets().replacen(from, to, 1));
        assert!(said.contains(words), "{to}: {said}");
    };
    expect("from = \"shop\"", "from = \"shpo\"", "no credential \"shpo\"");
    expect("from = \"shop\"", "from = \"pages\"", "the ticket needs itself: pages is derived from pages");
    expect("kind = \"jsapi\"", "kind = \"js\"", "no ticket of the kind \"js\"");
    expect("kind = \"jsapi\"", "kind = \"wx_card\"", "already");
    expect("\"shop.example.com\"", "\"https://shop.example.com\"", "is not a domain");
    expect(
        "from = \"shop\"",
        "from = \"cards\"",
        "\"cards\" has no token that a ticket could be fetched with",
    );
    expect("kind = \"jsapi\"", "kind = \"jsapi\"\napp_id = \"wx1\"", "unknown key `app_id`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_tickets_is_refused_at_load_and_named() {
    let lab = Lab::new(documented()).await;
    let circle = tickets().replacen("from = \"shop\"", "from = \"cards\"", 1).replacen(
        "from = \"shop\"",
        "from = \"pages\"",
        1,
    );
    let said = complaint(&lab, &circle);
    assert!(said.contains("cards is derived from pages is derived from cards"), "{said}");
}
