//! Time, moved: the server's clocks by libfaketime, the emulator's by its control call, both together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
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

    fn pass(&mut self, lab: &Lab, minutes: u64) {
        self.pass_seconds(lab, minutes * 60);
    }

    /// Moves emulator and server, in this order: a server ahead of the platform would ask it too early.
    fn pass_seconds(&mut self, lab: &Lab, seconds: u64) {
        lab.control().advance(Duration::from_secs(seconds));
        self.offset += i64::try_from(seconds).unwrap();
        self.write();
    }

    /// What it shows.
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.offset)
    }

    /// Once an hour, the next time in forty minutes and what is left of that minute.
    fn hourly(&self) -> String {
        let minute = self.now().as_second().div_euclid(60) + 41;
        format!("schedule = \"0 {} * * * * *\"\n", minute.rem_euclid(60))
    }

    /// Waits until more attempts than these have failed, and none is under way or near; how many have failed by then.
    /// An attempt that is under way while the clock jumps has taken as long as the jump: given up, and of unknown outcome.
    async fn wait_between_attempts(&self, server: &Server, seen: u64) -> u64 {
        loop {
            let status = server.status("shop").await;
            let failed = status["last_failure"]["attempts"].as_u64().unwrap_or(0);
            let next = status["next_refresh_at"].as_str().and_then(|next| next.parse::<Timestamp>().ok());
            let near = next.is_none_or(|next| next.duration_since(self.now()).as_secs() < 2);
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

/// The moments that a status names.
fn moments(status: &serde_json::Value, key: &str) -> Vec<Timestamp> {
    let named = status[key].as_array().cloned().unwrap_or_else(|| vec![status[key].clone()]);
    named.iter().map(|moment| moment.as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_refresh_happens_at_its_time() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let server = clock.serve(&lab, &(classic("5m") + &clock.hourly()));
    let first = server.token("shop").await;
    let status = server.status("shop").await;
    let scheduled = moments(&status, "next_scheduled");
    assert_eq!(scheduled.len(), 3);
    // The one is reckoned from the machine's start, the other from the wall: each rounds for itself.
    let apart = moments(&status, "next_refresh_at")[0].duration_since(scheduled[0]);
    assert!(apart.as_secs().abs() <= 1, "{status}");
    let shown = String::from_utf8(server.command(&["status", "shop"]).stdout).unwrap();
    assert_eq!(shown.matches("scheduled").count(), 3, "{shown}");
    let told = first.body["expires_in"].as_i64().unwrap();
    let until = scheduled[0].duration_since(clock.now()).as_secs();
    assert!((until + 145..=until + 151).contains(&told), "told {told}, scheduled in {until}");
    clock.pass_seconds(&lab, u64::try_from(until - 2).unwrap());
    assert_eq!((server.token("shop").await.generation(), lab.issued()), (1, 1), "not before its time");
    let next = server.next_token("shop", 1).await;
    assert_eq!((next.generation(), lab.issued()), (2, 2));
    let status = server.status("shop").await;
    let late = moments(&status, "issued_at")[0].duration_since(scheduled[0]).as_secs();
    assert!((0..=1).contains(&late), "{late} s late");
    assert_eq!(moments(&status, "next_refresh_at"), scheduled[1..2]);
    assert!(lab.accepts(server.http(), next.token()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_refresh_that_was_missed_happens_once() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let credentials = classic("5m") + &clock.hourly();
    let server = clock.serve(&lab, &credentials);
    server.token("shop").await;
    let scheduled = moments(&server.status("shop").await, "next_scheduled");
    assert!(server.stop().success());
    // Two of its times pass, and the token still lives.
    clock.pass(&lab, 105);
    let server = clock.serve(&lab, &credentials);
    let next = server.next_token("shop", 1).await;
    assert_eq!((next.generation(), lab.issued()), (2, 2));
    let status = server.status("shop").await;
    assert_eq!(moments(&status, "next_refresh_at"), scheduled[2..], "both in one, and then as ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_refresh_at_the_stable_api_keeps_the_token() {
    let lab = Lab::new(documented()).await;
    let mut clock = Clock::new(&lab);
    let refresh = format!("[credentials.members.refresh]\n{}", clock.hourly());
    let server = clock.serve(&lab, &(lab::four() + &refresh));
    let first = server.token("members").await;
    let (issued, asked) = (lab.issued(), lab.emulator.stats().token_requests);
    clock.pass(&lab, 41);
    server.wait_for_line("the platform returned the same token");
    assert!(lab.emulator.stats().token_requests > asked);
    let still = server.token("members").await;
    assert_eq!((still.generation(), still.token()), (1, first.token()));
    assert_eq!(lab.issued(), issued, "asked, and not forced");
    assert!(lab.accepts(server.http(), still.token()).await);
}
