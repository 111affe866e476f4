//! The cloud API as clients see it, with its shapes and codes.

use serde_json::{Value as Json, json};

use super::collection::Collection;
use super::environment::{Around, Environment, LARGEST_RESULT};
use super::request::Find;
use super::value::{Document, Value};
use super::{Cloud, CloudCall, CloudFailure, CloudSettings, Errand};
use crate::Moment;
use crate::chance::Chance;

struct Kit {
    environment: Environment,
    chance: Chance,
}

impl Kit {
    /// With an empty collection `geo`.
    fn new() -> Kit {
        let mut kit = Kit { environment: Environment::default(), chance: Chance::seeded(1) };
        kit.call(CloudCall::CollectionAdd, json!({"env": "test", "collection_name": "geo"})).unwrap();
        kit
    }

    fn call(&mut self, call: CloudCall, body: Json) -> Result<Json, CloudFailure> {
        let mut around = Around {
            env: "test",
            now: 1_600_000_000_000,
            chance: &mut self.chance,
            journal: None,
            largest_result: LARGEST_RESULT,
        };
        self.environment.carry_out(call, &body, &mut around)
    }

    fn database(&mut self, call: CloudCall, query: &str) -> Json {
        self.call(call, json!({"env": "test", "query": query}))
            .unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    fn code(&mut self, call: CloudCall, query: &str) -> i64 {
        self.call(call, json!({"env": "test", "query": query})).unwrap_err().code
    }
}

/// Three documents with `_id` 1 to 3, `n` the same, and tags.
fn filled() -> Kit {
    let mut kit = Kit::new();
    let data = "[{_id:'1',n:1,tags:['a']},{_id:'2',n:2,tags:['a','b']},{_id:'3',n:3,tags:[]}]";
    kit.database(CloudCall::Add, &format!("db.collection('geo').add({{data:{data}}})"));
    kit
}

#[test]
fn added_documents_get_ids_of_32_digits() {
    let added =
        Kit::new().database(CloudCall::Add, "db.collection('geo').add({data:[{a:1},{_id:'own',a:2}]})");
    let ids = added["id_list"].as_array().unwrap();
    assert_eq!((ids[0].as_str().unwrap().len(), &ids[1]), (32, &json!("own")));
}

#[test]
fn a_query_returns_documents_as_texts_and_a_pager() {
    let found = filled().database(
        CloudCall::Query,
        "db.collection('geo').where({n:_.gt(1)}).orderBy('n','desc').limit(1).field({n:true}).get()",
    );
    assert_eq!(found["pager"], json!({"Offset": 0, "Limit": 1, "Total": 2}));
    assert_eq!(found["data"], json!([r#"{"_id":"3","n":3}"#]));
}

#[test]
fn ten_documents_come_unless_the_text_says_otherwise() {
    let mut kit = Kit::new();
    let data: Vec<Json> = (0..12).map(|n| json!({"n": n})).collect();
    kit.database(CloudCall::Add, &format!("db.collection('geo').add({{data:{}}})", json!(data)));
    let found = kit.database(CloudCall::Query, "db.collection('geo').get()");
    assert_eq!((found["data"].as_array().unwrap().len(), &found["pager"]["Total"]), (10, &json!(12)));
}

#[test]
fn updates_count_what_matched_and_what_changed() {
    let mut kit = filled();
    let updated =
        kit.database(CloudCall::Update, "db.collection('geo').where({tags:'a'}).update({data:{n:_.inc(1)}})");
    assert_eq!(updated, json!({"matched": 2, "modified": 2, "id": ""}));
    let count = kit.database(CloudCall::Count, "db.collection('geo').where({n:3}).count()");
    assert_eq!(count["count"], 2);
}

#[test]
fn set_makes_what_is_not_there() {
    let mut kit = filled();
    let made = kit.database(CloudCall::Update, "db.collection('geo').doc('new').set({data:{a:1}})");
    assert_eq!(made, json!({"matched": 0, "modified": 0, "id": "new"}));
    let replaced = kit.database(CloudCall::Update, "db.collection('geo').doc('1').set({data:{a:1}})");
    assert_eq!(replaced, json!({"matched": 1, "modified": 1, "id": ""}));
    let found = kit.database(CloudCall::Query, "db.collection('geo').doc('1').get()");
    assert_eq!(found["data"], json!([r#"{"_id":"1","a":1}"#]));
}

#[test]
fn removing_says_how_many() {
    let mut kit = filled();
    assert_eq!(
        kit.database(CloudCall::Delete, "db.collection('geo').where({tags:'a'}).remove()")["deleted"],
        2
    );
    assert_eq!(kit.database(CloudCall::Delete, "db.collection('geo').doc('1').remove()")["deleted"], 0);
}

#[test]
fn an_aggregation_marks_its_numbers() {
    let result = filled().database(
        CloudCall::Aggregate,
        "db.collection('geo').aggregate().group({_id:null,sum:$.sum('$n'),mean:$.avg('$n')}).end()",
    );
    assert_eq!(
        result["data"],
        json!([r#"{"_id":null,"sum":{"$numberInt":"6"},"mean":{"$numberDouble":"2.0"}}"#])
    );
}

#[test]
fn collections_are_listed_page_by_page() {
    let mut kit = filled();
    kit.call(CloudCall::CollectionAdd, json!({"env": "test", "collection_name": "b"})).unwrap();
    let listed = kit.call(CloudCall::CollectionGet, json!({"env": "test", "limit": 1, "offset": 1})).unwrap();
    assert_eq!(
        (&listed["collections"][0]["name"], &listed["collections"][0]["count"]),
        (&json!("geo"), &json!(3))
    );
    assert_eq!(listed["pager"], json!({"Offset": 1, "Limit": 1, "Total": 2}));
}

#[test]
fn what_is_wrong_has_its_code() {
    let mut kit = filled();
    assert_eq!(kit.code(CloudCall::Query, "db.collection('geo').where({"), -605_101);
    assert_eq!(kit.code(CloudCall::Query, "db.collection('none').get()"), -502_005);
    assert_eq!(kit.code(CloudCall::Query, "db.collection('geo').count()"), -501_007);
    assert_eq!(kit.code(CloudCall::Add, "db.collection('geo').add({data:{_id:'1'}})"), -502_001);
    assert_eq!(kit.code(CloudCall::Add, "db.collection('geo').add({data:[]})"), -501_007);
    assert_eq!(kit.code(CloudCall::Query, "db.collection('geo').where({a:{$what:1}}).get()"), -502_001);
    assert_eq!(kit.call(CloudCall::Query, json!({"env": "test"})).unwrap_err().code, 47001);
}

async fn errcode(call: CloudCall, body: &'static str) -> i64 {
    let now = Moment::from_unix_seconds(1_600_000_000);
    let errand =
        Errand { call, app_id: "wx1".to_owned(), now, query: String::new(), body: body.into(), host: None };
    Cloud::start(&CloudSettings::default(), 1).unwrap().reply(errand).await.json().unwrap()["errcode"]
        .as_i64()
        .unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said_before_it_is_carried_out() {
    let nothing = r#"{"env":"test","collection_name":"a"}"#;
    assert_eq!(errcode(CloudCall::CollectionAdd, nothing).await, 0);
    assert_eq!(errcode(CloudCall::Query, "").await, 44002);
    assert_eq!(errcode(CloudCall::Query, "[]").await, 47001);
    assert_eq!(errcode(CloudCall::Query, r#"{"env":"No Such","query":"x"}"#).await, -501_007);
    assert_eq!(errcode(CloudCall::Other, "").await, 40066);
}

fn index(name: &str, unique: bool, keys: &[&str]) -> Json {
    let keys: Vec<Json> = keys.iter().map(|key| json!({"name": key, "direction": "1"})).collect();
    json!({"env": "test", "collection_name": "geo", "create_indexes": [{"name": name, "unique": unique, "keys": keys}]})
}

#[test]
fn an_index_changes_nothing_about_what_is_found() {
    let queries = [
        "{n:2}",
        "{n:_.eq(2.0)}",
        "{tags:'b'}",
        "{n:_.in([1,3])}",
        "{tags:['a','b']}",
        "{n:_.neq(1)}",
        "{x:null}",
        "_.and([{n:2},{tags:'a'}])",
        "_.or([{n:2},{n:3}])",
        "{_id:'2'}",
        "{_id:_.in(['1','9'])}",
    ];
    let answers = |kit: &mut Kit| {
        let text = |query: &str| format!("db.collection('geo').where({query}).get()");
        queries.map(|query| kit.database(CloudCall::Query, &text(query))["data"].clone())
    };
    let mut kit = filled();
    let without = answers(&mut kit);
    for (name, path) in [("a", "n"), ("b", "tags"), ("c", "x")] {
        kit.call(CloudCall::UpdateIndex, index(name, false, &[path])).unwrap();
    }
    kit.database(CloudCall::Update, "db.collection('geo').where({n:1}).update({data:{n:7}})");
    kit.database(CloudCall::Update, "db.collection('geo').where({n:7}).update({data:{n:1}})");
    assert_eq!(answers(&mut kit), without);
}

#[test]
fn a_unique_index_lets_nothing_stand_twice() {
    let mut kit = filled();
    kit.call(CloudCall::UpdateIndex, index("once", true, &["n"])).unwrap();
    let mut code = |call, text: &str| kit.code(call, &format!("db.collection('geo').{text}"));
    assert_eq!(code(CloudCall::Add, "add({data:{n:2.0}})"), -502_001);
    assert_eq!(code(CloudCall::Add, "add({data:[{n:8},{n:8}]})"), -502_001);
    assert_eq!(code(CloudCall::Update, "where({n:1}).update({data:{n:3}})"), -502_001);
    assert_eq!(code(CloudCall::Update, "where({}).update({data:{n:4}})"), -502_001);
    assert_eq!(code(CloudCall::Add, "add({data:[{},{m:1}]})"), -502_001);
    let counted = kit.database(CloudCall::Count, "db.collection('geo').where({}).count()");
    assert_eq!(counted["count"], 3, "what was refused changed nothing");
    kit.database(CloudCall::Update, "db.collection('geo').where({}).update({data:{n:_.inc(1)}})");
    kit.database(CloudCall::Add, "db.collection('geo').add({data:{n:1}})");
}

#[test]
fn numbers_are_the_same_in_a_unique_index_whatever_their_type() {
    let mut kit = Kit::new();
    kit.call(CloudCall::UpdateIndex, index("once", true, &["n"])).unwrap();
    for (first, same) in [("{b:1}", "{b:_.eq(1.0)}"), ("0", "-0"), ("9007199254740994", "9007199254740994.0")]
    {
        let same = same.replace("_.eq(1.0)", "1.0");
        kit.database(CloudCall::Add, &format!("db.collection('geo').add({{data:{{n:{first}}}}})"));
        assert_eq!(
            kit.code(CloudCall::Add, &format!("db.collection('geo').add({{data:{{n:{same}}}}})")),
            -502_001
        );
    }
}

#[test]
fn an_index_takes_no_more_of_a_document_than_it_can_look_up() {
    let mut kit = Kit::new();
    kit.call(CloudCall::UpdateIndex, index("once", true, &["n", "m"])).unwrap();
    let long = "x".repeat(1_025);
    let many: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    for refused in [format!("'{long}'"), format!("[{}]", many.join(","))] {
        assert_eq!(
            kit.code(CloudCall::Add, &format!("db.collection('geo').add({{data:{{n:{refused}}}}})")),
            -502_001
        );
    }
}

#[test]
fn indexes_come_and_go() {
    let mut kit = filled();
    let listed = |kit: &mut Kit| {
        kit.call(CloudCall::CollectionGet, json!({"env": "test"})).unwrap()["collections"][0]["index_count"]
            .clone()
    };
    kit.call(CloudCall::UpdateIndex, index("both", true, &["n", "tags"])).unwrap();
    assert_eq!(listed(&mut kit), 2);
    let drop = json!({"env": "test", "collection_name": "geo", "drop_indexes": [{"name": "both"}, {"name": "none"}]});
    kit.call(CloudCall::UpdateIndex, drop).unwrap();
    assert_eq!(listed(&mut kit), 1);
    kit.database(CloudCall::Add, "db.collection('geo').add({data:{n:1}})");
    assert_eq!(kit.call(CloudCall::UpdateIndex, index("n", true, &["n"])).unwrap_err().code, -502_001);
    assert_eq!(kit.call(CloudCall::UpdateIndex, index("none", false, &[])).unwrap_err().code, -501_007);
}

#[tokio::test]
async fn a_folder_keeps_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let settings = CloudSettings { folder: Some(folder.path().to_owned()), ..CloudSettings::default() };
    let cloud = Cloud::start(&settings, 1).unwrap();
    let shared = Cloud::start(&settings, 1).unwrap_err().to_string();
    assert!(shared.contains("another emulator"), "{shared}");
    let call = async |cloud: &Cloud, call, body: Json| {
        let now = Moment::from_unix_seconds(1_600_000_000);
        let (app_id, query, body) = ("wx1".to_owned(), String::new(), body.to_string().into());
        cloud.reply(Errand { call, app_id, now, query, body, host: None }).await.json().unwrap()
    };
    let collection = json!({"env": "e", "collection_name": "geo"});
    call(&cloud, CloudCall::CollectionAdd, collection).await;
    let unique = json!({"env": "e", "collection_name": "geo", "create_indexes": [
        {"name": "once", "unique": true, "keys": [{"name": "n", "direction": "1"}]}]});
    call(&cloud, CloudCall::UpdateIndex, unique).await;
    let data = "[{_id:'a',n:1,at:new Date(5),deep:{x:[1.5,null]}},{_id:'b',n:2},{_id:'c',n:3}]";
    let statement = |text: &str| json!({"env": "e", "query": format!("db.collection('geo').{text}")});
    call(&cloud, CloudCall::Add, statement(&format!("add({{data:{data}}})"))).await;
    call(&cloud, CloudCall::Update, statement("doc('b').update({data:{n:20}})")).await;
    call(&cloud, CloudCall::Delete, statement("doc('c').remove()")).await;
    let before = call(&cloud, CloudCall::Query, statement("where({}).get()")).await;
    drop(cloud);
    let again = Cloud::start(&settings, 2).unwrap();
    assert_eq!(call(&again, CloudCall::Query, statement("where({}).get()")).await, before);
    let twice = call(&again, CloudCall::Add, statement("add({data:{n:20}})")).await;
    assert_eq!(twice["errcode"], -502_001, "the index is there again");
}

#[test]
fn a_result_has_a_megabyte_at_most() {
    let mut kit = Kit::new();
    let long = "x".repeat(400_000);
    for _ in 0..3 {
        kit.database(CloudCall::Add, &format!("db.collection('geo').add({{data:{{a:'{long}'}}}})"));
    }
    assert_eq!(kit.code(CloudCall::Query, "db.collection('geo').get()"), -602_001);
    assert_eq!(
        kit.database(CloudCall::Query, "db.collection('geo').limit(2).get()")["data"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_result_is_as_large_as_its_text() {
    let mut kit = Kit::new();
    let mut add = |count: usize| {
        let data = format!("{{n:[{}]}}", "l,".repeat(count));
        let text = format!("const l={{$numberLong:'1'}};db.collection('geo').add({{data:[{data}]}})");
        kit.database(CloudCall::Add, &text);
        kit.call(CloudCall::Query, json!({"env": "test", "query": "db.collection('geo').get()"}))
            .map_err(|failure| failure.code)
    };
    // As BSON they are eight times larger.
    assert!(add(225_000).is_ok() && add(225_000).is_ok());
    assert_eq!(add(80_000), Err(-602_001));
}

#[test]
fn an_endpoint_has_its_own_largest_result() {
    let texts = Value::Array(vec!["x".into(); 500_000]);
    let mut collection = Collection::default();
    let (changes, _) = collection
        .add(vec![Document::from_iter([("_id".to_owned(), "1".into()), ("s".to_owned(), texts)])])
        .unwrap();
    collection.apply(changes);
    let find = |largest: u64| collection.find(&Find::default(), 10, largest);
    assert!(find(6 << 20).is_ok());
    let refusal = find(1 << 20).unwrap_err();
    assert_eq!(refusal.to_string(), "the result has more than 1048576 bytes: ask for less at a time");
}
