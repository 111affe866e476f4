//! The cloud from the shell, when not all goes well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::process::Output;

use lab::{Lab, Server, classic, documented};
use serde_json::Value;
use tokenward_emulator::{Fault, FaultKind};

async fn set() -> (Lab, Server) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    (lab, server)
}

fn run(server: &Server, arguments: &[&str]) -> Output {
    let whose = ["cloud", "--credential", "shop", "--env", "test"];
    tokio::task::block_in_place(|| server.command(&[&whose, arguments].concat()))
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file in the lab's folder, and its path.
fn local(lab: &Lab, name: &str, contents: &str) -> String {
    let file = lab.folder.path().join(name);
    std::fs::write(&file, contents).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_loses_documents_fails() {
    let (lab, server) = set().await;
    run(&server, &["db", "collections", "add", "orders"]);
    run(&server, &["db", "add", "--collection", "orders", "--data", r#"{"_id":"a"}"#]);
    let file = local(&lab, "orders.json", "{\"_id\":\"a\"}\n{\"_id\":\"b\"}\n");
    let import = run(&server, &["db", "import", &file, "--collection", "orders"]);
    assert_eq!(import.status.code(), Some(1), "{import:?}");
    let row: Value = serde_json::from_slice(&import.stdout).unwrap();
    assert_eq!((&row["succeeded"], &row["failed"]), (&1.into(), &1.into()), "{row}");
    assert_ne!(row["error_msg"].as_str(), Some(""), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_an_import_stays_while_its_job_may_run() {
    let (lab, server) = set().await;
    run(&server, &["db", "collections", "add", "orders"]);
    let file = local(&lab, "orders.json", "{\"_id\":\"a\"}\n");
    let kind = FaultKind::Errcode { errcode: -501_007, errmsg: None, error: None, status: None };
    lab.control().inject(Fault::new(kind).on("/tcb/databasemigratequeryinfo").times(1)).unwrap();
    let import = run(&server, &["db", "import", &file, "--collection", "orders"]);
    assert_eq!(import.status.code(), Some(1), "{import:?}");
    let said = said(&import);
    assert!(said.contains("may still run"), "{said}");
    let path = said.split_whitespace().find(|word| word.starts_with("tokenward-import/")).unwrap();
    let got = run(&server, &["storage", "get", path, "--out", "-"]);
    assert_eq!(got.stdout, b"{\"_id\":\"a\"}\n", "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_replaced_unless_that_is_said() {
    let (lab, server) = set().await;
    let file = local(&lab, "a.txt", "new");
    assert!(run(&server, &["storage", "put", &file]).status.success());
    let own = local(&lab, "own.txt", "precious");
    let refused = run(&server, &["storage", "get", "a.txt", "--out", &own]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said(&refused).contains("--force"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "precious");
    assert!(run(&server, &["storage", "get", "a.txt", "--out", &own, "--force"]).status.success());
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "new");
    let into = run(&server, &["storage", "get", "a.txt", "--out", "/dev/null"]);
    assert!(into.status.success(), "{into:?}");
    use std::os::unix::fs::FileTypeExt as _;
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device(), "it stays what it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_named_once_with_what_to_do() {
    let (_lab, server) = set().await;
    let missing = run(&server, &["storage", "rm", "nothing.txt"]);
    let text = said(&missing);
    assert_eq!(text.matches("nothing.txt").count(), 1, "{text}");
    assert!(
        text.to_lowercase().contains("no such file") && text.contains("environment")
            || text.contains("`env`")
    );
    let json = run(&server, &["--json", "storage", "rm", "nothing.txt", "neither.txt"]);
    let lines: Vec<Value> = said(&json).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["file"].as_str().unwrap().ends_with("/nothing.txt"), "{lines:?}");
    assert!(lines.iter().all(|line| line["next_step"].is_string()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_that_it_is_one() {
    let (_lab, server) = set().await;
    run(&server, &["db", "collections", "add", "orders"]);
    run(&server, &["db", "add", "--collection", "orders", "--data", r#"[{"_id":"a"},{"_id":"b"}]"#]);
    let page = run(&server, &["db", "query", "--collection", "orders", "--limit", "1"]);
    assert_eq!(said(&page), "1 of 2 documents\n");
    let cut = run(&server, &["db", "query", "--collection", "orders", "--limit", "1001"]);
    assert!(said(&cut).contains("at most 1000"), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_documents_come_page_by_page() {
    let (lab, server) = set().await;
    run(&server, &["db", "collections", "add", "orders"]);
    let lines: String = (0..1_100).map(|n| format!("{{\"_id\":\"{n:04}\"}}\n")).collect();
    let file = local(&lab, "orders.json", &lines);
    assert!(run(&server, &["db", "import", &file, "--collection", "orders"]).status.success());
    let all = run(&server, &["db", "query", "--collection", "orders", "--all"]);
    assert!(all.status.success(), "{all:?}");
    assert_eq!(String::from_utf8(all.stdout).unwrap(), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_by_its_id_has_no_pages() {
    let (_lab, server) = set().await;
    let refused = run(&server, &["db", "query", "--collection", "orders", "--doc", "a", "--all"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}
