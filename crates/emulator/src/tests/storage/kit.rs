//! A client of cloud storage that sends plain bytes, so that every request can be wrong in its own way.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::tests::kit::{APP, SECRET, classic_target, two_apps};
use crate::{CloudSettings, Emulator, Running, Settings};

pub(super) struct Kit {
    pub(super) emulator: Running,
    token: String,
}

/// What the emulator sent back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// What `/tcb/uploadfile` answered, to be spoilt at will.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) path: String,
    pub(super) target: String,
    pub(super) authorization: String,
    pub(super) token: String,
    pub(super) file_id: String,
    pub(super) cos_file_id: String,
}

impl Answer {
    fn of(bytes: &[u8]) -> Answer {
        let at = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer has a head");
        Answer { head: String::from_utf8(bytes[..at].to_vec()).unwrap(), body: bytes[at + 4..].to_vec() }
    }

    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        value.unwrap_or_default()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and `<Code>`.
    pub(super) fn refusal(&self) -> (u16, String) {
        let text = String::from_utf8_lossy(&self.body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        (self.status(), code.map(|(code, _)| code.to_owned()).unwrap_or_default())
    }
}

impl Kit {
    pub(super) async fn new() -> Kit {
        Kit::with(CloudSettings::default()).await
    }

    pub(super) async fn in_folder(folder: &Path) -> Kit {
        Kit::with(CloudSettings { folder: Some(folder.to_owned()), ..CloudSettings::default() }).await
    }

    pub(super) async fn with(cloud: CloudSettings) -> Kit {
        let settings = Settings { listen: ([127, 0, 0, 1], 0).into(), cloud, ..two_apps() };
        let emulator = Emulator::start(settings).await.unwrap();
        let mut kit = Kit { emulator, token: String::new() };
        let answer = kit.request("GET", &classic_target(APP, SECRET), "", b"").await;
        kit.token = answer.json()["access_token"].as_str().unwrap().to_owned();
        kit
    }

    pub(super) async fn try_send(&self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(self.emulator.address()).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Answer::of(&answer)) }
    }

    /// Sends something and nothing more, and waits until the emulator has hung up.
    pub(super) async fn hang_up_after(&self, request: &[u8]) {
        let mut stream = TcpStream::connect(self.emulator.address()).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        // How it hangs up is its own affair.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    /// `headers` are whole lines.
    pub(super) async fn request(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        let (host, length) = (self.emulator.address(), body.len());
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n"
        );
        self.try_send(&[head.as_bytes(), body].concat()).await.unwrap()
    }

    pub(super) async fn call(&self, call: &str, body: Value) -> Value {
        let target = format!("/tcb/{call}?access_token={}", self.token);
        self.request("POST", &target, "", body.to_string().as_bytes()).await.json()
    }

    pub(super) async fn ticket(&self, path: &str) -> Ticket {
        let answer = self.call("uploadfile", json!({ "env": "test", "path": path })).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let url = text("url");
        Ticket {
            path: path.to_owned(),
            target: url.strip_prefix(&self.emulator.url()).unwrap().to_owned(),
            authorization: text("authorization"),
            token: text("token"),
            file_id: text("file_id"),
            cos_file_id: text("cos_file_id"),
        }
    }

    pub(super) async fn post(&self, ticket: &Ticket, form: &[u8]) -> Answer {
        let headers = "Content-Type: multipart/form-data; boundary=XX\r\n";
        self.request("POST", &ticket.target, headers, form).await
    }

    pub(super) async fn put(&self, ticket: &Ticket, bytes: &[u8]) -> Answer {
        let Ticket { authorization, token, cos_file_id, .. } = ticket;
        let headers = format!(
            "Signature: {authorization}\r\nauthorization: {authorization}\r\n\
             x-cos-security-token: {token}\r\nx-cos-meta-fileid: {cos_file_id}\r\nkey: {}\r\n",
            ticket.path.replace('/', "%2F"),
        );
        self.request("PUT", &ticket.target, &headers, bytes).await
    }

    /// Uploads as a client has to, and returns the id.
    pub(super) async fn upload(&self, path: &str, bytes: &[u8]) -> String {
        let ticket = self.ticket(path).await;
        assert_eq!(self.post(&ticket, &ticket.form(bytes)).await.status(), 204);
        ticket.file_id
    }

    /// Path and query of a link to a file.
    pub(super) async fn link(&self, id: &str, max_age: u64) -> String {
        let file = json!({ "fileid": id, "max_age": max_age });
        let answer = self.call("batchdownloadfile", json!({ "env": "test", "file_list": [file] })).await;
        let url = answer["file_list"][0]["download_url"].as_str().unwrap();
        url.strip_prefix(&self.emulator.url()).unwrap_or_default().to_owned()
    }

    pub(super) async fn get(&self, target: &str, headers: &str) -> Answer {
        self.request("GET", target, headers, b"").await
    }

    /// What is at a path now; `None` when there is nothing.
    pub(super) async fn content(&self, path: &str) -> Option<Vec<u8>> {
        let id = format!("cloud://test.7465-test/{path}");
        match self.link(&id, 60).await {
            none if none.is_empty() => None,
            link => Some(self.get(&link, "").await.body),
        }
    }
}

impl Ticket {
    /// The form in the order of the documentation.
    pub(super) fn form(&self, bytes: &[u8]) -> Vec<u8> {
        let texts: Vec<u8> = self.texts().concat();
        [&texts, part("file", "; filename=\"a\"", bytes).as_slice(), b"--XX--\r\n"].concat()
    }

    /// The four texts of the form.
    pub(super) fn texts(&self) -> [Vec<u8>; 4] {
        [
            part("key", "", self.path.as_bytes()),
            part("Signature", "", self.authorization.as_bytes()),
            part("x-cos-security-token", "", self.token.as_bytes()),
            part("x-cos-meta-fileid", "", self.cos_file_id.as_bytes()),
        ]
    }
}

pub(super) fn part(name: &str, more: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}
