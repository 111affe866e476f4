//! What every store must do, run on every implementation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::future::Future;
use std::path::Path;

use sqlx::Connection as _;
use tokenward_core::budget::Usage;
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::name::Name;
use tokenward_core::record::{
    ClockRecord, ExposureRecord, ForeignRecord, Record, TokenRecord, TroubleRecord,
};
use tokenward_core::time::{Span, Wall};
use tokenward_store::{Applied, Dead, Delivery, Memory, PastToken, SeenMessage, Sql, Store, Stored, Write};

/// A store that can be closed or dropped, and opened again with the same content.
trait Bench {
    type Opened: Store;
    fn open(&mut self) -> impl Future<Output = Self::Opened>;
    fn visit(&mut self) -> impl Future<Output = Self::Opened>;
}

struct SqliteBench(tempfile::TempDir);

impl Bench for SqliteBench {
    type Opened = Sql;
    async fn open(&mut self) -> Sql {
        Sql::open(&self.0.path().join("store ?#%.db")).await.expect("the store opens")
    }
    async fn visit(&mut self) -> Sql {
        Sql::visit(&self.0.path().join("store ?#%.db")).await.expect("the store opens")
    }
}

struct MemoryBench(Option<Memory>);

impl Bench for MemoryBench {
    type Opened = Memory;
    async fn open(&mut self) -> Memory {
        let memory = self.0.as_ref().map_or_else(Memory::new, Memory::reopen);
        self.0.insert(memory).clone()
    }
    async fn visit(&mut self) -> Memory {
        self.0.as_ref().map(Memory::visit).expect("there was a run")
    }
}

macro_rules! on_every_store {
    ($($(#[$doc:meta])* $test:ident;)+) => {
        mod sqlite {
            $($(#[$doc])* #[tokio::test] async fn $test() {
                super::$test(super::SqliteBench(tempfile::tempdir().unwrap())).await;
            })+
        }
        mod memory {
            $($(#[$doc])* #[tokio::test] async fn $test() {
                super::$test(super::MemoryBench(None)).await;
            })+
        }
    };
}

on_every_store! {
    a_new_store_is_empty_and_clean;
    every_field_comes_back;
    absent_fields_come_back_absent;
    a_keep_of_an_older_attempt_changes_nothing_and_does_not_disturb_its_batch;
    an_intent_is_stored_once;
    an_intent_leaves_the_token;
    a_note_leaves_the_token;
    a_note_without_a_token_takes_it_away;
    a_forgotten_credential_is_gone;
    a_run_that_was_not_closed_counts_as_crashed;
    a_visit_after_a_crash_leaves_the_crash_known;
    a_visit_after_a_good_end_is_no_crash;
    nothing_is_written_after_closing_by_a_later_run;
    a_thousand_writes_are_one_batch;
    past_tokens_are_known_until_their_time;
    past_tokens_go_with_their_credential;
    a_message_is_kept_until_it_arrived;
    a_message_that_was_given_up_says_why;
    seen_messages_are_known_until_their_time;
}

fn record(name: &str, attempt: u64) -> Record {
    Record {
        name: Name::parse(name).unwrap(),
        fingerprint: [1; 32],
        config_mark: [2; 16],
        clocks: ClockRecord { boot_id: u64::MAX, booted: Wall(-7) },
        attempt,
        reserved: 17,
        token: Some(TokenRecord {
            generation: 17,
            issued: Wall(1_000),
            life: Span(7_200_000),
            ends: Wall(7_201_000),
            due: Wall(3_301_000),
            revoked: false,
        }),
        exposure: None,
        usage: Usage::default(),
        trouble: None,
        foreign: ForeignRecord::default(),
    }
}

async fn all(store: &impl Store) -> Vec<Stored> {
    let mut found = Vec::new();
    store.load(&mut |stored| found.push(stored)).await.unwrap();
    found.sort_by(|a, b| a.record.name.cmp(&b.record.name));
    found
}

async fn apply(store: &impl Store, write: Write) -> Applied {
    store.apply(&[write]).await.unwrap()[0]
}

async fn a_new_store_is_empty_and_clean(mut bench: impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.opened().epoch, 1);
    assert_eq!(store.opened().last_crash, None);
    assert_eq!(all(&store).await, []);
}

async fn every_field_comes_back(mut bench: impl Bench) {
    let store = bench.open().await;
    let full = Record {
        exposure: Some(ExposureRecord { count: 2, last: Wall(-5) }),
        usage: Usage { day: 20_777, fetches: 3, forced: 2, last_forced: Wall(9), probes: 7 },
        trouble: Some(TroubleRecord {
            failure: Failure {
                refusal: Some(Refusal { code: "40164".into(), message: "invalid ip 'x'; -- 中文".into() }),
                ..Failure::new(FailureKind::IpNotAllowed, "refused")
            },
            at: Wall(11),
            retry_at: Some(Wall(12)),
            failures: 4,
        }),
        foreign: ForeignRecord { day: 1, times: 2, last: Some(Wall(3)), contested_until: Some(Wall(4)) },
        ..record("shop", u64::from(u32::MAX) << 31)
    };
    let sealed = vec![0, 255, 0, 10];
    apply(&store, Write::Keep(full.clone(), sealed.clone())).await;
    assert_eq!(all(&store).await, [Stored { record: full, token: Some(sealed) }]);
}

async fn absent_fields_come_back_absent(mut bench: impl Bench) {
    let store = bench.open().await;
    let bare = Record { token: None, ..record("shop", 1) };
    apply(&store, Write::Note(bare.clone())).await;
    assert_eq!(all(&store).await, [Stored { record: bare, token: None }]);
}

async fn a_keep_of_an_older_attempt_changes_nothing_and_does_not_disturb_its_batch(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Keep(record("a", 5), vec![5])).await;
    let batch = [
        Write::Keep(record("b", 6), vec![6]),
        Write::Keep(record("a", 4), vec![4]),
        Write::Keep(record("c", 7), vec![7]),
    ];
    let applied = store.apply(&batch).await.unwrap();
    assert_eq!(applied, [Applied::Stored, Applied::Superseded, Applied::Stored]);
    let tokens: Vec<_> = all(&store).await.into_iter().map(|stored| stored.token.unwrap()).collect();
    assert_eq!(tokens, [vec![5], vec![6], vec![7]]);
}

async fn an_intent_is_stored_once(mut bench: impl Bench) {
    let store = bench.open().await;
    assert_eq!(apply(&store, Write::Intend(record("a", 5))).await, Applied::Stored);
    assert_eq!(apply(&store, Write::Intend(record("a", 5))).await, Applied::Superseded);
    assert_eq!(apply(&store, Write::Keep(record("a", 5), vec![5])).await, Applied::Stored);
}

async fn an_intent_leaves_the_token(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Keep(record("a", 5), vec![5])).await;
    apply(&store, Write::Intend(record("a", 6))).await;
    assert_eq!(all(&store).await[0].token, Some(vec![5]));
    assert_eq!(apply(&store, Write::Keep(record("a", 5), vec![9])).await, Applied::Superseded);
}

async fn a_note_leaves_the_token(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Keep(record("a", 5), vec![5])).await;
    let note = Record { reserved: 99, ..record("a", 5) };
    apply(&store, Write::Note(note.clone())).await;
    assert_eq!(all(&store).await, [Stored { record: note, token: Some(vec![5]) }]);
}

async fn a_note_without_a_token_takes_it_away(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Keep(record("a", 5), vec![5])).await;
    apply(&store, Write::Note(Record { token: None, ..record("a", 5) })).await;
    assert_eq!(all(&store).await[0].token, None);
}

async fn a_forgotten_credential_is_gone(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Keep(record("a", 5), vec![5])).await;
    apply(&store, Write::Keep(record("b", 6), vec![6])).await;
    apply(&store, Write::Forget(Name::parse("a").unwrap())).await;
    let names: Vec<_> = all(&store).await.into_iter().map(|stored| stored.record.name).collect();
    assert_eq!(names, [Name::parse("b").unwrap()]);
}

async fn a_run_that_was_not_closed_counts_as_crashed(mut bench: impl Bench) {
    let first = bench.open().await;
    apply(&first, Write::Keep(record("a", 5), vec![5])).await;
    drop(first);
    let second = bench.open().await;
    assert_eq!((second.opened().epoch, second.opened().last_crash), (2, Some(1)));
    assert_eq!(all(&second).await.len(), 1);
    second.close().await.unwrap();
    drop(second);
    let third = bench.open().await;
    assert_eq!((third.opened().epoch, third.opened().last_crash), (3, Some(1)), "not the second");
}

async fn a_visit_after_a_crash_leaves_the_crash_known(mut bench: impl Bench) {
    drop(bench.open().await);
    let visit = bench.visit().await;
    assert_eq!((visit.opened().epoch, visit.opened().last_crash), (1, Some(1)));
    apply(&visit, Write::Keep(record("a", 5), vec![5])).await;
    visit.close().await.unwrap();
    let next = bench.open().await;
    assert_eq!((next.opened().epoch, next.opened().last_crash), (2, Some(1)));
    assert_eq!(all(&next).await[0].token, Some(vec![5]));
}

async fn a_visit_after_a_good_end_is_no_crash(mut bench: impl Bench) {
    bench.open().await.close().await.unwrap();
    // It may end without a word.
    drop(bench.visit().await);
    let next = bench.open().await;
    assert_eq!((next.opened().epoch, next.opened().last_crash), (2, None));
}

async fn nothing_is_written_after_closing_by_a_later_run(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Keep(record("a", 5), vec![5])).await;
    store.close().await.unwrap();
    let again = bench.open().await;
    assert_eq!(all(&again).await[0].token, Some(vec![5]));
}

async fn a_thousand_writes_are_one_batch(mut bench: impl Bench) {
    let store = bench.open().await;
    let batch: Vec<Write> = (0..1000)
        .map(|number| Write::Keep(record(&format!("c{number}"), number + 1), vec![1; 512]))
        .collect();
    assert_eq!(store.apply(&batch).await.unwrap(), vec![Applied::Stored; 1000]);
    assert_eq!(all(&store).await.len(), 1000);
}

mod faults {
    //! What is particular to one implementation.

    use super::*;
    use tokenward_store::{Fault, StoreError};

    #[tokio::test]
    async fn a_lost_answer_leaves_the_write_stored_in_memory() {
        let store = Memory::new();
        store.set_fault(Fault::LostAnswer);
        assert!(store.apply(&[Write::Keep(record("a", 1), vec![1])]).await.is_err());
        assert_eq!(all(&store).await.len(), 1);
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        Sql::open(&path).await.unwrap().close().await.unwrap();
        meddle(&path, "INSERT INTO _sqlx_migrations VALUES (9000, 'later', 0, 1, x'00', 0)").await;
        let error = Sql::open(&path).await.err().unwrap();
        assert!(matches!(error, StoreError::TooNew { found: 9000, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_database_that_somebody_else_locks_fails_the_write_and_recovers() {
        use sqlx::Connection as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sql::open(&path).await.unwrap();
        let url = format!("sqlite://{}", path.display());
        let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let keep = Write::Keep(record("a", 1), vec![1]);
        assert!(matches!(store.apply(std::slice::from_ref(&keep)).await, Err(StoreError::Locked)));
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(apply(&store, keep).await, Applied::Stored);
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_whole_batch_and_recovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sql::open(&path).await.unwrap();
        apply(&store, Write::Keep(record("a", 1), vec![1])).await;
        // SQLite's own limit of pages answers as a full disk does.
        let batch: Vec<Write> =
            (0..400).map(|number| Write::Keep(record(&format!("c{number}"), 2), vec![1; 60_000])).collect();
        store.limit_pages(64).await.unwrap();
        assert!(matches!(store.apply(&batch).await, Err(StoreError::Full)));
        assert_eq!(all(&store).await.len(), 1);
        assert_eq!(store.apply(&batch).await.unwrap().len(), 400, "the limit went with the connection");
    }

    #[tokio::test]
    async fn a_damaged_row_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sql::open(&path).await.unwrap();
        apply(&store, Write::Keep(record("shop", 1), vec![1])).await;
        meddle(&path, "UPDATE credential SET fingerprint = x'00'").await;
        let error = store.load(&mut |_| {}).await.unwrap_err();
        assert_eq!(error.to_string(), "the stored record of shop is damaged: fingerprint has 1 bytes");
    }

    async fn meddle(path: &std::path::Path, sql: &'static str) {
        use sqlx::Connection as _;
        let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
}

fn past(digest: u8, credential: &str, known_until: i64) -> PastToken {
    PastToken {
        digest: [digest; 32],
        credential: Name::parse(credential).unwrap(),
        known_until: Wall(known_until),
    }
}

async fn past_tokens(store: &impl Store) -> Vec<PastToken> {
    let mut all = Vec::new();
    store.load_past_tokens(&mut |past| all.push(past)).await.unwrap();
    all.sort_by_key(|past| past.digest);
    all
}

async fn past_tokens_are_known_until_their_time(mut bench: impl Bench) {
    let store = bench.open().await;
    let writes = [past(1, "shop", 100), past(2, "shop", 200), past(3, "ocr", 300)].map(Write::Remember);
    store.apply(&writes).await.unwrap();
    store.apply(&[Write::Remember(past(1, "shop", 250)), Write::ForgetPastTokens(Wall(250))]).await.unwrap();
    drop(store);
    assert_eq!(past_tokens(&bench.open().await).await, [past(1, "shop", 250), past(3, "ocr", 300)]);
}

async fn past_tokens_go_with_their_credential(mut bench: impl Bench) {
    let store = bench.open().await;
    store.apply(&[past(1, "shop", 100), past(2, "ocr", 100)].map(Write::Remember)).await.unwrap();
    store.apply(&[Write::Forget(Name::parse("shop").unwrap())]).await.unwrap();
    assert_eq!(past_tokens(&store).await, [past(2, "ocr", 100)]);
}

fn delivery(id: u64) -> Delivery {
    Delivery {
        id,
        callback: Name::parse("shop").unwrap(),
        target: Name::parse("orders").unwrap(),
        kind: "event:subscribe".to_owned(),
        format: "xml".to_owned(),
        received: Wall(-7),
        since: Wall(-7),
        dead: None,
    }
}

async fn deliveries(store: &impl Store) -> Vec<Delivery> {
    let mut all = Vec::new();
    store.load_deliveries(&mut |delivery| all.push(delivery)).await.unwrap();
    all.sort_by_key(|delivery| delivery.id);
    all
}

async fn a_message_is_kept_until_it_arrived(mut bench: impl Bench) {
    let store = bench.open().await;
    let large = (7 << 32) + 1;
    apply(&store, Write::Deliver(Box::new(delivery(large)), vec![0, 255])).await;
    apply(&store, Write::Deliver(Box::new(delivery(2)), vec![2])).await;
    drop(store);
    let store = bench.open().await;
    assert_eq!(deliveries(&store).await, [delivery(2), delivery(large)]);
    assert_eq!(store.message(large).await.unwrap(), Some(vec![0, 255]));
    apply(&store, Write::ForgetDelivery(large)).await;
    assert_eq!(deliveries(&store).await, [delivery(2)]);
    assert_eq!(store.message(large).await.unwrap(), None);
}

/// What the version before wrote, which knew nothing of `tried_since`.
#[tokio::test]
async fn a_store_of_the_version_before_is_taken_over_with_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("migrations");
    std::fs::create_dir(&old).unwrap();
    for name in ["0001_credentials.sql", "0002_past_tokens.sql", "0004_callbacks.sql"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
        std::fs::copy(from, old.join(name)).unwrap();
    }
    let path = folder.path().join("store.db");
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut before = sqlx::AnyConnection::connect(&url).await.unwrap();
    sqlx::migrate::Migrator::new(old).await.unwrap().run(&mut before).await.unwrap();
    for row in [
        "INSERT INTO delivery VALUES (1, 'shop', 'orders', 'event:subscribe', 'xml', -7, x'01', NULL, 0)",
        "INSERT INTO delivery VALUES (2, 'shop', 'orders', 'event:subscribe', 'xml', -7, x'02', 'it answered 500', 9)",
        "INSERT INTO seen_message VALUES (x'07070707070707070707070707070707', 100)",
    ] {
        sqlx::query(row).execute(&mut before).await.unwrap();
    }
    before.close().await.unwrap();
    let store = Sql::open(&path).await.unwrap();
    let dead = Dead { failure: "it answered 500".to_owned(), attempts: 9 };
    assert_eq!(deliveries(&store).await, [delivery(1), Delivery { dead: Some(dead), ..delivery(2) }]);
    assert_eq!(store.message(2).await.unwrap(), Some(vec![2]));
    let mut seen = Vec::new();
    store.load_seen_messages(&mut |message| seen.push(message)).await.unwrap();
    assert_eq!(seen, [SeenMessage { digest: [7; 16], until: Wall(100) }]);
    apply(&store, Write::ReviveDelivery(2, Wall(99))).await;
    assert_eq!(deliveries(&store).await, [delivery(1), Delivery { since: Wall(99), ..delivery(2) }]);
}

async fn a_message_that_was_given_up_says_why(mut bench: impl Bench) {
    let store = bench.open().await;
    apply(&store, Write::Deliver(Box::new(delivery(1)), vec![1])).await;
    let dead = Dead { failure: "it answered 500".to_owned(), attempts: 9 };
    apply(&store, Write::BuryDelivery(1, dead.clone())).await;
    assert_eq!(deliveries(&store).await, [Delivery { dead: Some(dead), ..delivery(1) }]);
    apply(&store, Write::ReviveDelivery(1, Wall(99))).await;
    assert_eq!(deliveries(&store).await, [Delivery { since: Wall(99), ..delivery(1) }]);
}

async fn seen_messages_are_known_until_their_time(mut bench: impl Bench) {
    let store = bench.open().await;
    let seen = |digest: u8, until| SeenMessage { digest: [digest; 16], until: Wall(until) };
    store.apply(&[seen(1, 100), seen(2, 200), seen(1, 300)].map(Write::SeeMessage)).await.unwrap();
    store.apply(&[Write::ForgetSeenMessages(Wall(250))]).await.unwrap();
    let store = bench.open().await;
    let mut all = Vec::new();
    store.load_seen_messages(&mut |seen| all.push(seen)).await.unwrap();
    assert_eq!(all, [seen(1, 300)]);
}
