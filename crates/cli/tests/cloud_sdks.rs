//! The cloud's own SDKs from npm, unmodified, against the emulator's endpoint for them. `scripts/install-interop.sh`
//! installs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokenward_emulator::{App, CloudSettings, Emulator, Event, Function, Happening, Running, Settings};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn emulator(functions: Vec<Function>) -> Running {
    let cloud = CloudSettings { functions, ..CloudSettings::default() };
    let apps = vec![App::new("wx1", "s1")];
    Emulator::start(Settings { listen: ([127, 0, 0, 1], 0).into(), apps, cloud, ..Settings::default() })
        .await
        .unwrap()
}

/// What a user of the SDK sees.
async fn seen(sdk: &str) -> Value {
    let emulator = emulator(vec!["echo=run:cat".parse().unwrap()]).await;
    let script = root().join("target/interop/node/cloud-sdks.mjs");
    assert!(script.exists(), "{} is missing: run scripts/install-interop.sh", script.display());
    let mut node = Command::new("node");
    node.arg(script).arg(sdk).env("EMULATOR", emulator.url()).env("FUNCTION", "echo");
    let output = tokio::task::block_in_place(|| node.output().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What both of them see alike.
fn expected() -> Value {
    json!({
        "idLength": 32,
        "page": [{"n": 3}],
        "either": ["a", "b"],
        "pattern": [{"_id": "a", "n": 1, "tags": ["tea"], "at": "2020-09-13T12:26:40.000Z",
            "where": {"type": "Point", "coordinates": [113, 23]}}],
        "date": 1,
        "one": {"_id": "b", "n": 2, "tags": ["tea", "cup"], "deep": {"x": 1.5, "none": null}},
        "near": 1,
        "updated": 2,
        "all": [3, 5, 11, 12],
        "groups": [{"_id": "cup", "sum": 12}, {"_id": "new", "sum": 23}, {"_id": "tea", "sum": 23}],
        "conflict": "refused",
        "kept": 106,
        "removed": 1,
        "left": 2,
        "missing": -502_005,
        "fileID": "cloud://sdk-env.7364-sdk-env-1250000000/pictures/one 一.txt",
        "link": true,
        "file": "hello cloud",
        "deleted": 1,
        "gone": "gone",
        "function": {"a": 1, "userInfo": {"appId": "wx1"}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn wx_server_sdk_does_the_full_round() {
    assert_eq!(seen("wx-server-sdk").await, expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudbase_node_sdk_does_the_full_round() {
    let mut seen = seen("@cloudbase/node-sdk").await;
    // It returns a list where the other one returns a document, and names errors instead of counting them.
    seen["one"] = seen["one"][0].take();
    assert_eq!(seen["missing"].take(), "DATABASE_COLLECTION_NOT_EXIST");
    seen["missing"] = json!(-502_005);
    assert_eq!(seen, expected());
}

/// The set-up of `examples/cloud-functions`: one function fetches a token by the clock, another one hands it out.
#[tokio::test(flavor = "multi_thread")]
async fn the_classic_set_up_runs_as_it_is() {
    let platform = emulator(Vec::new()).await;
    let variables = BTreeMap::from([
        ("API".to_owned(), platform.url()),
        ("APPID".to_owned(), "wx1".to_owned()),
        ("SECRET".to_owned(), "s1".to_owned()),
        ("NODE_PATH".to_owned(), root().join("target/interop/node/node_modules").display().to_string()),
    ]);
    let function = |name: &str| {
        let folder = root().join("examples/cloud-functions").join(name);
        let function: Function = format!("test/{name}={}", folder.display()).parse().unwrap();
        Function { variables: variables.clone(), ..function }
    };
    let cloud = emulator(vec![function("fetch-token"), function("read-token")]).await;
    let mut events = cloud.control().events();
    cloud.control().advance(Duration::from_secs(3600));
    let ended = loop {
        let Event { what, .. } = events.recv().await.unwrap();
        if let Happening::FunctionEnded { name, source, failure, .. } = what {
            break (name, source, failure);
        }
    };
    assert_eq!(ended, ("fetch-token".to_owned(), "timer", None));
    assert_eq!(platform.stats().issued, 1);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = format!("{}/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s1", cloud.url());
    let token: Value = http.get(token).send().await.unwrap().json().await.unwrap();
    let read = format!(
        "{}/tcb/invokecloudfunction?access_token={}&env=test&name=read-token",
        cloud.url(),
        token["access_token"].as_str().unwrap()
    );
    let read: Value = http.post(read).body("{}").send().await.unwrap().json().await.unwrap();
    let handed: Value = serde_json::from_str(read["resp_data"].as_str().unwrap()).unwrap();
    assert_eq!(handed["by"], "hourly", "{read}");
    let used =
        format!("{}/cgi-bin/user/get?access_token={}", platform.url(), handed["token"].as_str().unwrap());
    let used: Value = http.get(used).send().await.unwrap().json().await.unwrap();
    assert_eq!(used["count"], 2, "the token is the platform's: {used}");
}
