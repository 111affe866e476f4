//! Sinks in a real Redis, and real SDKs that read there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;
mod redis;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Lab, Server, classic, documented};
use redis::{Redis, Sdk};
use serde_json::Value;

fn sink(redis: &Redis, lines: &str) -> String {
    format!(
        "[credentials.shop.sinks.sdk]\nto = \"redis\"\nurl = {{ inline = \"{}\" }}\n{lines}\n",
        redis.url()
    )
}

/// Waits until the sink stands so, asking for the status each time: that takes its own time.
async fn until(server: &Server, what: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let status = server.status("shop").await;
        if what(&status["sinks"][0]) {
            return status["sinks"][0].clone();
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "it never came: {status}");
    }
}

async fn delivered(server: &Server, generation: u64) {
    until(server, |sink| sink["generation"].as_u64() >= Some(generation)).await;
}

const SDK_SECRET: &str = "sdk_secret = { inline = \"what-the-sdk-has\" }";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_as_long_as_the_told_life() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, "preset = \"wxjava\"")));
    let token = server.token("shop").await;
    delivered(&server, 1).await;
    assert_eq!(redis.ask(&["GET", "wx:access_token:wxclassic"]), token.token());
    let (life, told): (i64, i64) = (
        redis.ask(&["TTL", "wx:access_token:wxclassic"]).parse().unwrap(),
        token.body["expires_in"].as_i64().unwrap(),
    );
    assert!((life - told).abs() <= 2, "{life} {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_is_told_that_there_is_a_new_token_and_not_which() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let mut listener = redis.listen("tokens");
    let server = lab.serve(&(classic("5m") + &sink(&redis, "preset = \"plain\"\npublish = \"tokens\"")));
    assert_eq!(listener.next(), "shop 1");
    assert_eq!(redis.ask(&["GET", "tokenward:shop"]), server.token("shop").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_writes_any_key() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let own = "key = \"k:${app_id}\"\nvalue = '{\"t\":${json token},\"until\":${expires_at}}'";
    let server = lab.serve(&(classic("5m") + &sink(&redis, own)));
    delivered(&server, 1).await;
    let value: Value = serde_json::from_str(&redis.ask(&["GET", "k:wxclassic"])).unwrap();
    assert_eq!(value["t"], server.token("shop").await.token());
    assert!(value["until"].as_i64().unwrap() > 1_700_000_000, "{value}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_somebody_else_is_told_and_replaced() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, "preset = \"wxjava\"")));
    delivered(&server, 1).await;
    redis.ask(&["SET", "wx:access_token:wxclassic", "another", "EX", "7200"]);
    server.wait_for_line("somebody else overwrote what was in the sink sdk");
    let sink = until(&server, |sink| sink["delivered"] == 2).await;
    assert_eq!(sink["lost"], 1);
    assert_eq!(redis.ask(&["GET", "wx:access_token:wxclassic"]), server.token("shop").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_is_written_within_5_seconds() {
    let (lab, mut redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, "preset = \"wxjava\"")));
    delivered(&server, 1).await;
    redis.stop();
    let failing = until(&server, |sink| sink["lag_seconds"].as_u64() >= Some(2)).await;
    assert!(failing["last_failure"]["detail"].as_str().unwrap().starts_with("Redis: "), "{failing}");
    assert_eq!(server.token("shop").await.status, 200);
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.as_str().unwrap().contains("tokenward_sink_lag_seconds{credential=\"shop\",sink=\"sdk\"} ")
    );
    redis.restart();
    let back = Instant::now();
    until(&server, |sink| sink["lag_seconds"] == 0).await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    assert_eq!(redis.ask(&["GET", "wx:access_token:wxclassic"]), server.token("shop").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_with_what_to_do() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&["--requirepass", "right"]));
    let wrong = redis.url().replace("redis://", "redis://:wrong@");
    let server =
        lab.serve(&(classic("5m") + &sink(&redis, "preset = \"plain\"").replace(&redis.url(), &wrong)));
    let failing = until(&server, |sink| sink["failed"].as_u64() > Some(0)).await;
    assert!(failing["last_failure"]["next_step"].as_str().unwrap().contains("password"), "{failing}");
    assert!(!server.log().contains("wrong@"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_lets_in() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&["--requirepass", "right"]));
    let right = redis.url().replace("redis://", "redis://:right@");
    let server =
        lab.serve(&(classic("5m") + &sink(&redis, "preset = \"plain\"").replace(&redis.url(), &right)));
    delivered(&server, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_written() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&["--cluster-enabled", "yes"]));
    redis.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !redis.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {}
    let url = redis.url().replace("redis://", "redis-cluster://");
    let server =
        lab.serve(&(classic("5m") + &sink(&redis, "preset = \"wechatpy\"").replace(&redis.url(), &url)));
    delivered(&server, 1).await;
    let token = redis.ask(&["GET", "wechatpy:wxclassic_access_token"]);
    assert_eq!(token, format!("\"{}\"", server.token("shop").await.token()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_that_sentinels_know_is_written() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let sentinel = Redis::start_sentinel(&redis, "main");
    let url = sentinel.url().replace("redis://", "redis-sentinel://") + "/main/0";
    let server =
        lab.serve(&(classic("5m") + &sink(&redis, "preset = \"plain\"").replace(&redis.url(), &url)));
    delivered(&server, 1).await;
    assert_eq!(redis.ask(&["GET", "tokenward:shop"]), server.token("shop").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_a_certificate_of_ones_own() {
    let lab = Lab::new(documented()).await;
    let folder = lab.folder.path();
    let made = lab::tokenward().args(["cert", "--host", "localhost", "--dir"]).arg(folder).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let redis = Redis::start_tls(folder);
    let lines = format!("preset = \"plain\"\nca_file = \"{}\"", folder.join("ca.pem").display());
    let server = lab.serve(&(classic("5m") + &sink(&redis, &lines)));
    delivered(&server, 1).await;
}

/// The SDK uses the tokens that stand in Redis, over three rotations, and fetches none.
async fn fetches_nothing(name: &str, lines: &str) {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, lines)));
    delivered(&server, 1).await;
    let mut sdk = Sdk::start(name, &lab.emulator.url(), &redis);
    let mut seen = std::collections::BTreeSet::new();
    for generation in 1..=4 {
        delivered(&server, generation).await;
        let token = sdk.token();
        assert_eq!(token, server.token("shop").await.token(), "{name} has the token of now");
        seen.insert(token);
        if name != "dingtalk-sdk" {
            sdk.works();
        }
        let refresh = server.post("/v1/credentials/shop/refresh", serde_json::json!({"force": true})).await;
        assert_eq!(refresh.status, 200, "{refresh:?}");
    }
    assert_eq!(seen.len(), 4, "{name}: one token for each rotation");
    let stats = lab.emulator.stats();
    assert_eq!(
        stats.token_requests, stats.issued,
        "{name} fetched for itself, with a secret that is refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_1_fetches_nothing() {
    fetches_nothing("wechatpy", "preset = \"wechatpy\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_2_fetches_nothing() {
    fetches_nothing("wechatpy2", "preset = \"wechatpy\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_easywechat_fetches_nothing() {
    fetches_nothing("node-easywechat", &format!("preset = \"node-easywechat\"\n{SDK_SECRET}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dingtalk_sdk_fetches_nothing() {
    fetches_nothing("dingtalk-sdk", "preset = \"dingtalk-sdk\"\ncorp_id = \"ding1\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_of_easywechat_6_reads_the_token() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server =
        lab.serve(&(classic("5m") + &sink(&redis, &format!("preset = \"easywechat6\"\n{SDK_SECRET}"))));
    delivered(&server, 1).await;
    let script: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/php/easywechat_cache.php");
    let read = Command::new("php")
        .arg(script)
        .env("REDIS", redis.url())
        .env("KEY", "official_account.access_token.wxclassic.what-the-sdk-has.0")
        .output()
        .unwrap();
    let token = format!("\"{}\"\n", server.token("shop").await.token());
    assert_eq!(String::from_utf8_lossy(&read.stdout), token, "{read:?}");
}
