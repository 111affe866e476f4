//! `examples/cloud-admin`, as it stands, driven over HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use lab::{Answer, KEY, Lab, Server, classic, documented};
use reqwest::Method;
use serde_json::{Value, json};

/// The example, running.
struct Admin {
    child: Child,
    url: String,
}

impl Admin {
    fn start(server: &Server) -> Admin {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cloud-admin/admin.py");
        let mut child = Command::new("python3")
            .args([script, "0"])
            .env("TOKENWARD_URL", &server.url)
            .env("TOKENWARD_KEY", KEY)
            .env("no_proxy", "*")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Admin { child, url: url.trim().to_owned() }
    }

    async fn call(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        server.send(server.http().request(method, format!("{}/{path}", self.url)).body(body)).await
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dishes_and_their_pictures() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let made = json!({"env": "test", "collection_name": "dishes"});
    server.post("/v1/call/shop/tcb/databasecollectionadd", made).await;
    let admin = Admin::start(&server);
    let call =
        async |method, path: &str, body: Value| admin.call(&server, method, path, body.to_string()).await;
    let hostile = "'); db.collection('dishes').where({}).remove(); ('";
    let added = call(Method::POST, "dishes", json!({"name": "tea eggs", "price": 4})).await;
    call(Method::POST, "dishes", json!({"name": hostile, "price": 1})).await;
    let id = added.body["id"].as_str().unwrap().to_owned();
    let dish = format!("dishes/{id}");
    let all = call(Method::GET, "dishes", json!({})).await;
    assert_eq!((&all.body[0]["name"], &all.body[1]["name"]), (&json!(hostile), &json!("tea eggs")));
    assert_eq!(call(Method::PATCH, &dish, json!({"price": 5})).await.status, 200);
    let picture = admin.call(&server, Method::PUT, &format!("{dish}/picture"), "png").await;
    let got = call(Method::GET, &dish, json!({})).await;
    assert_eq!(got.body["price"], 5);
    assert_eq!(got.body["picture"], picture.body["file_id"], "{picture:?}");
    let seen = call(Method::GET, &format!("{dish}/picture"), json!({})).await;
    assert_eq!(seen.body.as_str(), Some("png"), "{seen:?}");
    for wrong in ["{", "[1]", ""] {
        let answer = admin.call(&server, Method::POST, "dishes", wrong).await;
        assert_eq!(answer.status, 400, "{wrong:?}: {answer:?}");
    }
    let chosen = call(Method::POST, "dishes", json!({"_id": id, "name": "chosen"})).await;
    assert_ne!(chosen.body["id"], json!(id), "ids are not the client's to choose");
    call(Method::DELETE, &format!("dishes/{}", chosen.body["id"].as_str().unwrap()), json!({})).await;
    assert_eq!(call(Method::DELETE, &dish, json!({})).await.status, 200);
    assert_eq!(call(Method::GET, &dish, json!({})).await.status, 404, "the record is gone");
    assert_eq!(
        call(Method::GET, &format!("{dish}/picture"), json!({})).await.status,
        404,
        "so is the picture"
    );
    assert_eq!(call(Method::DELETE, &dish, json!({})).await.status, 404);
    assert_eq!(call(Method::PUT, &format!("{dish}/picture"), json!({})).await.status, 404);
    let left = call(Method::GET, "dishes", json!({})).await;
    assert_eq!(left.body.as_array().unwrap().len(), 1);
}
