//! Statements from JSON.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokenward_cloud::structured::{
    AddRequest, AggregateRequest, CountRequest, QueryRequest, RemoveRequest, SetRequest, StructuredError,
    UpdateRequest,
};

fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn filter(filter: Value) -> Result<String, StructuredError> {
    let request: CountRequest = read(json!({"collection": "c", "where": filter}));
    let text = request.statement()?.text().to_owned();
    let text = text.strip_prefix(r#"db.collection("c").where("#).unwrap().strip_suffix(").count()").unwrap();
    Ok(text.to_owned())
}

fn refused(json: Value) -> String {
    filter(json).unwrap_err().to_string()
}

fn update(update: Value) -> Result<String, StructuredError> {
    let request: UpdateRequest = read(json!({"collection": "c", "doc": "x", "update": update}));
    let text = request.statement()?.text().to_owned();
    let start = r#"db.collection("c").doc("x").update({data:"#;
    Ok(text.strip_prefix(start).unwrap().strip_suffix("})").unwrap().to_owned())
}

fn stages(stages: Value) -> Result<String, StructuredError> {
    let request: AggregateRequest = read(json!({"collection": "c", "stages": stages}));
    let text = request.statement()?.text().to_owned();
    let start = r#"db.collection("c").aggregate()."#;
    Ok(text.strip_prefix(start).unwrap().strip_suffix(".end()").unwrap().to_owned())
}

#[test]
fn a_limit_that_the_platform_would_cut_is_refused() {
    let request = |limit| read::<QueryRequest>(json!({"collection": "c", "limit": limit}));
    assert!(request(1000).statement().is_ok());
    assert!(request(1001).statement().unwrap_err().to_string().starts_with("limit: "));
    assert!(request(1001).export().is_ok(), "an export has no page");
}

#[test]
fn a_whole_query() {
    let request: QueryRequest = read(json!({
        "collection": "orders", "where": {"age": {"$gt": 3}}, "order": [["age", "desc"]],
        "skip": 0, "limit": 20, "field": {"title": true, "_id": 0}
    }));
    assert_eq!(
        request.statement().unwrap().text(),
        r#"db.collection("orders").where({"age":_.gt(3)}).orderBy("age","desc").skip(0).limit(20).field({"title":true,"_id":false}).get()"#
    );
    let request: QueryRequest = read(json!({"collection": "orders", "doc": "x\")"}));
    assert_eq!(request.statement().unwrap().text(), r#"db.collection("orders").doc("x\")").get()"#);
}

#[test]
fn a_misspelt_field_is_refused() {
    assert!(serde_json::from_value::<QueryRequest>(json!({"collection": "c", "were": {}})).is_err());
    assert!(
        serde_json::from_value::<QueryRequest>(json!({"collection": "c", "order": [["a", "up"]]})).is_err()
    );
}

#[test]
fn conditions() {
    let cases = [
        (json!({"a": 1}), r#"{"a":_.eq(1)}"#),
        (json!({"a": {"b": 1}}), r#"{"a":_.eq({"b":1})}"#),
        (json!({"a": null, "b": "x"}), r#"_.and([{"a":_.eq(null)},{"b":_.eq("x")}])"#),
        (json!({"a": {"$gt": 1, "$lt": 9}}), r#"_.and([{"a":_.gt(1)},{"a":_.lt(9)}])"#),
        (json!({"a": {"$in": [1, "x"]}}), r#"{"a":_.in([1,"x"])}"#),
        (json!({"a": {"$mod": [10, 1]}}), r#"{"a":_.mod(10,1)}"#),
        (json!({"a": {"$exists": true}}), r#"{"a":_.exists(true)}"#),
        (json!({"a": {"$size": 2}}), r#"{"a":_.size(2)}"#),
        (json!({"a": {"$regex": "^x", "$options": "i"}}), r#"{"a":db.RegExp({regexp:"^x",options:"i"})}"#),
        (json!({"a": {"$not": {"$gt": 1}}}), r#"{"a":_.not(_.gt(1))}"#),
        (json!({"a": {"$not": {"$gt": 1, "$lt": 9}}}), r#"_.nor([_.and([{"a":_.gt(1)},{"a":_.lt(9)}])])"#),
        (json!({"a": {"$not": {"$regex": "x"}}}), r#"_.nor([{"a":db.RegExp({regexp:"x",options:""})}])"#),
        (
            json!({"a": {"$elemMatch": {"x": 1, "y": {"$lt": 2}}}}),
            r#"{"a":_.elemMatch({"x":_.eq(1),"y":_.lt(2)})}"#,
        ),
        (json!({"a": {"$elemMatch": {"$gt": 1}}}), r#"{"a":_.elemMatch(_.gt(1))}"#),
        (
            json!({"$or": [{"a": 1}, {"b": 2}], "c": 3}),
            r#"_.and([_.or([{"a":_.eq(1)},{"b":_.eq(2)}]),{"c":_.eq(3)}])"#,
        ),
        (json!({"$nor": [{"a": 1}]}), r#"_.nor([{"a":_.eq(1)}])"#),
        (json!({"a": {"$gte": {"$date": "1970-01-01T00:00:01Z"}}}), r#"{"a":_.gte(new Date(1000))}"#),
        (json!({"a": {"$date": 5}}), r#"{"a":_.eq(new Date(5))}"#),
    ];
    for (json, expected) in cases {
        assert_eq!(filter(json.clone()).unwrap(), expected, "{json}");
    }
}

#[test]
fn operators_that_are_not_listed_are_refused_by_name() {
    assert_eq!(
        refused(json!({"a": {"$where": "1"}})),
        "where.a.$where: `$where` is not an operator that may stand here"
    );
    assert_eq!(refused(json!({"$expr": {}})), "where.$expr: `$expr` is not an operator that may stand here");
    assert_eq!(
        refused(json!({"a": {"b": {"$gt": 1}}})),
        "where.a: `$gt` is not an operator that may stand here".replace("where.a:", "where.a.b:")
    );
    assert_eq!(
        refused(json!({"a": {"$eq": {"$ne": 1}}})),
        "where.a.$eq: `$ne` is not an operator that may stand here"
    );
    assert!(refused(json!({"a": {"$gt": 1, "b": 2}})).contains("not both in one object"));
    assert!(refused(json!({"$or": [{}]})).contains("not empty"));
    assert!(refused(json!({"a": 18_446_744_073_709_551_615_u64})).contains("2^53"));
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(refused(json!({"a": deep})).contains("deeper"));
    let deep = (0..300).fold(json!({"a": 1}), |inner, _| json!({"$or": [inner]}));
    assert!(refused(deep).contains("deeper"));
}

#[test]
fn changes() {
    let cases = [
        (
            json!({"$set": {"a.b": {"c": 1}}, "$inc": {"n": 1}, "$unset": {"x": ""}}),
            r#"{"a.b":_.set({"c":1}),"n":_.inc(1),"x":_.remove()}"#,
        ),
        (json!({"$unset": ["x", "y"]}), r#"{"x":_.remove(),"y":_.remove()}"#),
        (
            json!({"$mul": {"a": 2}, "$min": {"b": 1}, "$max": {"c": 1}}),
            r#"{"a":_.mul(2),"b":_.min(1),"c":_.max(1)}"#,
        ),
        (json!({"$rename": {"a": "b"}}), r#"{"a":_.rename("b")}"#),
        (json!({"$push": {"a": 1}}), r#"{"a":_.push([1])}"#),
        (
            json!({"$push": {"a": {"$each": [1, 2], "$sort": -1, "$slice": 5}}}),
            r#"{"a":_.push({each:[1,2],sort:-1,slice:5})}"#,
        ),
        (json!({"$pull": {"a": 1}}), r#"{"a":_.pull(_.eq(1))}"#),
        (json!({"$pull": {"a": {"$gt": 1}}}), r#"{"a":_.pull(_.gt(1))}"#),
        (json!({"$pull": {"a": {"x": {"$gt": 1}}}}), r#"{"a":_.pull({"x":_.gt(1)})}"#),
        (json!({"$addToSet": {"a": {"$each": [1]}}}), r#"{"a":_.addToSet({"$each":[1]})}"#),
    ];
    for (json, expected) in cases {
        assert_eq!(update(json.clone()).unwrap(), expected, "{json}");
    }
    assert_eq!(
        update(json!({"$setOnInsert": {"a": 1}})).unwrap_err().to_string(),
        "update.$setOnInsert: `$setOnInsert` is not an operator that may stand here"
    );
    assert!(update(json!({"a": 1})).is_err());
    assert!(update(json!({"$set": {"_id": 1}})).is_err());
    assert!(update(json!({"$set": {"a": {"$inc": 1}}})).is_err());
}

#[test]
fn nothing_is_removed_by_oversight() {
    let remove = |json: Value| read::<RemoveRequest>(json).statement();
    // What `{"where": {"user": undefined}}` looks like when it arrives.
    assert_eq!(
        remove(json!({"collection": "c", "where": {}})).unwrap_err().to_string(),
        "where: no condition would concern every document: if that is meant, send `\"every_document\":true` (in the shell `--every-document`)"
    );
    assert_eq!(
        remove(json!({"collection": "c", "every_document": true})).unwrap().text(),
        r#"db.collection("c").where({}).remove()"#
    );
    assert!(remove(json!({"collection": "c", "doc": "x", "where": {"a": 1}})).is_err());
    assert_eq!(
        remove(json!({"collection": "c", "doc": 5})).unwrap().text(),
        r#"db.collection("c").doc(5).remove()"#
    );
}

#[test]
fn documents_are_added_and_replaced() {
    let add: AddRequest = read(json!({"collection": "c", "data": [{"a": {"$date": 5}, "b": [1.5]}]}));
    assert_eq!(
        add.statement().unwrap().text(),
        r#"db.collection("c").add({data:[{"a":new Date(5),"b":[1.5]}]})"#
    );
    let set: SetRequest = read(json!({"collection": "c", "doc": "x", "data": {"a": 1}}));
    assert_eq!(set.statement().unwrap().text(), r#"db.collection("c").doc("x").set({data:{"a":1}})"#);
}

#[test]
fn aggregation() {
    let cases = [
        (
            json!([{"$match": {"a": {"$gt": 1}}}, {"$group": {"_id": "$a", "n": {"$sum": 1}}}, {"$sort": {"n": -1}}]),
            r#"match({"a":_.gt(1)}).group({"_id":"$a","n":$.sum(1)}).sort({"n":-1})"#,
        ),
        (
            json!([{"$project": {"_id": 0, "a": 1, "b": {"$concat": ["$x", "y"]}, "c": "$d.e"}}]),
            r#"project({"_id":false,"a":true,"b":$.concat(["$x","y"]),"c":"$d.e"})"#,
        ),
        (
            json!([{"$unwind": "$a"}, {"$unwind": {"path": "$b"}}, {"$limit": 5}, {"$skip": 1}, {"$count": "n"}]),
            r#"unwind("$a").unwind({path:"$b",preserveNullAndEmptyArrays:false}).limit(5).skip(1).count("n")"#,
        ),
        (
            json!([{"$lookup": {"from": "b", "let": {"p": "$x"}, "pipeline": [{"$limit": 1}], "as": "z"}}]),
            r#"lookup({from:"b",let:{"p":"$x"},pipeline:$.pipeline().limit(1).done(),as:"z"})"#,
        ),
        (
            json!([{"$addFields": {"x": {"$cond": [{"$ne": ["$a", {"$literal": "$b"}]}, 1, {"y": "$$ROOT"}]}}}]),
            r#"addFields({"x":$.cond({if:$.neq(["$a",$.literal("$b")]),then:1,else:{"y":"$$ROOT"}})})"#,
        ),
        (
            json!([{"$geoNear": {"near": {"type": "Point", "coordinates": [1, 2]}, "distanceField": "d"}}]),
            r#"geoNear({near:new db.Geo.Point(1,2),spherical:true,distanceField:"d"})"#,
        ),
        (
            json!([{"$bucket": {"groupBy": "$a", "boundaries": [0, 5], "output": {"n": {"$sum": 1}}}}]),
            r#"bucket({groupBy:"$a",boundaries:[0,5],output:{"n":$.sum(1)}})"#,
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(stages(json.clone()).unwrap(), expected, "{json}");
    }
    assert_eq!(
        stages(json!([{"$out": "x"}])).unwrap_err().to_string(),
        "stages.$out: `$out` is not an operator that may stand here"
    );
    assert_eq!(
        stages(json!([{"$group": {"_id": null, "x": {"$function": {}}}}])).unwrap_err().to_string(),
        "stages.$group.x.$function: `$function` is not an operator that may stand here"
    );
    assert!(stages(json!([{"$lookup": {"from": "b", "as": "z"}}])).is_err());
}
