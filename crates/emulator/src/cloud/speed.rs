//! How fast the database is, beside SQLite in the same process. Run by `make bench`; it prints, and promises nothing.
#![allow(clippy::disallowed_methods, reason = "what takes how long is the question")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::CloudCall;
use super::environment::{Around, Environment, LARGEST_RESULT};
use crate::chance::Chance;

const DOCUMENTS: u32 = 100_000;
const LOOKUPS: u32 = 2_000;
const ROUNDS: usize = 15;

fn call(environment: &mut Environment, call: CloudCall, body: &Json) -> Json {
    let mut chance = Chance::seeded(1);
    let mut around =
        Around { env: "test", now: 0, chance: &mut chance, journal: None, largest_result: LARGEST_RESULT };
    environment.carry_out(call, body, &mut around).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn query(text: &str) -> Json {
    json!({ "env": "test", "query": text })
}

fn filled() -> Environment {
    let mut environment = Environment::default();
    let collection = json!({"env": "test", "collection_name": "c", "create_indexes": [
        {"name": "k", "unique": false, "keys": [{"name": "k", "direction": "1"}]}]});
    call(&mut environment, CloudCall::CollectionAdd, &collection);
    for chunk in (0..DOCUMENTS).collect::<Vec<_>>().chunks(5_000) {
        let documents =
            chunk.iter().map(|n| format!("{{_id:'{n}',k:'key-{n}',n:{n},text:'some text of document {n}'}}"));
        let documents: Vec<String> = documents.collect();
        let text = format!("db.collection('c').add({{data:[{}]}})", documents.join(","));
        call(&mut environment, CloudCall::Add, &query(&text));
    }
    call(&mut environment, CloudCall::UpdateIndex, &collection);
    environment
}

fn sqlite() -> rusqlite::Connection {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE c (id INTEGER PRIMARY KEY, k TEXT, body TEXT); CREATE INDEX k ON c (k); BEGIN;",
        )
        .unwrap();
    for n in 0..DOCUMENTS {
        let body = format!("{{\"k\":\"key-{n}\",\"n\":{n},\"text\":\"some text of document {n}\"}}");
        connection.execute("INSERT INTO c (k, body) VALUES (?1, ?2)", (format!("key-{n}"), body)).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

fn timed(mut work: impl FnMut()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "a measurement: make bench"]
fn database_speed() {
    let (mut environment, connection) = (filled(), sqlite());
    let keys: Vec<String> = (0..LOOKUPS).map(|n| format!("key-{}", n * 37 % DOCUMENTS)).collect();
    let (mut whole, mut prepared, mut unprepared, mut scans) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        whole.push(timed(|| {
            for key in &keys {
                let text = format!("db.collection('c').where({{k:'{key}'}}).get()");
                let found = call(&mut environment, CloudCall::Query, &query(&text));
                assert_eq!(black_box(found)["pager"]["Total"], 1);
            }
        }));
        prepared.push(timed(|| {
            for key in &keys {
                let mut statement = connection.prepare_cached("SELECT body FROM c WHERE k = ?1").unwrap();
                let body: String = statement.query_row([key], |row| row.get(0)).unwrap();
                black_box(body);
            }
        }));
        unprepared.push(timed(|| {
            for key in &keys {
                let text = format!("SELECT body FROM c WHERE k = '{key}'");
                let body: String = connection.query_row(&text, [], |row| row.get(0)).unwrap();
                black_box(body);
            }
        }));
    }
    for _ in 0..5 {
        scans.push(timed(|| {
            let text = query("db.collection('c').where({text:/9999$/}).orderBy('n','desc').get()");
            black_box(call(&mut environment, CloudCall::Query, &text));
        }));
    }
    let each = |times: Vec<Duration>| median(times).as_secs_f64() * 1e6 / f64::from(LOOKUPS);
    let (whole, prepared, unprepared) = (each(whole), each(prepared), each(unprepared));
    println!("cloud database, {DOCUMENTS} documents, medians of {ROUNDS} rounds");
    println!("indexed query, text to answer   {whole:8.2} us");
    println!(
        "sqlite, statement as text       {unprepared:8.2} us   ratio {:.2} (goal 3)",
        whole / unprepared
    );
    println!("sqlite, statement prepared      {prepared:8.2} us   ratio {:.2} (goal 3)", whole / prepared);
    println!("full scan with a pattern        {:8.2} ms   (goal 1000)", median(scans).as_secs_f64() * 1e3);
}
