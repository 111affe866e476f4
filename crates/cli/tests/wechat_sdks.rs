//! Real WeChat SDKs from PyPI and npm against the real binary and the emulator. Of each SDK nothing is changed but
//! where it finds the platform; its secret is a client key. `scripts/install-interop.sh` installs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;
mod sdk;

use lab::{KEY, Lab, SECRET, classic, documented, scaled};
use sdk::Sdk;
use serde_json::json;
use tokenward_emulator::{CloudSettings, Fault, FaultKind, FilePartFirst, Settings};

fn facade(lines: &str, credentials: &str) -> String {
    format!("[facade.wechat]\nlisten = \"127.0.0.1:0\"\n{lines}\n{credentials}")
}

/// The token dies at the platform: the SDK never notices, and one fetch replaces it.
async fn notices_no_death(name: &str) {
    for hand_out in ["token", "handle"] {
        let lab = Lab::new(documented()).await;
        let server = lab.serve(&facade(&format!("hand_out = \"{hand_out}\""), &classic("5m")));
        let mut sdk = Sdk::start(name, &server.facade(), KEY);
        let token = sdk.token();
        assert_eq!(lab.accepts(server.http(), &token).await, hand_out == "token");
        sdk.works();
        let before = lab.emulator.stats().token_refused;
        for fetches in 2..4 {
            lab.control().invalidate(Some("wxclassic")).unwrap();
            sdk.works();
            assert_eq!(lab.issued(), fetches, "{name} with {hand_out}s");
        }
        assert_eq!(lab.emulator.stats().token_refused - before, 2, "only the facade saw them");
    }
}

/// Tokens rotate under it: the SDK goes on, and nothing is fetched that was not due.
async fn lives_through_rotations(name: &str) {
    for hand_out in ["token", "handle"] {
        let lab = Lab::new(scaled(4, 1)).await;
        let server = lab.serve(&facade(&format!("hand_out = \"{hand_out}\""), &classic("1s")));
        let mut sdk = Sdk::start(name, &server.facade(), KEY);
        let mut generation = 0;
        for _ in 0..3 {
            generation = server.next_token("shop", generation).await.generation();
            sdk.works();
        }
        assert!((generation..=generation + 1).contains(&lab.issued()), "{name}: {}", lab.issued());
        assert_eq!(lab.emulator.stats().token_refused, 0, "{name} with {hand_out}s");
    }
}

/// The platform refuses every token: one fetch, and one error that the SDK does not take for a reason to go on.
async fn gives_up_at_once(name: &str) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&facade("", &classic("5m")));
    let mut sdk = Sdk::start(name, &server.facade(), KEY);
    sdk.works();
    let kind = FaultKind::Errcode { errcode: 40001, errmsg: None, error: None, status: None };
    lab.control().inject(Fault::new(kind).on("/cgi-bin/user/get")).unwrap();
    let refused = sdk.ask("followers");
    assert!(refused.get("ok").is_none(), "{refused}");
    assert_eq!(lab.issued(), 2, "{name}: one fetch at most");
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert_eq!(stats["by_path"]["/cgi-bin/user/get"]["requests"], 3, "{name}: no loop: {stats}");
}

macro_rules! sdks {
    ($($module:ident = $name:literal;)+) => {
        $(mod $module {
            #[tokio::test(flavor = "multi_thread")]
            async fn notices_no_death() {
                super::notices_no_death($name).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn lives_through_rotations() {
                super::lives_through_rotations($name).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn gives_up_at_once() {
                super::gives_up_at_once($name).await;
            }
        })+
    };
}

sdks! {
    wechatpy = "wechatpy";
    wechatpy2 = "wechatpy2";
    werobot = "werobot";
    weixin_python = "weixin-python";
    co_wechat_api = "co-wechat-api";
    wechat_api = "wechat-api";
    node_easywechat = "node-easywechat";
    node_easywechat_stable = "node-easywechat-stable";
}

/// The cloud module of wechatpy, with statements as its users write them: at the platform itself, and through the facade.
async fn uses_the_cloud(name: &str) {
    let documents = json!({
        "made": 0,
        "added": ["a", "b", "c"],
        "queried": [{"_id": "c", "n": 3, "tags": ["x"]}],
        "modified": 2,
        "counted": 2,
        "summed": [{"_id": null, "sum": {"$numberInt": "26"}}],
        "listed": ["orders"],
        "deleted": 1,
        "gone": 0,
    });
    let files = json!({
        "uploaded": 204,
        "made": 0,
        "indexed": 0,
        "imported": 2,
        "exported": "{\"_id\":\"b\",\"n\":2}\n",
        "downloaded": "{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":2}\n",
        "deleted": 0,
        "invoked": {"a": 1, "userInfo": {"appId": "wxclassic"}},
        "key": ["errcode", "errmsg", "expired_time", "secretid", "secretkey", "token"],
    });
    for through_facade in [false, true] {
        // It sends the file before the fields that permit the upload.
        let cloud = CloudSettings {
            file_part_first: FilePartFirst::Accept,
            functions: vec!["echo=run:cat".parse().unwrap()],
            ..CloudSettings::default()
        };
        let lab = Lab::new(Settings { cloud, ..documented() }).await;
        let server = through_facade.then(|| lab.serve(&facade("hand_out = \"handle\"", &classic("5m"))));
        let mut sdk = match &server {
            Some(server) => Sdk::start(name, &server.facade(), KEY),
            None => Sdk::start(name, &lab.emulator.url(), SECRET),
        };
        let said = sdk.ask("cloud");
        assert_eq!(said["ok"], documents, "{said}");
        let said = sdk.ask("files");
        assert_eq!(said["ok"], files, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_uses_the_cloud() {
    uses_the_cloud("wechatpy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy2_uses_the_cloud() {
    uses_the_cloud("wechatpy2").await;
}

/// EasyWeChat 6 cannot be installed from a registry here. On the wire it asks with a query, keeps the token for exactly
/// the seconds it was told, without a lead of its own, and takes every answer as it comes: it never asks again.
#[tokio::test(flavor = "multi_thread")]
async fn easywechat_6_by_its_wire_behaviour() {
    let lab = Lab::new(scaled(4, 1)).await;
    let server = lab.serve(&facade("", &classic("1s")));
    let base = server.facade();
    let query = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
    let (mut token, mut good_until) = (String::new(), tokio::time::Instant::now());
    let mut generation = 0;
    let (mut calls, mut asked) = (0, 0);
    while generation < 5 {
        if tokio::time::Instant::now() >= good_until {
            let url = format!("{base}/cgi-bin/token?{query}");
            let answer = server.send(server.http().get(url)).await;
            token = answer.body["access_token"].as_str().unwrap().to_owned();
            let told = std::time::Duration::from_secs(answer.body["expires_in"].as_u64().unwrap());
            good_until = tokio::time::Instant::now() + told;
            asked += 1;
        }
        let url = format!("{base}/cgi-bin/user/get?access_token={token}");
        let answer = server.send(server.http().get(url).header("content-type", "application/json")).await;
        assert!(answer.body["data"]["openid"].is_array(), "call {calls}: {answer:?}");
        generation = answer.header("tokenward-generation").parse().unwrap();
        calls += 1;
    }
    assert!(asked >= 4 && calls > 100, "{asked} {calls}");
    assert_eq!(lab.emulator.stats().token_refused, 0);
}
