//! Callbacks with the SDKs from PyPI and npm, as independent implementations: as the platform in front of Tokenward, as
//! handlers behind it, and as handlers that the emulated platform calls back directly.
//! `scripts/install-interop.sh` installs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod callback_lab;
mod lab;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use callback_lab::{AES_KEY, APP, TOKEN, Target, callback, forward, message, push, text, url};
use lab::{Lab, documented};
use serde_json::{Value, json};

fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop").join(path);
    assert!(path.exists(), "{} is missing: run scripts/install-interop.sh", path.display());
    path
}

fn sdk(what: &str, name: &str) -> Command {
    let mut command = match name {
        "wechatpy" | "werobot" => {
            let mut command = Command::new(installed("python-wechat/bin/python"));
            command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/python/callbacks.py"));
            command
        }
        _ => {
            let mut command = Command::new("node");
            command.arg("--no-deprecation").arg(installed("node/callbacks.mjs"));
            command
        }
    };
    command.args([what, name]).env("TOKEN", TOKEN).env("APP", APP);
    for proxy in ["HTTP_PROXY", "http_proxy"] {
        command.env_remove(proxy);
    }
    command
}

/// The SDK encrypts, Tokenward decrypts; the target answers, Tokenward encrypts, the SDK decrypts.
async fn speaks(name: &str) {
    let lab = Lab::new(documented()).await;
    let reply = "<xml><Content><![CDATA[收到]]></Content></xml>";
    let mut target = Target::new(200, reply).await;
    let server = lab.serve(&(callback("secure", "") + &forward("orders", &target, "answer = true")));
    // Every length of padding.
    for length in 0..33 {
        let content = text(&format!("你好{}", "a".repeat(length)));
        let mut command = sdk("speak", name);
        command.env("AES_KEY", AES_KEY).env("CALLBACK", url(&server)).env("CONTENT", &content);
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&told["status"], &told["answer"]), (&json!(200), &json!(reply)), "{told}");
        assert_eq!(target.next().await.body, content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_speaks() {
    speaks("wechatpy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn werobot_speaks() {
    speaks("werobot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_crypto_speaks() {
    speaks("wechat-crypto").await;
}

/// A handler that an SDK made. Ends with its input.
struct Handler {
    child: Child,
    url: String,
}

impl Handler {
    fn start(name: &str, secure: bool) -> Handler {
        let mut command = sdk("handle", name);
        if secure {
            command.env("AES_KEY", AES_KEY);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{name} did not start"));
        Handler { child, url: format!("http://127.0.0.1:{}/", told["port"]) }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// A handler for messages in the clear stays as it is when Tokenward comes in front of it; the platform is talked to
/// in secure mode all the same.
async fn stands_behind(name: &str) {
    let lab = Lab::new(documented()).await;
    let handler = Handler::start(name, false);
    let config = format!("[callbacks.shop.forward.orders]\nto = \"{}\"\nanswer = true\n", handler.url);
    let server = lab.serve(&(callback("secure", "") + &config));
    let told = push(&lab, &server, &message(&server, "secure", "xml", &text("你好"))).await;
    let answer = told["message"]["answer"].as_str().unwrap_or_else(|| panic!("{told}"));
    assert!(answer.contains("heard 你好"), "{answer}");
}

/// The emulated platform and the SDK understand each other without Tokenward.
async fn is_called_back(name: &str) {
    let lab = Lab::new(documented()).await;
    let handler = Handler::start(name, true);
    let pushed = json!({
        "url": handler.url, "token": TOKEN, "aes_key": AES_KEY, "app_id": APP, "mode": "secure", "format": "xml",
        "content": text("你好"),
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/_emulator/push", lab.emulator.url())).json(&pushed);
    let told: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(told["handshake"]["accepted"], true, "{told}");
    let answer = told["message"]["answer"].as_str().unwrap_or_else(|| panic!("{told}"));
    assert!(answer.contains("heard 你好"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn werobot_handles() {
    stands_behind("werobot").await;
    is_called_back("werobot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_handles() {
    stands_behind("wechat").await;
    is_called_back("wechat").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn co_wechat_handles() {
    stands_behind("co-wechat").await;
    is_called_back("co-wechat").await;
}
