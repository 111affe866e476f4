//! What a client sees on the wire. Requests go out as plain bytes, so that nothing is smoothed over.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use super::kit::{APP, SECRET, classic_target, seconds, two_apps};
use crate::{Emulator, Event, Fault, FaultKind, Happening, Running, Settings};

async fn start() -> Running {
    Emulator::start(Settings { listen: ([127, 0, 0, 1], 0).into(), ..two_apps() }).await.unwrap()
}

/// Sends one request on a connection of its own and reads until the end of the connection.
async fn send(emulator: &Running, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(emulator.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn get(emulator: &Running, target: &str) -> io::Result<String> {
    send(emulator, &format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

async fn fetch(emulator: &Running) -> io::Result<String> {
    get(emulator, &classic_target(APP, SECRET)).await
}

async fn start_with(kind: FaultKind) -> Running {
    let emulator = start().await;
    emulator.control().inject(Fault::new(kind)).unwrap();
    emulator
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn announced_length(answer: &str) -> usize {
    let line = answer.lines().find(|line| line.to_lowercase().starts_with("content-length:")).unwrap();
    line.split_once(':').unwrap().1.trim().parse().unwrap()
}

#[tokio::test]
async fn a_token_is_fetched_over_http() {
    let emulator = start().await;
    assert!(body_of(&fetch(&emulator).await.unwrap()).contains("\"expires_in\":7200"));
}

#[tokio::test]
async fn slashes_at_the_start_of_a_target_collapse() {
    let emulator = start().await;
    let target = format!("/{}", classic_target(APP, SECRET));
    assert!(get(&emulator, &target).await.unwrap().contains("access_token"));
}

#[tokio::test]
async fn a_reset_before_is_a_reset() {
    let emulator = start_with(FaultKind::ResetBefore).await;
    assert_eq!(fetch(&emulator).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reset_before_issues_nothing() {
    let emulator = start_with(FaultKind::ResetBefore).await;
    fetch(&emulator).await.unwrap_err();
    assert_eq!(emulator.stats().issued, 0);
}

#[tokio::test]
async fn a_reset_after_issue_is_a_reset() {
    let emulator = start_with(FaultKind::ResetAfterIssue).await;
    assert_eq!(fetch(&emulator).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reset_after_issue_issued() {
    let emulator = start_with(FaultKind::ResetAfterIssue).await;
    fetch(&emulator).await.unwrap_err();
    assert_eq!(emulator.stats().issued, 1);
}

#[tokio::test]
async fn a_truncated_answer_is_half_of_what_it_announces() {
    let emulator = start_with(FaultKind::Truncate).await;
    let answer = fetch(&emulator).await.unwrap();
    assert_eq!(body_of(&answer).len(), announced_length(&answer) / 2);
}

#[tokio::test]
async fn a_truncated_answer_begins_as_it_should() {
    let emulator = start_with(FaultKind::Truncate).await;
    assert!(body_of(&fetch(&emulator).await.unwrap()).starts_with("{\"access_token\":\"90_"));
}

#[tokio::test]
async fn a_late_answer_arrives() {
    let emulator = start_with(FaultKind::Latency(Duration::from_millis(20))).await;
    assert!(fetch(&emulator).await.unwrap().contains("access_token"));
}

#[tokio::test]
async fn an_answer_that_is_an_hour_late_has_had_its_effect_already() {
    let emulator = start_with(FaultKind::Latency(seconds(3_600))).await;
    let mut events = emulator.control().events();
    tokio::select! {
        answer = fetch(&emulator) => panic!("answered although an hour had not passed: {answer:?}"),
        () = issued(&mut events) => {}
    }
}

async fn issued(events: &mut broadcast::Receiver<Event>) {
    while !matches!(events.recv().await.unwrap().what, Happening::Issued { .. }) {}
}

#[tokio::test]
async fn a_second_request_on_the_same_connection_is_answered() {
    let emulator = start().await;
    let first = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", classic_target(APP, SECRET));
    let second = first.replace("Host: x", "Host: x\r\nConnection: close");
    let answers = send(&emulator, &format!("{first}{second}")).await.unwrap();
    assert_eq!(answers.matches("access_token").count(), 2);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let emulator = start().await;
    let head = "POST /cgi-bin/stable_token HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n";
    let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 1 << 20];
    // The emulator reads up to its limit, and answers at the first byte beyond it.
    for _ in 0..10 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"x").await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn bytes_that_are_no_http_do_not_stop_it() {
    let emulator = start().await;
    let _ = send(&emulator, "\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n").await;
    assert!(fetch(&emulator).await.is_ok());
}

#[tokio::test]
async fn control_calls_work_over_http() {
    let emulator = start().await;
    let body = r#"{"advance":"2h"}"#;
    let request = format!(
        "POST /_emulator/time HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let before = emulator.control().now();
    send(&emulator, &request).await.unwrap();
    assert!(emulator.control().now().since(before) >= seconds(7_200));
}

#[tokio::test]
async fn a_subscriber_sees_what_happens() {
    let emulator = start().await;
    let mut events = emulator.control().events();
    fetch(&emulator).await.unwrap();
    let event = events.recv().await.unwrap();
    assert!(event.to_string().starts_with("classic: issued 90_0-"), "{event}");
}

#[tokio::test]
async fn two_emulators_mint_different_tokens() {
    let (one, other) = (start().await, start().await);
    assert_ne!(body_of(&fetch(&one).await.unwrap()), body_of(&fetch(&other).await.unwrap()));
}

#[tokio::test]
async fn after_stopping_the_port_is_free() {
    let emulator = start().await;
    let listen = emulator.address();
    fetch(&emulator).await.unwrap();
    emulator.stop().await;
    Emulator::start(Settings { listen, ..two_apps() }).await.unwrap();
}

#[tokio::test]
async fn stopping_ends_open_connections() {
    let emulator = start_with(FaultKind::Latency(seconds(3_600))).await;
    let mut events = emulator.control().events();
    let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", classic_target(APP, SECRET));
    stream.write_all(request.as_bytes()).await.unwrap();
    issued(&mut events).await;
    emulator.stop().await;
    let mut nothing = Vec::new();
    assert_eq!(stream.read_to_end(&mut nothing).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn dropping_stops_it() {
    let emulator = start().await;
    let address = emulator.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    drop(emulator);
    let mut nothing = Vec::new();
    assert_eq!(stream.read_to_end(&mut nothing).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_remote_address_is_refused_with_a_reason() {
    let settings = Settings { listen: ([0, 0, 0, 0], 0).into(), ..two_apps() };
    let error = Emulator::start(settings).await.unwrap_err();
    assert!(error.to_string().contains("control calls need no key"), "{error}");
}
