//! What clients see while something is down, as docs/failure-modes.md tells it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use lab::{Answer, KEY, Lab, Server, classic, documented, four};
use serde_json::{Value, json};
use tokenward_emulator::{Fault, FaultKind};

/// A port that nobody has just now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The example's nginx, with its addresses replaced by those of the test.
struct Nginx {
    child: Child,
    url: String,
    http: reqwest::Client,
}

impl Nginx {
    async fn start(folder: &Path, facade: u16, platform: &str) -> Nginx {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/nginx-failover.conf");
        let (port, direct) = (free_port(), free_port());
        let text = std::fs::read_to_string(example)
            .unwrap()
            .replace("127.0.0.1:7601", &format!("127.0.0.1:{facade}"))
            .replace("127.0.0.1:7611", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:7612", &format!("127.0.0.1:{direct}"))
            .replace("https://api.weixin.qq.com", platform);
        let config = folder.join("nginx.conf");
        std::fs::write(&config, text).unwrap();
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = Command::new(program)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("nginx.log")).unwrap())
            .spawn()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let nginx = Nginx { child, url: format!("http://127.0.0.1:{port}"), http };
        let listens = async { while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {} };
        tokio::time::timeout(std::time::Duration::from_secs(20), listens).await.unwrap();
        nginx
    }

    async fn token(&self) -> (u16, Value) {
        let query = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
        let answer = self.http.get(format!("{}/cgi-bin/token?{query}", self.url)).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn followers(&self, token: &str) -> Value {
        let url = format!("{}/cgi-bin/user/get?access_token={token}", self.url);
        self.http.get(url).send().await.unwrap().json().await.unwrap_or_default()
    }

    async fn send(&self, token: &str) -> Value {
        let url = format!("{}/cgi-bin/message/custom/send?access_token={token}", self.url);
        let message = json!({"touser": "o1"}).to_string();
        self.http.post(url).body(message).send().await.unwrap().json().await.unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that its workers end too.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn business_calls_go_straight_to_the_platform_while_the_facade_is_down() {
    let lab = Lab::new(documented()).await;
    let facade = free_port();
    let config = format!("[facade.wechat]\nlisten = \"127.0.0.1:{facade}\"\n{}", classic("5m"));
    let server = lab.serve(&config);
    let nginx = Nginx::start(lab.folder.path(), facade, &lab.emulator.url()).await;
    let (_, granted) = nginx.token().await;
    let token = granted["access_token"].as_str().unwrap().to_owned();
    assert!(nginx.followers(&token).await["data"]["openid"].is_array());
    server.kill();
    assert!(nginx.followers(&token).await["data"]["openid"].is_array(), "straight to the platform");
    assert_eq!(nginx.send(&token).await["errcode"], 0, "with a body, too");
    assert_eq!(nginx.token().await.0, 502, "a client key is never sent to the platform");
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert_eq!(stats["by_path"]["/cgi-bin/token"]["requests"], 1, "{stats}");
    let server = lab.serve(&config);
    assert_eq!(nginx.token().await.1["access_token"], token.as_str(), "and back");
    let log = std::fs::read_to_string(lab.folder.path().join("nginx.log")).unwrap();
    assert!(!log.contains(&token) && !log.contains(KEY), "{log}");
    drop(server);
}

async fn call(server: &Server, path: &str) -> Answer {
    let url = format!("{}/v1/call/{path}", server.url);
    server.send(server.http().get(url).bearer_auth(KEY)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_platform_is_down_tokens_are_handed_out_and_calls_say_so() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("[facade.wechat]\nlisten = \"127.0.0.1:0\"\n{}", four()));
    let token = server.token("shop").await.token().to_owned();
    let status = FaultKind::Status(reqwest::StatusCode::BAD_GATEWAY);
    lab.control().inject(Fault::new(status)).unwrap();
    assert_eq!(server.token("shop").await.token(), token);
    assert_eq!(call(&server, "shop/cgi-bin/user/get").await.status, 502, "the platform's own status");
    let asked = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
    let url = format!("{}/cgi-bin/token?{asked}", server.facade());
    assert_eq!(server.send(server.http().get(url)).await.body["access_token"], token.as_str());
}
