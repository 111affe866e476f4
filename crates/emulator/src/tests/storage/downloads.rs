//! What a signed link gives.

use super::*;

/// A file of ten digits and a link to it.
async fn digits() -> (Kit, String) {
    let kit = Kit::new().await;
    let id = kit.upload("a.txt", b"0123456789").await;
    let link = kit.link(&id, 60).await;
    (kit, link)
}

#[tokio::test]
async fn a_download_says_what_it_is() {
    let (kit, link) = digits().await;
    let answer = kit.get(&link, "").await;
    assert_eq!((answer.status(), answer.body.as_slice()), (200, b"0123456789".as_slice()));
    assert_eq!(answer.header("content-length"), "10");
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("etag"), "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert!(answer.header("last-modified").ends_with(" GMT"));
}

#[tokio::test]
async fn head_says_the_same_without_the_file() {
    let (kit, link) = digits().await;
    let answer = kit.request("HEAD", &link, "", b"").await;
    assert_eq!((answer.status(), answer.header("content-length"), answer.body.len()), (200, "10", 0));
}

#[tokio::test]
async fn the_type_is_what_the_upload_said() {
    let kit = Kit::new().await;
    let ticket = kit.ticket("a.txt").await;
    let file = part("file", "\r\nContent-Type: text/x-own", b"x");
    let form = [ticket.texts().concat(), file, b"--XX--".to_vec()].concat();
    kit.post(&ticket, &form).await;
    let link = kit.link(&ticket.file_id, 60).await;
    assert_eq!(kit.get(&link, "").await.header("content-type"), "text/x-own");
}

#[tokio::test]
async fn a_range_is_a_part() {
    let (kit, link) = digits().await;
    let answer = kit.get(&link, "Range: bytes=2-4\r\n").await;
    assert_eq!((answer.status(), answer.body.as_slice()), (206, b"234".as_slice()));
    assert_eq!(answer.header("content-range"), "bytes 2-4/10");
}

#[tokio::test]
async fn a_range_behind_the_end_is_refused() {
    let (kit, link) = digits().await;
    let answer = kit.get(&link, "Range: bytes=10-\r\n").await;
    assert_eq!(answer.refusal(), (416, "InvalidRange".to_owned()));
    assert_eq!(answer.header("content-range"), "bytes */10");
}

#[tokio::test]
async fn a_range_of_another_version_is_the_whole() {
    let (kit, link) = digits().await;
    let answer = kit.get(&link, "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n").await;
    assert_eq!((answer.status(), answer.body.len()), (200, 10));
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let (kit, link) = digits().await;
    let etag = kit.get(&link, "").await.header("etag").to_owned();
    let answer = kit.get(&link, &format!("If-None-Match: {etag}\r\n")).await;
    assert_eq!((answer.status(), answer.body.len()), (304, 0));
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let kit = Kit::new().await;
    kit.upload("empty", b"").await;
    assert_eq!(kit.content("empty").await.unwrap(), b"");
}

#[tokio::test]
async fn a_link_lasts_as_long_as_it_was_asked_to() {
    let (kit, link) = digits().await;
    kit.emulator.control().advance(seconds(50));
    assert_eq!(kit.get(&link, "").await.status(), 200);
    kit.emulator.control().advance(seconds(11));
    assert_eq!(kit.get(&link, "").await.refusal(), (403, "AccessDenied".to_owned()));
}

#[tokio::test]
async fn a_link_is_for_one_file_and_one_time() {
    let (kit, link) = digits().await;
    kit.upload("b.txt", b"secret").await;
    let (path, query) = link.split_once('?').unwrap();
    let (sign, until) = query.split_once("&t=").unwrap();
    let later = until.parse::<i64>().unwrap() + 1;
    for bad in [
        path.to_owned(),
        format!("{path}?{sign}"),
        format!("{path}?{sign}&t={later}"),
        format!("{path}?sign=&t={until}"),
        link.replace("a.txt", "b.txt"),
    ] {
        assert_eq!(kit.get(&bad, "").await.refusal(), (403, "AccessDenied".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn a_path_of_no_bucket_is_not_found() {
    let kit = Kit::new().await;
    for path in
        ["/_storage/", "/_storage/x/a", "/_storage/7465-test-1250000000/", "/_storage/../../etc/passwd"]
    {
        assert_eq!(kit.get(path, "").await.refusal(), (404, "NoSuchKey".to_owned()), "{path}");
    }
}
