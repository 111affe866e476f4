//! Every stage, and every accumulator.

use serde_json::{Value as Json, json};

use super::super::testing::{docs, shown};
use super::*;

fn outcome(pipeline: Json, input: Json) -> Outcome<Vec<Json>> {
    let other = |name: &str| match name {
        "b" => docs(json!([{"_id": 1, "y": 1}, {"_id": 2, "y": 2}, {"_id": 3}])),
        _ => Vec::new(),
    };
    let around = Surroundings { collection: &other, seed: 7, largest_result: 1 << 20 };
    Ok(run(&docs(pipeline), docs(input), &around)?.iter().map(shown).collect())
}

fn ran(pipeline: Json, input: Json) -> Vec<Json> {
    outcome(pipeline, input).unwrap()
}

fn refused(pipeline: Json, input: Json) -> String {
    outcome(pipeline, input).unwrap_err().to_string()
}

fn projected(spec: Json, document: Json) -> Json {
    ran(json!([{"$project": spec}]), json!([document])).remove(0)
}

fn added(spec: Json, document: Json) -> Json {
    ran(json!([{"$addFields": spec}]), json!([document])).remove(0)
}

fn grouped(field: Json, documents: Json) -> Json {
    ran(json!([{"$group": {"_id": null, "x": field}}]), documents).remove(0)["x"].clone()
}

#[test]
fn match_takes_a_query() {
    assert_eq!(ran(json!([{"$match": {"a": {"$gt": 1}}}]), json!([{"a": 1}, {"a": 2}])), [json!({"a": 2})]);
}

#[test]
fn project_includes() {
    assert_eq!(
        projected(json!({"a": 1, "b": {"c": 1}}), json!({"_id": 1, "a": 1, "b": [{"c": 1, "d": 1}], "e": 1})),
        json!({"_id": 1, "a": 1, "b": [{"c": 1}]})
    );
}

#[test]
fn project_excludes() {
    assert_eq!(projected(json!({"_id": 0, "a": 0}), json!({"_id": 1, "a": 1, "b": 1})), json!({"b": 1}));
    assert_eq!(projected(json!({"a": 0}), json!({"_id": 1, "a": 1})), json!({"_id": 1}));
}

#[test]
fn project_computes() {
    assert_eq!(
        projected(
            json!({"_id": 0, "s": {"$add": ["$a", 1]}, "n.m": "$a", "gone": "$x"}),
            json!({"_id": 1, "a": 1})
        ),
        json!({"s": 2, "n": {"m": 1}})
    );
}

#[test]
fn project_computes_inside_arrays() {
    assert_eq!(
        projected(json!({"a.x": {"$literal": 9}}), json!({"a": [{"x": 1}, {}]})),
        json!({"a": [{"x": 9}, {"x": 9}]})
    );
}

#[test]
fn project_does_not_mix() {
    assert!(
        refused(json!([{"$project": {"a": 1, "b": 0}}]), json!([]))
            .starts_with("Bad projection specification")
    );
}

#[test]
fn add_fields_keeps_the_others() {
    assert_eq!(
        added(json!({"b": {"$add": ["$a", 1]}, "c.d": true}), json!({"a": 1, "c": {"e": 1}})),
        json!({"a": 1, "c": {"e": 1, "d": true}, "b": 2})
    );
}

#[test]
fn replace_root_needs_a_document() {
    assert_eq!(
        ran(json!([{"$replaceRoot": {"newRoot": "$a"}}]), json!([{"a": {"b": 1}}])),
        [json!({"b": 1})]
    );
    assert!(
        refused(json!([{"$replaceRoot": {"newRoot": "$a"}}]), json!([{"a": 1}])).contains("of type: int")
    );
}

#[test]
fn group_gathers_by_the_id() {
    assert_eq!(
        ran(
            json!([{"$group": {"_id": "$k", "n": {"$sum": 1}}}]),
            json!([{"k": "x"}, {"k": "y"}, {"k": "x"}, {}])
        ),
        [json!({"_id": "x", "n": 2}), json!({"_id": "y", "n": 1}), json!({"_id": null, "n": 1})]
    );
    assert_eq!(
        refused(json!([{"$group": {"n": {"$sum": 1}}}]), json!([])),
        "a group specification must include an _id"
    );
}

#[test]
fn accumulators_gather() {
    let documents = json!([{"a": 1, "o": {"x": 1}}, {"a": 4, "o": {"y": 2}}, {"a": 1}, {"a": "z"}]);
    let each = |operator: &str, path: &str| grouped(json!({ operator: path }), documents.clone());
    assert_eq!(each("$sum", "$a"), json!(6));
    assert_eq!(each("$avg", "$a"), json!(2));
    assert_eq!(each("$first", "$a"), json!(1));
    assert_eq!(each("$last", "$a"), json!("z"));
    assert_eq!(each("$min", "$a"), json!(1));
    assert_eq!(each("$max", "$a"), json!("z"));
    assert_eq!(each("$push", "$a"), json!([1, 4, 1, "z"]));
    assert_eq!(each("$addToSet", "$a"), json!([1, 4, "z"]));
    assert_eq!(each("$stdDevPop", "$a"), json!(2.0_f64.sqrt()));
    assert_eq!(each("$stdDevSamp", "$a"), json!(3.0_f64.sqrt()));
    assert_eq!(each("$mergeObjects", "$o"), json!({"x": 1, "y": 2}));
}

#[test]
fn an_unknown_accumulator_is_refused() {
    assert_eq!(
        refused(json!([{"$group": {"_id": 1, "x": {"$median": "$a"}}}]), json!([])),
        "unknown group operator '$median'"
    );
}

#[test]
fn sort_skip_and_limit() {
    assert_eq!(
        ran(
            json!([{"$sort": {"a": -1}}, {"$skip": 1}, {"$limit": 1}]),
            json!([{"a": 1}, {"a": 3}, {"a": 2}])
        ),
        [json!({"a": 2})]
    );
    assert_eq!(refused(json!([{"$limit": 0}]), json!([])), "the limit must be positive");
}

#[test]
fn unwind_gives_a_document_for_each_element() {
    assert_eq!(
        ran(json!([{"$unwind": "$a"}]), json!([{"a": [1, 2]}, {"a": []}, {"a": null}, {}, {"a": 3}])),
        [json!({"a": 1}), json!({"a": 2}), json!({"a": 3})]
    );
}

#[test]
fn unwind_keeps_empty_ones_and_numbers_elements() {
    let spec = json!({"path": "$a", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": true});
    assert_eq!(
        ran(json!([{"$unwind": spec}]), json!([{"a": [5]}, {"a": []}, {"a": null}])),
        [json!({"a": 5, "i": 0}), json!({"i": null}), json!({"a": null, "i": null})]
    );
    assert!(refused(json!([{"$unwind": "a"}]), json!([])).ends_with("should be prefixed with a '$': a"));
}

#[test]
fn lookup_joins_by_equality() {
    let stage = json!([{"$lookup": {"from": "b", "localField": "x", "foreignField": "y", "as": "z"}}]);
    assert_eq!(
        ran(stage, json!([{"x": 1}, {"x": [1, 2]}, {}])),
        [
            json!({"x": 1, "z": [{"_id": 1, "y": 1}]}),
            json!({"x": [1, 2], "z": [{"_id": 1, "y": 1}, {"_id": 2, "y": 2}]}),
            json!({"z": [{"_id": 3}]})
        ]
    );
}

#[test]
fn lookup_runs_a_pipeline_that_sees_variables() {
    let pipeline = json!([
        {"$match": {"$expr": {"$gt": ["$y", "$$p"]}}},
        {"$project": {"_id": 0, "sum": {"$add": ["$y", "$$p"]}}}
    ]);
    let stage = json!([{"$lookup": {"from": "b", "let": {"p": "$x"}, "pipeline": pipeline, "as": "z"}}]);
    assert_eq!(ran(stage, json!([{"x": 1}])), [json!({"x": 1, "z": [{"sum": 3}]})]);
}

#[test]
fn count_counts() {
    assert_eq!(ran(json!([{"$count": "n"}]), json!([{}, {}])), [json!({"n": 2})]);
    assert!(ran(json!([{"$count": "n"}]), json!([])).is_empty());
}

#[test]
fn sort_by_count_puts_the_most_frequent_first() {
    assert_eq!(
        ran(json!([{"$sortByCount": "$a"}]), json!([{"a": 1}, {"a": 2}, {"a": 2}])),
        [json!({"_id": 2, "count": 2}), json!({"_id": 1, "count": 1})]
    );
}

#[test]
fn bucket_sorts_into_given_boundaries() {
    let spec = json!({"groupBy": "$a", "boundaries": [0, 5, 9], "default": "other"});
    assert_eq!(
        ran(json!([{"$bucket": spec}]), json!([{"a": 5}, {"a": 1}, {"a": 9}, {"a": 8}])),
        [json!({"_id": 0, "count": 1}), json!({"_id": 5, "count": 2}), json!({"_id": "other", "count": 1})]
    );
}

#[test]
fn bucket_with_an_output_counts_only_if_told_to() {
    let spec = json!({"groupBy": "$a", "boundaries": [0, 5], "output": {"all": {"$push": "$a"}}});
    assert_eq!(
        ran(json!([{"$bucket": spec}]), json!([{"a": 4}, {"a": 1}])),
        [json!({"_id": 0, "all": [4, 1]})]
    );
}

#[test]
fn bucket_refuses_what_fits_nowhere() {
    let spec = json!({"groupBy": "$a", "boundaries": [0, 5]});
    assert!(refused(json!([{"$bucket": spec}]), json!([{"a": 7}])).starts_with("$switch could not find"));
    let unsorted = json!({"groupBy": "$a", "boundaries": [5, 0]});
    assert!(refused(json!([{"$bucket": unsorted}]), json!([])).contains("(5 is not less than 0)"));
}

#[test]
fn bucket_auto_makes_buckets_of_about_the_same_size() {
    let spec = json!({"groupBy": "$a", "buckets": 2});
    assert_eq!(
        ran(json!([{"$bucketAuto": spec}]), json!([{"a": 1}, {"a": 4}, {"a": 2}, {"a": 3}, {"a": 2}])),
        [json!({"_id": {"min": 1, "max": 3}, "count": 3}), json!({"_id": {"min": 3, "max": 4}, "count": 2})]
    );
}

#[test]
fn sample_is_drawn_from_the_seed() {
    let draw = || ran(json!([{"$sample": {"size": 2}}]), json!([{"a": 1}, {"a": 2}, {"a": 3}]));
    assert_eq!(draw().len(), 2);
    assert_eq!(draw(), draw());
}

fn place(id: i32, lng: f64) -> Json {
    json!({"_id": id, "l": {"type": "Point", "coordinates": [lng, 0]}})
}

#[test]
fn geo_near_orders_by_distance() {
    let spec = json!({
        "near": {"type": "Point", "coordinates": [0, 0]}, "distanceField": "d", "spherical": true,
        "maxDistance": 250_000, "distanceMultiplier": 0.001, "includeLocs": "at", "key": "l"
    });
    let found = ran(json!([{"$geoNear": spec}]), json!([place(3, 3.0), place(2, 2.0), place(1, 1.0)]));
    assert_eq!(found.iter().map(|document| document["_id"].clone()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(found[0]["at"], found[0]["l"]);
    assert!((found[0]["d"].as_f64().unwrap() - 111.3).abs() < 0.1, "{}", found[0]["d"]);
}

#[test]
fn geo_near_filters_and_limits() {
    let spec = json!({
        "near": {"type": "Point", "coordinates": [0, 0]}, "distanceField": "d", "limit": 1, "query": {"_id": {"$gt": 1}}
    });
    let found = ran(json!([{"$geoNear": spec}]), json!([place(3, 3.0), place(2, 2.0), place(1, 1.0)]));
    assert_eq!(found.iter().map(|document| document["_id"].clone()).collect::<Vec<_>>(), [2]);
}

#[test]
fn geo_near_comes_first() {
    assert_eq!(
        refused(json!([{"$skip": 0}, {"$geoNear": {}}]), json!([])),
        "$geoNear is only valid as the first stage in a pipeline."
    );
}

#[test]
fn an_unknown_stage_is_refused() {
    assert_eq!(refused(json!([{"$facet": {}}]), json!([])), "Unrecognized pipeline stage name: '$facet'");
}
