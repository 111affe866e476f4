//! What each preset writes into Redis, and real SDKs that read there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;
mod redis;
mod sdk;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Lab, classic, documented};
use redis::Redis;
use redis::sink::{SDK_SECRET, SECRET_OF_SDK, delivered, sink};
use sdk::Sdk;

/// What every preset writes, as its SDK does: the lines of its sink, its keys, and their values with `TOKEN`, `LENGTH` (of
/// the token), `LIFE` and `END` (in seconds) for what changes.
const PRESETS: [(&str, &[(&str, &str)]); 13] = [
    ("plain", &[("tokenward:shop", "TOKEN")]),
    ("wxjava", &[("wx:access_token:wxclassic", "TOKEN")]),
    ("wxjava-mini", &[("wa:access_token:wxclassic", "TOKEN")]),
    (
        "wxjava-work\"\nagent_id = \"1000002",
        &[("wx:cp:wechat_cp_access_token_key:wxclassic:1000002", "TOKEN")],
    ),
    ("wxjava-open", &[("wx:open:wechat_component_access_token:wxclassic", "TOKEN")]),
    (
        "easywechat6\"\nsdk_secret = { inline = \"what-the-sdk-has\" }\nprefix = \"easywechat:",
        &[("easywechat:official_account.access_token.wxclassic.what-the-sdk-has.0", "s:LENGTH:\"TOKEN\";")],
    ),
    (
        // md5 of what PHP writes: {"grant_type":"client_credential","appid":"wxclassic","secret":"what-the-sdk-has"}
        "easywechat5\"\nsdk_secret = { inline = \"what-the-sdk-has\" }\nprefix = \"easywechat.kernel.access_token.",
        &[(
            "easywechat.kernel.access_token.a0369909ac44e0c9d81dc4db778e9c1e",
            "a:2:{s:12:\"access_token\";s:LENGTH:\"TOKEN\";s:10:\"expires_in\";i:LIFE;}",
        )],
    ),
    (
        "node-easywechat\"\nsdk_secret = { inline = \"what-the-sdk-has\" }\napp = \"official_account",
        &[("official_account.access_token.wxclassic.what-the-sdk-has.0", "TOKEN")],
    ),
    ("silenceper", &[("gowechat_officialaccount__access_token_wxclassic", "TOKEN")]),
    ("silenceper-stable", &[("gowechat_officialaccount__stable_access_token_wxclassic", "TOKEN")]),
    (
        // md5 of wxclassicwhat-the-sdk-has
        "powerwechat\"\nsdk_secret = { inline = \"what-the-sdk-has\" }\nprefix = \"powerwechat.access_token.",
        &[(
            "powerwechat.access_token.c49594af325fad4f0081326775e9c8de",
            "{\"access_token\":\"TOKEN\",\"expires_in\":LIFE}",
        )],
    ),
    (
        "wechatpy",
        &[
            ("wechatpy:wxclassic_access_token", "\"TOKEN\""),
            ("wechatpy:wxclassic_access_token_expires_at", "END"),
        ],
    ),
    (
        "dingtalk-sdk\"\ncorp_id = \"ding1",
        &[("dingtalk:secret:ding1:app_key:wxclassic:access_token", "\"TOKEN\"")],
    ),
];

/// `TOKEN`, `LENGTH`, `LIFE` and `END` of a pattern, put in; a number is taken over where it is right but for two seconds.
fn fill(pattern: &str, there: &str, token: &str, life: i64, end: i64) -> String {
    let filled = pattern.replace("LENGTH", &token.len().to_string()).replace("TOKEN", token);
    let numbers = [("LIFE", life), ("END", end)];
    let near = |(place, number): (&str, i64)| {
        (number - 2..=number + 2)
            .map(|number| filled.replace(place, &number.to_string()))
            .find(|text| text == there)
    };
    numbers.into_iter().find_map(near).unwrap_or(filled)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_preset_writes_keys_values_and_lives_as_its_sdk_does() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let sinks = PRESETS.iter().enumerate().map(|(number, (lines, _))| {
        sink(&redis, &format!("preset = \"{lines}\"")).replace("sinks.sdk", &format!("sinks.sdk-{number}"))
    });
    let server = lab.serve(&(classic("5m") + &sinks.collect::<String>()));
    let token = server.token("shop").await;
    let begin = Instant::now();
    loop {
        let status = server.status("shop").await;
        let all = status["sinks"].as_array().unwrap();
        if all.iter().all(|sink| sink["delivered"].as_u64() >= Some(1)) {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "not all are delivered: {status}");
    }
    let expires = token.body["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let mut wanted = Vec::new();
    for (lines, keys) in PRESETS {
        for (key, pattern) in keys {
            let (there, left) = (redis.ask(&["GET", key]), redis.ask(&["PTTL", key]).parse::<i64>().unwrap());
            let end = expires.as_second();
            let life = end - jiff::Timestamp::now().as_second();
            assert_eq!(there, fill(pattern, &there, token.token(), life, end), "{lines}: {key}");
            assert!((left - life * 1_000).abs() <= 3_000, "{lines}: {key} lives {left} ms, told {life} s");
            wanted.push((*key).to_owned());
        }
    }
    let mut keys: Vec<String> = redis.ask(&["KEYS", "*"]).lines().map(str::to_owned).collect();
    keys.sort();
    wanted.sort();
    assert_eq!(keys, wanted, "and nothing else");
}

/// The SDK uses the tokens that stand in Redis, over three rotations, and fetches none.
async fn fetches_nothing(name: &str, lines: &str) {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, lines)));
    delivered(&server, 1).await;
    let mut sdk = Sdk::start_with_redis(name, &lab.emulator.url(), SECRET_OF_SDK, &redis.url());
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
