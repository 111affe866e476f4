//! What people ask of a collection of some size, which is never too much.

use serde_json::{Value as Json, json};

use super::testing::{doc, docs};
use super::{Filter, Surroundings, run};
use crate::cloud::value::Document;

/// Five thousand articles of 2 KB.
fn articles() -> Vec<Document> {
    let body = "tea and coffee are sold here, 13 of them; 商店里有茶和书。 ".repeat(32);
    let article = |n: u32| {
        let (lng, lat) = (100.0 + f64::from(n % 100) / 10.0, 20.0 + f64::from(n / 100) / 10.0);
        json!({
            "_id": n, "title": format!("Article {n} 关于茶"), "body": body, "author": n % 100, "tags": ["a", n % 7],
            "place": { "type": "Point", "coordinates": [lng, lat] },
        })
    };
    docs((0..5_000).map(article).collect())
}

/// How many articles a filter finds.
fn found(filter: Json) -> usize {
    let (filter, articles) = (Filter::parse(&doc(filter)).unwrap(), articles());
    let mut found: Vec<&Document> =
        articles.iter().filter(|article| filter.matches(article).unwrap()).collect();
    filter.order_by_distance(&mut found).unwrap();
    found.len()
}

/// How many documents come out of a pipeline.
fn output(stages: Json) -> usize {
    let articles = articles();
    let around = Surroundings { collection: &|_: &str| articles.clone(), seed: 1, largest_result: 1 << 20 };
    run(&docs(stages), articles.clone(), &around).unwrap().len()
}

#[test]
fn patterns_are_looked_for_in_all_articles() {
    for (pattern, count) in [
        ("delivery", 0),
        ("^T", 5_000),
        ("shop$", 0),
        (r"\bcoffee\b", 5_000),
        ("tea.*shop", 0),
        (r"^1[3-9]\d{9}$", 0),
        ("tea.{0,50}them", 5_000),
        ("店.{1,9}书", 5_000),
    ] {
        assert_eq!(found(json!({ "body": { "$regex": pattern, "$options": "i" } })), count, "{pattern}");
    }
    assert_eq!(found(json!({ "title": { "$regex": r"\p{L}{2,20}x" } })), 0);
}

#[test]
fn several_patterns_are_looked_for_at_a_time() {
    let pattern = |text: &str| json!({ "body": { "$regex": text, "$options": "i" } });
    assert_eq!(found(json!({ "$or": [pattern("delivery"), pattern("milk"), pattern("茶叶$")] })), 0);
    let stage = json!({ "$match": { "$and": [pattern("TEA"), pattern("Coffee.*sold")] } });
    assert_eq!(output(json!([stage, { "$count": "n" }])), 1);
}

#[test]
fn what_is_near_is_found() {
    let point = json!({ "type": "Point", "coordinates": [104, 22] });
    let near = json!({ "$nearSphere": { "$geometry": point, "$maxDistance": 9_000_000 } });
    assert_eq!(found(json!({ "place": near })), 5_000);
    let near = json!({ "near": point, "distanceField": "d", "spherical": true, "query": { "author": 7 } });
    assert_eq!(output(json!([{ "$geoNear": near }])), 50);
}

#[test]
fn articles_are_joined_and_grouped() {
    let join =
        json!({ "$lookup": { "from": "c", "localField": "author", "foreignField": "_id", "as": "by" } });
    let group =
        json!({ "$group": { "_id": "$author", "count": { "$sum": 1 }, "last": { "$max": "$title" } } });
    let sort = json!({ "$sort": { "count": -1, "_id": 1 } });
    assert_eq!(output(json!([join, group, sort])), 100);
    let tags = json!({ "$group": { "_id": "$tags", "count": { "$sum": 1 } } });
    assert_eq!(output(json!([{ "$unwind": "$tags" }, tags])), 8);
}
