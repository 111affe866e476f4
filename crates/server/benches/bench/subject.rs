//! The servers that are compared.
#![allow(dead_code, reason = "each benchmark needs some of them")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const KEY: &str = "bench-key-0123456789abcdef";
const SECRET: &str = "bench-secret";
/// A token as long as WeChat's, for those who have it in their configuration.
const TOKEN: &str = "90_bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench-token-bench";
const PROXY: &str = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Authorization '';\n\
                     proxy_pass http://platform;";
const LUA_MODULES: &str =
    "load_module modules/ndk_http_module.so; load_module modules/ngx_http_lua_module.so;";

/// The real binary with one credential of the emulator.
pub struct Tokenward {
    server: Child,
    emulator: Child,
    platform: String,
    address: SocketAddr,
    facade: SocketAddr,
}

/// nginx in one of its parts.
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

type Lines = std::io::Lines<BufReader<Box<dyn std::io::Read + Send>>>;

fn lines_of(child: &mut Child) -> Lines {
    let out: Box<dyn std::io::Read + Send> = match child.stdout.take() {
        Some(stdout) => Box::new(stdout),
        None => Box::new(child.stderr.take().unwrap()),
    };
    BufReader::new(out).lines()
}

fn line_with(lines: &mut Lines, text: &str) -> String {
    lines.map_while(Result::ok).find(|line| line.contains(text)).unwrap()
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

fn start_server(config: &Path, platform: &str) -> (Child, SocketAddr, SocketAddr) {
    let folder = config.parent().unwrap();
    let data_dir = config.file_stem().unwrap().to_str().unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"{data_dir}-data\"\n\
         [facade.wechat]\nlisten = \"127.0.0.1:0\"\n\
         [clients.bench]\nkey = {{ inline = \"{KEY}\" }}\ncredentials = [\"shop\"]\n\
         [credentials.shop]\nplatform = \"wechat\"\ntoken_api = \"classic\"\napp_id = \"wx1\"\n\
         app_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"{platform}\"\n"
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(config, text).unwrap();
    let mut server =
        on_core_0(&binary()).args(["serve", "-c"]).arg(config).stderr(Stdio::piped()).spawn().unwrap();
    let address = |line: String| line.rsplit("address=").next().unwrap().trim().parse().unwrap();
    let mut lines = lines_of(&mut server);
    let facade = address(line_with(&mut lines, "the facade listens address="));
    let api = address(line_with(&mut lines, " listening address="));
    // Read on, so that the writer never blocks.
    std::thread::spawn(move || lines.for_each(drop));
    (server, api, facade)
}

fn request(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {KEY}\r\n\r\n").into_bytes()
}

fn with_wrong_key(request: &[u8]) -> Vec<u8> {
    String::from_utf8(request.to_vec()).unwrap().replace(KEY, "wrong").into_bytes()
}

impl Tokenward {
    pub fn start(folder: &Path) -> Tokenward {
        let mut emulator = Command::new(binary())
            .args([
                "emulate",
                "--listen",
                "127.0.0.1:0",
                "--token-ttl",
                "2h",
                "--app",
                &format!("wx1:{SECRET}"),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is there: cargo build --profile dist -p tokenward-cli");
        let mut lines = lines_of(&mut emulator);
        let platform = line_with(&mut lines, "http://");
        std::thread::spawn(move || lines.for_each(drop));
        let platform = platform.split_whitespace().last().unwrap().to_owned();
        let (server, address, facade) = start_server(&folder.join("tokenward.toml"), &platform);
        Tokenward { server, emulator, platform, address, facade }
    }

    /// The same, with calls and fetches going to an upstream.
    pub fn calling(mut self, folder: &Path, upstream: SocketAddr) -> Tokenward {
        end(&mut self.server);
        (self.server, self.address, self.facade) =
            start_server(&folder.join("calling.toml"), &format!("http://{upstream}"));
        let answer = get(self.address, &self.call("/v1/call/shop/cgi-bin/user/get"));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("access_token=9"), "{answer}");
        self
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn facade(&self) -> SocketAddr {
        self.facade
    }

    /// A call of an SDK that holds a token.
    pub fn facade_call(&self) -> Vec<u8> {
        let query = format!("grant_type=client_credential&appid=wx1&secret={KEY}");
        let answer = get(self.facade, &request(self.facade, &format!("/cgi-bin/token?{query}")));
        let token = answer.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap();
        let path = format!("/cgi-bin/user/get?access_token={token}");
        let call = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.facade).into_bytes();
        assert!(get(self.facade, &call).contains("access_token=9"));
        call
    }

    /// Where the emulator is.
    pub fn platform(&self) -> &str {
        &self.platform
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    pub fn call(&self, path: &str) -> Vec<u8> {
        request(self.address, path)
    }

    pub fn token_read(&self) -> Vec<u8> {
        self.call("/v1/credentials/shop/token")
    }

    /// The body that nginx is to answer with.
    pub fn sample(&self) -> String {
        let answer = get(self.address, &self.token_read());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(get(self.address, &with_wrong_key(&self.token_read())).starts_with("HTTP/1.1 401"));
        answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
    }
}

impl Nginx {
    /// Answers every request that has the key with the same body.
    pub fn answering(folder: &Path, body: &str) -> Nginx {
        let body = body.replace('\\', "\\\\").replace('\'', "\\'");
        let location = format!(
            "location / {{ default_type application/json;\n\
             if ($http_authorization != 'Bearer {KEY}') {{ return 401; }}\n\
             add_header Cache-Control 'private, max-age=3600'; add_header ETag 'W/\"1-1795176000\"';\n\
             return 200 '{body}'; }}"
        );
        let nginx = Nginx::start(folder, "answering", 0, "", &location);
        assert!(get(nginx.address, &with_wrong_key(&nginx.token_read())).starts_with("HTTP/1.1 401"));
        nginx
    }

    /// Plays the platform: answers calls at once, and has the emulator issue tokens.
    pub fn upstream(folder: &Path, platform: &str) -> Nginx {
        let location = format!(
            "location = /cgi-bin/token {{ proxy_pass {platform}; }}\n\
             location / {{ default_type application/json;\n\
             return 200 '{{\"total\":2,\"count\":2,\"query\":\"$args\",\"next_openid\":\"\"}}'; }}"
        );
        Nginx::start(folder, "upstream", 1, "", &location)
    }

    /// Adds a token that stands in its configuration.
    pub fn proxy(folder: &Path, upstream: SocketAddr) -> Nginx {
        let http = format!(
            "upstream platform {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}"
        );
        let location = format!(
            "location / {{ if ($http_authorization != 'Bearer {KEY}') {{ return 401; }}\n\
             set $args $args&access_token={TOKEN};\n{PROXY} }}"
        );
        Nginx::start(folder, "proxy", 0, &http, &location).adding_the_token()
    }

    /// Checks the key and reads the token from a shared dictionary, in lua.
    pub fn lua_proxy(folder: &Path, upstream: SocketAddr) -> Nginx {
        let http = format!(
            "upstream platform {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}\n\
             lua_shared_dict keys 1m; lua_shared_dict tokens 1m;\n\
             init_by_lua_block {{ ngx.shared.keys:set('Bearer {KEY}', 'shop'); ngx.shared.tokens:set('shop', '{TOKEN}') }}"
        );
        let location = format!(
            "location / {{ access_by_lua_block {{\n\
             local name = ngx.shared.keys:get(ngx.var.http_authorization or '')\n\
             if not name then return ngx.exit(401) end\n\
             local args = ngx.var.args\n\
             local token = 'access_token=' .. ngx.shared.tokens:get(name)\n\
             ngx.var.args = args and args ~= '' and (args .. '&' .. token) or token }}\n{PROXY} }}"
        );
        Nginx::start(folder, "lua", 0, &http, &location).adding_the_token()
    }

    fn adding_the_token(self) -> Nginx {
        let call = self.call("/cgi-bin/user/get");
        let answer = get(self.address, &call);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(TOKEN), "{answer}");
        assert!(get(self.address, &with_wrong_key(&call)).starts_with("HTTP/1.1 401"));
        self
    }

    fn start(folder: &Path, name: &str, core: usize, http: &str, location: &str) -> Nginx {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.join(format!("{name}.conf"));
        let modules = if http.contains("lua_") { LUA_MODULES } else { "" };
        let text = format!(
            "{modules}\nworker_processes 1; daemon off; pid {folder}/{name}.pid; error_log stderr crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600;\n{http}\n\
             server {{ listen 127.0.0.1:{port};\n{location} }} }}\n",
            folder = folder.display(),
        );
        std::fs::write(&config, text).unwrap();
        let master = Command::new("taskset")
            .args(["-c", &core.to_string(), "nginx", "-c"])
            .arg(config)
            .spawn()
            .expect("nginx is installed");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        Nginx { master, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn call(&self, path: &str) -> Vec<u8> {
        request(self.address, path)
    }

    pub fn token_read(&self) -> Vec<u8> {
        self.call("/v1/credentials/shop/token")
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
