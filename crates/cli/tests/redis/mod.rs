//! A Redis of a test's own, on a free port, and SDKs that read there.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub struct Redis {
    child: Option<Child>,
    port: u16,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
    tls: Option<PathBuf>,
}

/// What is published on a channel.
pub struct Listener {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Redis {
    pub fn start(arguments: &[&str]) -> Redis {
        Redis::start_with(arguments.iter().map(|it| (*it).to_owned()).collect(), None)
    }

    /// With TLS alone. `cert.pem`, `key.pem` and `ca.pem` are in the folder.
    pub fn start_tls(folder: &Path) -> Redis {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let arguments = [
            "--tls-cert-file",
            &path("cert.pem"),
            "--tls-key-file",
            &path("key.pem"),
            "--tls-ca-cert-file",
            &path("ca.pem"),
            "--tls-auth-clients",
            "no",
        ];
        Redis::start_with(arguments.map(str::to_owned).to_vec(), Some(folder.join("ca.pem")))
    }

    /// A sentinel that watches a master under a name.
    pub fn start_sentinel(master: &Redis, name: &str) -> Redis {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, format!("sentinel monitor {name} 127.0.0.1 {} 1\n", master.port)).unwrap();
        let mut redis = Redis { child: None, port: free_port(), arguments: Vec::new(), folder, tls: None };
        redis.arguments = vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()];
        redis.restart();
        redis
    }

    fn start_with(arguments: Vec<String>, tls: Option<PathBuf>) -> Redis {
        let mut redis =
            Redis { child: None, port: free_port(), arguments, folder: tempfile::tempdir().unwrap(), tls };
        redis.restart();
        redis
    }

    /// Starts it, empty, and waits until it answers.
    pub fn restart(&mut self) {
        let (plain, tls) = if self.tls.is_some() { (0, self.port) } else { (self.port, 0) };
        let mut command = Command::new("redis-server");
        command.args(&self.arguments).args(["--bind", "127.0.0.1", "--port", &plain.to_string()]);
        if !self.arguments.iter().any(|argument| argument == "--sentinel") {
            command.args(["--save", "", "--appendonly", "no"]);
        }
        if tls > 0 {
            command.args(["--tls-port", &tls.to_string()]);
        }
        command.arg("--dir").arg(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("scripts/install-test-tools.sh installs redis-server"));
        // The port is open when it is ready; each look takes its own time.
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            std::thread::yield_now();
        }
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    pub fn url(&self) -> String {
        match self.tls {
            Some(_) => format!("rediss://localhost:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// What `redis-cli` answers to a command.
    pub fn ask(&self, command: &[&str]) -> String {
        let output =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Listens to a channel from now on.
    pub fn listen(&self, channel: &str) -> Listener {
        let mut child = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "SUBSCRIBE", channel])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut listener = Listener { lines: BufReader::new(child.stdout.take().unwrap()), child };
        for _ in 0..3 {
            listener.line();
        }
        listener
    }
}

impl Listener {
    fn line(&mut self) -> String {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.lines.read_line(&mut line)).unwrap();
        line.trim_end().to_owned()
    }

    /// The next message.
    pub fn next(&mut self) -> String {
        let (_message, _channel) = (self.line(), self.line());
        self.line()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// An SDK that keeps its tokens in Redis and calls the platform itself. Its secret is none of the platform's.
pub struct Sdk {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sdk {
    pub fn start(name: &str, platform: &str, redis: &Redis) -> Sdk {
        let mut child = command(name)
            .env("FACADE", platform)
            .env("APPID", "wxclassic")
            .env("SECRET", "what-the-sdk-has")
            .env("REDIS", redis.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Sdk { child, commands, answers }
    }

    fn ask(&mut self, command: &str) -> Value {
        tokio::task::block_in_place(|| {
            writeln!(self.commands, "{command}").unwrap();
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the SDK ended at {command}: {line}"))
        })
    }

    pub fn token(&mut self) -> String {
        let said = self.ask("token");
        said["ok"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// A GET and a POST, as the SDK's user sees them.
    pub fn works(&mut self) {
        let followers = self.ask("followers");
        assert_eq!(followers["ok"].as_array().map(Vec::len), Some(2), "{followers}");
        assert_eq!(self.ask("send"), json!({"ok": 0}));
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(name: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = |path: &str| -> PathBuf {
        let path = root.join("target/interop").join(path);
        assert!(path.exists(), "{} is missing: run scripts/install-interop.sh", path.display());
        path
    };
    let python = |environment: &str, sdk: &str| {
        let mut command = Command::new(installed(&format!("{environment}/bin/python")));
        command.arg(root.join("interop/python/wechat_sdks.py")).arg(sdk);
        command
    };
    match name {
        "wechatpy2" => python("python-wechatpy2", "wechatpy"),
        "wechatpy" | "dingtalk-sdk" => python("python-wechat", name),
        _ => {
            let mut command = Command::new("node");
            command.arg(installed("node/wechat-sdks.mjs")).arg(name);
            command
        }
    }
}
