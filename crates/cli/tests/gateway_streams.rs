//! What streams through the gateway, in front of an upstream that the test plays itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lab::{KEY, Lab, SECRET, Server, documented};
use reqwest::{Method, RequestBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const BIG: usize = 200 * 1024 * 1024;

/// An upstream that does what the path says.
#[derive(Clone)]
struct Upstream {
    url: String,
    /// Lets the second half of an answer go.
    go_on: Arc<Notify>,
    connections: Arc<AtomicU32>,
}

impl Upstream {
    async fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = Upstream { url, go_on: Arc::default(), connections: Arc::default() };
        let serving = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serving.clone().converse(stream));
            }
        });
        upstream
    }

    async fn converse(self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        while let Some(head) = read_head(&mut stream, &mut buffer).await {
            let path = head.split(' ').nth(1).unwrap().split('?').next().unwrap().to_owned();
            if self.answer(&mut stream, &path, &head, &mut buffer).await.is_none() {
                return;
            }
        }
    }

    /// `None` ends the connection.
    async fn answer(
        &self,
        stream: &mut TcpStream,
        path: &str,
        head: &str,
        buffer: &mut Vec<u8>,
    ) -> Option<()> {
        let json = |body: &str| {
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        match path {
            "/big" => {
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: {BIG}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                let piece = vec![7; 64 * 1024];
                for _ in 0..BIG / piece.len() {
                    stream.write_all(&piece).await.ok()?;
                }
            }
            "/sink" => {
                let got = read_body(stream, head, buffer).await?;
                stream.write_all(json(&format!("{{\"got\":{got}}}")).as_bytes()).await.ok()?;
            }
            "/events" => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}9\r\ndata: 1\n\n\r\n").as_bytes()).await.ok()?;
                self.go_on.notified().await;
                stream.write_all(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n").await.ok()?;
            }
            "/slow" => {
                self.go_on.notified().await;
                stream.write_all(json("{\"slow\":true}").as_bytes()).await.ok()?;
            }
            "/fickle" => {
                // Says nothing of closing, and closes.
                stream.write_all(json("{}").as_bytes()).await.ok()?;
                return None;
            }
            "/unchanged" => {
                stream.write_all(b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n").await.ok()?;
            }
            "/head" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n").await.ok()?;
            }
            "/moved" => {
                // As nginx does it: the same URL elsewhere, with whatever stands in it.
                let target = head.split(' ').nth(1)?;
                let token = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "))?;
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1{target}?token={token}\r\n\
                     content-length: 0\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            "/cgi-bin/token" => {
                let granted = json("{\"access_token\":\"90_0-of-this-upstream\",\"expires_in\":7200}");
                stream.write_all(granted.as_bytes()).await.ok()?;
            }
            "/stalled" => {
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\":";
                stream.write_all(answer.as_bytes()).await.ok()?;
                self.go_on.notified().await;
                stream.write_all(b"123}").await.ok()?;
            }
            "/refuse-upload" => {
                // Answers before it has read the body.
                let answer = "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.ok()?;
                self.go_on.notified().await;
                return None;
            }
            "/broken" => {
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"a\":";
                stream.write_all(answer.as_bytes()).await.ok()?;
                return None;
            }
            _ => stream
                .write_all(json(&serde_json::json!({ "head": head }).to_string()).as_bytes())
                .await
                .ok()?,
        }
        Some(())
    }
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = buffer.split_off(end + 4);
            let head = String::from_utf8(std::mem::replace(buffer, rest)).unwrap();
            return Some(head);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// How many bytes the body has; of a chunked one, chunk heads included.
async fn read_body(stream: &mut TcpStream, head: &str, buffer: &mut Vec<u8>) -> Option<usize> {
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let mut got = 0;
    loop {
        let ended = match length {
            Some(length) => got + buffer.len() >= length,
            None => buffer.ends_with(b"0\r\n\r\n"),
        };
        got += buffer.len();
        buffer.clear();
        if ended {
            return Some(got);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn set() -> (Lab, Upstream, Server) {
    let (lab, upstream) = (Lab::new(documented()).await, Upstream::start().await);
    let credential = format!(
        "[credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\nclient_id = \"oauthapp\"\n\
         client_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"{}\"\n",
        upstream.url
    );
    let server = lab.serve(&credential);
    server.token("crm").await;
    (lab, upstream, server)
}

fn request(server: &Server, method: Method, path: &str) -> RequestBuilder {
    server.http().request(method, format!("{}/v1/call/crm/{path}", server.url)).bearer_auth(KEY)
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_both_ways_in_constant_memory() {
    let (_lab, _upstream, server) = set().await;
    let before = resident_kib(server.pid());
    let mut download = request(&server, Method::GET, "big").send().await.unwrap();
    let (mut got, mut most) = (0, before);
    while let Some(chunk) = download.chunk().await.unwrap() {
        got += chunk.len();
        if got % (1 << 22) < chunk.len() {
            most = most.max(resident_kib(server.pid()));
        }
    }
    assert_eq!(got, BIG);
    let down = most;
    let upload = server.send(request(&server, Method::POST, "sink").body(vec![7; BIG])).await;
    assert_eq!(upload.body["got"], BIG, "{upload:?}");
    assert_eq!(upload.header("tokenward-replayed"), "false");
    most = most.max(resident_kib(server.pid()));
    assert!(
        most - before < 20 * 1024,
        "{before} KiB before, {down} KiB after the download, {most} KiB at most"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_pass_as_they_come() {
    let (_lab, upstream, server) = set().await;
    let mut events = request(&server, Method::GET, "events").send().await.unwrap();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    upstream.go_on.notify_one();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 2\n\n");
    assert!(events.chunk().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_reaches_the_platform_as_it_was() {
    let (_lab, _upstream, server) = set().await;
    let answer =
        server.send(request(&server, Method::PATCH, "echo/%E4%BD%A0?b=2&a=1&&=x").header("x-own", "1")).await;
    let head = answer.body["head"].as_str().unwrap();
    assert!(head.starts_with("PATCH /echo/%E4%BD%A0?b=2&a=1&&=x HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-own: 1\r\n") && head.contains("authorization: Bearer at-"), "{head}");
    assert!(!head.contains(KEY), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_pass() {
    let (_lab, _upstream, server) = set().await;
    let head = request(&server, Method::HEAD, "head").send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "12345");
    let unchanged = request(&server, Method::GET, "unchanged").send().await.unwrap();
    assert_eq!((unchanged.status().as_u16(), &unchanged.headers()["etag"]), (304, &"\"x\"".parse().unwrap()));
    let moved =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let moved = moved.get(format!("{}/v1/call/crm/moved", server.url)).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(moved.status(), 302, "no redirect is followed with a token");
    let location = moved.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("http://127.0.0.1:1/moved?token="), "{location}");
    assert!(
        !location.contains(server.token("crm").await.token()),
        "the token does not come back: {location}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again() {
    let (_lab, upstream, server) = set().await;
    for _ in 0..50 {
        assert_eq!(server.send(request(&server, Method::GET, "echo")).await.status, 200);
    }
    assert_eq!(upstream.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_platform_closed_costs_no_call() {
    let (_lab, upstream, server) = set().await;
    for _ in 0..50 {
        assert_eq!(server.send(request(&server, Method::GET, "fickle")).await.status, 200);
    }
    assert_eq!(upstream.connections.load(Ordering::Relaxed), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_platform_is_waited_for() {
    let (_lab, upstream, server) = set().await;
    let slow = tokio::spawn(request(&server, Method::GET, "slow").send());
    assert_eq!(server.send(request(&server, Method::GET, "echo")).await.status, 200, "others go on");
    upstream.go_on.notify_one();
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "{\"slow\":true}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    let (_lab, _upstream, server) = set().await;
    let broken = request(&server, Method::GET, "broken").send().await;
    let read = async { broken?.bytes().await };
    assert!(read.await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_before_it_sends_is_answered() {
    let (_lab, _upstream, server) = set().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/call/crm/sink HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 5\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 200") && rest.contains("{\"got\":5}"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_takes_none_of_the_platforms_time_to_answer() {
    let (lab, upstream) = (Lab::new(documented()).await, Upstream::start().await);
    let credential = format!(
        "[credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\nclient_id = \"oauthapp\"\n\
         client_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"{}\"\n[credentials.crm.gateway]\ntimeout = \"1s\"\n",
        upstream.url
    );
    let server = lab.serve(&credential);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/call/crm/sink HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 6\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Six pieces, half a second apart: three seconds for a platform that has one to answer.
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(500));
    for _ in 0..6 {
        pause.tick().await;
        stream.write_all(b"x").await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("{\"got\":6}"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_early_leaves_no_connection_behind() {
    let (_lab, upstream, server) = set().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/call/crm/refuse-upload HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Length: 1000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 413");
    upstream.go_on.notify_one();
    assert_eq!(server.send(request(&server, Method::GET, "echo")).await.status, 200);
    assert_eq!(upstream.connections.load(Ordering::Relaxed), 2, "the first was not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_answer_that_stalls_is_passed_on() {
    let (lab, upstream) = (Lab::new(documented()).await, Upstream::start().await);
    let server = lab.serve(&lab::classic("5m").replace("PLATFORM", &upstream.url));
    // WeChat's small answers are looked into, and this one does not end.
    let url = format!("{}/v1/call/shop/stalled", server.url);
    let mut answer = server.http().get(url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "{\"a\":");
    upstream.go_on.notify_one();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "123}");
}
