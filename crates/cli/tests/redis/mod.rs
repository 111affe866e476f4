//! A Redis of a test's own, on a free port.
#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

pub mod between;
pub mod sink;

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

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
