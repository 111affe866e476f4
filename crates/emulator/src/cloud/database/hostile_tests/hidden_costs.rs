//! What takes longer than it looks: each of these once took many seconds for a few steps.

use super::*;

/// Asks a filter about a document until it has no steps left, which must be soon.
fn spends_its_steps_in_time(filter: Json, document: Json) {
    let (filter, document) = (Filter::parse(&doc(filter)).unwrap(), doc(document));
    let refusal = in_time(|| {
        loop {
            if let Err(refusal) = filter.matches(&document) {
                return refusal.to_string();
            }
        }
    });
    assert!(refusal.starts_with(TIME), "{refusal}");
}

fn ints(count: u32) -> Vec<u32> {
    (0..count).collect()
}

/// So many objects that differ from the sought one in the last of so many numbers.
fn similar_objects(count: usize, numbers: u32) -> (Json, Json) {
    let mut other = ints(numbers);
    other.pop();
    other.push(0);
    (json!(vec![json!({ "x": ints(numbers) }); count]), json!({ "x": other }))
}

#[test]
fn lists_of_types() {
    let types = [
        "double",
        "string",
        "object",
        "array",
        "binData",
        "undefined",
        "objectId",
        "bool",
        "date",
        "null",
        "regex",
        "javascript",
        "timestamp",
        "long",
        "decimal",
    ];
    let rule = json!({ "not": { "bsonType": types } });
    let schema = json!({ "properties": { "n": { "items": { "allOf": vec![rule; 50] } } } });
    spends_its_steps_in_time(json!({ "$jsonSchema": schema }), json!({ "n": ints(10_000) }));
    spends_its_steps_in_time(
        any_of(json!({ "n": { "$type": vec!["string"; 10_000] } }), 20),
        json!({ "n": ints(10_000) }),
    );
}

#[test]
fn long_paths() {
    let path = vec!["a"; 100].join(".");
    let deep = (0..90).fold(json!(1), |inner, _| json!({ "a": inner }));
    spends_its_steps_in_time(any_of(json!({ &path: 2 }), 2_000), json!({ "a": 1 }));
    spends_its_steps_in_time(any_of(json!({ &path: 2 }), 2_000), deep.clone());
    let order = |document: &Json| {
        let (filter, order) =
            (Filter::parse(&Document::new())?, SortOrder::parse(&doc(json!({ &path: 1 })))?);
        let mut documents = vec![doc(document.clone()); 160];
        (0..1_000_000).try_for_each(|_| filter.sort(&mut documents, &order))
    };
    assert!(in_time(|| order(&deep)).unwrap_err().to_string().starts_with(TIME));
}

#[test]
fn equality_with_objects() {
    let (items, other) = similar_objects(180, 1_000);
    let document = json!({ "n": items });
    spends_its_steps_in_time(any_of(json!({ "n": { "$eq": other } }), 5), document.clone());
    let several = vec![other.clone(); 9];
    spends_its_steps_in_time(any_of(json!({ "n": { "$in": several } }), 5), document.clone());
    spends_its_steps_in_time(any_of(json!({ "n": { "$all": several } }), 5), document.clone());
    spends_its_steps_in_time(any_of(json!({ "n": { "$gt": { "x": ints(1_001) } } }), 5), document);
}

#[test]
fn objects_that_are_pulled_or_put_in_order() {
    let (items, other) = similar_objects(180, 1_000);
    for change in [
        json!({ "$pullAll": { "n": [other, {}, other] } }),
        json!({ "$push": { "n": { "$each": [], "$sort": 1 } } }),
        json!({ "$unset": { "m": 1 } }),
    ] {
        let (update, document) = (Update::parse(&doc(change)).unwrap(), doc(json!({ "n": items })));
        let refusal = in_time(|| {
            loop {
                if let Err(refusal) = update.apply(&mut document.clone(), Occasion::default()) {
                    return refusal.to_string();
                }
            }
        });
        assert!(refusal.starts_with(TIME), "{refusal}");
    }
}

#[test]
fn long_names_in_schemas() {
    let name = "x".repeat(900_000);
    let items = json!({ "n": vec![json!({ "a": 1, "b": 2 }); 1_000] });
    let each = |rule: Json| json!({ "$jsonSchema": { "properties": { "n": { "items": rule } } } });
    spends_its_steps_in_time(each(json!({ "properties": { &name: {} } })), items.clone());
    let rule = json!({ "not": { "required": [name] } });
    spends_its_steps_in_time(each(rule), items);
    let whole = |rule: Json| json!({ "$jsonSchema": { "allOf": vec![rule; 100] } });
    for rule in [
        json!({ "properties": { &name: {} }, "additionalProperties": false }),
        json!({ "additionalProperties": {} }),
    ] {
        spends_its_steps_in_time(whole(rule), json!({ &name: 1 }));
    }
}

#[test]
fn a_place_somewhere_in_deep_documents() {
    let deep = (0..90).fold(json!({ "n": ints(60_000) }), |inner, _| json!({ "a": inner }));
    let documents = json!(vec![deep; 20]);
    let near = json!({ "near": { "type": "Point", "coordinates": [1, 1] }, "distanceField": "d" });
    assert_eq!(refused(documents, json!([{ "$geoNear": near }])), "0 documents");
}

#[test]
fn long_texts_of_dates() {
    let each = |inner: Json| json!({ "$size": { "$map": { "input": range(1_000), "in": inner } } });
    for text in ["1-".repeat(50_000), "1 ".repeat(50_000)] {
        let read = json!({ "$dateFromString": { "dateString": text, "onError": 1 } });
        let stage = json!({ "$project": { "x": each(read) } });
        let taken = refused(numbers(40), json!([stage]));
        assert!(taken.starts_with(TIME) || taken.ends_with("documents"), "{taken}");
    }
    let zone = json!({ "$dateFromParts": { "year": 2019, "timezone": "+0".repeat(400_000) } });
    assert!(expression(each(zone)).contains("longer than 64 bytes"));
    let written = json!({ "$dateToString": { "date": { "$date": 0 }, "format": "%Y".repeat(200_000) } });
    assert!(expression(each(written)).contains("exceeded"));
}

#[test]
fn long_paths_and_names_of_expressions() {
    let each = |inner: Json| json!({ "$size": { "$map": { "input": range(10_000), "in": inner } } });
    let path = vec!["aaaaaaaaa"; 100].join(".");
    for path in [format!("${path}"), format!("$$this.{}", &path[10..]), "$s".to_owned() + &".s".repeat(99)] {
        let twice = json!({ "$map": { "input": range(300), "in": each(json!(path)) } });
        let refusal = expression(json!({ "$size": twice }));
        assert!(refusal.starts_with(TIME), "{refusal}");
    }
    assert_eq!(expression(json!("$".to_owned() + &"a".repeat(1_025))), "a path has 1024 bytes at most");
    assert_eq!(expression(json!("$a".to_owned() + &".a".repeat(100))), "a path has 100 names at most");
    assert!(expression(each(json!({ "x".repeat(400_000): 1 }))).contains("exceeded"));
}
