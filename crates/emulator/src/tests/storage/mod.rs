//! Cloud storage, over sockets.

mod downloads;
mod kit;
mod lasting;
mod uploads;

use std::time::Duration;

use serde_json::json;

use crate::{CloudSettings, Fault, FaultKind, FilePartFirst};
use kit::{Kit, Ticket, part};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn a_file_is_uploaded_linked_downloaded_and_deleted() {
    let kit = Kit::new().await;
    let id = kit.upload("a/图 1.png", b"picture").await;
    let link = kit.link(&id, 7200).await;
    assert_eq!(kit.get(&link, "").await.body, b"picture");
    let ids = json!({ "env": "test", "fileid_list": [id] });
    let deleted = kit.call("batchdeletefile", ids.clone()).await;
    assert_eq!(
        deleted,
        json!({
            "errcode": 0,
            "errmsg": "ok",
            "delete_list": [{ "fileid": id, "status": 0, "errmsg": "ok" }],
        })
    );
    assert_eq!(kit.get(&link, "").await.refusal(), (404, "NoSuchKey".to_owned()));
    assert_eq!(kit.call("batchdeletefile", ids).await["delete_list"][0]["status"], 1);
}

#[tokio::test]
async fn a_ticket_has_the_documented_form() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("testupload").await;
    assert_eq!(ticket.target, "/_storage/7465-test-1250000000/testupload");
    assert_eq!(ticket.file_id, "cloud://test.7465-test-1250000000/testupload");
    assert!(ticket.authorization.starts_with("q-sign-algorithm=sha1&q-ak="), "{ticket:?}");
}

#[tokio::test]
async fn a_missing_file_is_said_at_its_item() {
    let kit = Kit::new().await;
    let id = "cloud://test.7465-test-1250000000/none";
    let body = json!({ "env": "test", "file_list": [{ "fileid": id, "max_age": 7200 }] });
    let answer = kit.call("batchdownloadfile", body).await;
    assert_eq!((&answer["errcode"], &answer["file_list"][0]["status"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn calls_are_checked() {
    let kit = Kit::new().await;
    let file = json!({ "fileid": "cloud://test.7465-test/a", "max_age": 1 });
    for (call, body, code) in [
        ("uploadfile", json!({ "env": "test" }), 47001),
        ("uploadfile", json!({ "env": "test", "path": "/a" }), -501_007),
        ("uploadfile", json!({ "env": "NO", "path": "a" }), -501_007),
        ("batchdownloadfile", json!({ "env": "test" }), 47001),
        ("batchdownloadfile", json!({ "env": "test", "file_list": [] }), -501_007),
        ("batchdownloadfile", json!({ "env": "test", "file_list": [{ "fileid": "x" }] }), 47001),
        ("batchdownloadfile", json!({ "env": "test", "file_list": [{ "max_age": 1 }] }), 47001),
        ("batchdownloadfile", json!({ "env": "test", "file_list": vec![&file; 50] }), 0),
        ("batchdownloadfile", json!({ "env": "test", "file_list": vec![&file; 51] }), -501_007),
        ("batchdeletefile", json!({ "env": "test", "fileid_list": [1] }), 47001),
        ("batchdeletefile", json!({ "env": "test", "fileid_list": vec!["x"; 51] }), -501_007),
    ] {
        assert_eq!(kit.call(call, body.clone()).await["errcode"], code, "{call} {body}");
    }
}

#[tokio::test]
async fn another_environments_file_is_not_deleted() {
    let kit = Kit::new().await;
    let id = kit.upload("a", b"kept").await;
    let answer = kit.call("batchdeletefile", json!({ "env": "other", "fileid_list": [id] })).await;
    assert_eq!(answer["delete_list"][0]["status"], 1);
    assert_eq!(kit.content("a").await.unwrap(), b"kept");
}

#[tokio::test]
async fn files_are_struck_by_faults_of_their_path() {
    let kit = Kit::new().await;
    let fault = Fault::new(FaultKind::Status(http::StatusCode::BAD_GATEWAY)).on("/_storage").times(1);
    kit.emulator.control().inject(fault).unwrap();
    let ticket = kit.ticket("a").await;
    assert_eq!(kit.post(&ticket, &ticket.form(b"x")).await.status(), 502);
    assert_eq!(kit.content("a").await, None);
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_has_happened() {
    let kit = Kit::new().await;
    let fault = Fault::new(FaultKind::ResetAfterIssue).on("/_storage").times(1);
    kit.emulator.control().inject(fault).unwrap();
    let ticket = kit.ticket("a").await;
    let headers = "Content-Type: multipart/form-data; boundary=XX\r\n";
    let form = ticket.form(b"x");
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", ticket.target, form.len());
    let request = [head.as_bytes(), headers.as_bytes(), b"\r\n", &form].concat();
    assert!(kit.try_send(&request).await.is_err());
    assert_eq!(kit.content("a").await.unwrap(), b"x");
}

#[tokio::test]
async fn a_truncated_download_is_half_of_what_it_announces() {
    let kit = Kit::new().await;
    let id = kit.upload("a", &[7; 100_000]).await;
    let link = kit.link(&id, 60).await;
    kit.emulator.control().inject(Fault::new(FaultKind::Truncate).on("/_storage").times(1)).unwrap();
    let answer = kit.get(&link, "").await;
    assert_eq!((answer.header("content-length"), answer.body.len()), ("100000", 50_000));
}

#[tokio::test]
async fn requests_for_files_are_counted() {
    let kit = Kit::new().await;
    kit.upload("a", b"x").await;
    kit.content("a").await;
    assert_eq!(kit.emulator.stats().by_path["/_storage"].requests, 2);
}
