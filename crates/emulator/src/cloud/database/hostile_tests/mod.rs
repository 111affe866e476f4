//! Requests that are made to take all time and all memory.

mod hidden_costs;

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::testing::{doc, docs, random};
use super::{Filter, Occasion, Projection, SortOrder, Surroundings, Update, run};
use crate::cloud::stopwatch::timed;
use crate::cloud::value::Document;

/// How long anything may take; a build that is not optimised is slower.
const LONG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 2 });

fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let (done, took) = timed(work);
    assert!(took < LONG, "{took:?}");
    done
}

/// Why a pipeline over documents is refused.
fn refused(input: Json, stages: Json) -> String {
    let (input, stages) = (docs(input), docs(stages));
    let foreign = input.clone();
    let around = Surroundings { collection: &|_: &str| foreign.clone(), seed: 1, largest_result: 1 << 20 };
    match in_time(|| run(&stages, input, &around)) {
        Ok(output) => format!("{} documents", output.len()),
        Err(refusal) => refusal.to_string(),
    }
}

fn numbers(count: u32) -> Json {
    (0..count).map(|n| json!({ "_id": n, "n": n, "s": "text" })).collect()
}

const TIME: &str = "exceeded time limit";
const MEMORY: &str = "exceeded memory limit";

/// What an expression is refused for.
fn expression(expression: Json) -> String {
    refused(json!([{ "_id": 1 }]), json!([{ "$project": { "x": expression } }]))
}

fn range(to: u32) -> Json {
    json!({ "$range": [0, to] })
}

#[test]
fn expressions_end() {
    let inner = json!({ "$map": { "input": range(1_000_000), "in": 1 } });
    assert!(expression(json!({ "$map": { "input": range(1_000_000), "in": inner } })).starts_with(MEMORY));
    let inner = json!({ "$size": range(1000) });
    assert!(
        expression(json!({ "$sum": { "$map": { "input": range(1_000_000), "in": inner } } }))
            .contains("exceeded")
    );
    let sum = json!({ "$reduce": { "input": range(3000), "initialValue": 0, "in": { "$add": ["$$value", "$$this"] } } });
    let all: Vec<Json> = (0..8000).map(|_| sum.clone()).collect();
    assert!(expression(json!(all)).contains("exceeded"));
}

#[test]
fn what_an_expression_makes_of_itself_ends() {
    let reduce = |count: u32, start: Json, step: Json| json!({ "$reduce": { "input": range(count), "initialValue": start, "in": step } });
    let doubled = json!({ "$concatArrays": ["$$value", "$$value"] });
    assert!(expression(reduce(60, json!([1]), doubled)).starts_with(MEMORY));
    let doubled = json!({ "$concat": ["$$value", "$$value"] });
    assert!(expression(reduce(60, json!("a"), doubled)).starts_with(MEMORY));
    assert!(expression(reduce(100_000, json!([]), json!(["$$value"]))).contains("nested deeper than 100"));
    assert!(
        expression(reduce(100_000, json!({}), json!({ "a": "$$value" }))).contains("nested deeper than 100")
    );
    assert!(
        expression(reduce(60, json!({}), json!({ "a": "$$value", "b": "$$value" }))).contains("exceeded")
    );
}

#[test]
fn lists_and_texts_are_taken_apart_in_time() {
    let long = "a,".repeat(400_000);
    assert!(expression(json!({ "$size": { "$split": [long, ","] } })).ends_with("documents"));
    let (text, wanted) = ("a".repeat(400_000), "a".repeat(200_000) + "b");
    assert!(expression(json!({ "$indexOfCP": [text, wanted] })).ends_with("documents"));
    for set in ["$setUnion", "$setDifference", "$setIntersection", "$setIsSubset", "$setEquals"] {
        let _ = expression(json!({ "$size": { set: [range(300_000), range(300_000)] } }));
    }
    let zip = json!({ "$zip": { "inputs": [range(100_000), []], "useLongestLength": true, "defaults": [0, range(1000)] } });
    assert!(expression(json!({ "$size": zip })).starts_with(MEMORY));
    let variables: Document = (0..60_000).map(|n| (format!("v{n}"), n.into())).collect();
    let many = json!({ "vars": crate::cloud::ejson::plain(&variables.into()), "in": "$$v0" });
    assert!(expression(json!({ "$let": many })).ends_with("documents"));
}

#[test]
fn documents_do_not_multiply_without_end() {
    let spread = json!({ "$addFields": { "a": range(300) } });
    let unwind = json!({ "$unwind": "$a" });
    assert!(
        refused(numbers(100), json!([spread, unwind, spread, unwind, spread, unwind])).starts_with(MEMORY)
    );
    let join = json!({ "$lookup": { "from": "c", "localField": "s", "foreignField": "s", "as": "a" } });
    assert!(refused(numbers(2000), json!([join, unwind, join, unwind])).contains("exceeded"));
    let pipeline = json!([{ "$match": { "$expr": { "$gt": ["$n", "$$m"] } } }]);
    let join = json!({ "$lookup": { "from": "c", "let": { "m": "$n" }, "pipeline": pipeline, "as": "a" } });
    assert!(refused(numbers(5000), json!([join])).contains("exceeded"));
    let push = json!({ "$group": { "_id": null, "all": { "$push": "$$ROOT" } } });
    let whole = json!({ "$addFields": { "b": "$$ROOT", "c": "$$ROOT", "d": "$$ROOT" } });
    assert!(refused(numbers(2000), json!([push, whole, whole, whole, whole])).contains("exceeded"));
    let copies: Vec<Json> = (0..40).map(|_| json!({ "$addFields": { "a.b": "$$ROOT" } })).collect();
    assert!(refused(json!([{ "_id": 1, "a": [1, 2, 3] }]), json!(copies)).contains("exceeded"));
}

#[test]
fn a_result_is_not_larger_than_it_may_be() {
    let large = json!({ "$addFields": { "a": range(10_000) } });
    assert_eq!(
        refused(numbers(100), json!([large])),
        "the result has more than 1048576 bytes: ask for less at a time"
    );
}

#[test]
fn paths_are_not_longer_than_documents_are_deep() {
    let path = vec!["a"; 101].join(".");
    let long = |stage: Json| refused(numbers(1), json!([stage]));
    for stage in [
        json!({ "$project": { &path: 1 } }),
        json!({ "$addFields": { &path: 1 } }),
        json!({ "$unwind": format!("${path}") }),
        json!({ "$lookup": { "from": "c", "localField": "a", "foreignField": "a", "as": path } }),
        json!({ "$match": { &path: 1 } }),
    ] {
        assert!(long(stage.clone()).contains("100 names at most"), "{stage}");
    }
    assert!(Projection::parse(&doc(json!({ &path: 1 }))).is_err());
    assert!(Update::parse(&doc(json!({ "$set": { &path: 1 } }))).is_err());
    assert!(Update::parse(&doc(json!({ "$rename": { "a": path } }))).is_err());
}

fn matching(filter: Json, document: Json) -> Result<bool, String> {
    let (filter, document) = (doc(filter), doc(document));
    in_time(|| Filter::parse(&filter)?.matches(&document)).map_err(|refusal| refusal.to_string())
}

/// A ring of so many corners.
fn ring(shift: f64, corners: u32) -> Json {
    wide_ring(shift, corners, 1.0)
}

fn wide_ring(shift: f64, corners: u32, radius: f64) -> Json {
    let corner = |at: u32| {
        let angle = f64::from(at) / f64::from(corners) * std::f64::consts::TAU;
        [shift + radius * angle.cos(), radius * angle.sin()]
    };
    let ring: Vec<[f64; 2]> = (0..corners).chain([0]).map(corner).collect();
    json!({ "type": "Polygon", "coordinates": [ring] })
}

/// A filter of so many times the same clause.
fn any_of(clause: Json, count: u32) -> Json {
    json!({ "$or": vec![clause; count as usize] })
}

/// A filter that has so much of something that it nearly takes all steps is answered in time; one that has more is
/// refused in time. `few` says how much of it is tried first.
fn nearly_all_steps(few: u32, document: Json, filter: impl Fn(u32) -> Json) -> u32 {
    let document = doc(document);
    let answered = |count: u32| {
        let filter = Filter::parse(&doc(filter(count)))?;
        filter.matches(&document).map(|_| filter.steps())
    };
    let steps = answered(few).unwrap();
    let most = u32::try_from(u64::from(few) * 27_000_000 / steps).unwrap();
    let taken = in_time(|| answered(most)).unwrap();
    assert!(taken > 20_000_000, "{taken} steps for {most}");
    let refusal = in_time(|| answered(most * 5 / 4)).unwrap_err().to_string();
    assert!(refusal.starts_with(TIME), "{refusal}");
    most
}

#[test]
fn large_geometries_are_measured_in_time() {
    let line: Vec<[f64; 2]> = (0..30_000).map(|at| [f64::from(at) / 1000.0, f64::from(at % 7)]).collect();
    let document = json!({ "g": { "type": "LineString", "coordinates": line } });
    let point = json!({ "type": "Point", "coordinates": [100, 50] });
    let near = json!({ "g": { "$nearSphere": { "$geometry": point, "$maxDistance": 1 } } });
    nearly_all_steps(20, document.clone(), |count| any_of(near.clone(), count));
    let cap = json!({ "g": { "$geoWithin": { "$centerSphere": [[100, 50], 0.001] } } });
    nearly_all_steps(20, document, |count| any_of(cap.clone(), count));
}

#[test]
fn what_is_near_is_ordered_in_time() {
    let line: Vec<[f64; 2]> = (0..30_000).map(|at| [f64::from(at) / 1000.0, f64::from(at % 7)]).collect();
    let document = doc(json!({ "g": { "type": "LineString", "coordinates": line } }));
    let point = json!({ "type": "Point", "coordinates": [100, 50] });
    let filter = Filter::parse(&doc(json!({ "g": { "$nearSphere": { "$geometry": point } } }))).unwrap();
    let mut documents = vec![&document; 1000];
    let refused = in_time(|| filter.order_by_distance(&mut documents)).unwrap_err().to_string();
    assert!(refused.starts_with(TIME), "{refused}");
}

#[test]
fn paths_through_long_arrays_are_walked_in_time() {
    let items: Vec<u32> = (0..190_000).collect();
    nearly_all_steps(100, json!({ "n": items }), |count| any_of(json!({ "n.x": 1 }), count));
    let items: Vec<Json> = (0..20_000).map(|n| json!({ "y": n })).collect();
    nearly_all_steps(50, json!({ "n": items }), |count| any_of(json!({ "n.0.x": 1 }), count));
}

#[test]
fn schemas_look_at_large_values_in_time() {
    let schema = |rule: Json, count: u32| json!({ "$jsonSchema": { "properties": { "a": { "allOf": vec![rule; count as usize] } } } });
    let text = json!({ "a": "x".repeat(300_000) });
    nearly_all_steps(1000, text.clone(), |count| schema(json!({ "minLength": 3 }), count));
    nearly_all_steps(200, text, |count| schema(json!({ "not": { "enum": ["y"] } }), count));
    let lists = json!({ "a": [vec![1; 100_000], vec![2; 100_000]] });
    nearly_all_steps(4, lists.clone(), |count| schema(json!({ "uniqueItems": true }), count));
    nearly_all_steps(4, lists, |count| schema(json!({ "not": { "enum": [1, [2]] } }), count));
    let number = json!({ "a": vec![1.5e300; 10_000] });
    nearly_all_steps(10, number, |count| schema(json!({ "items": { "multipleOf": 1e-300 } }), count));
}

#[test]
fn a_pattern_of_many_clauses_is_searched_for_in_time() {
    let document = json!({ "a": "ab".repeat(100) });
    let pattern = json!({ "a": { "$regex": "x.*y", "$options": "i" } });
    assert_eq!(matching(any_of(pattern, 20_000), document), Ok(false));
}

#[test]
fn polygons_that_may_meet_are_compared_in_time() {
    let meets = |corners: u32| json!({ "a": { "$geoIntersects": { "$geometry": ring(0.0, corners) } } });
    let corners = nearly_all_steps(1000, json!({ "a": ring(9.0, 2600) }), meets);
    assert!(corners > 2000, "{corners}");
    let within = |corners: u32| json!({ "a": { "$geoWithin": { "$geometry": ring(0.0, corners) } } });
    nearly_all_steps(1000, json!({ "a": wide_ring(0.0, 2600, 0.5) }), within);
}

#[test]
fn rings_are_checked_in_time() {
    // Every edge goes from one side to the other, so that each lies beside all others.
    let zigzag = |corners: u32| {
        let corner = |at: u32| json!([if at.is_multiple_of(2) { 0 } else { 60 }, f64::from(at) / 1000.0]);
        let mut corners: Vec<Json> = (0..corners).map(corner).collect();
        corners.extend([json!([-10, 20]), corner(0)]);
        let polygon = json!({ "type": "Polygon", "coordinates": [corners] });
        json!({ "a": { "$geoIntersects": { "$geometry": polygon } } })
    };
    let point = json!({ "a": { "type": "Point", "coordinates": [100, 50] } });
    assert_eq!(matching(zigzag(6_999), point.clone()), Ok(false));
    assert!(matching(zigzag(9_999), point).unwrap_err().starts_with(TIME));
}

#[test]
fn filters_end() {
    let many: Vec<u32> = (0..100_000).collect();
    let other: Vec<u32> = (100_000..200_000).collect();
    assert_eq!(matching(json!({ "a": { "$in": many } }), json!({ "a": other })), Ok(false));
    assert!(matching(json!({ "a": { "$all": many } }), json!({ "a": many })).unwrap_err().starts_with(TIME));
    let schema = json!({ "$jsonSchema": { "properties": { "a": { "uniqueItems": true } } } });
    assert_eq!(matching(schema, json!({ "a": many })), Ok(true));
    let meets = json!({ "a": { "$geoIntersects": { "$geometry": ring(0.0, 5000) } } });
    assert!(matching(meets, json!({ "a": ring(0.5, 5000) })).unwrap_err().starts_with(TIME));
    let pattern = json!({ "a": { "$regex": "[ab]*a[ab]{300}[cd]" } });
    assert!(matching(pattern, json!({ "a": random("ab", 2_000_000) })).unwrap_err().starts_with(TIME));
}

fn updated(update: Json, document: Json) -> Result<bool, String> {
    let (update, mut document) = (doc(update), doc(document));
    in_time(|| Update::parse(&update)?.apply(&mut document, Occasion::default()))
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn updates_of_many_fields_take_time_that_grows_with_them() {
    let fields = |value: Json| {
        (0..50_000).map(|n| (format!("f{n}"), value.clone())).collect::<serde_json::Map<_, _>>()
    };
    assert_eq!(updated(json!({ "$set": fields(json!(1)) }), json!({})), Ok(true));
    assert_eq!(updated(json!({ "$inc": fields(json!(1)) }), json!(fields(json!(1)))), Ok(true));
    let items: Vec<u32> = (0..50_000).collect();
    let places: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("a.{n}"), json!(-1))).collect();
    assert_eq!(updated(json!({ "$set": places }), json!({ "a": items })), Ok(true));
    assert_eq!(
        updated(json!({ "$addToSet": { "a": { "$each": items } } }), json!({ "a": items })),
        Ok(false)
    );
    assert_eq!(updated(json!({ "$pullAll": { "a": items } }), json!({ "a": items })), Ok(true));
    let _ = updated(json!({ "$unset": fields(json!("")) }), json!(fields(json!(1))));
}

#[test]
fn updates_make_no_document_that_is_too_large_or_too_deep() {
    assert!(
        updated(json!({ "$set": { "a.1500000": 1 } }), json!({ "a": [] })).unwrap_err().contains("backfill")
    );
    let padded: serde_json::Map<_, _> = (0..50).map(|n| (format!("f{n}.99999"), json!(1))).collect();
    let empty: serde_json::Map<_, _> = (0..50).map(|n| (format!("f{n}"), json!([]))).collect();
    assert!(updated(json!({ "$set": padded }), json!(empty)).is_err());
    let deep = (0..60).fold(json!(1), |inner, _| json!({ "a": inner }));
    let path = vec!["b"; 60].join(".");
    assert!(
        updated(json!({ "$set": { path: deep } }), json!({})).unwrap_err().contains("deeper than 100 levels")
    );
    let text = "x".repeat(9 * 1024 * 1024);
    assert!(
        updated(json!({ "$set": { "b": text } }), json!({ "a": text })).unwrap_err().contains("are the most")
    );
}

#[test]
fn conflicts_are_found_among_many_paths() {
    let mut fields: serde_json::Map<_, _> = (0..50_000).map(|n| (format!("f{n}.a"), json!(1))).collect();
    fields.insert("f7.a.b".to_owned(), json!(1));
    let refusal = updated(json!({ "$set": fields }), json!({})).unwrap_err();
    assert_eq!(refusal, "Updating the path 'f7.a.b' would create a conflict at 'f7.a'");
}

#[test]
fn constants_are_counted_as_often_as_they_are_made() {
    let many = json!({ "$map": { "input": range(1_000_000), "in": { "$literal": "x".repeat(400_000) } } });
    assert!(expression(json!({ "$size": many })).contains("exceeded"));
}

#[test]
fn names_are_no_way_around_the_limits() {
    let long = "x".repeat(800_000);
    let one = json!([{ "_id": 1, "a": [{}, {}] }]);
    for stages in [
        json!([{ "$addFields": { format!("a.{long}"): 1 } }]),
        json!([{ "$unwind": { "path": "$a", "includeArrayIndex": long } }]),
        json!([{ "$lookup": { "from": "c", "localField": "a", "foreignField": "b", "as": long } }]),
        json!([{ "$group": { "_id": "$_id", long.as_str(): { "$sum": 1 } } }]),
    ] {
        assert_eq!(refused(one.clone(), stages), "a path has 1024 bytes at most");
    }
    let update = doc(json!({ "$set": { format!("a.$[].{long}"): 1 } }));
    assert!(Update::parse(&update).is_err());
}

#[test]
fn two_collections_are_joined_in_time() {
    let join = json!([{ "$lookup": { "from": "c", "localField": "n", "foreignField": "n", "as": "x" } }]);
    assert_eq!(refused(numbers(5_000), join), "5000 documents");
}

#[test]
fn a_pattern_of_an_inner_pipeline_is_one_pattern() {
    let inner = json!([{ "$match": { "n": 1 } }, { "$match": { "s": { "$regex": "x" } } }]);
    let lookup = json!([{ "$lookup": { "from": "c", "pipeline": inner, "as": "x" } }]);
    assert_eq!(refused(numbers(150), lookup), "150 documents");
}

#[test]
fn fields_go_in_time() {
    let wide: Json =
        (0..90_000).map(|n| (format!("f{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    let gone: Json =
        (0..4_000).map(|n| (format!("a.f{n}"), json!(""))).collect::<serde_json::Map<_, _>>().into();
    let update = Update::parse(&doc(json!({ "$unset": gone }))).unwrap();
    let mut document = doc(json!({ "_id": 1, "a": wide }));
    let refused = in_time(|| update.apply(&mut document, Occasion::default())).unwrap_err().to_string();
    assert!(refused.starts_with(TIME), "{refused}");
}
