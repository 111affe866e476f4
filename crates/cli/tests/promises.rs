//! The promises, kept by the real binary against the emulator.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lab::{Lab, SECRET, Server, classic, documented, four, scaled};
use tokenward_emulator::{Fault, FaultKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_cold_readers_cause_one_fetch() {
    let lab = Lab::new(documented()).await;
    lab.control().inject(Fault::new(FaultKind::Latency(Duration::from_millis(300)))).unwrap();
    let server = std::sync::Arc::new(lab.serve(&classic("5m")));
    let mut readers = JoinSet::new();
    for _ in 0..1000 {
        let server = std::sync::Arc::clone(&server);
        readers.spawn(async move { server.token("shop").await.token().to_owned() });
    }
    let mut tokens = readers.join_all().await;
    tokens.dedup();
    assert_eq!((tokens.len(), lab.issued()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reports_of_a_killed_token_cause_one_fetch() {
    let lab = Lab::new(documented()).await;
    let server = std::sync::Arc::new(lab.serve(&classic("5m")));
    server.token("shop").await;
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let mut reporters = JoinSet::new();
    for _ in 0..1000 {
        let server = std::sync::Arc::clone(&server);
        reporters.spawn(async move { server.report("shop", 1).await });
    }
    for answer in reporters.join_all().await {
        assert_eq!((answer.status, answer.generation()), (200, 2));
    }
    assert_eq!(lab.issued(), 2);
    let status = server.status("shop").await;
    let detail = status["foreign_refreshes"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("Someone else fetches tokens for this app: last seen"), "{detail}");
    assert!(detail.ends_with("once today."), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reports_of_a_live_token_cause_no_fetch_and_a_few_probes() {
    let lab = Lab::new(documented()).await;
    let server = std::sync::Arc::new(lab.serve(&classic("5m")));
    server.token("shop").await;
    let mut reporters = JoinSet::new();
    for _ in 0..1000 {
        let server = std::sync::Arc::clone(&server);
        reporters.spawn(async move { server.report("shop", 1).await });
    }
    for answer in reporters.join_all().await {
        assert_eq!((answer.status, answer.generation()), (200, 1));
    }
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    let probes = stats["by_path"]["/cgi-bin/get_api_domain_ip"]["requests"].as_u64().unwrap();
    assert_eq!(lab.issued(), 1);
    assert!((1..=3).contains(&probes), "{probes} probes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_an_older_generation_does_nothing() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let token = server.token("shop").await.token().to_owned();
    server.post("/v1/credentials/shop/refresh", serde_json::json!({ "force": true })).await;
    let calls = lab.emulator.stats().calls;
    assert_eq!(server.report("shop", 1).await.generation(), 2);
    let by_token = server.post("/v1/credentials/shop/report", serde_json::json!({ "token": token })).await;
    assert_eq!(by_token.generation(), 2);
    assert_eq!((lab.issued(), lab.emulator.stats().calls), (2, calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stable_token_that_was_forced_out_elsewhere_is_replaced_without_force() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let mine = server.token("members").await;
    let url = format!("{}/cgi-bin/stable_token", lab.emulator.url());
    let body = serde_json::json!({
        "grant_type": "client_credential", "appid": "wxstable", "secret": SECRET, "force_refresh": true,
    });
    let theirs: serde_json::Value =
        server.http().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    let next = server.report("members", mine.generation()).await;
    assert_eq!(next.token(), theirs["access_token"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_at_a_coexisting_platform_just_fetches() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let first = server.token("ocr").await;
    let next = server.report("ocr", first.generation()).await;
    assert_eq!((next.status, next.generation()), (200, 2));
}

/// Reads and uses the token as fast as it can until the credential has this generation.
async fn read_and_use_until(lab: &Lab, server: &lab::Server, generation: u64) -> u64 {
    let mut uses = 0;
    loop {
        let answer = server.token("shop").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            lab.accepts(server.http(), answer.token()).await,
            "use {uses}, generation {}",
            answer.generation()
        );
        uses += 1;
        if answer.generation() >= generation {
            return uses;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_refused_while_tokens_rotate() {
    let lab = Lab::new(scaled(8, 3)).await;
    let server = lab.serve(&classic("3s"));
    let uses = read_and_use_until(&lab, &server, 5).await;
    assert!(uses > 100, "{uses} uses");
    assert!(lab.issued() <= 6, "{} fetches for 5 generations", lab.issued());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_keeps_each_token_as_long_as_it_was_told_is_never_refused() {
    let lab = Lab::new(scaled(8, 4)).await;
    let server = lab.serve(&classic("4s"));
    #[expect(clippy::disallowed_methods, reason = "a holder counts its own time")]
    let clock = std::time::Instant::now;
    let mut generation = 0;
    while generation < 4 {
        let answer = server.token("shop").await;
        generation = answer.generation();
        let told = Duration::from_secs(answer.body["expires_in"].as_u64().unwrap());
        let until = clock() + told;
        while clock() < until {
            assert!(
                lab.accepts(server.http(), answer.token()).await,
                "generation {generation} within {told:?}"
            );
        }
    }
    assert!(lab.issued() <= generation + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_readers_with_a_token_that_works_throughout() {
    let lab = Lab::new(scaled(10, 4)).await;
    let server = lab.serve(&classic("4s"));
    server.token("shop").await;
    lab.control().inject(Fault::new(FaultKind::ResetAfterIssue).on("/cgi-bin/token").times(1)).unwrap();
    read_and_use_until(&lab, &server, 2).await;
    assert_eq!(lab.issued(), 3, "the first, the lost one, and the one after the safe part");
    let log = server.log();
    assert!(log.contains("connection_lost"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_serves_the_stored_token_before_any_fetch() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let before = server.token("shop").await;
    assert!(server.stop().success());
    lab.control().inject(Fault::new(FaultKind::ResetBefore)).unwrap();
    let server = lab.serve(&classic("5m"));
    let after = server.token("shop").await;
    assert_eq!((after.token(), after.generation()), (before.token(), 1));
    assert_eq!(after.body["expires_at"], before.body["expires_at"]);
    assert_eq!(lab.emulator.stats().token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_another_app_hands_out_nothing_of_the_old_one() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let before = server.token("shop").await;
    assert!(server.stop().success());
    let server = lab.serve(&classic("5m").replace("wxclassic", "wxother"));
    let after = server.token("shop").await;
    assert_ne!(after.token(), before.token());
    assert!(after.generation() > before.generation());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_being_fetched_at_the_end_is_kept() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    server.wait_for_line("asking wechat");
    lab.control().inject(Fault::new(FaultKind::Latency(Duration::from_secs(1)))).unwrap();
    let url = format!("{}/v1/credentials/shop/refresh", server.url);
    let refresh = server.http().post(url).bearer_auth(lab::KEY).json(&serde_json::json!({ "force": true }));
    let refreshing = tokio::spawn(refresh.send());
    server.wait_for_line("asking wechat");
    assert!(tokio::task::spawn_blocking(|| server.stop()).await.unwrap().success());
    assert_eq!(refreshing.await.unwrap().unwrap().status(), 200, "connections finish what they are doing");
    lab.control().clear_faults();
    let server = lab.serve(&classic("5m"));
    assert_eq!(server.token("shop").await.generation(), 2);
    assert_eq!(lab.issued(), 2, "one token each, none was lost");
}

/// Reads and uses the token of whatever server runs now, and counts how often that worked.
async fn keep_reading(lab: Arc<Lab>, mut server: watch::Receiver<Option<String>>, uses: Arc<AtomicU64>) {
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    let http = http.timeout(Duration::from_secs(20)).build().unwrap();
    loop {
        let url = server.borrow().clone();
        let Some(url) = url else { return };
        // The server may be dead at any moment: only what it hands out counts, for as long as it says.
        let asked = tokio::time::Instant::now();
        let read = http.get(format!("{url}/v1/credentials/shop/token")).bearer_auth(lab::KEY).send().await;
        let answer = match read {
            Ok(answer) => answer,
            Err(error) => {
                assert!(!error.is_timeout(), "{error}");
                // Killed: the next one says where it is.
                server.wait_for(|place| place.as_ref() != Some(&url)).await.unwrap();
                continue;
            }
        };
        let Ok(held) = answer.json::<serde_json::Value>().await else { continue };
        if let Some(token) = held["token"].as_str() {
            let accepted = lab.accepts(&http, token).await;
            if asked.elapsed().as_secs() < held["expires_in"].as_u64().unwrap() {
                assert!(accepted, "{held}");
                uses.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_under_load_hand_out_no_invalid_token() {
    let kills: u32 = std::env::var("TOKENWARD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    let lab = Arc::new(Lab::new(scaled(6, 3)).await);
    let (place, uses) = (watch::Sender::new(Some("http://127.0.0.50:1".to_owned())), Arc::default());
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        readers.spawn(keep_reading(Arc::clone(&lab), place.subscribe(), Arc::clone(&uses)));
    }
    // An address of its own: a reader that comes after a kill must not meet another test's listener.
    let config = lab.write_config(&classic("3s"));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("127.0.0.1:0", "127.0.0.50:0")).unwrap();
    let begun = tokio::time::Instant::now();
    for kill in 0..kills {
        let server = Server::start(&config, &[]);
        place.send_replace(Some(server.url.clone()));
        let first = server.token("shop").await;
        // Most are killed at once, some in the middle of a fetch, some after it.
        if kill % 8 == 0 {
            server.next_token("shop", first.generation()).await;
        } else if kill % 8 == 4 {
            server.wait_for_line("asking wechat");
        }
        server.kill();
    }
    place.send_replace(None);
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
    // Lives of six seconds are due after 2.7 s at the earliest.
    let planned = begun.elapsed().as_millis() as u64 / 2_700 + 1;
    let fetches = lab.emulator.stats().token_requests;
    assert!(fetches <= planned + u64::from(kills), "{fetches} fetches, {planned} planned, {kills} kills");
    let uses = uses.load(Ordering::Relaxed);
    assert!(uses > u64::from(kills) * 20, "{uses} uses");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_share_a_data_folder() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let second = server.command(&["serve"]);
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another Tokenward runs on data_dir"), "{said}");
}
