//! SDKs from PyPI and npm in processes of their own. `scripts/install-interop.sh` installs them.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// An SDK with its own idea of the token.
pub struct Sdk {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sdk {
    /// Starts one that believes the platform to be there, with a secret.
    pub fn start(name: &str, platform: &str, secret: &str) -> Sdk {
        Sdk::spawn(name, platform, secret, &[])
    }

    /// Starts one that keeps its tokens in Redis.
    pub fn start_with_redis(name: &str, platform: &str, secret: &str, redis: &str) -> Sdk {
        Sdk::spawn(name, platform, secret, &[("REDIS", redis)])
    }

    fn spawn(name: &str, platform: &str, secret: &str, more: &[(&str, &str)]) -> Sdk {
        let mut command = command(name);
        for proxy in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
            command.env_remove(proxy);
        }
        let mut child = command
            .env("FACADE", platform)
            .env("APPID", "wxclassic")
            .env("SECRET", secret)
            .envs(more.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Sdk { child, commands, answers }
    }

    pub fn ask(&mut self, command: &str) -> Value {
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
        "wechatpy" | "werobot" | "weixin-python" | "dingtalk-sdk" => python("python-wechat", name),
        _ => {
            let mut command = Command::new("node");
            command.arg(installed("node/wechat-sdks.mjs")).arg(name);
            command
        }
    }
}
