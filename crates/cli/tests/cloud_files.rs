//! Files of the cloud in one call and from the shell, against the emulated storage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Answer, KEY, Lab, Server, classic, documented};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokenward_emulator::{Fault, FaultKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn set() -> (Lab, Server) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    (lab, server)
}

fn file(server: &Server, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}/v1/cloud/shop/test/files/{path}", server.url);
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    http.build().unwrap().request(method, url).bearer_auth(KEY)
}

async fn put(server: &Server, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    server.send(file(server, Method::PUT, path).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_round_in_one_call_each() {
    let (_lab, server) = set().await;
    let stored = put(&server, "pictures/%E5%9B%BE%201.png", "picture").await;
    let id = stored.body["file_id"].as_str().unwrap();
    assert!(id.starts_with("cloud://test.") && id.ends_with("/pictures/图 1.png"), "{stored:?}");
    assert_eq!((stored.status, &stored.body["size"]), (200, &json!(7)));
    let streamed = server.send(file(&server, Method::GET, "pictures/%E5%9B%BE%201.png?stream=true")).await;
    assert_eq!((streamed.status, streamed.body.as_str()), (200, Some("picture")));
    assert_eq!(streamed.header("content-length"), "7");
    let redirect = server.send(file(&server, Method::GET, "pictures/%E5%9B%BE%201.png")).await;
    assert_eq!(redirect.status, 302, "{redirect:?}");
    let direct = reqwest::Client::builder().no_proxy().build().unwrap();
    let direct = direct.get(redirect.header("location")).send().await.unwrap();
    assert_eq!(direct.text().await.unwrap(), "picture", "the address needs no key");
    put(&server, "pictures/%E5%9B%BE%201.png", "another").await;
    let replaced = server.send(file(&server, Method::GET, "pictures/%E5%9B%BE%201.png?stream=true")).await;
    assert_eq!(replaced.body.as_str(), Some("another"));
    let removed = server.send(file(&server, Method::DELETE, "pictures/%E5%9B%BE%201.png")).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    let gone = server.send(file(&server, Method::GET, "pictures/%E5%9B%BE%201.png")).await;
    assert_eq!((gone.status, gone.code()), (404, "no_such_file"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_a_file() {
    let (_lab, server) = set().await;
    let stored = server.send(file(&server, Method::PUT, "empty").header("content-length", "0")).await;
    assert_eq!((stored.status, &stored.body["size"]), (200, &json!(0)), "{stored:?}");
    let read = server.send(file(&server, Method::GET, "empty?stream=true")).await;
    assert_eq!((read.status, read.body.as_str()), (200, Some("")), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_length_nothing_is_sent() {
    let (lab, server) = set().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT /v1/cloud/shop/test/files/a HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 411") && answer.contains("length_required"), "{answer}");
    assert!(!lab.emulator.stats().by_path.contains_key("/tcb/uploadfile"));
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_no_file_can_have_are_refused() {
    let (_lab, server) = set().await;
    for path in ["a%2Fb", "a//b", "a/", "a%00", "..;/a", "a%0d%0ab", &"x".repeat(851)] {
        let refused = put(&server, path, "x").await;
        assert_eq!((refused.status, refused.code()), (400, "malformed"), "{path}: {refused:?}");
    }
    let unknown = server.send(file(&server, Method::GET, "a?strem=true")).await;
    assert_eq!(unknown.status, 400, "no wish is silently ignored");
    assert_eq!(server.send(file(&server, Method::POST, "a")).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404() {
    let (_lab, server) = set().await;
    for method in [Method::GET, Method::DELETE] {
        let missing = server.send(file(&server, method.clone(), "nothing")).await;
        assert_eq!((missing.status, missing.code()), (404, "no_such_file"), "{method}: {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_costs_no_upload() {
    let (lab, server) = set().await;
    put(&server, "a", "1").await;
    lab.control().invalidate(None).unwrap();
    assert_eq!(put(&server, "a", "2").await.status, 200);
    assert_eq!(lab.issued(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_limits_are_those_of_the_gateway() {
    let lab = Lab::new(documented()).await;
    let client = |name: &str, rest: &str| {
        format!(
            "[clients.{name}]\nkey = {{ inline = \"{name}-key-0123456789\" }}\ncredentials = [\"shop\"]\n{rest}\n"
        )
    };
    let reader = client("reader", "may = [\"token\"]");
    let viewer = client("viewer", "may = [\"call\"]\npaths = [\"POST /tcb/batchdownloadfile\"]");
    let limit = "[credentials.shop.gateway]\nmax_body = \"1KiB\"\n";
    let server = lab.serve(&format!("{reader}{viewer}{}{limit}", classic("5m")));
    let url = format!("{}/v1/cloud/shop/test/files/a", server.url);
    for name in ["reader", "viewer"] {
        let request = server.http().put(&url).bearer_auth(format!("{name}-key-0123456789"));
        assert_eq!(server.send(request.body("x")).await.status, 403, "{name}");
    }
    assert_eq!(server.send(server.http().get(&url)).await.status, 401);
    let large = put(&server, "a", "x".repeat(2000)).await;
    assert_eq!((large.status, large.code()), (413, "too_large"), "{large:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_storage_refuses_is_told_in_its_words() {
    let (lab, server) = set().await;
    let broken = Fault::new(FaultKind::Status(http::StatusCode::FORBIDDEN)).on("/_storage").times(1);
    lab.control().inject(broken).unwrap();
    let refused = put(&server, "a", "x").await;
    assert_eq!((refused.status, refused.code()), (502, "storage_refused"), "{refused:?}");
}

/// 64 MiB, or what `TOKENWARD_LARGE_FILE_MIB` says.
fn large() -> u64 {
    let mib = std::env::var("TOKENWARD_LARGE_FILE_MIB").map_or(64, |mib| mib.parse().unwrap());
    mib << 20
}

/// A line of `/proc/PID/status`, in KiB.
fn memory_kib(pid: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_pass_both_ways_in_constant_memory() {
    let (lab, server) = set().await;
    put(&server, "warm", "up").await;
    let source = lab.folder.path().join("large");
    std::fs::File::create(&source).unwrap().set_len(large()).unwrap();
    let before = memory_kib(server.pid(), "VmRSS");
    let body = tokio::fs::File::open(&source).await.unwrap();
    let upload = file(&server, Method::PUT, "large").header("content-length", large());
    let stored = upload.body(reqwest::Body::from(body)).send().await.unwrap();
    assert_eq!(stored.status(), 200);
    let mut download = file(&server, Method::GET, "large?stream=true").send().await.unwrap();
    let mut got = 0;
    while let Some(piece) = download.chunk().await.unwrap() {
        got += piece.len() as u64;
    }
    assert_eq!(got, large());
    let grown = memory_kib(server.pid(), "VmHWM").saturating_sub(before);
    assert!(grown < 20 * 1024, "the server grew by {grown} KiB");
}

/// A platform that names whatever address it is told for files, and notes what comes to any of its paths.
async fn platform_that_names(
    address: &'static str,
) -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (own, notes) = (url.clone(), std::sync::Arc::clone(&heard));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let named = address.replace("OWN", &own);
            let body = match request.split_whitespace().nth(1).unwrap() {
                path if path.contains("/token") => {
                    json!({"access_token": "the-token-0123", "expires_in": 7200})
                }
                path if path.contains("/uploadfile") => {
                    json!({"errcode": 0, "url": named, "file_id": "cloud://test.bucket/a"})
                }
                path if path.contains("/batchdownloadfile") => {
                    json!({"errcode": 0, "file_list": [{"status": 0, "download_url": named}]})
                }
                _ => json!({}),
            };
            let moved = request.contains(" /moved");
            notes.lock().unwrap().push(request);
            let (status, body) =
                if moved { ("302 Found\r\nlocation: /elsewhere", json!({})) } else { ("200 OK", body) };
            let length = body.to_string().len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_inside_the_network_is_not_used() {
    for address in [
        "http://127.0.0.1:1/a",
        "http://localhost:1/a",
        "http://[::1]:1/a",
        "http://2130706433:1/a",
        "https://10.0.0.1/a",
        "https://169.254.169.254/latest/meta-data",
        "ftp://files.example/a",
        "file:///etc/passwd",
        "OWN@10.0.0.1/a",
        "nonsense",
    ] {
        let lab = Lab::new(documented()).await;
        let (url, _) = platform_that_names(address).await;
        let server = lab.serve(&classic("5m").replace("PLATFORM", &url));
        let sent = put(&server, "a", "secret contents").await;
        assert_eq!((sent.status, sent.code()), (502, "storage_refused"), "{address}: {sent:?}");
        let read = server.send(file(&server, Method::GET, "a?stream=true")).await;
        assert_eq!((read.status, read.code()), (502, "storage_refused"), "{address}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_gets_no_token_and_redirects_nobody() {
    let lab = Lab::new(documented()).await;
    let (url, heard) = platform_that_names("OWN/moved?sign=1").await;
    let server = lab.serve(&classic("5m").replace("PLATFORM", &url));
    assert_eq!(put(&server, "a", "x").await.code(), "storage_refused");
    let read = server.send(file(&server, Method::GET, "a?stream=true")).await;
    assert_eq!(read.code(), "storage_refused", "{read:?}");
    let heard = heard.lock().unwrap().clone();
    let stored: Vec<_> = heard.iter().filter(|request| request.contains(" /moved?sign=1 ")).collect();
    assert_eq!(stored.len(), 2, "{heard:?}");
    for request in stored {
        assert!(!request.contains("the-token-0123") && !request.contains(KEY), "{request}");
    }
    assert!(!heard.iter().any(|request| request.contains("/elsewhere")), "{heard:?}");
}
