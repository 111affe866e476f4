//! Calls through the gateway, made by the real binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::sync::Arc;
use std::time::Duration;

use lab::{Answer, KEY, Lab, SECRET, Server, classic, documented, four, scaled};
use reqwest::Method;
use serde_json::json;
use tokenward_emulator::{Fault, FaultKind};
use tokio::task::JoinSet;

async fn call(server: &Server, method: Method, path: &str) -> Answer {
    let url = format!("{}/v1/call/{path}", server.url);
    server.send(server.http().request(method, url).bearer_auth(KEY)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_made_with_the_token_and_without_the_clients_key() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let answer = call(&server, Method::GET, "shop/cgi-bin/user/get?next_openid=").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body["data"]["openid"].is_array(), "{answer:?}");
    assert_eq!(answer.header("tokenward-generation"), "1");
    assert_eq!(answer.header("tokenward-replayed"), "false");
    assert_eq!(answer.header("tokenward-origin"), "platform");
    assert_eq!(answer.header("tokenward-request-id").len(), 16);
    let resource = call(&server, Method::GET, "crm/oauth2/resource").await;
    assert_eq!((resource.status, lab.issued()), (409, 4), "crm has no base_url: {resource:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_and_the_call_made_again() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    call(&server, Method::GET, "shop/cgi-bin/user/get").await;
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let answer = call(&server, Method::GET, "shop/cgi-bin/user/get").await;
    assert!(answer.body["data"]["openid"].is_array(), "{answer:?}");
    assert_eq!(answer.header("tokenward-replayed"), "true");
    assert_eq!((answer.header("tokenward-generation"), lab.issued()), ("2", 2));
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert!(stats["by_path"]["/cgi-bin/get_api_domain_ip"].is_null(), "nothing had to be verified: {stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refused_calls_cause_one_fetch() {
    let lab = Lab::new(documented()).await;
    let server = Arc::new(lab.serve(&classic("5m")));
    call(&server, Method::GET, "shop/cgi-bin/user/get").await;
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..1000 {
        let server = Arc::clone(&server);
        callers.spawn(async move { call(&server, Method::GET, "shop/cgi-bin/user/get").await });
    }
    for answer in callers.join_all().await {
        assert!(answer.body["data"]["openid"].is_array(), "{answer:?}");
    }
    assert_eq!(lab.issued(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persistent_refusal_is_passed_on_after_one_fetch() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let refusal =
        FaultKind::Errcode { errcode: 40001, errmsg: Some("made up".into()), error: None, status: None };
    lab.control().inject(Fault::new(refusal).on("/cgi-bin/user/get")).unwrap();
    let answer = call(&server, Method::GET, "shop/cgi-bin/user/get").await;
    assert_eq!((answer.status, &answer.body["errcode"]), (200, &json!(40001)));
    assert_eq!((answer.header("tokenward-replayed"), lab.issued()), ("true", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_refusals_are_passed_on_as_they_are() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    for errcode in [40013, 40164, 45009, 48001, 50002] {
        let kind = FaultKind::Errcode { errcode, errmsg: None, error: None, status: None };
        lab.control().inject(Fault::new(kind).on("/cgi-bin/user/get").times(1)).unwrap();
        let answer = call(&server, Method::GET, "shop/cgi-bin/user/get").await;
        assert_eq!(answer.body["errcode"], errcode);
        assert_eq!(answer.header("tokenward-replayed"), "false");
    }
    assert_eq!(lab.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_issue_tokens_are_not_called() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("shop").await;
    let before = lab.emulator.stats().token_requests;
    for path in [
        "shop/cgi-bin/token?grant_type=client_credential",
        "shop/cgi-bin/%74oken",
        "shop/CGI-BIN/token",
        "shop/cgi-bin/token/",
        "shop/cgi-bin/token;x=1",
        "shop/cgi-bin/to%6Ben",
        "members/cgi-bin/stable_token",
        "ocr/oauth/2.0/token",
    ] {
        let answer = call(&server, Method::POST, path).await;
        assert_eq!((answer.status, answer.code()), (403, "call_not_allowed"), "{path}");
        assert_eq!(answer.header("tokenward-origin"), "gateway");
    }
    assert_eq!(lab.emulator.stats().token_requests, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn malicious_targets_are_refused_and_nothing_is_forwarded() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    let before = lab.emulator.stats().calls;
    for target in [
        "/v1/call/shop/../shop/cgi-bin/user/get",
        "/v1/call/shop/cgi-bin/%2e%2e/user/get",
        "/v1/call/shop//evil.example.com/cgi-bin/user/get",
        "/v1/call/shop/cgi-bin%2fuser/get",
        "/v1/call/shop/cgi-bin/user/get%0d%0aX-Evil:1",
        "/v1/call/shop/cgi-bin/user/get?access_token=a&access_token=b",
        "http://evil.example.com/v1/call/shop/cgi-bin/user/get",
    ] {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: evil.example.com\r\nAuthorization: Bearer {KEY}\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = raw(&server, head.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 404"),
            "{target}: {answer}"
        );
    }
    for smuggled in [
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "X-Evil: a\rb\r\n\r\n",
    ] {
        let head = format!(
            "POST /v1/call/shop/cgi-bin/user/get HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n\
             Connection: close\r\n{smuggled}"
        );
        let answer = raw(&server, head.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{smuggled:?}: {answer}");
    }
    let huge = format!(
        "GET /v1/call/shop/cgi-bin/user/get HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\nX: {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let answer = raw(&server, huge.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(lab.emulator.stats().calls, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_body_lengths_only_the_chunked_one_counts_and_only_it_is_forwarded() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    // Read by its Content-Length, the request would end in the middle of another one (RFC 9112 §6.3).
    let head = format!(
        "POST /v1/call/shop/cgi-bin/user/get HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Length: 80\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
         GET /cgi-bin/smuggled HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
    );
    let answer = raw(&server, head.as_bytes()).await;
    // The connection ends after it: what follows is nobody's request.
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert!(!stats.to_string().contains("smuggled"), "{stats}");
}

/// Sends bytes and returns what comes back until the server closes.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    // A server that has heard enough may hang up in the middle.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer or a hang-up");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_paths_limit_what_is_called() {
    let lab = Lab::new(documented()).await;
    let clients = "[clients.reader]\nkey = { inline = \"reader-key-0123456789\" }\ncredentials = [\"shop\"]\nmay = [\"call\"]\n\
                   paths = [\"GET /cgi-bin/user/*\"]\n\
                   [clients.none]\nkey = { inline = \"none-key-0123456789\" }\ncredentials = [\"shop\"]\nmay = [\"token\"]\n";
    let rules = "[credentials.shop.gateway]\ndeny = [\"/cgi-bin/user/secret*\"]\n";
    let server = lab.serve(&(clients.to_owned() + &classic("5m") + rules));
    let ask = async |key: &str, method: Method, path: &str| {
        let url = format!("{}/v1/call/shop/{path}", server.url);
        server.send(server.http().request(method, url).bearer_auth(key)).await
    };
    assert_eq!(ask("reader-key-0123456789", Method::GET, "cgi-bin/user/get").await.status, 200);
    assert_eq!(
        ask("reader-key-0123456789", Method::POST, "cgi-bin/user/get").await.code(),
        "call_not_allowed"
    );
    assert_eq!(
        ask("reader-key-0123456789", Method::GET, "cgi-bin/menu/get").await.code(),
        "call_not_allowed"
    );
    for spelling in ["cgi-bin/user/secrets", "cgi-bin/user/%53ecrets", "cgi-bin/user/secrets;x"] {
        assert_eq!(ask("reader-key-0123456789", Method::GET, spelling).await.code(), "call_not_allowed");
    }
    for method in [Method::TRACE, Method::CONNECT] {
        let head = format!(
            "{method} /v1/call/shop/cgi-bin/user/get HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = raw(&server, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert_eq!(ask("none-key-0123456789", Method::GET, "cgi-bin/user/get").await.code(), "forbidden");
    assert_eq!(ask("wrong", Method::GET, "cgi-bin/user/get").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_tokens_rotate() {
    let lab = Lab::new(scaled(8, 3)).await;
    let server = lab.serve(&classic("3s"));
    loop {
        let answer = call(&server, Method::GET, "shop/cgi-bin/user/get").await;
        assert!(answer.body["data"]["openid"].is_array(), "{answer:?}");
        assert_eq!(answer.header("tokenward-replayed"), "false");
        if answer.header("tokenward-generation") == "3" {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_base_url_is_called_when_the_first_cannot_be_reached() {
    let lab = Lab::new(documented()).await;
    let two = "base_url = [\"http://127.0.0.1:1\", \"PLATFORM\"]";
    let server = lab.serve(&classic("5m").replace("base_url = \"PLATFORM\"", two));
    let answer = call(&server, Method::GET, "shop/cgi-bin/user/get").await;
    assert!(answer.body["data"]["openid"].is_array(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_list_forbids_everything_else() {
    let lab = Lab::new(documented()).await;
    let rules = "[credentials.shop.gateway]\nallow = [\"GET /cgi-bin/user/*\"]\n";
    let server = lab.serve(&format!("{}{rules}", classic("5m")));
    assert_eq!(call(&server, Method::GET, "shop/cgi-bin/user/get").await.status, 200);
    for (method, path) in [(Method::POST, "shop/cgi-bin/user/get"), (Method::GET, "shop/cgi-bin/media/get")] {
        assert_eq!(call(&server, method, path).await.code(), "call_not_allowed", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_url_with_a_path_hides_no_call_that_is_special() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m").replace("PLATFORM", "PLATFORM/cgi-bin"));
    for path in ["shop/token", "shop/stable_token"] {
        assert_eq!(call(&server, Method::GET, path).await.code(), "call_not_allowed", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_refuses_everybody_takes_the_token_from_nobody() {
    let lab = Lab::new(documented()).await;
    let crm = format!(
        "[credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\nclient_id = \"oauthapp\"\n\
         client_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"PLATFORM\"\n"
    );
    let server = lab.serve(&format!("{}{crm}", classic("5m")));
    // Other credentials fetch when they like.
    let issued = |app: &str| lab.emulator.stats().by_app[app].issued;
    for (credential, app, path, kind) in [
        ("crm", "oauthapp", "/oauth2/resource/closed", FaultKind::Status(reqwest::StatusCode::UNAUTHORIZED)),
        (
            "shop",
            "wxclassic",
            "/cgi-bin/user/get",
            FaultKind::Errcode { errcode: 40001, errmsg: None, error: None, status: None },
        ),
    ] {
        server.token(credential).await;
        let before = issued(app);
        lab.control().inject(Fault::new(kind).on(path)).unwrap();
        for _ in 0..20 {
            call(&server, Method::GET, &format!("{credential}{path}")).await;
        }
        let token = server.token(credential).await;
        assert_eq!(token.status, 200, "{token:?}");
        // What can be verified costs one fetch; a bare 401 cannot be, and fetching anew harms nobody.
        let most = if credential == "shop" { 1 } else { 20 };
        assert!(issued(app) - before <= most, "{credential}: {}", issued(app) - before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secret_nor_token_is_logged() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let token = server.token("shop").await.token().to_owned();
    call(&server, Method::GET, "shop/cgi-bin/user/get?openid=private-openid").await;
    lab.control().inject(Fault::new(FaultKind::ResetBefore)).unwrap();
    let broken = call(&server, Method::POST, "shop/cgi-bin/user/get?openid=private-openid").await;
    assert_eq!(broken.status, 502, "{broken:?}");
    let log = server.log();
    for hidden in [token.as_str(), SECRET, KEY, "private-openid"] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_the_app_secret_get_it_put_in() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let cleared = call(&server, Method::POST, "shop/cgi-bin/clear_quota/v2").await;
    assert_eq!(cleared.body["errcode"], 0, "{cleared:?}");
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert_eq!(stats["by_path"]["/cgi-bin/clear_quota/v2"]["requests"], 1, "{stats}");
}
