//! Every operator of a query, and what it means for arrays and missing fields.

use serde_json::{Value as Json, json};

use super::super::testing::{doc, docs, shown};
use super::*;

fn matches(query: Json, document: Json) -> bool {
    Filter::parse(&doc(query)).unwrap().matches(&doc(document)).unwrap()
}

fn index(query: Json, document: Json) -> Option<usize> {
    let filter = Filter::parse(&doc(query)).unwrap();
    filter.find_match(&doc(document), &Variables::default()).unwrap().unwrap().index
}

fn refused(query: Json) -> String {
    Filter::parse(&doc(query)).unwrap_err().to_string()
}

#[test]
fn an_empty_query_matches_everything() {
    assert!(matches(json!({}), json!({"a": 1})));
}

#[test]
fn a_scalar_equals_an_element() {
    assert!(matches(json!({"a": 2}), json!({"a": [1, 2]})));
}

#[test]
fn numbers_of_different_types_are_equal() {
    assert!(matches(json!({"a": 1}), json!({"a": 1.0})));
}

#[test]
fn null_equals_what_is_missing() {
    assert!(matches(json!({"a": null}), json!({"b": 1})));
    assert!(matches(json!({"a.b": null}), json!({"a": 1})));
    assert!(!matches(json!({"a": null}), json!({"a": 1})));
}

#[test]
fn an_array_is_equal_as_a_whole_or_to_an_element() {
    assert!(matches(json!({"a": [1, 2]}), json!({"a": [1, 2]})));
    assert!(matches(json!({"a": [1, 2]}), json!({"a": [[1, 2], 3]})));
    assert!(!matches(json!({"a": [1, 2]}), json!({"a": [2, 1]})));
}

#[test]
fn a_document_is_equal_as_a_whole() {
    assert!(matches(json!({"a": {"$eq": {"x": 1, "y": 2}}}), json!({"a": {"x": 1, "y": 2}})));
    assert!(!matches(json!({"a": {"x": 1}}), json!({"a": {"x": 1, "y": 2}})));
}

#[test]
fn ne_is_not_eq() {
    assert!(matches(json!({"a": {"$ne": 1}}), json!({})));
    assert!(!matches(json!({"a": {"$ne": 1}}), json!({"a": [1, 2]})));
}

#[test]
fn comparisons_stay_within_a_type() {
    assert!(matches(json!({"a": {"$lt": 2}}), json!({"a": 1})));
    assert!(matches(json!({"a": {"$lte": 2}}), json!({"a": 2})));
    assert!(matches(json!({"a": {"$gt": 2, "$gte": 3}}), json!({"a": 3})));
    assert!(!matches(json!({"a": {"$gt": 2}}), json!({"a": "3"})));
    assert!(!matches(json!({"a": {"$lt": 2}}), json!({})));
}

#[test]
fn dates_compare() {
    assert!(matches(json!({"a": {"$lt": {"$date": 5}}}), json!({"a": {"$date": 4}})));
}

#[test]
fn nan_is_not_less() {
    assert!(!matches(json!({"a": {"$lt": 5}}), json!({"a": {"$numberDouble": "NaN"}})));
}

#[test]
fn two_conditions_may_hold_for_different_elements() {
    assert!(matches(json!({"a": {"$gt": 5, "$lt": 2}}), json!({"a": [1, 9]})));
}

#[test]
fn in_and_nin_know_lists_and_patterns() {
    let pattern = json!({"$regularExpression": {"pattern": "^x", "options": ""}});
    assert!(matches(json!({"a": {"$in": [1, pattern]}}), json!({"a": "xy"})));
    assert!(matches(json!({"a": {"$in": [null]}}), json!({})));
    assert!(!matches(json!({"a": {"$in": []}}), json!({"a": 1})));
    assert!(matches(json!({"a": {"$nin": [1, 2]}}), json!({"a": 3})));
    assert!(!matches(json!({"a": {"$nin": [1, 2]}}), json!({"a": [2, 3]})));
}

#[test]
fn logic_combines_queries() {
    assert!(matches(json!({"$and": [{"a": 1}, {"b": 2}]}), json!({"a": 1, "b": 2})));
    assert!(matches(json!({"$or": [{"a": 1}, {"b": 2}]}), json!({"b": 2})));
    assert!(!matches(json!({"$nor": [{"a": 1}, {"b": 2}]}), json!({"b": 2})));
}

#[test]
fn not_turns_a_condition_around() {
    assert!(matches(json!({"a": {"$not": {"$gt": 1}}}), json!({"a": "x"})));
    assert!(!matches(json!({"a": {"$not": {"$gt": 1}}}), json!({"a": [0, 2]})));
}

#[test]
fn exists_asks_whether_there_is_a_field() {
    assert!(matches(json!({"a": {"$exists": true}}), json!({"a": null})));
    assert!(matches(json!({"a": {"$exists": false}}), json!({})));
}

#[test]
fn mod_divides() {
    assert!(matches(json!({"a": {"$mod": [10, 1]}}), json!({"a": 21})));
    assert!(!matches(json!({"a": {"$mod": [10, 1]}}), json!({"a": "21"})));
    assert_eq!(refused(json!({"a": {"$mod": [0, 1]}})), "divisor cannot be 0");
}

#[test]
fn all_wants_every_value() {
    assert!(matches(json!({"a": {"$all": [1, 2]}}), json!({"a": [2, 1, 3]})));
    assert!(!matches(json!({"a": {"$all": [1, 4]}}), json!({"a": [2, 1, 3]})));
    assert!(!matches(json!({"a": {"$all": []}}), json!({"a": []})));
}

#[test]
fn all_wants_every_element_match() {
    let query = json!({"a": {"$all": [{"$elemMatch": {"x": 1}}, {"$elemMatch": {"x": 2}}]}});
    assert!(matches(query, json!({"a": [{"x": 2}, {"x": 1}]})));
}

#[test]
fn size_counts_elements() {
    assert!(matches(json!({"a": {"$size": 2}}), json!({"a": [1, 2]})));
    assert!(!matches(json!({"a": {"$size": 1}}), json!({"a": [[1], [2]]})));
}

#[test]
fn an_element_matches_as_a_document() {
    let query = json!({"a": {"$elemMatch": {"x": {"$gt": 1}, "y": 1}}});
    assert!(matches(query.clone(), json!({"a": [{"x": 2, "y": 1}]})));
    assert!(!matches(query, json!({"a": [{"x": 2, "y": 0}, {"x": 0, "y": 1}]})));
}

#[test]
fn an_element_matches_as_a_value() {
    assert!(!matches(json!({"a": {"$elemMatch": {"$gt": 5, "$lt": 2}}}), json!({"a": [1, 9]})));
    assert!(matches(json!({"a": {"$elemMatch": {"$ne": 1}}}), json!({"a": [1, 9]})));
    assert!(!matches(json!({"a": {"$elemMatch": {"$gt": 5}}}), json!({"a": 9})));
}

#[test]
fn patterns_match_texts() {
    let literal = json!({"a": {"$regularExpression": {"pattern": "X", "options": "i"}}});
    assert!(matches(literal, json!({"a": "axb"})));
    assert!(matches(json!({"a": {"$regex": "^x", "$options": "m"}}), json!({"a": ["a\nx"]})));
    assert!(!matches(json!({"a": {"$regex": "1"}}), json!({"a": 1})));
    assert_eq!(refused(json!({"a": {"$options": "i"}})), "$options needs a $regex");
}

#[test]
fn type_asks_for_a_type() {
    assert!(matches(json!({"a": {"$type": "number"}}), json!({"a": 1.5})));
    assert!(matches(json!({"a": {"$type": ["array", 8]}}), json!({"a": [1]})));
    assert!(!matches(json!({"a": {"$type": 10}}), json!({})));
}

#[test]
fn expr_compares_fields() {
    assert!(matches(json!({"$expr": {"$gt": ["$a", "$b"]}}), json!({"a": 2, "b": 1})));
    assert!(!matches(json!({"$expr": {"$gt": ["$a", "$b"]}}), json!({"a": 1, "b": 1})));
}

#[test]
fn expr_may_fail() {
    let filter = Filter::parse(&doc(json!({"$expr": {"$divide": [1, 0]}}))).unwrap();
    assert_eq!(filter.matches(&Document::new()).unwrap_err().to_string(), "can't $divide by zero");
}

#[test]
fn a_schema_is_asked_of_the_whole_document() {
    assert!(!matches(json!({"$jsonSchema": {"required": ["a"]}}), json!({"b": 1})));
}

fn point(lng: f64, lat: f64) -> Json {
    json!({"type": "Point", "coordinates": [lng, lat]})
}

#[test]
fn geo_within_knows_areas_and_circles() {
    let area = json!({"type": "Polygon", "coordinates": [[[0, 0], [3, 2], [2, 3], [0, 0]]]});
    let query = json!({"g": {"$geoWithin": {"$geometry": area}}});
    assert!(matches(query.clone(), json!({"g": point(2.0, 2.0)})));
    assert!(!matches(query, json!({"g": point(3.0, 0.0)})));
    let circle = json!({"g": {"$geoWithin": {"$centerSphere": [[0, 0], 0.1]}}});
    assert!(matches(circle.clone(), json!({"g": point(5.0, 0.0)})));
    assert!(!matches(circle, json!({"g": point(6.0, 0.0)})));
}

#[test]
fn geo_intersects_finds_what_is_met() {
    let query = json!({"g": {"$geoIntersects": {"$geometry": point(1.0, 0.0)}}});
    let line = json!({"type": "LineString", "coordinates": [[0, 0], [2, 0]]});
    assert!(matches(query.clone(), json!({"g": line})));
    assert!(!matches(query, json!({"g": "x"})));
}

#[test]
fn near_sphere_filters_by_metres() {
    let near = json!({"$geometry": point(0.0, 0.0), "$minDistance": 1, "$maxDistance": 120_000});
    let query = json!({"g": {"$nearSphere": near}});
    assert!(matches(query.clone(), json!({"g": point(1.0, 0.0)})));
    assert!(!matches(query.clone(), json!({"g": point(0.0, 0.0)})));
    assert!(!matches(query, json!({"g": point(2.0, 0.0)})));
}

#[test]
fn near_sphere_orders_by_distance() {
    let query = json!({"g": {"$nearSphere": {"$geometry": point(0.0, 0.0)}}});
    let mut found = docs(json!([{"_id": 2, "g": point(2.0, 0.0)}, {"_id": 1, "g": point(1.0, 0.0)}]));
    Filter::parse(&doc(query)).unwrap().order_by_distance(&mut found).unwrap();
    assert_eq!(shown(&found[0])["_id"], 1);
}

#[test]
fn of_a_list_of_places_the_nearest_counts() {
    let query = json!({"g": {"$nearSphere": {"$geometry": point(0.0, 0.0)}}});
    let mut found =
        docs(json!([{"_id": 2, "g": point(2.0, 0.0)}, {"_id": 1, "g": [point(9.0, 0.0), point(1.0, 0.0)]}]));
    Filter::parse(&doc(query)).unwrap().order_by_distance(&mut found).unwrap();
    assert_eq!(shown(&found[0])["_id"], 1);
}

#[test]
fn the_matched_element_is_known() {
    assert_eq!(index(json!({"a": 5}), json!({"a": [1, 5]})), Some(1));
    assert_eq!(index(json!({"a.x": {"$gt": 1}}), json!({"a": [{"x": 1}, {"x": 2}]})), Some(1));
    assert_eq!(
        index(json!({"a": {"$elemMatch": {"x": 2}}, "b": 1}), json!({"b": 1, "a": [{}, {"x": 2}]})),
        Some(1)
    );
    assert_eq!(index(json!({"a": 5}), json!({"a": 5})), None);
}

#[test]
fn unknown_operators_are_refused() {
    assert_eq!(refused(json!({"a": {"$near_by": 1}})), "unknown operator: $near_by");
    assert_eq!(refused(json!({"$where": "1"})), "unknown top level operator: $where");
    assert_eq!(refused(json!({"$text": {"$search": "x"}})), "text index required for $text query");
}

#[test]
fn operators_and_fields_do_not_mix() {
    assert_eq!(refused(json!({"a": {"$gt": 1, "b": 2}})), "unknown operator: b");
}
