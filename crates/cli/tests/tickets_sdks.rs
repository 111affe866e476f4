//! Real WeChat SDKs and tickets: through the facade, and out of Redis. What they sign, WeChat's app must accept.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;
mod redis;
mod sdk;

use lab::{KEY, Lab, Server, classic, documented};
use redis::Redis;
use sdk::Sdk;
use serde_json::Value;

const TICKETS: &str = "[credentials.pages]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"jsapi\"\n\
    [credentials.cards]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"wx_card\"\n";
const FACADE: &str = "[facade.wechat]\nlisten = \"127.0.0.1:0\"\n";

/// What WeChat's app says to what an SDK has signed.
async fn accepted(lab: &Lab, signed: &Value) -> bool {
    let signed = signed["ok"].as_object().unwrap_or_else(|| panic!("{signed}"));
    let known = ["nonceStr", "timestamp", "signature", "url", "card_id", "code", "openid"];
    let mut body: serde_json::Map<String, Value> = signed
        .iter()
        .filter(|(name, _)| known.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    if let Some(text) = body["timestamp"].as_str() {
        let seconds: u64 = text.parse().unwrap();
        body.insert("timestamp".to_owned(), seconds.into());
    }
    body.insert("app_id".to_owned(), "wxclassic".into());
    let url = format!("{}/_emulator/signature", lab.emulator.url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer: Value = http.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    answer["accepted"].as_bool().unwrap_or_else(|| panic!("{answer}"))
}

fn asked_for_tickets(lab: &Lab) -> u64 {
    lab.emulator.stats().by_path.get("/cgi-bin/ticket/getticket").map_or(0, |path| path.requests)
}

/// The SDK asks the facade for a ticket, and gets ours.
async fn signs_with_our_ticket(name: &str, what: &str) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("{FACADE}{TICKETS}{}", classic("5m")));
    server.token("pages").await;
    server.token("cards").await;
    let mut sdk = Sdk::start(name, &server.facade(), KEY);
    let signed = sdk.ask(what);
    assert!(accepted(&lab, &signed).await, "{name}: {signed}");
    assert_eq!(asked_for_tickets(&lab), 2, "{name}: the two of ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_signs_pages_with_our_ticket() {
    signs_with_our_ticket("wechatpy", "page").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_2_signs_pages_with_our_ticket() {
    signs_with_our_ticket("wechatpy2", "page").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn co_wechat_api_signs_pages_and_cards_with_our_tickets() {
    signs_with_our_ticket("co-wechat-api", "page").await;
    signs_with_our_ticket("co-wechat-api", "card").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_api_signs_pages_with_our_ticket() {
    signs_with_our_ticket("wechat-api", "page").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_easywechat_signs_pages_with_our_ticket() {
    signs_with_our_ticket("node-easywechat", "page").await;
}

/// A sink beneath a credential.
fn sink(redis: &Redis, credential: &str, preset: &str) -> String {
    let url = redis.url();
    format!(
        "[credentials.{credential}.sinks.sdk]\nto = \"redis\"\nurl = {{ inline = \"{url}\" }}\npreset = \"{preset}\"\n"
    )
}

async fn delivered(server: &Server, credential: &str, generation: u64) {
    while server.status(credential).await["sinks"][0]["generation"].as_u64() < Some(generation) {}
}

/// The SDK finds each ticket in Redis and fetches none: its own secret is refused.
async fn reads_tickets_from_redis(name: &str, preset: &str) {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&format!("{TICKETS}{}{}", classic("5m"), sink(&redis, "pages", preset)));
    let mut sdk = Sdk::start_with_redis(name, &lab.emulator.url(), "no-secret-of-anybody", &redis.url());
    let mut signatures = std::collections::BTreeSet::new();
    for generation in 1..=3 {
        delivered(&server, "pages", generation).await;
        let signed = sdk.ask("page");
        assert!(accepted(&lab, &signed).await, "{name}: {signed}");
        signatures.insert(signed["ok"]["signature"].as_str().unwrap().to_owned());
        let refreshed = server.post("/v1/credentials/pages/refresh", serde_json::json!({})).await;
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
    }
    assert_eq!(signatures.len(), 3, "{name} signs with each ticket");
    assert_eq!(lab.emulator.stats().refused, 0, "{name} fetched for itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_reads_tickets_from_redis() {
    reads_tickets_from_redis("wechatpy", "wechatpy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_2_reads_tickets_from_redis() {
    reads_tickets_from_redis("wechatpy2", "wechatpy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_easywechat_reads_tickets_from_redis() {
    reads_tickets_from_redis("node-easywechat", "node-easywechat").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_without_a_key_for_tickets_is_refused_and_names_those_with_one() {
    let lab = Lab::new(documented()).await;
    let sink = "[credentials.cards.sinks.sdk]\nto = \"redis\"\nurl = { inline = \"redis://127.0.0.1/\" }\npreset = \"powerwechat\"\n";
    let config = lab.write_config(&format!("{TICKETS}{}{sink}", classic("5m")));
    let output = lab::tokenward().arg("-c").arg(&config).arg("check").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("has no key for tickets of the kind \"wx_card\""), "{said}");
    assert!(said.contains("\"plain\", \"wxjava\""), "{said}");
}
