//! The two servers that are compared.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const KEY: &str = "bench-key-0123456789abcdef";
const SECRET: &str = "bench-secret";

/// The real binary with one credential of the emulator.
pub struct Tokenward {
    server: Child,
    emulator: Child,
    address: SocketAddr,
}

/// nginx that answers the same bytes after a check of the header.
pub struct Nginx {
    master: Child,
    address: SocketAddr,
}

/// Gives a process one core.
pub fn pin(pid: u32, core: usize) {
    let pinned = Command::new("taskset").args(["-a", "-cp", &core.to_string(), &pid.to_string()]).output();
    assert!(pinned.unwrap().status.success(), "taskset is needed");
}

/// Time on the CPU of all threads of a process.
pub fn cpu_nanoseconds(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let times =
        threads.filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("schedstat")).ok());
    times.map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn binary() -> std::path::PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    target.join("dist/tokenward")
}

fn on_core_0(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

fn first_line_with(child: &mut Child, text: &str) -> String {
    let out: Box<dyn std::io::Read + Send> = match child.stdout.take() {
        Some(stdout) => Box::new(stdout),
        None => Box::new(child.stderr.take().unwrap()),
    };
    let mut lines = BufReader::new(out).lines();
    let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains(text)).unwrap();
    // Read on, so that the writer never blocks.
    std::thread::spawn(move || lines.for_each(drop));
    line
}

fn get(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        String::from_utf8(request.to_vec()).unwrap().replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Tokenward {
    pub fn start(folder: &Path) -> Tokenward {
        let mut emulator = Command::new(binary())
            .args([
                "emulate",
                "--listen",
                "127.0.0.1:0",
                "--app",
                &format!("wx1:{SECRET}"),
                "--token-ttl",
                "2h",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is there: cargo build --profile dist -p tokenward-cli");
        let platform = first_line_with(&mut emulator, "http://");
        let platform = platform.split_whitespace().last().unwrap();
        let config = folder.join("tokenward.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"data\"\n
             [clients.bench]\nkey = {{ inline = \"{KEY}\" }}\ncredentials = [\"shop\"]\n\
             [credentials.shop]\nplatform = \"wechat\"\ntoken_api = \"classic\"\napp_id = \"wx1\"\n\
             app_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"{platform}\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut server =
            on_core_0(&binary()).args(["serve", "-c"]).arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let line = first_line_with(&mut server, "listening address=");
        let address = line.rsplit("address=").next().unwrap().trim().parse().unwrap();
        Tokenward { server, emulator, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    pub fn request(&self) -> Vec<u8> {
        format!(
            "GET /v1/credentials/shop/token HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\n\r\n",
            self.address
        )
        .into_bytes()
    }

    /// The body that nginx is to answer with.
    pub fn sample(&self) -> String {
        let answer = get(self.address, &self.request());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let wrong = String::from_utf8(self.request()).unwrap().replace(KEY, "wrong");
        assert!(get(self.address, wrong.as_bytes()).starts_with("HTTP/1.1 401"));
        answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
    }
}

impl Nginx {
    pub fn start(folder: &Path, body: &str) -> Nginx {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let body = body.replace('\\', "\\\\").replace('\'', "\\'");
        let config = folder.join("nginx.conf");
        let text = format!(
            "worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600;\n\
             server {{ listen 127.0.0.1:{port};\n\
             location / {{ default_type application/json;\n\
             if ($http_authorization != 'Bearer {KEY}') {{ return 401; }}\n\
             add_header Cache-Control 'private, max-age=3600'; add_header ETag 'W/\"1-1795176000\"';\n\
             return 200 '{body}'; }} }} }}\n",
            folder = folder.display(),
        );
        std::fs::write(&config, text).unwrap();
        let master = on_core_0(Path::new("nginx")).arg("-c").arg(config).spawn().expect("nginx is installed");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        let nginx = Nginx { master, address };
        let wrong = String::from_utf8(nginx.request()).unwrap().replace(KEY, "wrong");
        assert!(get(address, wrong.as_bytes()).starts_with("HTTP/1.1 401"));
        nginx
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn request(&self) -> Vec<u8> {
        format!(
            "GET /v1/credentials/shop/token HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\n\r\n",
            self.address
        )
        .into_bytes()
    }

    /// The process that answers.
    pub fn worker(&self) -> u32 {
        let pid = self.master.id();
        loop {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
            if let Some(worker) = children.split_whitespace().next() {
                return worker.parse().unwrap();
            }
        }
    }
}

fn end(child: &mut Child) {
    drop(Command::new("kill").arg(child.id().to_string()).status());
    drop(child.wait());
}

impl Drop for Tokenward {
    fn drop(&mut self) {
        end(&mut self.server);
        end(&mut self.emulator);
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.master);
    }
}
