//! Actions as the SDKs send them, and what they must not do.

use serde_json::{Value as Json, json};

use crate::Moment;
use crate::cloud::{Cloud, CloudCall, CloudSettings, Errand};

struct Kit {
    cloud: Cloud,
    now: i64,
}

impl Kit {
    /// With a collection `c` in which is `{_id:"a", n:1}`.
    async fn new() -> Kit {
        let kit = Kit { cloud: Cloud::start(&CloudSettings::default(), 1).unwrap(), now: 1_600_000_000 };
        kit.act(json!({ "action": "database.addCollection", "collectionName": "c" })).await;
        kit.insert(json!({ "_id": "a", "n": 1 })).await;
        kit
    }

    async fn call(&self, call: CloudCall, body: Json) -> Json {
        let errand = Errand {
            call,
            app_id: String::new(),
            now: Moment::from_unix_seconds(self.now),
            query: "env=e".to_owned(),
            body: body.to_string().into(),
            host: None,
        };
        self.cloud.reply(errand).await.json().unwrap()
    }

    async fn act(&self, body: Json) -> Json {
        self.call(CloudCall::Sdk, body).await
    }

    async fn on(&self, verb: &str, fields: Json) -> Json {
        let mut body = json!({ "action": format!("database.{verb}"), "collectionName": "c" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.act(body).await
    }

    async fn insert(&self, document: Json) -> Json {
        self.on("insertDocument", json!({ "data": [document.to_string()] })).await
    }

    async fn begin(&self) -> Json {
        self.act(json!({ "action": "database.startTransaction" })).await["transactionId"].clone()
    }

    async fn commit(&self, transaction: &Json) -> Json {
        self.act(json!({ "action": "database.commitTransaction", "transactionId": transaction })).await
    }

    async fn update_in(&self, transaction: &Json) -> Json {
        let fields = json!({ "transactionId": transaction, "query": "{\"_id\":\"a\"}", "merge": true,
            "data": "{\"$set\":{\"n\":2}}" });
        self.on("modifyDocument", fields).await
    }

    async fn count(&self, query: Json) -> Json {
        self.on("calculateDocument", json!({ "query": query.to_string() })).await["data"]["total"].clone()
    }
}

#[tokio::test]
async fn a_transaction_is_seen_when_it_is_committed() {
    let kit = Kit::new().await;
    let transaction = kit.begin().await;
    kit.update_in(&transaction).await;
    assert_eq!(kit.count(json!({ "n": 2 })).await, 0);
    assert_eq!(kit.commit(&transaction).await["code"], Json::Null);
    assert_eq!(kit.count(json!({ "n": 2 })).await, 1);
}

#[tokio::test]
async fn a_transaction_notices_what_others_did() {
    let index = json!({ "env": "e", "collection_name": "c", "create_indexes":
        [{ "name": "once", "unique": true, "keys": [{ "name": "n", "direction": "1" }] }] });
    let collection = json!({ "env": "e", "collection_name": "c" });
    let others: [&[(CloudCall, Json)]; 2] = [
        &[(CloudCall::UpdateIndex, index)],
        &[(CloudCall::CollectionDelete, collection.clone()), (CloudCall::CollectionAdd, collection)],
    ];
    for other in others {
        let kit = Kit::new().await;
        let transaction = kit.begin().await;
        kit.update_in(&transaction).await;
        for (call, body) in other {
            assert_eq!(kit.call(*call, body.clone()).await["errcode"], 0);
        }
        assert_eq!(kit.commit(&transaction).await["code"], "DATABASE_TRANSACTION_CONFLICT");
    }
}

#[tokio::test]
async fn a_transaction_that_takes_long_is_over() {
    let mut kit = Kit::new().await;
    let transaction = kit.begin().await;
    kit.now += 31;
    assert_eq!(kit.commit(&transaction).await["code"], "DATABASE_TRANSACTION_FAIL");
}

#[tokio::test]
async fn limits_of_documents_hold_here_too() {
    let kit = Kit::new().await;
    let deep = (0..110).fold(json!(1), |inner, _| json!({ "a": inner }));
    for refused in [deep, json!({ "_id": [1] }), json!({ "$set": 1 })] {
        assert_eq!(kit.insert(refused).await["code"], "DATABASE_REQUEST_FAILED");
    }
    let renamed =
        json!({ "query": "{\"_id\":\"a\"}", "merge": false, "upsert": true, "data": "{\"_id\":\"b\"}" });
    assert_eq!(kit.on("modifyDocument", renamed).await["code"], "INVALID_PARAM");
}

#[tokio::test]
async fn no_date_is_after_the_year_9999() {
    let kit = Kit::new().await;
    let far = json!({ "$tcb_server_date": { "offset": 8_640_000_000_000_001_i64 } });
    for date in [far, json!({ "$date": 8_640_000_000_000_001_i64 }), json!({ "$date": null })] {
        let refusal = kit.insert(json!({ "at": date })).await;
        assert_eq!(refusal["code"], "INVALID_PARAM");
        assert!(refusal["message"].as_str().unwrap().contains("is no date"), "{refusal}");
    }
}

#[tokio::test]
async fn a_document_that_is_as_it_should_be_is_returned() {
    let kit = Kit::new().await;
    let same = json!({ "query": "{\"_id\":\"a\"}", "data": "{\"$set\":{\"n\":1}}" });
    let returned = kit.on("modifyAndReturnDoc", same).await;
    assert_eq!(returned["data"]["updated"], 0);
    assert_eq!(returned["data"]["doc"], "{\"_id\":\"a\",\"n\":{\"$numberInt\":\"1\"}}");
}

#[tokio::test]
async fn an_object_with_an_operators_name_inside_is_an_object_to_indexes_too() {
    let kit = Kit::new().await;
    let query = json!({ "x": { "b": 2, "$eq": 1 } });
    let before = kit.count(query.clone()).await;
    let index = json!({ "env": "e", "collection_name": "c", "create_indexes":
        [{ "name": "x", "keys": [{ "name": "x", "direction": "1" }] }] });
    kit.call(CloudCall::UpdateIndex, index).await;
    assert_eq!(kit.count(query).await, before);
}

#[tokio::test]
async fn who_asks_for_nothing_that_is_there_is_told_so() {
    let kit = Kit::new().await;
    assert_eq!(
        kit.act(json!({ "action": "database.watch", "collectionName": "c" })).await["code"],
        "INVALID_PARAM"
    );
    let missing = json!({ "action": "functions.invokeFunction", "function_name": "none" });
    assert_eq!(kit.act(missing).await["code"], "SYS_ERR");
    let env = Errand {
        query: "env=No%20Such".to_owned(),
        call: CloudCall::Sdk,
        app_id: String::new(),
        now: Moment::from_unix_seconds(kit.now),
        body: "{}".into(),
        host: None,
    };
    assert_eq!(kit.cloud.reply(env).await.json().unwrap()["code"], "INVALIID_ENV");
}
