//! Somebody keeps killing tokens, for twenty seconds or for `TOKENWARD_WAR`: what callers of the gateway notice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "a war lasts for a time")]

mod lab;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lab::{KEY, Lab, Server, classic, scaled};
use tokio::task::JoinSet;

fn length() -> Duration {
    let text = std::env::var("TOKENWARD_WAR").unwrap_or_else(|_| "20s".to_owned());
    let span = tokenward_server::config::parse_span(&text).unwrap();
    Duration::from_millis(u64::try_from(span.0).unwrap())
}

/// What callers saw.
#[derive(Default)]
struct Seen {
    served: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
}

impl Seen {
    fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Calls through the gateway as fast as it can until it is over.
async fn keep_calling(server: Arc<Server>, seen: Arc<Seen>) {
    let url = format!("{}/v1/call/shop/cgi-bin/user/get", server.url);
    keep_asking(server, seen, url).await;
}

/// The same through the facade, with a token that soon is an old one.
async fn keep_calling_the_facade(server: Arc<Server>, seen: Arc<Seen>) {
    let token = server.token("shop").await.token().to_owned();
    let url = format!("{}/cgi-bin/user/get?access_token={token}", server.facade());
    keep_asking(server, seen, url).await;
}

async fn keep_asking(server: Arc<Server>, seen: Arc<Seen>, url: String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    while !seen.over.load(Ordering::Relaxed) {
        let answer = server.send(http.get(&url).bearer_auth(KEY)).await;
        let is_served = answer.body["data"]["openid"].is_array();
        let counter = if is_served { &seen.served } else { &seen.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_killed_every_two_seconds_costs_no_call() {
    let lab = Lab::new(scaled(60, 5)).await;
    let relaxed = "contested_burst = 1000\ndaily_budget = 0\n";
    let facade = "[facade.wechat]\nlisten = \"127.0.0.1:0\"\n";
    let server = Arc::new(lab.serve(&format!("{facade}{}{relaxed}", classic("5s"))));
    server.token("shop").await;
    let seen = Arc::new(Seen::default());
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        callers.spawn(keep_calling(Arc::clone(&server), Arc::clone(&seen)));
        callers.spawn(keep_calling_the_facade(Arc::clone(&server), Arc::clone(&seen)));
    }
    let begun = Instant::now();
    let mut every_two_seconds = tokio::time::interval(Duration::from_secs(2));
    let mut kills = 0;
    while begun.elapsed() < length() {
        every_two_seconds.tick().await;
        lab.control().invalidate(Some("wxclassic")).unwrap();
        kills += 1;
    }
    seen.over.store(true, Ordering::Relaxed);
    callers.join_all().await;
    assert_eq!(seen.refused(), 0, "of {} calls", seen.served());
    assert!(seen.served() > kills * 100, "{} calls", seen.served());
    assert!(lab.issued() <= kills + 2, "{} fetches for {kills} kills", lab.issued());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_fight_over_one_app_end_contested_and_both_go_on() {
    let lab = Lab::new(scaled(20, 5)).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let config = lab.write_config(&classic("5s"));
    let servers = folders.each_ref().map(|folder| {
        let copy = folder.path().join("tokenward.toml");
        std::fs::copy(&config, &copy).unwrap();
        Arc::new(Server::start(&copy, &[]))
    });
    let both = servers.each_ref().map(|_| Arc::new(Seen::default()));
    let mut callers = JoinSet::new();
    for (server, seen) in servers.iter().zip(&both) {
        for _ in 0..4 {
            callers.spawn(keep_calling(Arc::clone(server), Arc::clone(seen)));
        }
    }
    let begun = Instant::now();
    tokio::time::sleep(length()).await;
    for server in &servers {
        server.wait_for_state("shop", "contested").await;
    }
    let lasted = begun.elapsed().as_secs();
    for seen in &both {
        seen.over.store(true, Ordering::Relaxed);
    }
    callers.join_all().await;
    for seen in &both {
        let (served, refused) = (seen.served(), seen.refused());
        assert!(refused * 20 < served, "{refused} of {} calls were refused", served + refused);
    }
    // Each fetch leaves the other side the overlap of five seconds, so that nobody fetches more often than that.
    let most = 2 + 2 * (lasted / 5 + 1);
    assert!(lab.issued() <= most, "{} fetches in {lasted} s", lab.issued());
}
