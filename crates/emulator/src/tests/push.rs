//! The platform as it calls back, seen by whoever is called.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Request;
use crate::push;

/// A request as it came: method, query, body.
type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// Listens, echoes greetings, and answers messages like this.
async fn called(answer: &'static str) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callback?own=1", listener.local_addr().unwrap());
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let noted = Arc::clone(&noted);
            let service = service_fn(move |request| respond(request, answer, Arc::clone(&noted)));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (url, seen)
}

async fn respond(
    request: http::Request<Incoming>,
    answer: &'static str,
    noted: Seen,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let body = body.collect().await?.to_bytes();
    let echo = query.split('&').find_map(|pair| pair.strip_prefix("echostr=")).map(str::to_owned);
    noted.lock().unwrap().push((
        parts.method.to_string(),
        query,
        String::from_utf8_lossy(&body).into_owned(),
    ));
    Ok(http::Response::new(Full::from(echo.unwrap_or_else(|| answer.to_owned()))))
}

async fn pushed(body: &Value) -> (u16, Value) {
    let mut request = Request::new(http::Method::POST, "/_emulator/push");
    request.body = body.to_string().into();
    let reply = push::answer(&request).await;
    (reply.status.as_u16(), reply.json().unwrap())
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn a_greeting_goes_before_a_message() {
    let (url, seen) = called("success").await;
    let (status, told) =
        pushed(&json!({ "url": url, "token": "AAAAA", "mode": "plain", "content": "<xml/>" })).await;
    assert_eq!(
        (status, &told["handshake"]["accepted"], &told["message"]["body"]),
        (200, &json!(true), &json!("success"))
    );
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].0.as_str(), seen[1].0.as_str(), seen[1].2.as_str()), ("GET", "POST", "<xml/>"));
    assert!(seen.iter().all(|(_, query, _)| query.starts_with("own=1&signature=")), "{seen:?}");
}

#[tokio::test]
async fn a_url_that_does_not_echo_gets_no_message() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/");
    let (_, told) =
        pushed(&json!({ "url": url, "token": "AAAAA", "mode": "plain", "content": "<xml/>" })).await;
    assert_eq!((&told["handshake"]["accepted"], told.get("message")), (&json!(false), None));
}

/// The documents' own example of a message in the clear.
#[tokio::test]
async fn a_message_is_signed_as_the_documents_show() {
    let (url, seen) = called("").await;
    let push = json!({
        "url": url, "token": "AAAAA", "mode": "plain", "content": "<xml/>", "handshake": false,
        "timestamp": 1_714_037_059, "nonce": "486452656",
    });
    pushed(&push).await;
    let query = seen.lock().unwrap()[0].1.clone();
    assert_eq!(parameter(&query, "signature").as_deref(), Some("899cf89e464efb63f54ddac96b0a0a235f53aa78"));
}

/// The documents' own example of an encrypted message.
#[tokio::test]
async fn a_message_is_encrypted_as_the_documents_show() {
    let (url, seen) = called("").await;
    let content = "{\"ToUserName\":\"gh_97417a04a28d\",\"FromUserName\":\"o9AgO5Kd5ggOC-bXrbNODIiE3bGY\",\"CreateTime\":\
                   1714112445,\"MsgType\":\"event\",\"Event\":\"debug_demo\",\"debug_str\":\"hello world\"}";
    let push = json!({
        "url": url, "token": "AAAAA", "aes_key": KEY, "app_id": "wxba5fad812f8e6fb9", "format": "json",
        "content": content, "handshake": false, "timestamp": 1_714_112_445, "nonce": "415670741",
        "random": "a8eedb185eb2fecf",
    });
    pushed(&push).await;
    let (_, query, body) = seen.lock().unwrap()[0].clone();
    assert_eq!(
        parameter(&query, "msg_signature").as_deref(),
        Some("046e02f8204d34f8ba5fa3b1db94908f3df2e9b3")
    );
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(
        body["Encrypt"].as_str().unwrap().starts_with("+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao"),
        "{body}"
    );
}

#[tokio::test]
async fn in_compatible_mode_a_message_comes_both_ways() {
    let (url, seen) = called("").await;
    for (format, content) in [("xml", "<xml><A>1</A></xml>"), ("json", "{\"A\":\"1\"}")] {
        let push = json!({
            "url": url, "token": "t", "aes_key": KEY, "mode": "compatible", "format": format, "content": content,
            "handshake": false,
        });
        pushed(&push).await;
    }
    let seen = seen.lock().unwrap();
    assert!(seen[0].2.starts_with("<xml><A>1</A><Encrypt><![CDATA["), "{seen:?}");
    assert!(seen[1].2.starts_with("{\"A\":\"1\",\"Encrypt\":\""), "{seen:?}");
}

/// The documents' own example of an encrypted answer, and one whose signature is wrong.
#[tokio::test]
async fn an_encrypted_answer_is_checked_and_decrypted() {
    const ENCRYPT: &str =
        "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==";
    for (signature, accepted) in [("1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1", true), ("00", false)] {
        let answer = format!(
            "{{\"Encrypt\":\"{ENCRYPT}\",\"MsgSignature\":\"{signature}\",\"TimeStamp\":1713424427,\"Nonce\":\"415670741\"}}"
        );
        let (url, _) = called(answer.leak()).await;
        let push = json!({
            "url": url, "token": "AAAAA", "aes_key": KEY, "app_id": "wxba5fad812f8e6fb9", "format": "json",
            "content": "{}", "handshake": false,
        });
        let (_, told) = pushed(&push).await;
        assert_eq!(told["message"]["accepted"], accepted, "{told}");
        assert_eq!(told["message"]["answer"] == "{\"demo_resp\":\"good luck\"}", accepted, "{told}");
    }
}

#[tokio::test]
async fn what_cannot_be_pushed_says_why() {
    for (push, why) in [
        (json!({ "url": "http://127.0.0.1:1/", "token": "t" }), "content"),
        (json!({ "url": "http://127.0.0.1:1/", "token": "t", "content": "a" }), "aes_key"),
        (json!({ "url": "http://127.0.0.1:1/", "token": "t", "content": "a", "aes_key": "short" }), "43"),
        (
            json!({ "url": "http://10.0.0.1/", "token": "t", "content": "a", "mode": "plain" }),
            "not on this machine",
        ),
        (json!({ "url": "http://127.0.0.1:1/", "token": "t", "content": "a", "mod": "plain" }), "mod"),
    ] {
        let (status, told) = pushed(&push).await;
        assert_eq!(status, 400);
        assert!(told["error"].as_str().unwrap().contains(why), "{told}");
    }
}
