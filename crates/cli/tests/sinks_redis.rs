//! Sinks in a real Redis: what is written, what somebody else writes, and what happens when it is gone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;
mod redis;

use std::time::{Duration, Instant};

use lab::{Lab, Server, classic, documented};
use redis::Redis;
use redis::between::{Between, Event, Fate};
use redis::sink::{SDK_SECRET, delivered, sink, until};
use serde_json::{Value, json};
use tokenward_emulator::Settings;

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

/// `shop` with a sink behind a network that can be disturbed, whose first token is delivered.
async fn disturbable(preset: &str) -> (Lab, Redis, Between, Server) {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let between = Between::new(&redis);
    let sink = sink(&redis, preset).replace(&redis.url(), &between.url());
    let server = lab.serve(&(classic("5m") + &sink));
    delivered(&server, 1).await;
    (lab, redis, between, server)
}

async fn refresh(server: &Server) -> String {
    let refresh = server.post("/v1/credentials/shop/refresh", json!({"force": true})).await;
    assert_eq!(refresh.status, 200, "{refresh:?}");
    server.token("shop").await.token().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_not_answered_is_not_taken_for_somebody_elses() {
    // Whose value this is cannot be seen in it.
    let (_lab, redis, between, server) =
        disturbable("key = \"k\"\nvalue = \"Bearer of ${generation}: ${token}${generation}\"").await;
    between.set_for("Bearer of 2", Fate::IsNotAnswered);
    let lost = refresh(&server).await;
    assert_eq!(between.next(), Event::NotAnswered);
    assert_eq!(redis.ask(&["GET", "k"]), format!("Bearer of 2: {lost}2"), "it was written");
    between.set(Fate::Arrives);
    let token = refresh(&server).await;
    let sink = until(&server, |sink| sink["generation"] == 3).await;
    assert_eq!(sink["lost"], 0, "{sink}");
    assert!(sink["failed"].as_u64() >= Some(1), "{sink}");
    assert!(!server.log().contains("somebody else"), "{}", server.log());
    assert_eq!(redis.ask(&["GET", "k"]), format!("Bearer of 3: {token}3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_arrives_late_does_not_replace_a_newer_one() {
    let (_lab, redis, between, server) = disturbable("preset = \"wxjava\"").await;
    between.set(Fate::IsHeld);
    refresh(&server).await;
    assert_eq!(between.next(), Event::Held);
    between.set(Fate::Arrives);
    let token = refresh(&server).await;
    delivered(&server, 3).await;
    between.release();
    assert_eq!(between.next(), Event::Late);
    assert_eq!(redis.ask(&["GET", "wx:access_token:wxclassic"]), token);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_somebody_writes_just_before_is_told_and_replaced() {
    let (_lab, redis, between, server) = disturbable("preset = \"wxjava\"").await;
    between.set(Fate::IsHeld);
    let token = refresh(&server).await;
    assert_eq!(between.next(), Event::Held);
    redis.ask(&["SET", "wx:access_token:wxclassic", "another", "EX", "7200"]);
    between.release();
    server.wait_for_line("somebody else overwrote what was in the sink sdk");
    let sink = until(&server, |sink| sink["generation"] == 2).await;
    assert_eq!(sink["lost"], 1, "{sink}");
    assert_eq!(redis.ask(&["GET", "wx:access_token:wxclassic"]), token);
    let metrics = server.get("/metrics").await.body;
    let line = "tokenward_sink_losses_total{credential=\"shop\",sink=\"sdk\"} 1";
    assert!(metrics.as_str().unwrap().contains(line), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_somebody_else_is_told_at_the_start_and_a_token_of_an_earlier_run_is_not() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    redis.ask(&["SET", "wx:access_token:wxclassic", "another", "EX", "7200"]);
    let with_sink = classic("5m") + &sink(&redis, "preset = \"wxjava\"");
    let server = lab.serve(&with_sink);
    delivered(&server, 1).await;
    assert_eq!(until(&server, |_| true).await["lost"], 1);
    server.stop();
    let server = lab.serve(&classic("5m"));
    refresh(&server).await;
    server.stop();
    let server = lab.serve(&with_sink);
    delivered(&server, 2).await;
    assert_eq!(until(&server, |_| true).await["lost"], 0, "that was our own");
}

/// Two credentials: an app whose sink has a value of our own, and its ticket, whose sink has a preset.
fn with_shapes(redis: &Redis, value: &str) -> String {
    let ticket = "[credentials.pages]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"jsapi\"\n";
    let preset = sink(redis, "preset = \"easywechat5\"").replace("credentials.shop", "credentials.pages");
    let own = sink(redis, &format!("key = \"k\"\nvalue = \"{value}\""));
    format!("{}{own}{ticket}{preset}", classic("5m"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_ours_is_known_after_a_restart_whatever_stands_around_its_token() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    // Of the last one nothing can be read: it is nobody's.
    for value in ["${token}|${expires_at}", "until=${expires_at};token=${token}", "${md5 token}"] {
        for _ in 0..2 {
            let server = lab.serve(&with_shapes(&redis, value));
            delivered(&server, 1).await;
            for name in ["shop", "pages"] {
                let begin = Instant::now();
                while server.status(name).await["sinks"][0]["delivered"] == 0 {
                    assert!(begin.elapsed() < Duration::from_secs(30), "{}", server.log());
                }
                // Nor is it a loss that another template has left something else.
                assert_eq!(server.status(name).await["sinks"][0]["lost"], 0, "{name}: {value}");
            }
            assert!(!server.log().contains("somebody else"), "{}", server.log());
            server.stop();
        }
    }
    redis.ask(&["SET", "k", "foreign|1999999999"]);
    let server = lab.serve(&with_shapes(&redis, "${token}|${expires_at}"));
    delivered(&server, 1).await;
    assert_eq!(until(&server, |_| true).await["lost"], 1, "a foreign one is noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_igbinary_wrote_is_somebody_elses_at_the_first_look() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let key = "easywechat:official_account.access_token.wxclassic.what-the-sdk-has.0";
    let config = classic("5m") + &sink(&redis, &format!("preset = \"easywechat6\"\n{SDK_SECRET}"));
    for theirs in ["\\0\\0\\0\\2\\17\\7foreign", "no serialized value"] {
        redis.ask(&["EVAL", &format!("return redis.call('SET', KEYS[1], '{theirs}')"), "1", key]);
        let server = lab.serve(&config);
        delivered(&server, 1).await;
        assert_eq!(until(&server, |_| true).await["lost"], 1, "{theirs}");
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fetches_for_himself_is_seen_in_redis_and_verified_with_the_platform() {
    let lab = Lab::new(Settings { overlap: Duration::from_secs(1), ..documented() }).await;
    let redis = Redis::start(&[]);
    let server = lab.serve(&(classic("1s") + &sink(&redis, "preset = \"wxjava\"")));
    delivered(&server, 1).await;
    let query = format!("grant_type=client_credential&appid=wxclassic&secret={}", lab::SECRET);
    let fetch = server.http().get(format!("{}/cgi-bin/token?{query}", lab.emulator.url()));
    let theirs = server.send(fetch).await.body["access_token"].as_str().unwrap().to_owned();
    redis.ask(&["SET", "wx:access_token:wxclassic", &theirs, "EX", "7200"]);
    // Nobody has reported a refused call.
    server.wait_for_line("someone else fetches tokens for the app of shop");
    let status = server.status("shop").await;
    assert_eq!(status["foreign_refreshes"]["times_today"], 1, "{status}");
    assert!(status["foreign_refreshes"]["next_step"].is_string(), "{status}");
}

/// A value that anybody could write there costs a probe, and neither a token nor a fetch.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_no_token_of_the_platform_proves_nothing() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, "preset = \"wxjava\"")));
    delivered(&server, 1).await;
    redis.ask(&["SET", "wx:access_token:wxclassic", "another", "EX", "7200"]);
    until(&server, |sink| sink["lost"] == 1 && sink["delivered"] == 2).await;
    let status = server.status("shop").await;
    assert_eq!((&status["generation"], lab.issued()), (&json!(1), 1), "{status}");
    assert!(status["foreign_refreshes"].is_null(), "{status}");
}

/// How long Redis is down: some seconds, or `TOKENWARD_REDIS_DOWN`.
fn outage() -> Duration {
    let text = std::env::var("TOKENWARD_REDIS_DOWN").unwrap_or_else(|_| "3s".to_owned());
    let span = tokenward_server::config::parse_span(&text).unwrap();
    Duration::from_millis(u64::try_from(span.0).unwrap())
}

fn lag(metrics: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with("tokenward_sink_lag_seconds{")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_is_written_within_5_seconds() {
    let (lab, mut redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let server = lab.serve(&(classic("5m") + &sink(&redis, "preset = \"wechatpy\"")));
    delivered(&server, 1).await;
    redis.stop();
    let (begin, mut slowest, mut noticed) = (Instant::now(), Duration::ZERO, None);
    while noticed.is_none_or(|noticed: Instant| noticed.elapsed() < outage()) {
        let asked = Instant::now();
        assert_eq!(server.token("shop").await.status, 200);
        slowest = slowest.max(asked.elapsed());
        if noticed.is_none() && lag(server.get("/metrics").await.body.as_str().unwrap()) > 0.0 {
            noticed = Some(Instant::now());
        }
        assert!(noticed.is_some() || begin.elapsed() < Duration::from_secs(10), "nobody notices");
    }
    let lag = lag(server.get("/metrics").await.body.as_str().unwrap());
    assert!(lag > outage().as_secs_f64(), "{lag} s of {:?}", outage());
    // A refresh is not delayed either.
    assert_eq!(server.post("/v1/credentials/shop/refresh", json!({"force": true})).await.status, 200);
    assert!(slowest < Duration::from_secs(1), "a reader waited for {slowest:?}");
    let failing = until(&server, |sink| sink["lag_seconds"].as_u64() >= Some(1)).await;
    assert!(failing["last_failure"]["detail"].as_str().unwrap().starts_with("Redis: "), "{failing}");
    redis.restart();
    let back = Instant::now();
    until(&server, |sink| sink["lag_seconds"] == 0).await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let token = format!("\"{}\"", server.token("shop").await.token());
    assert_eq!(redis.ask(&["GET", "wechatpy:wxclassic_access_token"]), token);
    assert!(redis.ask(&["TTL", "wechatpy:wxclassic_access_token_expires_at"]).parse::<i64>().unwrap() > 0);
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
    let begin = Instant::now();
    while !redis.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
        assert!(begin.elapsed() < Duration::from_secs(30), "the cluster is never ready");
    }
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

/// What `tokenward check` says.
fn check(lab: &Lab, credentials: &str) -> (Option<i32>, String) {
    let config = lab.write_config(credentials);
    let output = lab::tokenward().args(["check", "-c"]).arg(config).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sinks_that_write_one_key_are_refused() {
    let lab = Lab::new(documented()).await;
    let other = |url: &str, lines: &str| {
        format!("[credentials.shop.sinks.other]\nto = \"redis\"\nurl = {{ inline = \"{url}\" }}\n{lines}\n")
    };
    let first = classic("5m") + &other("redis://127.0.0.1:7", "preset = \"wxjava\"").replace("other", "sdk");
    let own = "key = \"wx:access_token:${app_id}\"\nvalue = \"${token}\"";
    // Another way to write the same server, and another way to write the same key.
    for second in [
        other("redis://user:word@localhost:7/0", "preset = \"wxjava\""),
        other("redis://127.0.0.1:7", own),
        other("redis-cluster://127.0.0.1:8,127.0.0.1:7", own),
    ] {
        let (status, said) = check(&lab, &(first.clone() + &second));
        assert_eq!(status, Some(2), "{said}");
        let line = "tokenward.toml:21";
        for part in ["another sink writes the same key of the same Redis", line, "another `prefix`"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let server =
        lab::tokenward().args(["serve", "-c"]).arg(lab.folder.path().join("tokenward.toml")).output();
    assert_eq!(server.unwrap().status.code(), Some(2), "a server does not start with it either");
    for second in [
        other("redis://127.0.0.1:7/1", "preset = \"wxjava\""),
        other("redis://127.0.0.1:8", "preset = \"wxjava\""),
        other("redis://127.0.0.1:7", "preset = \"wxjava\"\nprefix = \"wx2:\""),
        // One sink that names one node twice.
        other("redis-cluster://localhost:7000,127.0.0.1:7000", own),
    ] {
        let (status, said) = check(&lab, &(first.clone() + &second));
        assert_eq!(status, Some(0), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_app_secret_in_the_place_of_the_sdks_is_warned_about() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let with = |secret: &str| {
        let lines = format!("preset = \"easywechat6\"\nsdk_secret = {{ inline = \"{secret}\" }}");
        classic("5m") + &sink(&redis, &lines)
    };
    let (status, said) = check(&lab, &with(lab::SECRET));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("`sdk_secret` is the real secret of the app"), "{said}");
    assert!(!said.contains(lab::SECRET), "{said}");
    assert!(!check(&lab, &with("another")).1.contains("real secret"));
    let server = lab.serve(&with(lab::SECRET));
    assert!(server.log().contains("`sdk_secret` is the real secret of the app"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_app_secret_is_known_in_the_sink_of_a_ticket_too() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let ticket = "[credentials.js]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"jsapi\"\n";
    let lines = format!(
        "key = \"k:${{sdk_secret}}\"\nvalue = \"${{token}}\"\nsdk_secret = {{ inline = \"{}\" }}",
        lab::SECRET
    );
    let with_ticket = classic("5m") + ticket + &sink(&redis, &lines).replace("shop", "js");
    let (status, said) = check(&lab, &with_ticket);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("`sdk_secret` is the real secret of the app"), "{said}");
    let server = lab.serve(&with_ticket);
    assert!(server.log().contains("`sdk_secret` is the real secret of the app"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_secret_is_true_of_the_preset() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    for (preset, said) in [
        ("easywechat6", "whoever can list the keys of Redis can read it there"),
        ("easywechat5", "its digest stands in Redis"),
        ("powerwechat", "its digest stands in Redis"),
        ("wxjava", "`sdk_secret` is used for nothing"),
    ] {
        let lines = format!("preset = \"{preset}\"\nsdk_secret = {{ inline = \"{}\" }}", lab::SECRET);
        let (status, all) = check(&lab, &(classic("5m") + &sink(&redis, &lines)));
        assert_eq!(status, Some(0), "{all}");
        assert!(all.contains(said), "{preset}: {all}");
        assert_eq!(all.contains("the real secret of the app"), preset != "wxjava", "{preset}: {all}");
    }
}
