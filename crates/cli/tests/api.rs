//! The HTTP API, asked of the real binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{KEY, Lab, classic, documented, four, scaled};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_with_its_told_life() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let answer = server.token("shop").await;
    assert_eq!(answer.status, 200);
    let expires_in = answer.body["expires_in"].as_i64().unwrap();
    // Due between 58.5 and 65 minutes before the end of two hours, and the safe part of 150 s after that.
    assert!((3_300 + 150 - 10..=3_690 + 150).contains(&expires_in), "{expires_in}");
    assert_eq!(answer.header("cache-control"), format!("private, max-age={expires_in}"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body["credential"], "shop");
    assert!(lab.accepts(server.http(), answer.token()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn coexisting_tokens_are_told_their_true_life() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let month = server.token("ocr").await.body["expires_in"].as_i64().unwrap();
    assert!((30 * 86_400 - 10..=30 * 86_400).contains(&month), "{month}");
    let hour = server.token("crm").await.body["expires_in"].as_i64().unwrap();
    assert!((3_590..=3_600).contains(&hour), "{hour}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_saves_the_body_and_tells_the_end() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let first = server.token("shop").await;
    let url = format!("{}/v1/credentials/shop/token", server.url);
    let etag = first.header("etag").to_owned();
    let expires_at = first.body["expires_at"].as_str().unwrap();
    let again = server.send(server.http().get(url).bearer_auth(KEY).header("if-none-match", &etag)).await;
    assert_eq!((again.status, again.header("tokenward-expires-at")), (304, expires_at));
    assert!(etag.starts_with("W/\"1-"), "{etag}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_answers_with_the_next_generation() {
    let lab = Lab::new(scaled(4, 1)).await;
    let server = lab.serve(&lab::classic("1s"));
    let first = server.token("shop").await;
    let next = server.get("/v1/credentials/shop/token?after=1&wait=20s").await;
    assert_eq!((next.status, next.generation()), (200, 2));
    assert_ne!(next.token(), first.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_without_news_is_304_and_a_foreign_generation_is_answered_at_once() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("shop").await;
    assert_eq!(server.get("/v1/credentials/shop/token?after=1&wait=100ms").await.status, 304);
    assert_eq!(server.get("/v1/credentials/shop/token?after=99&wait=30s").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_life_is_fetched_only_where_that_harms_nobody() {
    let lab = Lab::new(scaled(20, 5)).await;
    let server = lab.serve(&four().replace("\"5m\"", "\"5s\""));
    let (shop, crm) = (server.token("shop").await, server.token("crm").await);
    // A poll without news takes so long that 17 of 20 s can only be met anew.
    assert_eq!(server.get("/v1/credentials/crm/token?after=1&wait=3s").await.status, 304);
    let shop_again = server.get("/v1/credentials/shop/token?min_ttl=17s").await;
    assert_eq!(shop_again.generation(), shop.generation(), "a classic fetch would kill the token of others");
    let answer = server.get("/v1/credentials/crm/token?min_ttl=17s").await;
    assert!(answer.body["expires_in"].as_i64().unwrap() >= 17, "{answer:?}");
    assert_eq!(answer.generation(), crm.generation() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_a_key_is_401_and_told_how() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let url = format!("{}/v1/credentials/shop/token", server.url);
    for request in [server.http().get(&url), server.http().get(&url).bearer_auth("wrong")] {
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert!(answer.body["next_step"].as_str().unwrap().contains("Authorization"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_report_and_not_read_never_gets_a_token() {
    let lab = Lab::new(documented()).await;
    let client = "[clients.weak]\nkey = { inline = \"weak-key-0123456789\" }\ncredentials = [\"shop\"]\n\
                  may = [\"report\", \"call\"]\n";
    let server = lab.serve(&(client.to_owned() + &classic("5m")));
    let token = server.token("shop").await.token().to_owned();
    let report = server.http().post(format!("{}/v1/credentials/shop/report", server.url));
    let report = report.bearer_auth("weak-key-0123456789").json(&serde_json::json!({ "generation": 0 }));
    let answer = server.send(report).await;
    assert_eq!((answer.status, answer.generation()), (200, 1));
    assert!(!answer.body.to_string().contains(&token), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_show_a_client_its_own_credentials_only() {
    let lab = Lab::new(documented()).await;
    let client = "[clients.weak]\nkey = { inline = \"weak-key-0123456789\" }\ncredentials = [\"shop\"]\n";
    let server = lab.serve(&(client.to_owned() + &four()));
    let metrics = server.http().get(format!("{}/metrics", server.url)).bearer_auth("weak-key-0123456789");
    let shown = server.send(metrics).await.body.to_string();
    assert!(shown.contains("shop") && !shown.contains("crm"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_does_not_hold_up_the_end() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    let poll = server.http().get(format!("{}/v1/credentials/shop/token?after=1&wait=60s", server.url));
    let poll = tokio::spawn(poll.bearer_auth(lab::KEY).send());
    // The poll is there once a second connection has been answered after it.
    server.token("shop").await;
    let began = tokio::time::Instant::now();
    let ended = tokio::task::block_in_place(|| server.stop());
    assert!(ended.success() && began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    assert_eq!(poll.await.unwrap().unwrap().status(), 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_checked_and_hidden_credentials_do_not_exist() {
    let lab = Lab::new(documented()).await;
    let clients = "[clients.weak]\nkey = { inline = \"weak-key-0123456789\" }\ncredentials = [\"sh*\"]\nmay = [\"token\"]\n";
    let server = lab.serve(&(clients.to_owned() + &four()));
    let ask = async |method: reqwest::Method, path: &str| {
        let request =
            server.http().request(method, format!("{}{path}", server.url)).bearer_auth("weak-key-0123456789");
        server.send(request).await
    };
    use reqwest::Method;
    assert_eq!(ask(Method::GET, "/v1/credentials/shop/token").await.status, 200);
    assert_eq!(ask(Method::POST, "/v1/credentials/shop/report").await.code(), "forbidden");
    assert_eq!(ask(Method::POST, "/v1/credentials/shop/refresh").await.status, 403);
    let hidden = ask(Method::GET, "/v1/credentials/crm/token").await;
    let absent = ask(Method::GET, "/v1/credentials/nothing/token").await;
    assert_eq!((hidden.status, hidden.code()), (404, "no_such_credential"));
    assert_eq!((absent.status, absent.code()), (404, "no_such_credential"));
    let list = ask(Method::GET, "/v1/credentials").await;
    assert_eq!(list.body["credentials"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_named() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let shop = "/v1/credentials/shop";
    for query in ["min_ttl=60", "after=x", "wait=5s", "unknown=1"] {
        assert_eq!(server.get(&format!("{shop}/token?{query}")).await.code(), "malformed", "{query}");
    }
    assert_eq!(server.get("/v1/credentials?state=tired").await.status, 400);
    assert_eq!(server.get("/v1/credentials?limit=many").await.status, 400);
    assert_eq!(server.get("/v2/nothing").await.code(), "no_such_path");
    assert_eq!(server.post(&format!("{shop}/token"), json!({})).await.code(), "method_not_allowed");
    for body in [json!({}), json!({"generation": 1, "token": "x"}), json!({"generatoin": 1}), json!([])] {
        assert_eq!(server.post(&format!("{shop}/report"), body.clone()).await.code(), "malformed", "{body}");
    }
    let huge = json!({ "token": "x".repeat(70_000) });
    assert_eq!(server.post(&format!("{shop}/report"), huge).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_listed_in_pages_without_tokens() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let token = server.token("shop").await.token().to_owned();
    let first = server.get("/v1/credentials?limit=3").await;
    let names: Vec<_> =
        first.body["credentials"].as_array().unwrap().iter().map(|status| &status["name"]).collect();
    assert_eq!(names, ["crm", "members", "ocr"]);
    let second =
        server.get(&format!("/v1/credentials?limit=3&after={}", first.body["next"].as_str().unwrap())).await;
    let shop = &second.body["credentials"][0];
    assert_eq!(
        (shop["name"].as_str(), shop["platform"].as_str(), shop["state"].as_str()),
        (Some("shop"), Some("wechat"), Some("live"))
    );
    assert_eq!(
        (shop["generation"].as_u64(), shop["usable"].as_bool(), shop["reads"].as_u64()),
        (Some(1), Some(true), Some(1))
    );
    assert_eq!(shop["budget"], json!({ "used_today": 1, "left_today": 1999 }));
    assert!(second.body.get("next").is_none());
    assert!(!first.body.to_string().contains(&token) && !second.body.to_string().contains(&token));
    assert_eq!(server.get("/v1/credentials?state=blocked").await.body["credentials"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_respects_what_holders_were_told_unless_forced() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("shop").await;
    let refused = server.post("/v1/credentials/shop/refresh", json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "would_break_told_life"));
    let forced = server.post("/v1/credentials/shop/refresh", json!({ "force": true })).await;
    assert_eq!((forced.status, forced.body["generation"].as_u64()), (200, Some(2)));
    let stable = server.post("/v1/credentials/members/refresh", json!({})).await;
    assert_eq!((stable.status, stable.body["generation"].as_u64()), (200, Some(1)), "asked, and the same");
    let coexisting = server.post("/v1/credentials/crm/refresh", json!({})).await;
    assert_eq!(coexisting.body["generation"].as_u64(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_refreshes_of_a_stable_token_are_thirty_seconds_apart() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("members").await;
    let first = server.post("/v1/credentials/members/refresh", json!({ "force": true })).await;
    assert_eq!(first.body["generation"].as_u64(), Some(2));
    let second = server.post("/v1/credentials/members/refresh", json!({ "force": true })).await;
    assert_eq!((second.status, second.code()), (429, "limited"));
    let wait: u64 = second.header("retry-after").parse().unwrap();
    assert!((25..=31).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_description_and_metrics_are_there() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("shop").await;
    let open = async |path: &str| server.send(server.http().get(format!("{}{path}", server.url))).await;
    assert_eq!(open("/healthz").await.status, 200);
    assert_eq!(open("/readyz").await.status, 200);
    let description = open("/openapi.json").await;
    assert!(description.body["paths"]["/v1/credentials/{name}/token"]["get"].is_object());
    assert!(description.body["components"]["schemas"]["Token"]["properties"]["expires_in"].is_object());
    assert_eq!(open("/metrics").await.status, 401);
    let metrics = server.get("/metrics").await;
    let text = metrics.body.as_str().unwrap();
    for line in [
        "tokenward_credential_state{credential=\"shop\",platform=\"wechat\",state=\"live\"} 1",
        "tokenward_reads_total{credential=\"shop\"} 1",
        "tokenward_refresh_total{credential=\"shop\",outcome=\"rotated\"} 1",
        "tokenward_foreign_refresh_total{credential=\"shop\"} 0",
        "tokenward_budget_remaining{credential=\"shop\"} 1999",
        "tokenward_refresh_lateness_seconds_count",
        "tokenward_http_requests_total{status=\"2xx\"}",
        "tokenward_token_expiry_seconds{credential=\"shop\"} 7",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metrics_listener_needs_no_key_and_serves_nothing_else() {
    let lab = Lab::new(documented()).await;
    let path = lab.write_config(&four());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("data_dir", &format!("metrics_listen = \"127.0.0.1:{port}\"\ndata_dir"));
    std::fs::write(&path, text).unwrap();
    let server = lab::Server::start(&path, &[]);
    let open =
        async |path: &str| server.send(server.http().get(format!("http://127.0.0.1:{port}{path}"))).await;
    assert_eq!(open("/metrics").await.status, 200);
    assert_eq!(open("/healthz").await.status, 200);
    assert_eq!(open("/v1/credentials").await.status, 404);
    assert_eq!(open("/v1/credentials/shop/token").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_socket_has_all_rights_and_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let socket = server.data_dir.join("admin.sock");
    let http = reqwest::Client::builder().unix_socket(&*socket).build().unwrap();
    let answer = server.send(http.get("http://tokenward/v1/credentials/shop/token")).await;
    assert_eq!(answer.status, 200);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(&server.data_dir)), (0o600, 0o700));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_or_garbage_does_not_hurt() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let address = server.url.trim_start_matches("http://").to_owned();
    for garbage in
        [vec![b'x'; 100_000], b"GET / HTTP/9.9\r\n\r\n".to_vec(), vec![0, 159, 146, 150, 13, 10, 13, 10]]
    {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        // The server may close while we still write.
        drop(stream.write_all(&garbage).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
    }
    assert_eq!(server.token("shop").await.status, 200);
}
