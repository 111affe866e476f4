//! Cloud development over HTTP and from the shell, against the emulated cloud.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Answer, KEY, Lab, Server, classic, documented};
use serde_json::{Value, json};
use tokenward_emulator::{Fault, FaultKind};

/// A server with the credential `shop`, and an environment with the empty collection `orders`.
async fn set() -> (Lab, Server) {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let made = json!({"env": "test", "collection_name": "orders"});
    let made = server.post("/v1/call/shop/tcb/databasecollectionadd", made).await;
    assert_eq!(made.body["errcode"], 0, "{made:?}");
    (lab, server)
}

async fn database(server: &Server, operation: &str, statement: Value) -> Answer {
    server.post(&format!("/v1/cloud/shop/test/database/{operation}"), statement).await
}

async fn fill(server: &Server) {
    let data = json!([{"_id": "a", "n": 1}, {"_id": "b", "n": 2}, {"_id": "c", "n": 3, "tags": ["x"]}]);
    let added = database(server, "add", json!({"collection": "orders", "data": data})).await;
    assert_eq!(added.body, json!({"ids": ["a", "b", "c"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_round_in_one_call_each() {
    let (_lab, server) = set().await;
    fill(&server).await;
    let query = json!({
        "collection": "orders", "where": {"n": {"$gt": 1}}, "order": [["n", "desc"]], "limit": 1,
        "field": {"n": true},
    });
    let found = database(&server, "query", query).await;
    assert_eq!(found.body["documents"], json!([{"_id": "c", "n": 3}]), "{found:?}");
    assert_eq!((&found.body["total"], &found.body["limit"]), (&json!(2), &json!(1)));
    let update =
        json!({"collection": "orders", "doc": "a", "update": {"$inc": {"n": 10}, "$set": {"x.y": true}}});
    let updated = database(&server, "update", update).await;
    assert_eq!(updated.body, json!({"matched": 1, "modified": 1, "id": ""}));
    let counted = database(&server, "count", json!({"collection": "orders", "where": {"x.y": true}})).await;
    assert_eq!(counted.body, json!({"count": 1}));
    let stages = json!([{"$match": {"n": {"$gt": 1}}}, {"$group": {"_id": null, "sum": {"$sum": "$n"}}}]);
    let summed = database(&server, "aggregate", json!({"collection": "orders", "stages": stages})).await;
    assert_eq!(summed.body["documents"], json!([{"_id": null, "sum": 16}]), "{summed:?}");
    let set = json!({"collection": "orders", "doc": "d", "data": {"n": 4}});
    assert_eq!(database(&server, "set", set).await.body["id"], "d");
    let removed = json!({"collection": "orders", "where": {"n": {"$lt": 4}}});
    assert_eq!(database(&server, "delete", removed).await.body, json!({"deleted": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_data() {
    let (_lab, server) = set().await;
    let hostile = [
        "'); db.collection('orders').where({}).remove(); ('",
        "\\'); process.exit() //",
        "line\nbreak\r\u{2028}\u{2029}",
        "</script><!--",
        "${1+1} `x`",
        "\"}).remove()",
        "\u{0}\u{1b}",
        "__proto__",
    ];
    for text in hostile {
        let document = json!([{"_id": text, "value": text}]);
        let added = database(&server, "add", json!({"collection": "orders", "data": document})).await;
        assert_eq!(added.body["ids"], json!([text]), "{added:?}");
        let query = json!({"collection": "orders", "where": {"value": text}});
        let found = database(&server, "query", query).await;
        assert_eq!(found.body["documents"], json!([{"_id": text, "value": text}]), "{found:?}");
        let by_id = database(&server, "query", json!({"collection": "orders", "doc": text})).await;
        assert_eq!(by_id.body["total"], 1, "{by_id:?}");
    }
    let all = database(&server, "count", json!({"collection": "orders"})).await;
    assert_eq!(all.body["count"], hostile.len(), "nothing was removed, and nothing came by itself");
    let operator = json!({"collection": "orders", "where": {"value": {"$where": "1"}}});
    assert_eq!(database(&server, "query", operator).await.status, 400, "operators are on a list");
    let everything = database(&server, "delete", json!({"collection": "orders"})).await;
    assert_eq!(everything.status, 400, "no condition is no consent: {everything:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_for_those_who_have_it_and_errors_say_where() {
    let (_lab, server) = set().await;
    fill(&server).await;
    let send = async |text: &'static str| {
        let url = format!("{}/v1/cloud/shop/test/database/query", server.url);
        let request = server.http().post(url).bearer_auth(KEY).header("content-type", "text/plain");
        server.send(request.body(text)).await
    };
    let found = send("db.collection('orders').where({n:_.in([1,2])}).orderBy('n','asc').get()").await;
    assert_eq!(found.body["total"], 2, "{found:?}");
    let wrong = send("db.collection('orders').where({n:_.gtt(1)}).get()").await;
    assert_eq!((wrong.status, wrong.code()), (422, "cloud_refused"), "{wrong:?}");
    assert_eq!(wrong.body["platform"]["errcode"], -605_101);
    assert!(wrong.body["detail"].as_str().unwrap().contains("line 1"), "{wrong:?}");
    let missing = database(&server, "query", json!({"collection": "nothing"})).await;
    assert_eq!((missing.status, &missing.body["platform"]["errcode"]), (404, &json!(-502_005)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_an_error() {
    let (lab, server) = set().await;
    let count = json!({"collection": "orders"});
    lab.control()
        .inject(
            Fault::new(FaultKind::Status(http::StatusCode::BAD_GATEWAY)).on("/tcb/databasecount").times(1),
        )
        .unwrap();
    let broken = database(&server, "count", count.clone()).await;
    assert_eq!((broken.status, broken.code()), (502, "call_broken"), "{broken:?}");
    let quota = FaultKind::Errcode { errcode: -501_003, errmsg: None, error: None, status: None };
    lab.control().inject(Fault::new(quota).on("/tcb/databasecount").times(1)).unwrap();
    let later = database(&server, "count", count.clone()).await;
    assert_eq!((later.status, later.code()), (429, "cloud_refused"), "{later:?}");
    assert!(later.header("retry-after").parse::<u32>().unwrap() > 0);
    let url = format!("{}/v1/cloud/shop/test/database/count", server.url);
    let fetch = server.http().post(url).bearer_auth(KEY).header("content-type", "text/plain;charset=UTF-8");
    let mistaken = server.send(fetch.body(count.to_string())).await;
    assert_eq!(mistaken.status, 400);
    assert!(mistaken.body["detail"].as_str().unwrap().contains("application/json"), "{mistaken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_is_larger_than_max_body() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&format!("{}[credentials.shop.gateway]\nmax_body = \"1KiB\"\n", classic("5m")));
    let data = json!([{"text": "x".repeat(2000)}]);
    let added = database(&server, "add", json!({"collection": "orders", "data": data})).await;
    assert_eq!((added.status, added.code()), (413, "too_large"), "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_gateway() {
    let lab = Lab::new(documented()).await;
    let clients = "[clients.reader]\nkey = { inline = \"reader-key-0123456789\" }\ncredentials = [\"shop\"]\n\
                   may = [\"token\"]\n";
    let server = lab.serve(&format!("{clients}{}", classic("5m")));
    let url = format!("{}/v1/cloud/shop/test/database/query", server.url);
    let request = server.http().post(url).bearer_auth("reader-key-0123456789");
    assert_eq!(server.send(request.json(&json!({"collection": "orders"}))).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_shell() {
    let (_lab, server) = set().await;
    let run = |arguments: &[&str]| {
        let whose = ["cloud", "--credential", "shop", "--env", "test"];
        let output = tokio::task::block_in_place(|| server.command(&[&whose, arguments].concat()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["db", "add", "--collection", "orders", "--data", r#"[{"_id":"a","n":1},{"_id":"b","n":2}]"#]);
    let query =
        ["db", "query", "--collection", "orders", "--where", r#"{"n":{"$gt":0}}"#, "--order", "n:desc"];
    assert_eq!(run(&query), "{\"_id\":\"b\",\"n\":2}\n{\"_id\":\"a\",\"n\":1}\n");
    assert_eq!(run(&["db", "query", "db.collection('orders').doc('a').get()"]), "{\"_id\":\"a\",\"n\":1}\n");
    let counted: Value = serde_json::from_str(&run(&["db", "count", "--collection", "orders"])).unwrap();
    assert_eq!(counted["count"], 2);
    let neither = server.command(&["cloud", "--credential", "shop", "--env", "test", "db", "query"]);
    assert_eq!(neither.status.code(), Some(2));
    let text = "db.collection('orders').where({}).remove()";
    let both = ["cloud", "--credential", "shop", "--env", "test", "db", "remove", text, "--doc", "a"];
    assert_eq!(server.command(&both).status.code(), Some(2), "no flag is silently ignored");
}
