//! Two hundred hostile texts as ids, values and field names of the cloud database: data never becomes code.
//!
//! The emulator parses every statement with a JavaScript parser of its own and carries out what it says, so a text that
//! escaped its quotes would show in what the collections hold afterwards.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use lab::{Lab, Server, classic, documented};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// What an escaped text would do, and what else breaks naive quoting.
const ATTACKS: [&str; 25] = [
    "); db.collection('canary').where({}).remove(); (",
    "}).remove(); db.collection('canary').where({",
    "]).remove(",
    ").remove()//",
    ")/*",
    "*/",
    "//",
    "\n.remove()\n",
    "\r\n.remove()\r\n",
    "\u{2028}.remove()\u{2029}",
    "</script><script>alert(1)</script>",
    "<!--",
    "-->",
    "${db.collection('canary').where({}).remove()}",
    "}, _.set({a:1}), {",
    ":_.exists(true),",
    "__proto__",
    "constructor",
    "prototype.polluted",
    "\u{0}\u{8}\u{1b}\u{7f}",
    "\u{feff}\u{200b}\u{202e}",
    "茶🍵\u{10ffff}",
    "\\u0027);db.collection(\\u0027canary\\u0027).where({}).remove();(\\u0027",
    "\\x27\\047\\",
    "{\"$date\":0}",
];

/// What stands around it.
const FRAMES: [(&str, &str); 8] = [
    ("", ""),
    ("'", "'"),
    ("\"", "\""),
    ("`", "`"),
    ("\\'", "\\'"),
    ("\\\\\"", "\""),
    ("a", "\\"),
    ("\\", "'\"`"),
];

fn hostile() -> Vec<String> {
    let framed =
        ATTACKS.iter().flat_map(|attack| FRAMES.map(|(before, after)| format!("{before}{attack}{after}")));
    framed.collect()
}

struct Cloud {
    _lab: Lab,
    server: Server,
}

impl Cloud {
    /// An empty collection `victims`, and a collection `canary` that nobody has any business with.
    async fn new() -> Cloud {
        let lab = Lab::new(documented()).await;
        let server = lab.serve(&classic("5m"));
        for name in ["victims", "canary"] {
            let made = json!({"env": "test", "collection_name": name});
            server.post("/v1/call/shop/tcb/databasecollectionadd", made).await;
        }
        let cloud = Cloud { _lab: lab, server };
        cloud.ask("add", json!({"collection": "canary", "data": [{"_id": "alive", "n": 1}]})).await;
        cloud
    }

    async fn try_to(&self, operation: &str, statement: Value) -> (u16, Value) {
        let answer = self.server.post(&format!("/v1/cloud/shop/test/database/{operation}"), statement).await;
        (answer.status, answer.body)
    }

    async fn ask(&self, operation: &str, statement: Value) -> Value {
        let (status, body) = self.try_to(operation, statement.clone()).await;
        assert_eq!(status, 200, "{statement} {body}");
        body
    }

    async fn holds(&self, victims: usize) {
        let canary = self.ask("query", json!({"collection": "canary"})).await;
        assert_eq!(canary["documents"], json!([{"_id": "alive", "n": 1}]));
        let count = self.ask("count", json!({"collection": "victims"})).await;
        assert_eq!(count["count"], victims);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_an_id() {
    let cloud = Cloud::new().await;
    let texts = hostile();
    assert_eq!(texts.len(), 200);
    for (n, text) in texts.iter().enumerate() {
        let set = json!({"collection": "victims", "doc": text, "data": {"n": n}});
        assert_eq!(cloud.ask("set", set).await["id"], json!(text));
        let found = cloud.ask("query", json!({"collection": "victims", "doc": text})).await;
        assert_eq!(found["documents"], json!([{"_id": text, "n": n}]));
    }
    cloud.holds(200).await;
    for text in &texts {
        let update = json!({"collection": "victims", "doc": text, "update": {"$inc": {"n": 1}}});
        assert_eq!(cloud.ask("update", update).await["modified"], 1);
        let removed = cloud.ask("delete", json!({"collection": "victims", "doc": text})).await;
        assert_eq!(removed["deleted"], 1);
    }
    cloud.holds(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_value() {
    let cloud = Cloud::new().await;
    let texts = hostile();
    for text in &texts {
        let document = json!({"v": text, "deep": {"list": [text, {"v": text}]}});
        cloud.ask("add", json!({"collection": "victims", "data": [document]})).await;
        let query = json!({
            "collection": "victims", "where": {"v": {"$in": [text]}, "deep.list": text}, "field": {"_id": false},
        });
        assert_eq!(cloud.ask("query", query).await["documents"], json!([document]));
        let pushed = json!({
            "collection": "victims", "where": {"v": text},
            "update": {"$push": {"deep.list": text}, "$set": {"other": text}},
        });
        assert_eq!(cloud.ask("update", pushed).await["modified"], 1);
        let stages =
            json!([{"$match": {"other": text}}, {"$group": {"_id": {"$literal": text}, "n": {"$sum": 1}}}]);
        let grouped = cloud.ask("aggregate", json!({"collection": "victims", "stages": stages})).await;
        assert_eq!(grouped["documents"], json!([{"_id": text, "n": 1}]));
    }
    cloud.holds(200).await;
}

/// Names that no field can have are refused; all others name one field and nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn as_the_name_of_a_field() {
    let cloud = Cloud::new().await;
    let mut kept = 0;
    for text in hostile() {
        let mut document = json!({"n": 1});
        document[&text] = json!("value");
        let (status, body) = cloud.try_to("add", json!({"collection": "victims", "data": [document]})).await;
        if status == 200 {
            kept += 1;
            let id = body["ids"][0].clone();
            let found = cloud.ask("query", json!({"collection": "victims", "doc": id})).await;
            document["_id"] = id;
            assert_eq!(found["documents"], json!([document]), "{text:?}");
        } else {
            assert!(status == 400 || status == 422, "{text:?} {status} {body}");
        }
        let query =
            json!({"collection": "victims", "where": {text.clone(): "value"}, "order": [[text, "asc"]]});
        let (status, body) = cloud.try_to("query", query).await;
        assert!([200, 400, 422].contains(&status), "{text:?} {status} {body}");
    }
    assert!(kept > 60, "{kept}");
    cloud.holds(kept).await;
}

/// Documents as JSON has them, but for what the builder refuses: keys that begin with `$`, and `__proto__`.
fn documents() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |float| float.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\PC'\"`\\\\\n\u{2028}]{0,12}".prop_map(Value::from),
    ];
    let key = || {
        "[a-zA-Z_'\"\\\\` 茶-][a-zA-Z0-9_'\"\\\\`;)}\n\u{2029}]{0,8}"
            .prop_filter("", |key| key != "__proto__")
    };
    let value = scalar.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(key(), inner, 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    });
    btree_map(key(), value, 1..6).prop_map(|fields| fields.into_iter().collect())
}

/// Numbers are equal by what they are worth: JavaScript has one kind of them.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same =
                |(key, value): (&String, &Value)| other.get(key).is_some_and(|there| equal(value, there));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_document_comes_back_as_it_went_in() {
    let cloud = Cloud::new().await;
    let mut runner = TestRunner::deterministic();
    for round in 0..30 {
        let sent: Vec<Value> = (0..20)
            .map(|n| {
                let mut document = documents().new_tree(&mut runner).unwrap().current();
                document["_id"] = json!(format!("{round:02}-{n:02}"));
                document
            })
            .collect();
        cloud.ask("add", json!({"collection": "victims", "data": sent})).await;
        let since = format!("{round:02}-");
        let query = json!({
            "collection": "victims", "where": {"_id": {"$gt": since}}, "order": [["_id", "asc"]], "limit": 1000,
        });
        let found = cloud.ask("query", query).await;
        let found = found["documents"].as_array().unwrap();
        assert_eq!(found.len(), 20);
        for (sent, found) in sent.iter().zip(found) {
            assert!(equal(sent, found), "sent {sent}\nfound {found}");
        }
    }
    cloud.holds(600).await;
}
