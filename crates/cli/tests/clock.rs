//! Time, moved: the server's clocks by libfaketime, the emulator's by its control call, both together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::path::PathBuf;
use std::time::Duration;

use lab::{Lab, Server, classic, documented};
use tokenward_emulator::{Fault, FaultKind};

/// The server's clocks, moved by a file that libfaketime reads at each look at the clock.
struct Clock {
    file: PathBuf,
    offset: i64,
    preload: String,
}

impl Clock {
    fn new(lab: &Lab) -> Clock {
        let folders = [
            "/usr/lib/x86_64-linux-gnu/faketime",
            "/usr/lib/aarch64-linux-gnu/faketime",
            "/usr/lib/faketime",
        ];
        let found = folders.iter().map(|folder| format!("{folder}/libfaketime.so.1"));
        let preload = found.into_iter().find(|path| std::path::Path::new(path).exists());
        let preload = preload.expect("libfaketime is there: scripts/install-test-tools.sh installs it");
        let clock = Clock { file: lab.folder.path().join("clock"), offset: 0, preload };
        clock.write();
        clock
    }

    fn write(&self) {
        // Replaced at once, so that nobody reads half of it.
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{:+}", self.offset)).unwrap();
        std::fs::rename(fresh, &self.file).unwrap();
    }

    /// Moves emulator and server, in this order: a server ahead of the platform would ask it too early.
    fn pass(&mut self, lab: &Lab, minutes: u64) {
        lab.control().advance(Duration::from_secs(minutes * 60));
        self.offset += i64::try_from(minutes * 60).unwrap();
        self.write();
    }

    /// Waits until more attempts than these have failed, and none is under way or near; how many have failed by then.
    /// An attempt that is under way while the clock jumps has taken as long as the jump: given up, and of unknown outcome.
    async fn wait_between_attempts(&self, server: &Server, seen: u64) -> u64 {
        loop {
            let status = server.status("shop").await;
            let failed = status["last_failure"]["attempts"].as_u64().unwrap_or(0);
            let next =
                status["next_refresh_at"].as_str().and_then(|next| next.parse::<jiff::Timestamp>().ok());
            let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(self.offset);
            let near = next.is_none_or(|next| next.duration_since(now).as_secs() < 2);
            if failed > seen && status["refreshing"] == false && !near {
                return failed;
            }
            server.wait_for_line("credential=\"shop\"");
        }
    }

    fn serve(&self, lab: &Lab, credentials: &str) -> Server {
        let environment = [
            ("LD_PRELOAD", self.preload.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
        ];
        Server::start(&lab.write_config(credentials), &environment)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_55_minutes_before_the_end_is_invisible_and_recovery_makes_one_fetch() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &classic("5m"));
    let first = server.token("shop").await;
    clock.pass(&lab, 54);
    lab.control().inject(Fault::new(FaultKind::Status(http::StatusCode::SERVICE_UNAVAILABLE))).unwrap();
    let mut failed = 0;
    for _ in 0..11 {
        clock.pass(&lab, 5);
        failed = clock.wait_between_attempts(&server, failed).await;
        let answer = server.token("shop").await;
        assert_eq!((answer.status, answer.generation()), (200, 1), "{answer:?}");
        assert!(answer.body["expires_in"].as_i64().unwrap() > 0);
    }
    assert_eq!(lab.emulator.stats().token_requests, 1 + failed, "every attempt reached the platform");
    lab.control().clear_faults();
    let issued = lab.issued();
    clock.pass(&lab, 5);
    let next = server.next_token("shop", 1).await;
    assert_ne!(next.token(), first.token());
    assert_eq!(lab.issued(), issued + 1, "one fetch, no burst");
    assert!(lab.accepts(server.http(), next.token()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_under_way_while_the_machine_sleeps_costs_one_more_at_most() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &classic("5m"));
    server.token("shop").await;
    lab.control().inject(Fault::new(FaultKind::Latency(Duration::from_secs(2)))).unwrap();
    clock.pass(&lab, 116);
    while lab.issued() < 2 {
        server.wait_for_line("");
    }
    lab.control().clear_faults();
    clock.pass(&lab, 2);
    let next = server.next_token("shop", 1).await;
    assert!(lab.issued() <= 3, "{} issued", lab.issued());
    assert!(lab.accepts(server.http(), next.token()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_past_the_end_is_503_with_the_platforms_reason_and_heals_within_the_backoff() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &classic("5m"));
    server.token("shop").await;
    lab.control().inject(Fault::new(FaultKind::Busy)).unwrap();
    clock.pass(&lab, 50);
    for _ in 0..4 {
        clock.pass(&lab, 20);
        server.wait_for_line("platform_busy");
    }
    server.wait_for_state("shop", "expired").await;
    let answer = server.token("shop").await;
    assert_eq!((answer.status, answer.code()), (503, "platform_busy"));
    assert_eq!(answer.body["platform"]["errcode"], -1);
    let wait: i64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    lab.control().clear_faults();
    clock.pass(&lab, 1);
    assert_eq!(server.next_token("shop", 1).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_off_past_the_end_hands_out_nothing_stale() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &classic("5m"));
    let first = server.token("shop").await;
    assert!(server.stop().success());
    clock.pass(&lab, 130);
    let server = clock.serve(&lab, &classic("5m"));
    let second = server.token("shop").await;
    assert_ne!(first.token(), second.token());
    assert!(lab.accepts(server.http(), second.token()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_slept_past_the_end_hands_out_nothing_stale() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &classic("5m"));
    server.token("shop").await;
    clock.pass(&lab, 180);
    let answer = server.token("shop").await;
    assert_eq!(answer.status, 200);
    assert!(lab.accepts(server.http(), answer.token()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stable_token_is_renewed_as_soon_as_the_platform_renews() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &lab::four());
    let first = server.token("members").await;
    clock.pass(&lab, 114);
    let still = server.token("members").await;
    assert_eq!(still.token(), first.token(), "before its window the platform returns the same token");
    clock.pass(&lab, 2);
    let next = server.next_token("members", 1).await;
    assert_ne!(next.token(), first.token());
    assert!(lab.accepts(server.http(), first.token()).await, "the old one lives to its own end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_comes_back_after_midnight() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    lab.control().inject(Fault::new(FaultKind::QuotaUsedUp)).unwrap();
    let server = clock.serve(&lab, &classic("5m"));
    server.wait_for_state("shop", "blocked").await;
    // Hour by hour, as the retries come; the emulator's quota is there again after its midnight.
    for _ in 0..26 {
        clock.pass(&lab, 61);
    }
    assert_eq!(server.next_token("shop", 0).await.status, 200);
}
