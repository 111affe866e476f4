//! Files of the cloud in one call and from the shell, against the emulated storage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Answer, KEY, Lab, Server, classic, documented};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
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
    let viewer = |method| server.http().request(method, &url).bearer_auth("viewer-key-0123456789");
    let missing = server.send(viewer(Method::GET)).await;
    assert_eq!((missing.status, missing.code()), (404, "no_such_file"), "it may read: {missing:?}");
    assert_eq!(server.send(viewer(Method::DELETE)).await.status, 403, "it may not remove");
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
///
/// `status:N` names none, and says N of each file.
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
            let said = address.strip_prefix("status:").map_or(0, |status| status.parse().unwrap());
            let body = match request.split_whitespace().nth(1).unwrap() {
                path if path.contains("/token") => {
                    json!({"access_token": "the-token-0123", "expires_in": 7200})
                }
                path if path.contains("/uploadfile") => {
                    json!({"errcode": 0, "url": named, "file_id": "cloud://test.bucket/a"})
                }
                path if path.contains("/batchdownloadfile") => {
                    json!({"errcode": 0, "file_list": [
                        {"fileid": "cloud://test.bucket/a", "status": said, "download_url": named}]})
                }
                _ => json!({}),
            };
            let request_is = ["moved", "stored"].into_iter().find(|it| request.contains(&format!(" /{it}")));
            let request_is = request_is.unwrap_or_default();
            notes.lock().unwrap().push(request);
            let (status, body) = match request_is {
                "moved" => ("302 Found\r\nlocation: /elsewhere", "{}".to_owned()),
                "stored" => ("204 No Content", String::new()),
                _ => ("200 OK", body.to_string()),
            };
            let length = body.len();
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
        let led = server.send(file(&server, Method::GET, "a")).await;
        assert_eq!((led.status, led.code()), (502, "storage_refused"), "{address}: {led:?}");
        assert!(!led.body["next_step"].as_str().unwrap().contains("`platform`"), "there is none: {led:?}");
    }
}

/// Sends three bytes of a file of a thousand, and waits for an answer.
async fn put_part(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "PUT /v1/cloud/shop/test/files/a HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Length: 1000\r\nConnection: close\r\n\r\nabc"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_before_it_has_the_file_has_not_stored_it() {
    let lab = Lab::new(documented()).await;
    let (url, _) = platform_that_names("OWN/stored").await;
    let server = lab.serve(&classic("5m").replace("PLATFORM", &url));
    let answer = put_part(&server).await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("call_broken"), "{answer}");
    assert_eq!(put(&server, "a", "whole").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_coming_is_not_the_storages_fault() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("{}[credentials.shop.gateway]\ntimeout = \"1s\"\n", classic("5m")));
    let answer = put_part(&server).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("nothing more of the file came"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_as_the_storage_does_has_not_stored_it() {
    let lab = Lab::new(documented()).await;
    let (url, _) = platform_that_names("OWN/welcome").await;
    let server = lab.serve(&classic("5m").replace("PLATFORM", &url));
    let answer = put(&server, "a", "x").await;
    assert_eq!((answer.status, answer.code()), (502, "call_broken"), "{answer:?}");
    let removed = server.send(file(&server, Method::DELETE, "a")).await;
    assert_eq!((removed.status, removed.code()), (502, "call_broken"), "nothing said about it: {removed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_not_there_is_404() {
    for (address, status, code) in [
        ("status:1", 404, "no_such_file"),
        ("status:-503003", 404, "no_such_file"),
        ("status:-503001", 502, "cloud_refused"),
        ("status:-503002", 403, "cloud_refused"),
        ("status:-501003", 429, "cloud_refused"),
    ] {
        let lab = Lab::new(documented()).await;
        let (url, _) = platform_that_names(address).await;
        let server = lab.serve(&classic("5m").replace("PLATFORM", &url));
        let refused = server.send(file(&server, Method::GET, "a")).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{address}: {refused:?}");
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

/// Runs `tokenward cloud … storage`, and returns what it prints, a document each line.
fn storage(server: &Server, arguments: &[&str]) -> Vec<Value> {
    let whose = ["cloud", "--credential", "shop", "--env", "test", "storage"];
    let output = tokio::task::block_in_place(|| server.command(&[&whose, arguments].concat()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder `pictures` with three files, and its path.
fn pictures(lab: &Lab) -> String {
    let folder = lab.folder.path().join("pictures");
    std::fs::create_dir_all(folder.join("small")).unwrap();
    for (name, contents) in [("a.png", "1"), ("b.png", "22"), ("small/c.png", "333")] {
        std::fs::write(folder.join(name), contents).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_shell() {
    let (lab, server) = set().await;
    let folder = pictures(&lab);
    let stored = storage(&server, &["put", &folder, "--prefix", "shop"]);
    let paths: Vec<_> = stored.iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["shop/pictures/a.png", "shop/pictures/b.png", "shop/pictures/small/c.png"]);
    let single = storage(&server, &["put", &format!("{folder}/a.png"), "--as", "one.png"]);
    let id = single[0]["file_id"].as_str().unwrap();
    let links = storage(&server, &["links", id, "shop/pictures/small/c.png"]);
    let linked = reqwest::get(links[1]["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(linked.text().await.unwrap(), "333");
    let down = lab.folder.path().join("down/here");
    let dir = down.to_str().unwrap();
    storage(&server, &["get", "shop/pictures/b.png", "shop/pictures/small/c.png", "--dir", dir]);
    assert_eq!(std::fs::read_to_string(down.join("b.png")).unwrap(), "22");
    assert_eq!(std::fs::read_to_string(down.join("c.png")).unwrap(), "333");
    assert_eq!(std::fs::read_dir(&down).unwrap().count(), 2, "nothing half is left");
    let whole = ["cloud", "--credential", "shop", "--env", "test", "storage", "get", id, "--out", "-"];
    assert_eq!(tokio::task::block_in_place(|| server.command(&whole)).stdout, b"1");
    let removed = storage(&server, &["rm", "shop/pictures/a.png", id]);
    assert_eq!(removed[1], json!({"file_id": id, "removed": true}));
    assert_eq!(server.send(file(&server, Method::GET, "one.png")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_from_the_shell_does_not_stop_the_rest() {
    let (lab, server) = set().await;
    put(&server, "a.txt", "1").await;
    let dir = lab.folder.path().join("down");
    let whose = ["cloud", "--credential", "shop", "--env", "test", "storage"];
    let get = ["get", "missing.txt", "a.txt", "--dir", dir.to_str().unwrap()];
    let output = tokio::task::block_in_place(|| server.command(&[&whose[..], &get].concat()));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("missing.txt") && said.contains("1 of 2 files failed"), "{said}");
    assert_eq!(std::fs::read_to_string(dir.join("a.txt")).unwrap(), "1");
    assert!(!dir.join("missing.txt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_files_in_batches_of_fifty() {
    let (lab, server) = set().await;
    let folder = lab.folder.path().join("many");
    std::fs::create_dir(&folder).unwrap();
    (0..101).for_each(|n| std::fs::write(folder.join(n.to_string()), "x").unwrap());
    let stored = storage(&server, &["put", folder.to_str().unwrap()]);
    let ids: Vec<_> = stored.iter().map(|row| row["file_id"].as_str().unwrap()).collect();
    assert_eq!(storage(&server, &[&["rm"], &ids[..]].concat()).len(), 101);
    assert_eq!(lab.emulator.stats().by_path["/tcb/batchdeletefile"].requests, 3);
}

/// The most memory that `tokenward cloud … storage` ever held, in KiB.
fn most_memory(server: &Server, arguments: &[&str]) -> u64 {
    let measure = "import resource, subprocess, sys\n\
                   subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut command = std::process::Command::new("python3");
    command.args(["-c", measure, env!("CARGO_BIN_EXE_tokenward"), "-c"]).arg(server.config());
    command.args(["cloud", "--credential", "shop", "--env", "test", "storage"]).args(arguments);
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_go_from_the_shell_in_constant_memory() {
    let (lab, server) = set().await;
    let (small, big) = (lab.folder.path().join("small"), lab.folder.path().join("big"));
    std::fs::write(&small, "x").unwrap();
    std::fs::File::create(&big).unwrap().set_len(large()).unwrap();
    let little = most_memory(&server, &["put", small.to_str().unwrap()]);
    let up = most_memory(&server, &["put", big.to_str().unwrap()]);
    assert!(up < little + 20 * 1024, "{up} KiB for the large file, {little} KiB for the small one");
    let down = lab.folder.path().join("down");
    let got = most_memory(&server, &["get", "big", "--dir", down.to_str().unwrap()]);
    assert!(got < little + 20 * 1024, "{got} KiB down, {little} KiB for a small file");
    assert_eq!(std::fs::metadata(down.join("big")).unwrap().len(), large());
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_from_the_shell() {
    let (_lab, server) = set().await;
    let run = |arguments: &[&str]| {
        let whose = ["cloud", "--credential", "shop", "--env", "test", "db", "collections"];
        let output = tokio::task::block_in_place(|| server.command(&[&whose, arguments].concat()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["add", "orders"]);
    let listed: Value = serde_json::from_str(&run(&[])).unwrap();
    assert_eq!((&listed["name"], &listed["count"]), (&json!("orders"), &json!(0)));
    run(&["rm", "orders"]);
    assert_eq!(run(&[]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_go_out_and_come_in_as_files() {
    let (lab, server) = set().await;
    let run = |arguments: &[&str]| {
        let whose = ["cloud", "--credential", "shop", "--env", "test", "db"];
        let output = tokio::task::block_in_place(|| server.command(&[&whose, arguments].concat()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["collections", "add", "orders"]);
    run(&["collections", "add", "copies"]);
    run(&[
        "add",
        "--collection",
        "orders",
        "--data",
        r#"[{"_id":"a","n":1},{"_id":"b","n":2},{"_id":"c","n":3}]"#,
    ]);
    let out = lab.folder.path().join("orders.json");
    let out = out.to_str().unwrap();
    let exported = run(&["export", "--collection", "orders", "--where", r#"{"n":{"$gt":1}}"#, "--out", out]);
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported["succeeded"], 2, "{exported}");
    let lines = std::fs::read_to_string(out).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let imported: Value = serde_json::from_str(&run(&["import", out, "--collection", "copies"])).unwrap();
    assert_eq!((&imported["succeeded"], &imported["failed"]), (&json!(2), &json!(0)));
    let copies = run(&["query", "--collection", "copies", "--order", "n"]);
    assert_eq!(copies, "{\"_id\":\"b\",\"n\":2}\n{\"_id\":\"c\",\"n\":3}\n");
}
