//! The cloud-database sink: a record that mini programs read, written with the token of a WeChat credential.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;

use std::time::{Duration, Instant};

use lab::{Lab, SECRET, Server, classic, documented};
use serde_json::{Value, json};
use tokenward_emulator::{Fault, FaultKind};

/// A sink of the last credential.
fn sink(credential: &str, rest: &str) -> String {
    format!("[credentials.{credential}.sinks.record]\nto = \"cloud-database\"\nenv = \"test\"\n{rest}")
}

/// `shop` with such a sink.
fn shop(rest: &str) -> String {
    classic("5m") + &sink("shop", rest)
}

/// `shop` and a credential of another platform, whose tokens are stored with the tokens of `shop`.
fn ocr_with_shop() -> String {
    let baidu = format!(
        "[credentials.ocr]\nplatform = \"baidu\"\nclient_id = \"baiduapp\"\n\
         client_secret = {{ inline = \"{SECRET}\" }}\nbase_url = \"PLATFORM\"\n"
    );
    let rest = "with = \"shop\"\npreset = \"setconfig\"\nconfig_name = \"baidu_token\"\n";
    classic("5m") + &baidu + &sink("ocr", rest)
}

async fn make_collection(server: &Server, name: &str) {
    let body = json!({"env": "test", "collection_name": name});
    let made = server.post("/v1/call/shop/tcb/databasecollectionadd", body).await;
    assert_eq!(made.body["errcode"], 0, "{made:?}");
}

async fn documents(server: &Server, collection: &str) -> Value {
    let query = json!({"collection": collection, "where": {}});
    let mut answer = server.post("/v1/cloud/shop/test/database/query", query).await;
    for document in answer.body["documents"].as_array_mut().unwrap() {
        document.as_object_mut().unwrap().retain(|name, id| name != "_id" || id.as_str().unwrap().len() < 32);
    }
    answer.body["documents"].take()
}

async fn add(server: &Server, collection: &str, document: Value) {
    let body = json!({"collection": collection, "data": [document]});
    let added = server.post("/v1/cloud/shop/test/database/add", body).await;
    assert_eq!(added.status, 200, "{added:?}");
}

async fn refresh(server: &Server, credential: &str) -> String {
    let body = json!({"force": true});
    let answer = server.post(&format!("/v1/credentials/{credential}/refresh"), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server.token(credential).await.token().to_owned()
}

/// Waits until this is true of the sink, asking the server's status each time: that takes its own time.
async fn until(server: &Server, credential: &str, what: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let sink = server.status(credential).await["sinks"][0].clone();
        if what(&sink) {
            return sink;
        }
    }
    panic!("it never came: {}\n{}", server.status(credential).await, server.log());
}

/// How many calls sinks have made.
async fn calls(server: &Server) -> u64 {
    let metrics = server.get("/metrics").await.body.as_str().unwrap().to_owned();
    let line = |line: &&str| line.starts_with("tokenward_gateway_calls") && line.contains("(sink)");
    metrics.lines().filter(line).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// A server whose sink finds the collection that it writes to. It was made with another server, before.
async fn with_collection(credentials: &str, collection: &str) -> (Lab, Server) {
    let lab = Lab::new(documented()).await;
    let before = lab.serve(&classic("5m"));
    make_collection(&before, collection).await;
    before.stop();
    let server = lab.serve(credentials);
    (lab, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn setconfig_makes_the_record_and_then_changes_it() {
    let (_lab, server) = with_collection(&shop("preset = \"setconfig\"\n"), "setconfig").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    refresh(&server, "shop").await;
    until(&server, "shop", |sink| sink["generation"] == 2).await;
    let token = server.token("shop").await.token().to_owned();
    assert_eq!(
        documents(&server, "setconfig").await,
        json!([{"config_name": "access_token", "value": token}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_stands_in_a_record_and_beside_it_stays() {
    let (lab, server) = with_collection(&classic("5m"), "setconfig").await;
    add(&server, "setconfig", json!({"config_name": "access_token", "value": "old", "remark": "by hand"}))
        .await;
    add(&server, "setconfig", json!({"config_name": "other", "value": "other"})).await;
    server.stop();
    let server = lab.serve(&shop("preset = \"setconfig\"\n"));
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    let token = server.token("shop").await.token().to_owned();
    assert_eq!(
        documents(&server, "setconfig").await,
        json!([
            {"config_name": "access_token", "value": token, "remark": "by hand"},
            {"config_name": "other", "value": "other"},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn setconfig_can_name_a_record_by_its_id() {
    let rest = "preset = \"setconfig\"\nid = \"the-token\"\ncollection = \"config\"\n";
    let (_lab, server) = with_collection(&shop(rest), "config").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    let token = refresh(&server, "shop").await;
    until(&server, "shop", |sink| sink["generation"] == 2).await;
    assert_eq!(
        documents(&server, "config").await,
        json!([{"_id": "the-token", "config_name": "access_token", "value": token}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_token_says_since_when_in_chinas_time() {
    let (_lab, server) = with_collection(&shop("preset = \"cloud-token\"\n"), "cloud-token").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    let issued =
        server.status("shop").await["issued_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let local = jiff::tz::offset(8).to_datetime(issued).strftime("%Y-%m-%d %H:%M:%S").to_string();
    assert_eq!(
        documents(&server, "cloud-token").await,
        json!([{"_id": "access_token", "value": server.token("shop").await.token(), "_updateTime": local}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_ones_own_have_numbers_as_numbers() {
    let rest = "collection = \"tokens\"\nid = \"shop\"\n\
                fields = { token = \"${token}\", generation = \"${generation}\", by = \"${credential}\" }\n";
    let (_lab, server) = with_collection(&shop(rest), "tokens").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    assert_eq!(
        documents(&server, "tokens").await,
        json!([{"_id": "shop", "token": server.token("shop").await.token(), "generation": 1, "by": "shop"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_platforms_token_is_stored_with_the_token_of_a_wechat_credential() {
    let (_lab, server) = with_collection(&ocr_with_shop(), "setconfig").await;
    until(&server, "ocr", |sink| sink["generation"] == 1).await;
    assert_eq!(
        documents(&server, "setconfig").await,
        json!([{"config_name": "baidu_token", "value": server.token("ocr").await.token()}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_somebody_killed_is_replaced_on_the_way() {
    let (lab, server) = with_collection(&ocr_with_shop(), "setconfig").await;
    until(&server, "ocr", |sink| sink["generation"] == 1).await;
    lab.control().invalidate(Some("wxclassic")).unwrap();
    let token = refresh(&server, "ocr").await;
    until(&server, "ocr", |sink| sink["generation"] == 2).await;
    assert_eq!(documents(&server, "setconfig").await[0]["value"], token);
    assert_eq!(server.token("shop").await.generation(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_collection_delays_nobody_and_says_what_to_do() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&shop("preset = \"setconfig\"\n"));
    let sink = until(&server, "shop", |sink| sink["failed"].as_u64() > Some(0)).await;
    assert_eq!(server.token("shop").await.status, 200);
    assert_eq!(
        sink["last_failure"]["detail"],
        "there is no collection \"setconfig\" in the environment \"test\""
    );
    assert!(sink["last_failure"]["next_step"].as_str().unwrap().contains("db collections add"), "{sink}");
    make_collection(&server, "setconfig").await;
    server.wait_for_line("works again");
    assert_eq!(documents(&server, "setconfig").await[0]["value"], server.token("shop").await.token());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_wrote_over_it_is_written_again() {
    let rest = "preset = \"setconfig\"\ncheck_every = \"1s\"\n";
    let (_lab, server) = with_collection(&shop(rest), "setconfig").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    let change = json!({
        "collection": "setconfig", "where": {"config_name": "access_token"}, "update": {"$set": {"value": "theirs"}},
    });
    let changed = server.post("/v1/cloud/shop/test/database/update", change).await;
    assert_eq!(changed.body["modified"], 1, "{changed:?}");
    server.wait_for_line("somebody else overwrote");
    until(&server, "shop", |sink| sink["delivered"] == 2).await;
    assert_eq!(documents(&server, "setconfig").await[0]["value"], server.token("shop").await.token());
}

/// As if a call of ours had been under way for long.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_token_of_ours_is_written_over_and_is_nobody_elses() {
    let rest = "collection = \"tokens\"\nid = \"shop\"\nfields = { token = \"Bearer ${token}\" }\ncheck_every = \"1s\"\n";
    let (_lab, server) = with_collection(&shop(rest), "tokens").await;
    let old = server.token("shop").await.token().to_owned();
    let token = refresh(&server, "shop").await;
    until(&server, "shop", |sink| sink["generation"] == 2).await;
    let delivered = until(&server, "shop", |_| true).await["delivered"].as_u64();
    let update = json!({"$set": {"token": format!("Bearer {old}")}});
    let change = json!({"collection": "tokens", "where": {"_id": "shop"}, "update": update});
    let changed = server.post("/v1/cloud/shop/test/database/update", change).await;
    assert_eq!(changed.body["modified"], 1, "{changed:?}");
    let sink = until(&server, "shop", |sink| sink["delivered"].as_u64() > delivered).await;
    assert_eq!(documents(&server, "tokens").await[0]["token"], format!("Bearer {token}"));
    assert_eq!(sink["lost"], 0, "{sink}");
    assert!(!server.log().contains("somebody else"), "{}", server.log());
}

/// How often the platform was asked to write the record.
fn written(lab: &Lab) -> u64 {
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    stats["by_path"]["/tcb/databaseupdate"]["requests"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_back_is_written_again_and_read_then() {
    let rest = "preset = \"setconfig\"\ncheck_every = \"1s\"\n";
    let (lab, server) = with_collection(&shop(rest), "setconfig").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    let before = written(&lab);
    let html = FaultKind::Html("502".parse().unwrap());
    lab.control().inject(Fault { times: Some(1), ..Fault::new(html).on("/tcb/databasequery") }).unwrap();
    until(&server, "shop", |sink| sink["failed"] == 1 && sink["delivered"] == 2).await;
    assert_eq!(written(&lab), before + 1, "a failed look is no delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_one_call() {
    let (_lab, server) =
        with_collection(&shop("preset = \"setconfig\"\ncheck_every = \"0s\"\n"), "setconfig").await;
    until(&server, "shop", |sink| sink["generation"] == 1).await;
    assert_eq!(calls(&server).await, 2, "the record was made");
    for generation in 2..=4 {
        refresh(&server, "shop").await;
        until(&server, "shop", |sink| sink["generation"] == generation).await;
    }
    // The record is read back once, soon after a start.
    assert!(calls(&server).await <= 6, "{}", calls(&server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_configuration_is_found_at_load() {
    let lab = Lab::new(documented()).await;
    for (credentials, said) in [
        (shop("preset = \"setconfg\"\n"), "there is no preset \"setconfg\""),
        (shop("with = \"shopp\"\npreset = \"setconfig\"\n"), "there is no such credential"),
        (shop("preset = \"setconfig\"\n").replace("\"test\"", "\"My Env\""), "no id of an environment"),
        (shop("collection = \"c\"\nid = \"a\"\nfields = { t = \"x\" }\n"), "the token stands in none"),
        (shop("collection = \"c\"\nid = \"a\"\nfields = { \"$t\" = \"${token}\" }\n"), "cannot be written"),
        (shop("collection = \"c\"\nfields = { t = \"${token}\" }\n"), "that `id` names"),
        (ocr_with_shop().replace("with = \"shop\"\n", ""), "which has no cloud database"),
        (
            ocr_with_shop().replace("baidu_token", "access_token")
                + &sink("shop", "preset = \"setconfig\"\n"),
            "two sinks write the record",
        ),
    ] {
        let config = lab.write_config(&credentials);
        let output = lab::tokenward().args(["check", "-c"]).arg(config).output().unwrap();
        let errors =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(said), "{said}: {errors}");
    }
}
