//! Sinks: what stands where others read it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::{Lab, SECRET, Server, documented, scaled};
use serde_json::Value;

/// A credential whose tokens live beside each other, so that a test can have as many as it likes.
fn crm(sinks: &str) -> String {
    format!(
        "[credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\n\
         client_id = \"oauthapp\"\nclient_secret = {{ inline = \"{SECRET}\" }}\n{sinks}"
    )
}

async fn refresh(server: &Server) {
    let answer = server.post("/v1/credentials/crm/refresh", serde_json::json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// What waits for nothing is done sooner than this, on a slow machine too.
const SOON: Duration = Duration::from_secs(4);

/// Waits until this is true of a status, asking the server each time: that takes its own time.
async fn until_status(server: &Server, name: &str, what: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let status = server.status(name).await;
        if what(&status) {
            return status;
        }
        assert!(begin.elapsed() < PATIENCE, "it never came: {status}");
    }
}

/// Waits until this is true of the first sink.
async fn until(server: &Server, what: impl Fn(&Value) -> bool) -> Value {
    until_status(server, "crm", |status| what(&status["sinks"][0])).await["sinks"][0].clone()
}

/// Waits until the token of now stands in a file, and says how long that took.
async fn until_written(server: &Server, file: &Path) -> Duration {
    let begin = Instant::now();
    let token = server.token("crm").await;
    let is_there = |_: &Value| std::fs::read_to_string(file).is_ok_and(|there| there == token.token());
    until_status(server, "crm", is_there).await;
    begin.elapsed()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_the_token_and_its_told_end() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&crm(
        "[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token.json\"\npreset = \"access_token.json\"\n",
    ));
    let token = server.token("crm").await;
    let sink = until(&server, |sink| sink["generation"] == 1).await;
    let file: Value = serde_json::from_str(&text(&lab.folder.path().join("token.json"))).unwrap();
    assert_eq!(file["access_token"], token.token());
    let created: jiff::Timestamp = file["createTime"].as_str().unwrap().parse().unwrap();
    let told: jiff::Timestamp = token.body["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((created.as_second() + 7_200 - told.as_second()).abs() <= 1, "{file} {told}");
    assert_eq!((&sink["kind"], &sink["lag_seconds"]), (&"file".into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_can_read_a_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new(documented()).await;
    let server =
        lab.serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token\"\npreset = \"plain\"\n"));
    until(&server, |sink| sink["generation"] == 1).await;
    let mode = std::fs::metadata(lab.folder.path().join("token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_removes_is_written_again() {
    let lab = Lab::new(documented()).await;
    let server =
        lab.serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token\"\npreset = \"plain\"\n"));
    until(&server, |sink| sink["generation"] == 1).await;
    std::fs::remove_file(lab.folder.path().join("token")).unwrap();
    server.wait_for_line("somebody else removed what was in");
    until(&server, |sink| sink["delivered"] == 2).await;
    assert_eq!(text(&lab.folder.path().join("token")), server.token("crm").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_delays_nobody_and_delivers_when_it_can() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&crm(
        "[credentials.crm.sinks.old]\nto = \"file\"\npath = \"later/token\"\npreset = \"plain\"\n",
    ));
    let failing = until(&server, |sink| sink["failed"].as_u64() > Some(0)).await;
    assert_eq!(server.token("crm").await.status, 200);
    assert!(failing["last_failure"]["detail"].as_str().unwrap().contains("later/token"), "{failing}");
    assert!(failing["last_failure"]["next_step"].as_str().unwrap().contains("folder"), "{failing}");
    std::fs::create_dir(lab.folder.path().join("later")).unwrap();
    server.wait_for_line("works again");
    assert_eq!(text(&lab.folder.path().join("later/token")), server.token("crm").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_run_when_the_file_has_changed() {
    let lab = Lab::new(documented()).await;
    let server =
        lab.serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token\"\npreset = \"plain\"\n\
         run = [\"/bin/sh\", \"-c\", \"env > $0/seen; cp $0/token $0/copy\", \"FOLDER\"]\n"
            .replace("FOLDER", lab.folder.path().to_str().unwrap())
            .as_str()));
    until(&server, |sink| sink["generation"] == 1).await;
    assert_eq!(text(&lab.folder.path().join("copy")), server.token("crm").await.token());
    assert!(!text(&lab.folder.path().join("seen")).contains("TOKENWARD"), "the environment is not passed on");
}

/// Waits until a process has come to its end.
async fn ended(pid: u32) {
    let patience = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {
        assert!(Instant::now() < patience, "{pid} goes on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_delays_neither_the_file_nor_readers_nor_the_end() {
    let lab = Lab::new(documented()).await;
    // Whoever opens it for reading waits for somebody who writes: a disk that hangs.
    let hangs = std::process::Command::new("mkfifo").arg(lab.folder.path().join("app.pid")).status();
    assert!(hangs.unwrap().success());
    let server = lab
        .serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token\"\npreset = \"plain\"\n\
                        signal = { pid_file = \"app.pid\" }\n"));
    server.wait_for_line("app.pid has not been reached");
    let status = server.status("crm").await;
    assert!(status["sinks"][0]["lag_seconds"].as_i64() >= Some(7), "{status}");
    refresh(&server).await;
    let waited = until_written(&server, &lab.folder.path().join("token")).await;
    assert!(waited < SOON, "{waited:?}");
    let pid = server.pid();
    assert!(std::process::Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    ended(pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_token_does_not_wait_for_the_hook_of_the_older() {
    let lab = Lab::new(documented()).await;
    let server = lab
        .serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token\"\npreset = \"plain\"\n\
                                 run = [\"/bin/sleep\", \"7\"]\n"));
    let file = lab.folder.path().join("token");
    until_written(&server, &file).await;
    refresh(&server).await;
    let waited = until_written(&server, &file).await;
    assert!(waited < SOON, "{waited:?}");
    assert_eq!(until(&server, |_| true).await["delivered"], 0, "the hook still runs");
    let done = until(&server, |sink| sink["generation"] == 2).await;
    assert_eq!((&done["failed"], &done["lag_seconds"]), (&0.into(), &0.into()), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_is_carried_out_again_and_the_files_stay() {
    let lab = Lab::new(documented()).await;
    let server = lab
        .serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token.d\"\npreset = \"folder\"\n\
                                 run = [\"/bin/false\"]\n"));
    let current = || std::fs::read_link(lab.folder.path().join("token.d/current")).unwrap();
    let failing = until(&server, |sink| sink["failed"].as_u64() >= Some(1)).await;
    assert!(failing["last_failure"]["detail"].as_str().unwrap().contains("/bin/false"), "{failing}");
    let first = current();
    // It counts as behind.
    until(&server, |sink| {
        sink["failed"].as_u64() >= Some(3)
            && sink["lag_seconds"].as_u64() >= Some(1)
            && sink["delivered"] == 0
    })
    .await;
    assert_eq!(current(), first);
    std::fs::remove_file(lab.folder.path().join("token.d/current/token")).unwrap();
    server.wait_for_line("somebody else removed what was in");
    until_written(&server, &lab.folder.path().join("token.d/current/token")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_removes_beneath_current_is_written_again() {
    let lab = Lab::new(documented()).await;
    let server = lab
        .serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token.d\"\npreset = \"folder\"\n"));
    until(&server, |sink| sink["generation"] == 1).await;
    let token = lab.folder.path().join("token.d/current/token");
    std::fs::remove_file(&token).unwrap();
    server.wait_for_line("somebody else removed what was in");
    until(&server, |sink| sink["delivered"] == 2).await;
    assert_eq!(text(&token), server.token("crm").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_changes_as_a_whole() {
    let lab = Lab::new(documented()).await;
    let server = lab
        .serve(&crm("[credentials.crm.sinks.old]\nto = \"file\"\npath = \"token.d\"\npreset = \"folder\"\n"));
    for generation in 1..=4 {
        until(&server, |sink| sink["generation"] == generation).await;
        let current = lab.folder.path().join("token.d/current").canonicalize().unwrap();
        let whole: Value = serde_json::from_str(&text(&current.join("token.json"))).unwrap();
        assert_eq!(
            (whole["token"].as_str(), whole["generation"].as_u64()),
            (Some(&*text(&current.join("token"))), Some(generation))
        );
        refresh(&server).await;
    }
    until(&server, |sink| sink["generation"] == 5).await;
    let versions = std::fs::read_dir(lab.folder.path().join("token.d")).unwrap();
    let versions = versions.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count();
    assert_eq!(versions, 2, "the newest and the one before");
}

/// Polls files until it is told to stop, and panics on anything but whole, living tokens in rising order.
fn watch(files: Vec<(PathBuf, Arc<AtomicU64>)>, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut reads = 0;
        while !stop.load(Ordering::Relaxed) {
            for (path, newest) in &files {
                let text = std::fs::read_to_string(path).unwrap();
                let fields: Vec<&str> = text.split(' ').collect();
                let [generation, token, end, "end"] = fields[..] else { panic!("partial: {text:?}") };
                assert!(!token.is_empty());
                assert!(end.parse::<i64>().unwrap() > now(), "expired at {}: {text:?}", now());
                let generation: u64 = generation.parse().unwrap();
                let before = newest.swap(generation, Ordering::Relaxed);
                assert!(generation >= before, "{generation} after {before}");
                reads += 1;
            }
            std::thread::yield_now();
        }
        reads
    })
}

const POLLED_LINE: &str = "${generation} ${token} ${expires_at_ms} end";
/// One of many credentials whose tokens live eight seconds.
fn short(number: usize) -> String {
    let sink = format!("to = \"file\"\npath = \"token-{number}.txt\"\ntemplate = \"{POLLED_LINE}\"\n");
    let credential = crm(&format!("[credentials.crm.sinks.polled]\n{sink}"));
    credential.replace("credentials.crm", &format!("credentials.crm-{number}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_poll_files_over_1000_rotations_see_whole_living_tokens_in_order() {
    const FILES: usize = 160;
    let lab = Lab::new(scaled(8, 2)).await;
    let server = lab.serve(&(0..FILES).map(short).collect::<String>());
    for number in 0..FILES {
        let is_there = |status: &Value| status["sinks"][0]["generation"] != 0;
        until_status(&server, &format!("crm-{number}"), is_there).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let newest: Vec<Arc<AtomicU64>> = (0..FILES).map(|_| Arc::default()).collect();
    let path = |number: usize| lab.folder.path().join(format!("token-{number}.txt"));
    // Two readers share the files: a thread for each would leave the server no time.
    let readers: Vec<_> = [0, 1]
        .into_iter()
        .map(|half| {
            let files = (half..FILES).step_by(2).map(|number| (path(number), Arc::clone(&newest[number])));
            watch(files.collect(), Arc::clone(&stop))
        })
        .collect();
    while newest.iter().map(|newest| newest.load(Ordering::Relaxed)).sum::<u64>() < 1_000 {
        assert!(readers.iter().all(|reader| !reader.is_finished()), "a reader has seen what it must not");
        server.next_token("crm-0", newest[0].load(Ordering::Relaxed)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let reads: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert!(reads > 1_000, "{reads} reads");
}

/// `crm` with many files, so that something is being written at most moments, and a folder.
fn busy(files: usize) -> String {
    let file = |number| {
        format!(
            "[credentials.crm.sinks.polled-{number}]\nto = \"file\"\npath = \"token-{number}.txt\"\n\
             template = \"{POLLED_LINE}\"\n"
        )
    };
    let folder = "[credentials.crm.sinks.z]\nto = \"file\"\npath = \"token.d\"\npreset = \"folder\"\n";
    crm(&((0..files).map(file).collect::<String>() + folder))
}

/// Waits until every sink has the current token.
async fn all_delivered(server: &Server) {
    let generation = server.token("crm").await.generation();
    let is_there = |sink: &Value| sink["generation"] == generation;
    until_status(server, "crm", |status| status["sinks"].as_array().unwrap().iter().all(is_there)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_polls_files_sees_the_same_while_the_server_is_killed() {
    const FILES: usize = 12;
    let lab = Lab::new(documented()).await;
    let mut server = lab.serve(&busy(FILES));
    all_delivered(&server).await;
    let stop = Arc::new(AtomicBool::new(false));
    let path = |number| lab.folder.path().join(format!("token-{number}.txt"));
    let reader = watch((0..FILES).map(|number| (path(number), Arc::default())).collect(), Arc::clone(&stop));
    let mut broken_off = 0;
    for _ in 0..30 {
        refresh(&server).await;
        // A token every few milliseconds, and the end at a random moment: in the middle of whatever goes on then.
        let moment = Duration::from_micros(RandomState::new().build_hasher().finish() % 50_000);
        let refreshing = server.http().clone();
        let asking = async {
            loop {
                drop(server.refresh_and_leave(&refreshing, "crm").await);
            }
        };
        let asked: Result<(), _> = tokio::time::timeout(moment, asking).await;
        assert!(asked.is_err(), "it goes on until the server is killed");
        server.kill();
        let draft = |number| lab.folder.path().join(format!(".token-{number}.txt.tokenward")).exists();
        broken_off += (0..FILES).filter(|number| draft(*number)).count();
        server = lab.serve(&busy(FILES));
    }
    all_delivered(&server).await;
    stop.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 100);
    assert!(broken_off > 0, "no kill came in the middle of a write");
}
