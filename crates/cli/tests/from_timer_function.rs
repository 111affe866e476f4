//! `examples/from-timer-function`: the classic set-up as it is, and then its readers served by Tokenward.
//! `scripts/install-interop.sh` installs the vendor's SDK.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "a reader of another process says when it saw something")]

mod lab;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab::{Lab, SECRET, Server, documented};
use serde_json::{Value, json};
use tokenward_emulator::{CloudSettings, Event, Function, Happening, Settings};

const READERS: [&str; 2] = ["read-setconfig", "read-cloud-token"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example() -> PathBuf {
    root().join("examples/from-timer-function")
}

fn modules() -> String {
    let modules = root().join("target/interop/node/node_modules");
    assert!(modules.exists(), "{} is missing: run scripts/install-interop.sh", modules.display());
    modules.display().to_string()
}

/// The cloud with these functions of the example, which fetch tokens there.
async fn cloud(names: &[&str], fetch_from: &str) -> Lab {
    let variables =
        [("API", fetch_from), ("APPID", "wxclassic"), ("SECRET", SECRET), ("NODE_PATH", &modules())];
    let variables: BTreeMap<_, _> =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let function = |name: &&str| {
        let folder = example().join(name);
        let function: Function = format!("test/{name}={}", folder.display()).parse().unwrap();
        Function { variables: variables.clone(), ..function }
    };
    let functions = names.iter().map(function).collect();
    Lab::new(Settings { cloud: CloudSettings { functions, ..CloudSettings::default() }, ..documented() })
        .await
}

async fn post(lab: &Lab, path: &str, body: &Value) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = format!(
        "{}/cgi-bin/token?grant_type=client_credential&appid=wxother&secret={SECRET}",
        lab.emulator.url()
    );
    let token: Value = http.get(token).send().await.unwrap().json().await.unwrap();
    let url = format!("{}{path}", lab.emulator.url());
    let call = http.post(url).query(&[("access_token", token["access_token"].as_str().unwrap())]);
    let answer: Value = call.body(body.to_string()).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["errcode"], 0, "{answer}");
    answer
}

/// What a person does once in the cloud console.
async fn make_collections(lab: &Lab) {
    for name in ["setconfig", "cloud-token"] {
        post(lab, "/tcb/databasecollectionadd", &json!({"env": "test", "collection_name": name})).await;
    }
}

/// What a reader's caller gets.
async fn invoke(lab: &Lab, reader: &str) -> Value {
    let answer = post(lab, &format!("/tcb/invokecloudfunction?env=test&name={reader}"), &json!({})).await;
    serde_json::from_str(answer["resp_data"].as_str().unwrap()).unwrap()
}

/// The credential and the sinks of the example, with the test's app and emulator.
fn sinks() -> String {
    let config = std::fs::read_to_string(example().join("tokenward.toml")).unwrap();
    let credentials = &config[config.find("[credentials.shop]").unwrap()..];
    credentials
        .replace("\"wx1\"", "\"wxclassic\"")
        .replace("s1-worth-nothing", SECRET)
        .replace("http://127.0.0.1:7650", "PLATFORM")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_function_writes_what_the_readers_read() {
    let platform = Lab::new(documented()).await;
    let lab = cloud(&["fetch-token", READERS[0], READERS[1]], &platform.emulator.url()).await;
    make_collections(&lab).await;
    let mut events = lab.control().events();
    lab.control().advance(Duration::from_secs(3600));
    let failure = loop {
        if let Event { what: Happening::FunctionEnded { failure, .. }, .. } = events.recv().await.unwrap() {
            break failure;
        }
    };
    assert_eq!(failure, None);
    let (named, dated) = (invoke(&lab, READERS[0]).await, invoke(&lab, READERS[1]).await);
    assert_eq!(named["token"], dated["token"]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(platform.accepts(&http, named["token"].as_str().unwrap()).await, "{named}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_readers_get_their_token_from_tokenward() {
    let lab = cloud(&READERS, "").await;
    make_collections(&lab).await;
    let server = lab.serve(&sinks());
    let token = server.token("shop").await.token().to_owned();
    delivered(&server, 1).await;
    for reader in READERS {
        assert_eq!(invoke(&lab, reader).await["token"], token, "{reader}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readers_see_each_new_token_within_a_second() {
    let lab = cloud(&[], "").await;
    make_collections(&lab).await;
    let server = lab.serve(&sinks());
    delivered(&server, 1).await;
    let watch = Watch::start(&lab);
    let first = server.token("shop").await.token().to_owned();
    READERS.iter().for_each(|_| assert_eq!(watch.next().token, first));
    for _ in 0..20 {
        let refreshed = server.post("/v1/credentials/shop/refresh", json!({"force": true})).await;
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
        let published = now();
        let token = server.token("shop").await.token().to_owned();
        for _ in READERS {
            let seen = watch.next();
            assert_eq!(seen.token, token, "{}", seen.reader);
            assert!(seen.at - published < 1_000, "{} took {} ms", seen.reader, seen.at - published);
        }
    }
}

/// Waits until both sinks have delivered this generation.
async fn delivered(server: &Server, generation: u64) {
    loop {
        let sinks = server.status("shop").await["sinks"].take();
        if sinks.as_array().unwrap().iter().all(|sink| sink["generation"] == generation) {
            return;
        }
        assert!(sinks.as_array().unwrap().iter().all(|sink| sink["failed"] == 0), "{sinks}");
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// `watch.js` at work.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

/// What a reader saw, and when.
struct Seen {
    reader: String,
    at: i64,
    token: String,
}

impl Watch {
    fn start(lab: &Lab) -> Watch {
        let mut child = Command::new("node")
            .arg(example().join("watch.js"))
            .env("NODE_PATH", modules())
            .env("TCB_ENV", "test")
            .env("SCF_NAMESPACE", "test")
            .env("TENCENTCLOUD_SECRETID", "any")
            .env("TENCENTCLOUD_SECRETKEY", "any")
            .env("TCB_CONTEXT_CNFG", json!({"URL": format!("{}/admin", lab.emulator.url())}).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Watch { child, lines }
    }

    fn next(&self) -> Seen {
        let line = tokio::task::block_in_place(|| self.lines.recv_timeout(Duration::from_secs(30))).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        Seen { reader: words[0].to_owned(), at: words[1].parse().unwrap(), token: words[2].to_owned() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
