//! A laboratory: the real binary on loopback against the emulator, on free ports, in a folder of its own.
//!
//! Nothing sleeps: a server is up when it says so, a rotation is awaited with a long poll.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokenward_emulator::{App, Control, Emulator, Running, Settings};

pub const KEY: &str = "lab-key-0123456789abcdef";
pub const SECRET: &str = "lab-secret-0123456789abcdef";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The emulator and a folder for the server.
pub struct Lab {
    pub emulator: Running,
    pub folder: TempDir,
}

/// A running `tokenward serve`.
pub struct Server {
    child: Child,
    pub url: String,
    pub data_dir: PathBuf,
    config: PathBuf,
    log: Arc<Mutex<String>>,
    lines: Mutex<Receiver<String>>,
    http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn token(&self) -> &str {
        self.body["token"].as_str().unwrap_or_else(|| panic!("no token in {self:?}"))
    }

    pub fn generation(&self) -> u64 {
        self.body["generation"].as_u64().unwrap_or_else(|| panic!("no generation in {self:?}"))
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Lives of two hours, as documented.
pub fn documented() -> Settings {
    Settings { listen: ([127, 0, 0, 1], 0).into(), apps: apps(), ..Settings::default() }
}

/// Lives of so many seconds, overlap and window of so many.
pub fn scaled(life: u64, overlap: u64) -> Settings {
    Settings {
        token_ttl: Some(Duration::from_secs(life)),
        overlap: Duration::from_secs(overlap),
        renew_window: Duration::from_secs(overlap),
        force_interval: Duration::ZERO,
        ..documented()
    }
}

fn apps() -> Vec<App> {
    ["wxclassic", "wxstable", "wxother", "baiduapp", "oauthapp"].map(|id| App::new(id, SECRET)).into()
}

/// One classic credential `shop`, with the overlap that the emulator plays.
pub fn classic(overlap: &str) -> String {
    format!(
        "[credentials.shop]\nplatform = \"wechat\"\ntoken_api = \"classic\"\napp_id = \"wxclassic\"\n\
         app_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"PLATFORM\"\n\
         [credentials.shop.refresh]\noverlap = \"{overlap}\"\nskew = \"0s\"\n"
    )
}

/// One credential of each kind: `shop` (classic), `members` (stable), `ocr` (Baidu), `crm` (OAuth 2.0).
pub fn four() -> String {
    classic("5m")
        + &format!(
            "[credentials.members]\nplatform = \"wechat\"\napp_id = \"wxstable\"\n\
             app_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"PLATFORM\"\n\
             [credentials.ocr]\nplatform = \"baidu\"\nclient_id = \"baiduapp\"\n\
             client_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"PLATFORM\"\n\
             [credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\n\
             client_id = \"oauthapp\"\nclient_secret = {{ inline = \"{SECRET}\" }}\n"
        )
}

impl Lab {
    pub async fn new(settings: Settings) -> Lab {
        let emulator = Emulator::start(settings).await.unwrap();
        Lab { emulator, folder: tempfile::tempdir().unwrap() }
    }

    pub fn control(&self) -> &Control {
        self.emulator.control()
    }

    /// Writes a configuration: server and one client with all rights in front of `credentials`.
    pub fn write_config(&self, credentials: &str) -> PathBuf {
        let path = self.folder.path().join("tokenward.toml");
        let head = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"data\"\n\
             [clients.lab]\nkey = {{ inline = \"{KEY}\" }}\ncredentials = [\"*\"]\n\
             may = [\"token\", \"report\", \"call\", \"admin\"]\n"
        );
        let text = head + &credentials.replace("PLATFORM", &self.emulator.url());
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts a server with these credentials.
    pub fn serve(&self, credentials: &str) -> Server {
        Server::start(&self.write_config(credentials), &[])
    }

    /// How many tokens the platform has issued.
    pub fn issued(&self) -> u64 {
        self.emulator.stats().issued
    }

    /// Calls the platform with a token, and says whether it was accepted.
    pub async fn accepts(&self, http: &reqwest::Client, token: &str) -> bool {
        let url = format!("{}/cgi-bin/user/get", self.emulator.url());
        let answer: Value =
            http.get(url).query(&[("access_token", token)]).send().await.unwrap().json().await.unwrap();
        answer.get("errcode").is_none()
    }
}

impl Server {
    /// Starts `tokenward serve` and waits until it listens.
    pub fn start(config: &Path, environment: &[(&str, &str)]) -> Server {
        let mut child = tokenward()
            .args(["serve", "-c"])
            .arg(config)
            .env("TOKENWARD_LOG", "trace")
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
                drop(sender.send(line));
            }
        });
        let data_dir = config.parent().unwrap().join("data");
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let config = config.to_owned();
        let mut server =
            Server { child, url: String::new(), data_dir, config, log, lines: Mutex::new(lines), http };
        let line = server.wait_for_line("listening address=");
        let address = line.rsplit("address=").next().unwrap().trim().to_owned();
        server.url = format!("http://{address}");
        server
    }

    /// Waits until the server logs a line with this text.
    pub fn wait_for_line(&self, text: &str) -> String {
        loop {
            let line = tokio::task::block_in_place(|| self.lines.lock().unwrap().recv_timeout(PATIENCE));
            match line {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("the server never said {text:?}; it said:\n{}", self.log()),
            }
        }
    }

    /// Where the facade listens.
    pub fn facade(&self) -> String {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("the facade listens address=")).unwrap();
        format!("http://{}", line.rsplit("address=").next().unwrap().trim())
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.url)).bearer_auth(KEY)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.http.post(format!("{}{path}", self.url)).bearer_auth(KEY).json(&body)).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.timeout(PATIENCE).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, headers, body }
    }

    pub async fn token(&self, name: &str) -> Answer {
        self.get(&format!("/v1/credentials/{name}/token")).await
    }

    pub async fn status(&self, name: &str) -> Value {
        self.get(&format!("/v1/credentials/{name}")).await.body
    }

    pub async fn report(&self, name: &str, generation: u64) -> Answer {
        let body = serde_json::json!({ "generation": generation });
        self.post(&format!("/v1/credentials/{name}/report"), body).await
    }

    /// Asks for a refresh and does not wait for the answer.
    pub fn refresh_and_leave(&self, http: &reqwest::Client, name: &str) -> tokio::task::JoinHandle<()> {
        let url = format!("{}/v1/credentials/{name}/refresh", self.url);
        let request = http.post(url).bearer_auth(KEY).json(&serde_json::json!({}));
        tokio::spawn(async move { drop(request.send().await) })
    }

    /// Waits until the credential has a generation other than this one, and returns its token.
    pub async fn next_token(&self, name: &str, after: u64) -> Answer {
        // Twice the wait of a poll and more: some tests' tokens take that long to rotate.
        let patience = tokio::time::Instant::now() + 4 * PATIENCE;
        loop {
            let answer = self.get(&format!("/v1/credentials/{name}/token?after={after}&wait=20s")).await;
            if answer.status == 200 && answer.generation() != after {
                return answer;
            }
            let late = tokio::time::Instant::now() > patience;
            assert!(!late, "no token after {after}: {answer:?}; it said:\n{}", self.log());
        }
    }

    /// Waits until the credential is in this state, asking again with every log line.
    pub async fn wait_for_state(&self, name: &str, state: &str) -> Value {
        loop {
            let status = self.status(name).await;
            if status["state"] == state {
                return status;
            }
            self.wait_for_line(&format!("credential=\"{name}\""));
        }
    }

    /// Runs a command against this server's data folder.
    pub fn command(&self, arguments: &[&str]) -> Output {
        tokenward().arg("-c").arg(&self.config).args(arguments).output().unwrap()
    }

    /// Ends it in good order.
    pub fn stop(mut self) -> ExitStatus {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The command under test, without anything of the environment that it reads.
pub fn tokenward() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenward"));
    for variable in ["TOKENWARD_URL", "TOKENWARD_KEY", "TOKENWARD_LOG"] {
        command.env_remove(variable);
    }
    command
}
