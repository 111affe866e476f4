//! The cloud from Rust, straight against the emulated platform.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::pin::pin;
use std::sync::Mutex;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokenward_client::cloud_statements::{CloudError, Id, Kind, Order, Update, collection, field};
use tokenward_client::{CallError, Cloud, FixedToken, SourceError, TokenSource};
use tokenward_emulator::{App, Emulator, Fault, FaultKind, Running, Settings};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Dish {
    #[serde(rename = "_id")]
    id: String,
    n: i64,
}

/// Fetches a token from the platform, and another one when it is refused.
#[derive(Default)]
struct Fetching {
    url: String,
    held: Mutex<Option<String>>,
}

impl Fetching {
    async fn fetch(&self) -> Result<String, SourceError> {
        let url = format!("{}/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s1", self.url);
        let answer: serde_json::Value =
            reqwest::Client::builder().no_proxy().build()?.get(url).send().await?.json().await?;
        let token = answer["access_token"].as_str().unwrap().to_owned();
        *self.held.lock().unwrap() = Some(token.clone());
        Ok(token)
    }
}

#[async_trait::async_trait]
impl TokenSource for Fetching {
    async fn token(&self) -> Result<String, SourceError> {
        let held = self.held.lock().unwrap().clone();
        match held {
            Some(token) => Ok(token),
            None => self.fetch().await,
        }
    }

    async fn replace(&self, _refused: &str) -> Result<String, SourceError> {
        self.fetch().await
    }
}

async fn set() -> (Running, Cloud) {
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        apps: vec![App::new("wx1", "s1")],
        ..Settings::default()
    };
    let platform = Emulator::start(settings).await.unwrap();
    let tokens = Fetching { url: platform.url(), ..Fetching::default() };
    let cloud = Cloud::direct(&platform.url(), "test", tokens).unwrap();
    cloud.add_collection("dishes").await.unwrap();
    (platform, cloud)
}

async fn fill(cloud: &Cloud, count: i64) {
    let dishes: Vec<_> = (0..count).map(|n| Dish { id: format!("d{n:04}"), n }).collect();
    let ids = cloud.add(&collection("dishes").add(&dishes).unwrap()).await.unwrap();
    assert_eq!(ids.len(), dishes.len());
}

/// A refusal, so many times.
fn refuse(platform: &Running, path: &str, errcode: i64, times: u32) {
    let kind = FaultKind::Errcode { errcode, errmsg: None, error: None, status: None };
    platform.control().inject(Fault::new(kind).on(path).times(times)).unwrap();
}

#[tokio::test]
async fn a_round_with_ones_own_types() {
    let (_platform, cloud) = set().await;
    fill(&cloud, 3).await;
    let big = collection("dishes").filter(field("n").gte(1)).order_by("n", Order::Descending);
    let page = cloud.query::<Dish>(&big.clone().limit(1).get().unwrap()).await.unwrap();
    assert_eq!((page.documents[0].n, page.pager.total), (2, 2));
    let change = collection("dishes").doc("d0000").update(Update::new().inc("n", 9)).unwrap();
    assert_eq!(cloud.update(&change).await.unwrap().modified, 1);
    let set = collection("dishes").doc("new").set(&serde_json::json!({"n": 7})).unwrap();
    assert_eq!(cloud.set(&set).await.unwrap().id, Id::from("new"));
    assert_eq!(cloud.count(&collection("dishes").count().unwrap()).await.unwrap(), 4);
    let sum = collection("dishes").aggregate().count("all").end().unwrap();
    assert_eq!(cloud.aggregate::<serde_json::Value>(&sum).await.unwrap(), [serde_json::json!({"all": 4})]);
    assert_eq!(cloud.delete(&collection("dishes").doc("new").remove().unwrap()).await.unwrap(), 1);
    let collections = cloud.collections().await.unwrap();
    assert_eq!((collections[0].name.as_str(), collections[0].count), ("dishes", 3));
    cloud.delete_collection("dishes").await.unwrap();
    assert_eq!(cloud.collections().await.unwrap(), []);
}

#[tokio::test]
async fn all_documents_come_page_by_page_each_once() {
    let (platform, cloud) = set().await;
    fill(&cloud, 250).await;
    let read: Vec<Dish> = cloud.documents(collection("dishes").query()).try_collect().await.unwrap();
    let expected: Vec<_> = (0..250).map(|n| Dish { id: format!("d{n:04}"), n }).collect();
    assert_eq!(read, expected, "in the order of their ids");
    let limited = collection("dishes").order_by("n", Order::Descending).skip(10).limit(120);
    let read: Vec<Dish> = cloud.documents(limited).try_collect().await.unwrap();
    assert_eq!((read.len(), read[0].n, read[119].n), (120, 239, 120));
    let before = platform.stats().by_path["/tcb/databasequery"].requests;
    let mut first = pin!(cloud.documents::<Dish>(collection("dishes").query()));
    first.try_next().await.unwrap().unwrap();
    let asked = platform.stats().by_path["/tcb/databasequery"].requests - before;
    assert_eq!(asked, 1, "a page is asked for when it is needed");
}

#[tokio::test]
async fn pages_that_are_too_large_are_asked_for_in_halves() {
    let (_platform, cloud) = set().await;
    for part in 0..5 {
        let rows =
            (0..20).map(|n| serde_json::json!({"_id": format!("{part}-{n}"), "text": "x".repeat(30_000)}));
        cloud.add(&collection("dishes").add(&rows.collect::<Vec<_>>()).unwrap()).await.unwrap();
    }
    let all = cloud.documents::<serde_json::Value>(collection("dishes").query());
    assert_eq!(all.try_collect::<Vec<_>>().await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_made_once_more() {
    let (platform, cloud) = set().await;
    platform.control().invalidate(None).unwrap();
    fill(&cloud, 1).await;
    assert_eq!(platform.stats().issued, 2);
    let fixed = Cloud::direct(&platform.url(), "test", FixedToken("dead".to_owned())).unwrap();
    let refused = fixed.collections().await.unwrap_err();
    assert_eq!(refused.kind(), Some(Kind::Token), "{refused}");
}

#[tokio::test]
async fn reading_is_tried_again_and_writing_never() {
    let (platform, cloud) = set().await;
    fill(&cloud, 1).await;
    let count = collection("dishes").count().unwrap();
    refuse(&platform, "/tcb/databasecount", -501_001, 2);
    assert_eq!(cloud.count(&count).await.unwrap(), 1, "the third time");
    refuse(&platform, "/tcb/databaseadd", -501_001, 1);
    let add = collection("dishes").add(&[Dish { id: "x".to_owned(), n: 1 }]).unwrap();
    let failed = cloud.add(&add).await.unwrap_err();
    assert!(failed.may_have_had_effect(), "{failed}");
    platform
        .control()
        .inject(Fault::new(FaultKind::ResetAfterIssue).on("/tcb/databaseadd").times(1))
        .unwrap();
    let failed = cloud.add(&add).await.unwrap_err();
    assert!(matches!(&failed, CallError::Broken { .. }) && failed.may_have_had_effect(), "{failed}");
    assert_eq!(cloud.count(&count).await.unwrap(), 2, "it was made once, and it had its effect");
}

#[tokio::test]
async fn a_refusal_says_what_it_means_and_what_to_do() {
    let (_platform, cloud) = set().await;
    let missing = cloud.count(&collection("nothing").count().unwrap()).await.unwrap_err();
    assert!(matches!(&missing, CallError::Refused(CloudError { code: -502_005, .. })), "{missing}");
    assert!(missing.next_step().contains("collection must be made"), "{}", missing.next_step());
    assert!(!missing.may_have_had_effect());
    let nobody = Cloud::direct("http://127.0.0.1:1", "test", FixedToken("t".to_owned())).unwrap();
    let failed = nobody.add_collection("a").await.unwrap_err();
    assert!(matches!(&failed, CallError::Unreachable { .. }) && !failed.may_have_had_effect(), "{failed}");
    let early = nobody.invoke_later("f", &(), std::time::Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(early, CallError::Limit(_)), "known before anything is sent: {early}");
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_in_pieces() {
    let (_platform, cloud) = set().await;
    let contents: Vec<u8> = (0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let upload = cloud.upload("a/图.bin", 300_000, std::io::Cursor::new(contents.clone()), move |passed| {
        told.send(passed).unwrap();
    });
    let id = upload.await.unwrap();
    assert!(id.starts_with("cloud://test.") && id.ends_with("/a/图.bin"), "{id}");
    let mut passed = Vec::new();
    heard.recv_many(&mut passed, 1000).await;
    assert!(passed.len() > 1 && passed.is_sorted() && passed.last() == Some(&300_000), "{passed:?}");
    let mut back = Vec::new();
    let download = cloud.download(&id).await.unwrap();
    assert_eq!(download.len(), Some(300_000));
    assert_eq!(download.write_to(&mut back, |_| {}).await.unwrap(), 300_000);
    assert_eq!(back, contents);
    assert_eq!(cloud.file_id("a/图.bin").await.unwrap(), id);
    assert_eq!(cloud.delete_files(&[&id]).await.unwrap()[0].outcome, Ok(()));
    let gone = cloud.download(&id).await.unwrap_err();
    assert!(matches!(&gone, CallError::File { .. }) && gone.kind() == Some(Kind::Missing), "{gone}");
}

#[tokio::test]
async fn a_file_of_another_length_than_was_said_is_no_upload() {
    let (_platform, cloud) = set().await;
    let short = cloud.upload("a", 10, std::io::Cursor::new(b"short".to_vec()), |_| {}).await.unwrap_err();
    assert!(matches!(&short, CallError::Local(_)) && short.to_string().contains("after 5 of 10"), "{short}");
    let id = cloud.file_id("a").await.unwrap();
    let long = cloud.upload("a", 3, std::io::Cursor::new(b"longer".to_vec()), |_| {}).await.unwrap_err();
    assert!(matches!(&long, CallError::Local(_)) && long.to_string().contains("more than 3"), "{long}");
    assert!(cloud.download(&id).await.is_err(), "nothing is there");
}

#[tokio::test]
async fn links_come_in_batches_and_say_what_is_missing() {
    let (platform, cloud) = set().await;
    let id = cloud.upload("a", 1, std::io::Cursor::new(b"x".to_vec()), |_| {}).await.unwrap();
    let missing: Vec<_> = (0..119).map(|n| format!("{id}{n}")).collect();
    let all: Vec<_> = std::iter::once(&id).chain(&missing).collect();
    let links = cloud.download_links(&all, std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!(links.len(), 120);
    assert_eq!(
        links.iter().filter(|link| link.url.is_ok()).map(|link| &link.file_id).collect::<Vec<_>>(),
        [&id]
    );
    assert_eq!(platform.stats().by_path["/tcb/batchdownloadfile"].requests, 3);
}

/// Somebody who says this in turn, whatever he is asked; his address.
async fn says(answers: Vec<String>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            // Who has heard enough goes away.
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    url
}

/// A platform that answers in turn with these, whatever it is asked.
async fn answers(bodies: Vec<serde_json::Value>) -> Cloud {
    let answers = bodies.into_iter().map(|body| {
        let body = body.to_string();
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    let url = says(answers.collect()).await;
    Cloud::direct(&url, "test", FixedToken("t".to_owned())).unwrap()
}

#[tokio::test]
async fn files_of_which_the_platform_says_nothing_are_not_done() {
    let short = serde_json::json!({"errcode": 0, "delete_list": [{"fileid": "b", "status": 0}]});
    let cloud = answers(vec![short]).await;
    let removed = cloud.delete_files(&["a", "b"]).await.unwrap();
    let done: Vec<_> = removed.iter().map(|file| (file.file_id.as_str(), file.outcome.is_ok())).collect();
    assert_eq!(done, [("a", false), ("b", true)]);
    let cloud = answers(vec![serde_json::json!({"errcode": 0, "file_list": [{"fileid": "b"}]})]).await;
    let links = cloud.download_links(&["a", "b"], std::time::Duration::from_secs(60)).await.unwrap();
    assert!(links.iter().all(|link| link.url.is_err()) && links.len() == 2, "{links:?}");
}

#[tokio::test]
async fn what_does_not_answer_as_the_storage_does_has_not_stored_a_file() {
    let hello = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    let url = says(vec![hello.to_owned()]).await;
    let cloud =
        answers(vec![serde_json::json!({"errcode": 0, "url": url, "file_id": "cloud://test.b/a"})]).await;
    let failed = cloud.upload("a", 1, std::io::Cursor::new(b"x".to_vec()), |_| {}).await.unwrap_err();
    assert!(matches!(&failed, CallError::Broken { .. }), "{failed}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", " ".repeat(17 << 20));
    let url = says(vec![endless.clone()]).await;
    let failed = tokenward_client::Client::new(&url, "key").unwrap().token("shop").await.unwrap_err();
    assert!(failed.to_string().contains("16 MiB"), "{failed}");
    let url = says(vec![endless]).await;
    let cloud = Cloud::direct(&url, "test", FixedToken("t".to_owned())).unwrap();
    let failed = cloud.add_collection("a").await.unwrap_err();
    assert!(failed.to_string().contains("16 MiB"), "{failed}");
}

#[tokio::test]
async fn a_key_follows_no_redirect() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let url = says(vec![moved.to_owned()]).await;
    let failed = tokenward_client::Client::new(&url, "key").unwrap().token("shop").await.unwrap_err();
    assert!(matches!(failed, tokenward_client::ClientError::Nonsense { status: 302, .. }), "{failed}");
}

#[tokio::test]
async fn collections_without_a_total_are_read_to_the_end() {
    let page = |count: usize| {
        let row = |n| serde_json::json!({"name": format!("c{n}")});
        serde_json::json!({"errcode": 0, "collections": (0..count).map(row).collect::<Vec<_>>()})
    };
    let cloud = answers(vec![page(100), page(3)]).await;
    assert_eq!(cloud.collections().await.unwrap().len(), 103);
}

#[tokio::test]
async fn a_job_is_waited_for_and_tells_how_far_it_is() {
    let cloud = answers(vec![
        serde_json::json!({"errcode": 0, "job_id": 7}),
        serde_json::json!({"errcode": 0, "status": "waiting"}),
        serde_json::json!({"errcode": 0, "status": "running", "record_success": 3}),
        serde_json::json!({"errcode": 0, "status": "success", "record_success": 5, "file_url": "https://f"}),
    ])
    .await;
    let job = cloud.export(&collection("c").get().unwrap(), "out.json", false).await.unwrap();
    let mut seen = Vec::new();
    let done = job.finished(|progress| seen.push(progress.succeeded)).await.unwrap();
    assert_eq!((job.id, seen, done.file_url.as_str()), (7, vec![0, 3, 5], "https://f"));
}

#[tokio::test]
async fn a_job_that_fails_says_why() {
    let failed = serde_json::json!({"errcode": 0, "status": "fail", "record_fail": 1, "err_msg": "line 3"});
    let cloud = answers(vec![failed]).await;
    let failed = cloud.job(9).finished(|_| {}).await.unwrap_err();
    assert!(matches!(&failed, CallError::Job(progress) if progress.message == "line 3"), "{failed}");
}
