//! Connections that mean no good, at the facade's door.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{KEY, Lab, Server, classic, documented};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A lab, a server with a facade, and a token that would be served.
async fn set() -> (Lab, Server, String) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("[facade.wechat]\nlisten = \"127.0.0.1:0\"\n{}", classic("5m")));
    let token = server.token("shop").await.token().to_owned();
    (lab, server, token)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.facade().trim_start_matches("http://")).await.unwrap()
}

/// Everything that comes until the connection is closed.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

fn forwarded(lab: &Lab) -> u64 {
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    stats["by_path"]["/cgi-bin/user/get"]["requests"].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_cut_off() {
    let (lab, server, token) = set().await;
    let mut stream = connect(&server).await;
    let head = format!("GET /cgi-bin/user/get?access_token={token} HTTP/1.1\r\nX-Slow: ");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
    assert_eq!(forwarded(&lab), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_trickles_in_is_cut_off_and_others_are_served() {
    let (lab, server, token) = set().await;
    let mut stream = connect(&server).await;
    let head = format!("GET /cgi-bin/user/get?access_token={token} HTTP/1.1\r\nX-Slow: ");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
    let mut buffer = [0; 64];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => {
                assert_eq!(read.unwrap_or(0), 0, "nothing is answered");
                break;
            }
            _ = second.tick() => drop(stream.write_all(b"x").await),
        }
        let query = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
        let url = format!("{}/cgi-bin/token?{query}", server.facade());
        assert!(server.send(server.http().get(url)).await.body["access_token"].is_string());
    }
    assert_eq!(forwarded(&lab), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_a_megabyte_is_refused() {
    let (lab, server, token) = set().await;
    let mut stream = connect(&server).await;
    let head = format!(
        "GET /cgi-bin/user/get?access_token={token} HTTP/1.1\r\nX-Large: {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    drop(stream.write_all(head.as_bytes()).await);
    let answer = until_closed(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(forwarded(&lab), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn line_breaks_do_not_get_into_the_platforms_request() {
    let (lab, server, token) = set().await;
    for path in ["/cgi-bin/user/get%0d%0aX:1", "/cgi-bin/user%0aget", "/cgi-bin/%00user/get"] {
        let mut stream = connect(&server).await;
        let target = format!("{path}?access_token={token}");
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: api.weixin.qq.com\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(answer.contains("errcode"), "{target}: {answer}");
    }
    assert_eq!(forwarded(&lab), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled_behind_a_body_with_two_lengths() {
    let (lab, server, token) = set().await;
    for lengths in
        ["Content-Length: 6\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6"]
    {
        let mut stream = connect(&server).await;
        let request = format!(
            "POST /cgi-bin/nothing?access_token={token} HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\n0\r\n\r\n\
             GET /cgi-bin/user/get?access_token={token} HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        drop(stream.write_all(request.as_bytes()).await);
        let answer = until_closed(&mut stream).await;
        assert!(answer.matches("HTTP/1.1").count() <= 1, "{lengths}: {answer}");
    }
    assert_eq!(forwarded(&lab), 0);
}
