//! Server callbacks: the real binary, called back by the emulated platform.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod callback_lab;
mod lab;

use std::process::Command;

use callback_lab::{AES_KEY, Behaviour, TOKEN, Target, callback, event, forward, message, push, text, url};
use lab::{Lab, Server, documented};
use serde_json::{Value, json};

const OLD_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn one_target(mode: &str, more: &str) -> (Lab, Server, Target) {
    let lab = Lab::new(documented()).await;
    let target = Target::new(200, "success").await;
    let server = lab.serve(&(callback(mode, "") + &forward("orders", &target, more)));
    (lab, server, target)
}

/// Everything is accepted and answered `success`.
fn expect_success(told: &Value) {
    assert_eq!(told["handshake"]["accepted"], true, "{told}");
    assert_eq!(
        (&told["message"]["status"], &told["message"]["body"]),
        (&json!(200), &json!("success")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_mode_and_format_reach_the_target_in_the_clear() {
    for mode in ["plain", "compatible", "secure"] {
        let (lab, server, mut target) = one_target(mode, "").await;
        for (format, content) in [("xml", text("你好")), ("json", event("subscribe"))] {
            let told = push(&lab, &server, &message(&server, mode, format, &content)).await;
            expect_success(&told);
            let received = target.next().await;
            assert_eq!(received.body, content, "{mode} {format}");
            assert_eq!(received.headers["tokenward-callback"], "shop");
            assert!(received.headers["content-type"].contains(format));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_can_check_the_plain_signature() {
    let (lab, server, mut target) = one_target("secure", "").await;
    push(&lab, &server, &message(&server, "secure", "xml", &text("hello"))).await;
    let query = target.next().await.query;
    let mut parts = [TOKEN, &query["timestamp"], &query["nonce"]];
    parts.sort_unstable();
    let sum = sha1(&parts.concat());
    assert_eq!((query["signature"].as_str(), query["from"].as_str()), (sum.as_str(), "tokenward"));
}

/// By another hand: the system's.
fn sha1(text: &str) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("sha1sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_may_be_encrypted() {
    let (lab, server, _target) = one_target("secure", "").await;
    let mut pushed = message(&server, "secure", "xml", &text("hello"));
    pushed["encrypted_handshake"] = json!(true);
    expect_success(&push(&lab, &server, &pushed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_where_their_type_says() {
    let lab = Lab::new(documented()).await;
    let (mut texts, mut events, mut all) =
        (Target::new(200, "").await, Target::new(200, "").await, Target::new(200, "").await);
    let config = callback("secure", "")
        + &forward("texts", &texts, "events = \"text\"")
        + &forward("events", &events, "events = [\"event:subscribe\", \"event:un*\"]")
        + &forward("all", &all, "");
    let server = lab.serve(&config);
    for (format, content) in [
        ("xml", text("hello")),
        ("json", event("SUBSCRIBE")),
        ("json", event("unsubscribe")),
        ("json", event("VIEW")),
    ] {
        expect_success(&push(&lab, &server, &message(&server, "secure", format, &content)).await);
        assert_eq!(all.next().await.body, content);
    }
    assert_eq!(texts.next().await.headers["tokenward-type"], "text");
    assert_eq!(events.next().await.headers["tokenward-type"], "event:SUBSCRIBE");
    assert_eq!(events.next().await.headers["tokenward-type"], "event:unsubscribe");
    assert_eq!((texts.unseen(), events.unseen(), all.unseen()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_targets_answer_comes_back_encrypted() {
    let (lab, server, target) = one_target("secure", "answer = true").await;
    let reply = "<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[收到]]></Content></xml>";
    target.behave(Behaviour::Answer(200, reply.to_owned()));
    let told = push(&lab, &server, &message(&server, "secure", "xml", &text("hello"))).await;
    assert_eq!(told["message"]["answer"], reply, "{told}");
    assert!(told["message"]["body"].as_str().unwrap().starts_with("<xml><Encrypt>"));
    target.behave(Behaviour::Answer(200, "{\"demo_resp\":\"good luck\"}".to_owned()));
    let told = push(&lab, &server, &message(&server, "secure", "json", &event("debug_demo"))).await;
    assert_eq!(told["message"]["answer"], "{\"demo_resp\":\"good luck\"}", "{told}");
    assert!(told["message"]["body"].as_str().unwrap().starts_with("{\"Encrypt\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_message_in_the_clear_is_in_the_clear() {
    let (lab, server, target) = one_target("plain", "answer = true").await;
    target.behave(Behaviour::Answer(200, "<xml>yes</xml>".to_owned()));
    let told = push(&lab, &server, &message(&server, "plain", "xml", &text("hello"))).await;
    assert_eq!(told["message"]["body"], "<xml>yes</xml>", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_answers_too_late_does_not_delay_the_platform_beyond_its_patience() {
    let (lab, server, target) = one_target("secure", "answer = true").await;
    target.behave(Behaviour::Hang);
    let told = push(&lab, &server, &message(&server, "secure", "xml", &text("hello"))).await;
    expect_success(&told);
    assert!(told["message"]["took_ms"].as_u64().unwrap() < 4_900, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_encrypted_with_the_previous_key_is_answered_with_that_key() {
    let lab = Lab::new(documented()).await;
    let mut target = Target::new(200, "<xml>yes</xml>").await;
    let keys = format!("aes_key = [{{ inline = \"{OLD_KEY}\" }}, {{ inline = \"{AES_KEY}\" }}]");
    let one_key = format!("aes_key = {{ inline = \"{AES_KEY}\" }}");
    let config =
        callback("secure", "").replace(&one_key, &keys) + &forward("orders", &target, "answer = true");
    let server = lab.serve(&config);
    for key in [AES_KEY, OLD_KEY] {
        let mut pushed = message(&server, "secure", "xml", &text("hello"));
        pushed["aes_key"] = json!(key);
        assert_eq!(push(&lab, &server, &pushed).await["message"]["answer"], "<xml>yes</xml>");
        target.next().await;
    }
}

/// What the platform is told about messages that are not to be taken.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_platforms_is_refused() {
    let (lab, server, mut target) = one_target("secure", "").await;
    let refused = |change: Value, status: u16| {
        let mut pushed = message(&server, "secure", "xml", &text("hello"));
        for (name, value) in change.as_object().unwrap() {
            pushed[name] = value.clone();
        }
        pushed["handshake"] = json!(false);
        let (lab, server) = (&lab, &server);
        async move {
            let told = push(lab, server, &pushed).await;
            assert_eq!(told["message"]["status"], status, "{change}: {told}");
        }
    };
    refused(json!({ "token": "another" }), 403).await;
    refused(json!({ "aes_key": OLD_KEY }), 403).await;
    refused(json!({ "app_id": "wxother" }), 403).await;
    refused(json!({ "mode": "plain" }), 403).await;
    refused(json!({ "timestamp": 1_714_036_504 }), 403).await;
    refused(json!({ "nonce": "]]>" }), 400).await;
    refused(json!({ "content": "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>" }), 400).await;
    refused(json!({ "content": "hello" }), 400).await;
    refused(json!({ "url": url(&server).replace("shop", "other") }), 404).await;
    assert_eq!(target.unseen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_is_answered_and_not_delivered() {
    let (lab, server, mut target) = one_target("compatible", "").await;
    let mut pushed = message(&server, "compatible", "xml", &text("hello"));
    pushed["timestamp"] = json!(now());
    pushed["nonce"] = json!("123456");
    pushed["random"] = json!("0123456789abcdef");
    // Repeated in the clear it would be another message under the same signature.
    for mode in ["compatible", "plain"] {
        pushed["mode"] = json!(mode);
        expect_success(&push(&lab, &server, &pushed).await);
    }
    // What came later has arrived, and only once.
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("later"))).await);
    let mut bodies = [target.next().await.body, target.next().await.body];
    bodies.sort();
    assert_eq!((bodies, target.unseen()), ([text("hello"), text("later")], 0));
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_survives_a_crash_and_is_not_taken_in_twice() {
    let (lab, server, mut target) = one_target("secure", "").await;
    target.behave(Behaviour::Answer(500, String::new()));
    let mut pushed = message(&server, "secure", "xml", &text("hello"));
    pushed["timestamp"] = json!(now());
    pushed["nonce"] = json!("123456");
    pushed["random"] = json!("0123456789abcdef");
    expect_success(&push(&lab, &server, &pushed).await);
    target.next().await;
    let config = server.config().to_owned();
    server.kill();
    target.unseen();
    target.behave(Behaviour::Answer(200, String::new()));
    let server = Server::start(&config, &[]);
    assert_eq!(target.next().await.body, text("hello"), "delivered by the next run");
    pushed["url"] = json!(url(&server));
    expect_success(&push(&lab, &server, &pushed).await);
    // What came later has arrived, and nothing else.
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("later"))).await);
    assert_eq!((target.next().await.body, target.unseen()), (text("later"), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_given_up_can_be_listed_and_sent_again() {
    let (lab, server, mut target) = one_target("secure", "retry_for = \"1s\"").await;
    target.behave(Behaviour::Answer(503, String::new()));
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("secret words"))).await);
    server.wait_for_line("a message was given up");
    target.unseen();
    let list = |more: &[&str]| {
        let output = server.command(&[&["--json", "callback", "list"], more].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let dead = list(&["--dead"]);
    assert_eq!(dead.as_array().unwrap().len(), 1, "{dead}");
    assert_eq!(
        (&dead[0]["type"], &dead[0]["state"], &dead[0]["failure"]),
        (&json!("text"), &json!("dead"), &json!("it answered 503"))
    );
    target.behave(Behaviour::Answer(200, String::new()));
    let output = server.command(&["callback", "redeliver", &dead[0]["id"].to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(target.next().await.body, text("secret words"));
    let unknown = server.command(&["callback", "redeliver", "1"]);
    assert_eq!(unknown.status.code(), Some(1));
    for secret in ["secret words", TOKEN, AES_KEY] {
        assert!(!server.log().contains(secret), "{secret} is in the log");
    }
    let store = std::fs::read(server.data_dir.join("store.db")).unwrap();
    let wal = std::fs::read(server.data_dir.join("store.db-wal")).unwrap_or_default();
    for bytes in [store, wal] {
        assert!(
            !bytes.windows(12).any(|window| window == b"secret words"),
            "the text is in the store in the clear"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_shown_whole_and_its_text_when_that_is_asked_for() {
    let (lab, server, mut target) = one_target("secure", "retry_for = \"1s\"").await;
    target.behave(Behaviour::Answer(503, String::new()));
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("secret words"))).await);
    server.wait_for_line("a message was given up");
    let delivery = target.next().await.headers["tokenward-delivery"].clone();
    let show = |more: &[&str]| {
        let output = server.command(&[&["callback", "show", &delivery], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown: Value = serde_json::from_str(&show(&["--json"])).unwrap();
    assert_eq!(
        (&shown["state"], &shown["callback"], &shown["type"]),
        (&json!("dead"), &json!("shop"), &json!("text"))
    );
    assert_eq!(shown["failures"][0]["detail"], "it answered 503");
    assert_eq!(
        shown["failures"].as_array().unwrap().len() as u64,
        shown["attempts"].as_u64().unwrap().min(3)
    );
    assert_eq!(shown["headers"]["tokenward-delivery"], delivery);
    assert_eq!(shown["tried_since"], shown["received_at"]);
    for without in [show(&[]), show(&["--json"])] {
        assert!(without.contains("it answered 503") && !without.contains("secret words"), "{without}");
    }
    assert!(!server.log().contains("looks at the text"));
    for with in [show(&["--text"]), show(&["--text", "--json"])] {
        assert!(with.contains("secret words"), "{with}");
    }
    assert!(server.log().contains("looks at the text") && !server.log().contains("secret words"));
    assert_eq!(server.command(&["callback", "show", "1"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_read_is_no_missing_message() {
    let (lab, server, mut target) = one_target("secure", "retry_for = \"1s\"").await;
    target.behave(Behaviour::Answer(503, String::new()));
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("hello"))).await);
    server.wait_for_line("a message was given up");
    let delivery = target.next().await.headers["tokenward-delivery"].clone();
    for (change, code) in [
        ("UPDATE delivery SET message = zeroblob(64)", "\"internal\""),
        ("DELETE FROM delivery", "\"no_such_message\""),
        ("DROP TABLE delivery", "\"store_fails\""),
    ] {
        let program = "import sqlite3, sys\n\
                       db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)\n\
                       db.execute(sys.argv[2])";
        let path = server.data_dir.join("store.db");
        let changed = Command::new("python3").args(["-c", program]).arg(path).arg(change).output().unwrap();
        assert!(changed.status.success(), "{changed:?}");
        let output = server.command(&["callback", "show", &delivery, "--text", "--json"]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains(code) && !output.status.success(), "{change}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_again_is_tried_again_also_after_a_restart() {
    let (lab, server, mut target) = one_target("secure", "retry_for = \"2s\"").await;
    target.behave(Behaviour::Answer(503, String::new()));
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("hello"))).await);
    server.wait_for_line("a message was given up");
    let config = server.config().to_owned();
    server.command(&["callback", "redeliver", "--all"]);
    server.wait_for_line("a message was not taken");
    server.kill();
    target.unseen();
    let server = Server::start(&config, &[]);
    // The next run tries it, and has not given it up with that.
    target.next().await;
    target.behave(Behaviour::Answer(200, String::new()));
    assert_eq!(target.next().await.body, text("hello"));
    let metrics = server.get("/metrics").await.body;
    let given_up = "callback=\"shop\",target=\"orders\",outcome=\"given_up\"} 0";
    assert!(metrics.as_str().unwrap().contains(given_up), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_with_a_certificate_speaks_tls_and_nothing_else() {
    let lab = Lab::new(documented()).await;
    let target = Target::new(200, "").await;
    let folder = lab.folder.path().join("tls");
    let cert = lab::tokenward().args(["cert", "--host", "localhost", "--dir"]).arg(&folder).output().unwrap();
    assert!(cert.status.success(), "{cert:?}");
    let listen = "listen = \"127.0.0.1:0\"\ntls = { cert = \"tls/cert.pem\", key = \"tls/key.pem\" }";
    let config = callback("secure", "").replace("listen = \"127.0.0.1:0\"", listen);
    let server = lab.serve(&(config + &forward("orders", &target, "")));
    let (timestamp, nonce) = (now().to_string(), "123456");
    let mut parts = [TOKEN, &timestamp, nonce];
    parts.sort_unstable();
    let query =
        format!("signature={}&timestamp={timestamp}&nonce={nonce}&echostr=hello", sha1(&parts.concat()));
    let plain = format!("{}?{query}", url(&server));
    let client = |ca: &std::path::Path| {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap()
    };
    let https = plain.replace("http://127.0.0.1", "https://localhost");
    let ours = client(&folder.join("ca.pem"));
    let answer = ours.get(&https).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "hello".to_owned()));
    let elsewhere = tempfile::tempdir().unwrap();
    lab::tokenward().args(["cert", "--dir"]).arg(elsewhere.path()).output().unwrap();
    assert!(client(&elsewhere.path().join("ca.pem")).get(&https).send().await.is_err());
    assert!(ours.get(&plain).send().await.is_err(), "without TLS nothing is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_shown_on_the_admin_socket_only() {
    let (_lab, server, _target) = one_target("secure", "").await;
    assert_eq!(server.get("/v1/callbacks/messages").await.status, 403);
    assert_eq!(server.get("/v1/callbacks/messages/1?text=true").await.status, 403);
    assert_eq!(server.post("/v1/callbacks/redeliver", json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_callbacks_serves_nothing_else() {
    let (_lab, server, _target) = one_target("secure", "").await;
    let base = url(&server).replace("/callback/shop", "");
    for path in ["/v1/credentials", "/healthz", "/metrics", "/callback/", "/callback/shop/x", "/"] {
        let answer = server.send(server.http().get(format!("{base}{path}")).bearer_auth(lab::KEY)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let answer = server.send(server.http().put(url(&server))).await;
    assert_eq!(answer.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_messages_is_counted() {
    let (lab, server, mut target) = one_target("secure", "").await;
    expect_success(&push(&lab, &server, &message(&server, "secure", "xml", &text("hello"))).await);
    target.next().await;
    let mut wrong = message(&server, "secure", "xml", &text("hello"));
    wrong["token"] = json!("another");
    push(&lab, &server, &wrong).await;
    let metrics = server.get("/metrics").await.body.as_str().unwrap().to_owned();
    for line in [
        "tokenward_callback_requests_total{callback=\"shop\",outcome=\"handshake\"} 1",
        "tokenward_callback_requests_total{callback=\"shop\",outcome=\"accepted\"} 1",
        "tokenward_callback_requests_total{callback=\"shop\",outcome=\"bad_signature\"} 1",
        "tokenward_callback_dead 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}
