//! Every operator of an expression. What is missing is shown as `"(missing)"`.

use serde_json::{Value as Json, json};

use super::super::budget::Budget;
use super::super::testing::{doc, value};
use super::*;
use crate::cloud::ejson;

fn outcome(expression: Json, document: Json) -> Outcome<Json> {
    let document = doc(document);
    let budget = Budget::default();
    let scope = Scope::new(&document, &Variables::default(), &budget);
    Ok(evaluate(&value(expression), &scope)?.map_or(json!("(missing)"), |value| ejson::plain(&value)))
}

fn of(expression: Json, document: Json) -> Json {
    outcome(expression, document).unwrap()
}

fn constant(expression: Json) -> Json {
    of(expression, json!({}))
}

fn refused(expression: Json) -> String {
    outcome(expression, json!({})).unwrap_err().to_string()
}

/// A table of expressions without fields, and their values.
fn check(table: &[(Json, Json)]) {
    for (expression, expected) in table {
        assert_eq!(constant(expression.clone()), *expected, "{expression}");
    }
}

#[test]
fn paths_lead_into_documents_and_arrays() {
    assert_eq!(of(json!("$a.b"), json!({"a": {"b": 1}})), json!(1));
    assert_eq!(of(json!("$a.b"), json!({"a": [{"b": 1}, {}, {"b": 2}]})), json!([1, 2]));
    assert_eq!(of(json!("$a"), json!({})), json!("(missing)"));
}

#[test]
fn root_and_current_are_the_document() {
    assert_eq!(of(json!("$$ROOT"), json!({"a": 1})), json!({"a": 1}));
    assert_eq!(of(json!("$$CURRENT.a"), json!({"a": 1})), json!(1));
    assert_eq!(constant(json!("$$REMOVE")), json!("(missing)"));
    assert_eq!(refused(json!("$$x")), "Use of undefined variable: x");
}

#[test]
fn literals_hold_expressions() {
    assert_eq!(of(json!({"x": "$a", "y": "$b"}), json!({"a": 1})), json!({"x": 1}));
    assert_eq!(of(json!(["$a", "$b"]), json!({"a": 1})), json!([1, null]));
    assert_eq!(constant(json!({"$literal": "$a"})), json!("$a"));
}

#[test]
fn let_binds_variables_of_the_scope_around() {
    let expression = json!({"$let": {"vars": {"x": "$a", "y": 2}, "in": {"$add": ["$$x", "$$y"]}}});
    assert_eq!(of(expression, json!({"a": 1})), json!(3));
}

#[test]
fn let_can_rebind_current() {
    let expression = json!({"$let": {"vars": {"CURRENT": "$a"}, "in": "$b"}});
    assert_eq!(of(expression, json!({"a": {"b": 7}})), json!(7));
}

#[test]
fn arithmetic() {
    check(&[
        (json!({"$abs": -1}), json!(1)),
        (json!({"$add": [1, 2, 3]}), json!(6)),
        (json!({"$add": [{"$date": 5}, 2]}), json!({"$date": 7})),
        (json!({"$add": [1, null]}), json!(null)),
        (json!({"$ceil": 1.2}), json!(2)),
        (json!({"$divide": [1, 2]}), json!(0.5)),
        (json!({"$exp": 0}), json!(1)),
        (json!({"$floor": -1.2}), json!(-2)),
        (json!({"$ln": 1}), json!(0)),
        (json!({"$log": [8, 2]}), json!(3)),
        (json!({"$log10": 100}), json!(2)),
        (json!({"$mod": [-7, 3]}), json!(-1)),
        (json!({"$mod": [7.5, 2]}), json!(1.5)),
        (json!({"$multiply": [2, 3, 0.5]}), json!(3)),
        (json!({"$pow": [2, 10]}), json!(1024)),
        (json!({"$pow": [2, -1]}), json!(0.5)),
        (json!({"$sqrt": 16}), json!(4)),
        (json!({"$subtract": [5, 2]}), json!(3)),
        (json!({"$subtract": [{"$date": 5}, {"$date": 2}]}), json!(3)),
        (json!({"$subtract": [{"$date": 5}, 2]}), json!({"$date": 3})),
        (json!({"$trunc": -1.7}), json!(-1)),
    ]);
}

#[test]
fn arithmetic_refuses_texts() {
    assert_eq!(refused(json!({"$add": [1, "x"]})), "$add only supports numeric or date types, not string");
    assert_eq!(refused(json!({"$divide": [1, 0]})), "can't $divide by zero");
    assert_eq!(refused(json!({"$mod": [1, 0]})), "can't $mod by zero");
}

#[test]
fn integers_stay_integers() {
    let sum = |expression: Json| {
        evaluate(&value(expression), &Scope::new(&Document::new(), &Variables::default(), &Budget::default()))
            .unwrap()
            .unwrap()
    };
    assert_eq!(sum(json!({"$add": [1, 2]})), Value::Int(3));
    assert_eq!(sum(json!({"$multiply": [100_000, 100_000]})), Value::Long(10_000_000_000));
    assert_eq!(sum(json!({"$divide": [4, 2]})), Value::Double(2.0));
}

#[test]
fn arrays() {
    check(&[
        (json!({"$arrayElemAt": [[1, 2, 3], -1]}), json!(3)),
        (json!({"$arrayElemAt": [[1], 5]}), json!("(missing)")),
        (json!({"$concatArrays": [[1], [2, 3]]}), json!([1, 2, 3])),
        (json!({"$concatArrays": [[1], null]}), json!(null)),
        (json!({"$filter": {"input": [1, 2, 3], "as": "n", "cond": {"$gt": ["$$n", 1]}}}), json!([2, 3])),
        (json!({"$in": [2, [1, 2]]}), json!(true)),
        (json!({"$indexOfArray": [["a", "b", "a"], "a"]}), json!(0)),
        (json!({"$indexOfArray": [["a", "b", "a"], "a", 1]}), json!(2)),
        (json!({"$indexOfArray": [["a", "b", "a"], "a", 1, 2]}), json!(-1)),
        (json!({"$isArray": [[1]]}), json!(true)),
        (json!({"$isArray": "x"}), json!(false)),
        (json!({"$map": {"input": [1, 2], "in": {"$add": ["$$this", 1]}}}), json!([2, 3])),
        (json!({"$range": [0, 5, 2]}), json!([0, 2, 4])),
        (json!({"$range": [3, 0, -1]}), json!([3, 2, 1])),
        (json!({"$reverseArray": [[1, 2]]}), json!([2, 1])),
        (json!({"$size": [[1, 2]]}), json!(2)),
        (json!({"$slice": [[1, 2, 3], 2]}), json!([1, 2])),
        (json!({"$slice": [[1, 2, 3], -2]}), json!([2, 3])),
        (json!({"$slice": [[1, 2, 3], 1, 1]}), json!([2])),
        (json!({"$zip": {"inputs": [[1, 2], ["a"]]}}), json!([[1, "a"]])),
        (
            json!({"$zip": {"inputs": [[1, 2], ["a"]], "useLongestLength": true, "defaults": [0, "z"]}}),
            json!([[1, "a"], [2, "z"]]),
        ),
    ]);
}

#[test]
fn a_range_is_of_32_bits_and_not_too_long() {
    assert_eq!(
        refused(json!({"$range": [0, 9_000_000_000_i64]})),
        "$range requires arguments representable as a 32-bit integer, found value of type: long"
    );
    assert_eq!(
        refused(json!({"$range": [2_147_483_647, -2_147_483_648, -1]})),
        "$range would use too much memory"
    );
}

#[test]
fn reduce_carries_a_value() {
    let expression =
        json!({"$reduce": {"input": "$a", "initialValue": "", "in": {"$concat": ["$$value", "$$this"]}}});
    assert_eq!(of(expression, json!({"a": ["x", "y"]})), json!("xy"));
}

#[test]
fn size_wants_an_array() {
    assert_eq!(
        refused(json!({"$size": "$a"})),
        "The argument to $size must be an array, but was of type: missing"
    );
}

#[test]
fn logic_and_comparison() {
    check(&[
        (json!({"$and": [1, "x"]}), json!(true)),
        (json!({"$and": []}), json!(true)),
        (json!({"$or": [0, null]}), json!(false)),
        (json!({"$not": [0]}), json!(true)),
        (json!({"$cmp": [1, 2]}), json!(-1)),
        (json!({"$eq": [1, 1.0]}), json!(true)),
        (json!({"$eq": ["$gone", null]}), json!(false)),
        (json!({"$ne": [1, "1"]}), json!(true)),
        (json!({"$gt": ["a", 1]}), json!(true)),
        (json!({"$gte": [1, 1]}), json!(true)),
        (json!({"$lt": ["$gone", null]}), json!(true)),
        (json!({"$lte": [2, 1]}), json!(false)),
        (json!({"$meta": "textScore"}), json!("(missing)")),
    ]);
}

#[test]
fn conditions() {
    check(&[
        (json!({"$cond": {"if": true, "then": 1, "else": 2}}), json!(1)),
        (json!({"$cond": [false, 1, 2]}), json!(2)),
        (json!({"$ifNull": ["$gone", 1]}), json!(1)),
        (json!({"$switch": {"branches": [{"case": false, "then": 1}], "default": 2}}), json!(2)),
        (json!({"$switch": {"branches": [{"case": true, "then": 1}]}}), json!(1)),
    ]);
    assert!(refused(json!({"$switch": {"branches": [{"case": false, "then": 1}]}})).contains("no default"));
}

#[test]
fn dates() {
    // Sunday, 2020-09-13T12:26:40.123Z
    let date = json!({"$date": 1_600_000_000_123_i64});
    let parts = json!({
        "$year": 2020, "$month": 9, "$dayOfMonth": 13, "$hour": 12, "$minute": 26, "$second": 40, "$millisecond": 123,
        "$dayOfYear": 257, "$dayOfWeek": 1, "$isoDayOfWeek": 7, "$week": 37, "$isoWeek": 37, "$isoWeekYear": 2020
    });
    for (operator, expected) in parts.as_object().unwrap() {
        assert_eq!(constant(json!({ operator: date })), *expected, "{operator}");
    }
    assert_eq!(constant(json!({"$hour": {"date": date, "timezone": "+08:00"}})), json!(20));
    assert_eq!(constant(json!({"$year": null})), json!(null));
    assert_eq!(refused(json!({"$year": "x"})), "can't convert from BSON type string to Date");
}

#[test]
fn dates_and_texts() {
    let date = json!({"$date": 1_600_000_000_123_i64});
    check(&[
        (json!({"$dateToString": {"date": date, "format": "%Y-%m-%d"}}), json!("2020-09-13")),
        (json!({"$dateToString": {"date": date}}), json!("2020-09-13T12:26:40.123Z")),
        (json!({"$dateToString": {"date": "$gone", "format": "%Y", "onNull": "-"}}), json!("-")),
        (json!({"$dateToString": {"date": date, "format": "%H", "timezone": "Asia/Shanghai"}}), json!("20")),
        (json!({"$dateFromString": {"dateString": "2020-09-13T12:26:40.123Z"}}), date.clone()),
        (
            json!({"$dateFromString": {"dateString": "2020-09-13 20:26:40.123", "timezone": "+08"}}),
            date.clone(),
        ),
        (json!({"$dateFromString": {"dateString": "x", "onError": 0}}), json!(0)),
    ]);
}

#[test]
fn dates_are_made_of_parts() {
    check(&[
        (
            json!({"$dateFromParts": {"year": 2020, "month": 9, "day": 13, "hour": 12, "minute": 26, "second": 40,
                "millisecond": 123}}),
            json!({"$date": 1_600_000_000_123_i64}),
        ),
        (json!({"$dateFromParts": {"year": 1970, "timezone": "-01"}}), json!({"$date": 3_600_000})),
        (
            json!({"$dateFromParts": {"isoWeekYear": 1970, "isoWeek": 1, "isoDayOfWeek": 4}}),
            json!({"$date": 0}),
        ),
        (json!({"$dateFromParts": {"year": null}}), json!(null)),
    ]);
    assert_eq!(
        refused(json!({"$dateFromParts": {"year": 2020, "month": 13}})),
        "'month' must evaluate to an integer in the range 1 to 12, found 13"
    );
}

#[test]
fn objects() {
    check(&[
        (json!({"$mergeObjects": [{"a": 1, "b": 1}, null, {"b": 2}]}), json!({"a": 1, "b": 2})),
        (json!({"$objectToArray": {"a": 1}}), json!([{"k": "a", "v": 1}])),
        (json!({"$arrayToObject": [[["a", 1], ["b", 2]]]}), json!({"a": 1, "b": 2})),
        (json!({"$arrayToObject": {"$literal": [{"k": "a", "v": 1}]}}), json!({"a": 1})),
    ]);
}

#[test]
fn sets() {
    check(&[
        (json!({"$allElementsTrue": [[1, true]]}), json!(true)),
        (json!({"$anyElementTrue": [[0, null]]}), json!(false)),
        (json!({"$setDifference": [[3, 1, 2, 3], [1]]}), json!([3, 2])),
        (json!({"$setEquals": [[1, 2, 1], [2, 1]]}), json!(true)),
        (json!({"$setIntersection": [[3, 2, 1], [1, 3]]}), json!([1, 3])),
        (json!({"$setIsSubset": [[1], [1, 2]]}), json!(true)),
        (json!({"$setUnion": [[2, 1], [3, 1]]}), json!([1, 2, 3])),
        (json!({"$setUnion": [[2], null]}), json!(null)),
    ]);
}

#[test]
fn strings() {
    check(&[
        (json!({"$concat": ["a", "b"]}), json!("ab")),
        (json!({"$concat": ["a", null]}), json!(null)),
        (json!({"$indexOfBytes": ["中文a", "a"]}), json!(6)),
        (json!({"$indexOfCP": ["中文a", "a"]}), json!(2)),
        (json!({"$indexOfCP": ["abcabc", "c", 3]}), json!(5)),
        (json!({"$indexOfCP": ["abcabc", "c", 0, 2]}), json!(-1)),
        (json!({"$split": ["a-b", "-"]}), json!(["a", "b"])),
        (json!({"$strLenBytes": "中"}), json!(3)),
        (json!({"$strLenCP": "中"}), json!(1)),
        (json!({"$strcasecmp": ["ab", "AB"]}), json!(0)),
        (json!({"$substr": ["abc", 1, -1]}), json!("bc")),
        (json!({"$substrBytes": ["abc", 0, 2]}), json!("ab")),
        (json!({"$substrCP": ["中文字", 1, 1]}), json!("文")),
        (json!({"$toLower": "AbÉ"}), json!("abÉ")),
        (json!({"$toUpper": 12}), json!("12")),
        (json!({"$toUpper": null}), json!("")),
    ]);
}

#[test]
fn a_character_is_not_cut() {
    assert!(refused(json!({"$substrBytes": ["中", 1, 1]})).contains("UTF-8 continuation byte"));
}

#[test]
fn accumulators_are_expressions_too() {
    check(&[
        (json!({"$sum": [[1, 2, "x"]]}), json!(3)),
        (json!({"$sum": [1, 2, [3]]}), json!(3)),
        (json!({"$avg": [1, 2]}), json!(1.5)),
        (json!({"$max": [[1, 3, 2]]}), json!(3)),
        (json!({"$min": [3, null, 2]}), json!(2)),
        (json!({"$stdDevPop": [1, 3]}), json!(1)),
        (json!({"$stdDevSamp": [5]}), json!(null)),
    ]);
}

#[test]
fn unknown_operators_are_refused() {
    assert_eq!(refused(json!({"$trim": "x"})), "Unrecognized expression '$trim'");
    assert_eq!(refused(json!({"$first": [1]})), "Unrecognized expression '$first'");
    assert_eq!(refused(json!({"$gt": 1})), "Expression $gt takes exactly 2 arguments. 1 were passed in.");
}
