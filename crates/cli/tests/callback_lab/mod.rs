//! What tests of callbacks share: a server with one callback, and targets that do what they are told.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::lab::{Lab, Server};

pub const TOKEN: &str = "callback-token-of-the-lab";
pub const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
pub const APP: &str = "wx0123456789abcdef";

/// A service inside that gets messages.
pub struct Target {
    pub url: String,
    behaviour: Arc<Mutex<Behaviour>>,
    received: mpsc::UnboundedReceiver<Received>,
}

/// What a target does with a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers so.
    Answer(u16, String),
    /// Says nothing.
    Hang,
}

/// A request as a target got it.
#[derive(Clone, Debug)]
pub struct Received {
    pub query: HashMap<String, String>,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Target {
    pub async fn new(status: u16, answer: &str) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wechat?from=tokenward", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(Behaviour::Answer(status, answer.to_owned())));
        let (sender, received) = mpsc::unbounded_channel();
        let shared = Arc::clone(&behaviour);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared), sender.clone()));
            }
        });
        Target { url, behaviour, received }
    }

    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// The next request.
    pub async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(Duration::from_secs(20), self.received.recv()).await;
        next.expect("a message comes within 20 s").unwrap()
    }

    /// How many requests came that nobody has looked at.
    pub fn unseen(&mut self) -> usize {
        std::iter::from_fn(|| self.received.try_recv().ok()).count()
    }
}

async fn converse(
    mut stream: TcpStream,
    behaviour: Arc<Mutex<Behaviour>>,
    sender: mpsc::UnboundedSender<Received>,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let (received, length) = loop {
            if let Some(whole) = parse(&read) {
                break whole;
            }
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
            read.extend_from_slice(&piece[..count]);
        };
        read.drain(..length);
        let behaviour = behaviour.lock().unwrap().clone();
        drop(sender.send(received));
        let Behaviour::Answer(status, text) = behaviour else {
            return std::future::pending().await;
        };
        let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// A whole request and its length, if it is there.
fn parse(read: &[u8]) -> Option<(Received, usize)> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let body = read.get(end..end + length)?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some((Received { query, headers, body: String::from_utf8(body.to_vec()).unwrap() }, end + length))
}

/// One callback `shop` with its secrets, and more of its section.
pub fn callback(mode: &str, more: &str) -> String {
    format!(
        "[callback]\nlisten = \"127.0.0.1:0\"\n[callbacks.shop]\ntoken = {{ inline = \"{TOKEN}\" }}\n\
         aes_key = {{ inline = \"{AES_KEY}\" }}\napp_id = \"{APP}\"\nmode = \"{mode}\"\n{more}\n"
    )
}

/// A target of the callback.
pub fn forward(name: &str, target: &Target, more: &str) -> String {
    format!("[callbacks.shop.forward.{name}]\nto = \"{}\"\n{more}\n", target.url)
}

/// Where the platform reaches the callback.
pub fn url(server: &Server) -> String {
    let log = server.log();
    let line = log.lines().find(|line| line.contains("callbacks are awaited address=")).unwrap();
    format!("http://{}/callback/shop", line.rsplit("address=").next().unwrap().trim())
}

/// What the emulated platform is told to push.
pub fn message(server: &Server, mode: &str, format: &str, content: &str) -> Value {
    json!({
        "url": url(server), "token": TOKEN, "aes_key": AES_KEY, "app_id": APP,
        "mode": mode, "format": format, "content": content,
    })
}

/// Lets the emulated platform push, and returns what came back.
pub async fn push(lab: &Lab, server: &Server, push: &Value) -> Value {
    let request = server.http().post(format!("{}/_emulator/push", lab.emulator.url())).json(push);
    let answer = server.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// A text message of a user.
pub fn text(content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oUser]]></FromUserName>\
         <CreateTime>1714036504</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[{content}]]></Content><MsgId>1</MsgId></xml>"
    )
}

/// An event as JSON.
pub fn event(name: &str) -> String {
    json!({ "ToUserName": "gh_1", "FromUserName": "oUser", "CreateTime": 1, "MsgType": "event", "Event": name })
        .to_string()
}
