//! What the platform's own SDK sends for an expression, against what the same expression means here.
//!
//! `fixtures/cloud-sdk-wire.txt` has pairs: an expression of the SDK, and what it put on the wire. The SDK's `update`,
//! `set` and `add` take the data itself; over HTTP it stands in `{ data }`.

use serde_json::{Value as Json, json};

use super::super::ejson;
use super::super::request::Verb;
use super::super::value::Value;
use super::evaluate;

const FIXTURE: &str = include_str!("../../../fixtures/cloud-sdk-wire.txt");

/// Expressions that mean something else here than the SDK sent, and why.
const EXCEPTIONS: [(&str, &str); 9] = [
    ("{a:_.or(_.lt(1),_.gt(9)),b:_.or(_.eq(1),_.eq(2))}", "the SDK makes one `$or` of two fields' groups"),
    ("{a:_.gt(1).and(_.lt(9)),b:_.gt(1).and(_.lt(2))}", "the same conditions, grouped by field"),
    ("{a:_.not(_.gt(1).and(_.lt(5)))}", "the SDK loses the condition"),
    ("_.addToSet({each:[1]})", "the documents write `each`; the SDK adds it as a value"),
    ("db.serverDate", "the emulator puts in the moment of the request"),
    ("LineString([db.Geo.Point(0,0)", "the SDK's shapes need `new`"),
    ("_.jsonSchema?1:0", "conditions are not evaluated"),
    ("limit(-1)", "a negative limit is refused"),
    ("options({multiple:false})", "the HTTP API has no options"),
];

struct Pair {
    expression: &'static str,
    /// The part of the wire form behind `query=` and so on.
    wire: &'static str,
}

fn pairs() -> Vec<Pair> {
    let lines: Vec<&str> = FIXTURE.lines().collect();
    let pairs = lines.windows(2).filter_map(|two| match two {
        [expression, wire] if expression.starts_with("db.") && wire.trim_start().starts_with("=> ") => {
            Some(Pair { expression, wire: wire.trim_start().strip_prefix("=> ")? })
        }
        _ => None,
    });
    pairs.collect()
}

/// The expression as the HTTP API takes it.
fn over_http(expression: &str) -> String {
    for method in [").update(", ").set(", ").add("] {
        if let Some((head, data)) = expression.split_once(method) {
            return format!("{head}{method}{{data:{}}})", data.strip_suffix(')').unwrap_or(data));
        }
    }
    expression.to_owned()
}

/// A part of the wire form, such as what follows `query=`.
fn part(wire: &str, name: &str) -> Option<Json> {
    let text = wire.split(&format!("{name}=")).nth(1)?;
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    values.next()?.ok()
}

/// With fields in order of their names, and numbers as they are worth.
fn normal(json: &Json) -> Json {
    fn sorted(json: &Json) -> Json {
        match json {
            Json::Object(fields) => {
                let ordered: std::collections::BTreeMap<&String, Json> =
                    fields.iter().map(|(name, value)| (name, sorted(value))).collect();
                json!(ordered)
            }
            Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(&ejson::plain(&ejson::read(json)))
}

fn plain(document: &super::super::value::Document) -> Json {
    normal(&ejson::plain(&Value::Object(document.clone())))
}

/// Whether an expression means what the SDK sent; says how it differs.
fn differs(pair: &Pair) -> Option<String> {
    let text = over_http(pair.expression);
    let request = match evaluate(&text, 0) {
        Ok(request) => request,
        Err(_) if pair.wire.contains("ERR") => return None,
        Err(error) => return Some(error.to_string()),
    };
    let expected = |name: &str| part(pair.wire, name).map(|json| normal(&json));
    let same = |found: Json, name: &str| match expected(name) {
        Some(expected) if expected != found => Some(format!("{found} is not {expected}")),
        _ => None,
    };
    match request.verb {
        Verb::Get(find) => same(plain(&find.filter), "query")
            .or_else(|| find.projection.and_then(|projection| same(truths(&projection), "projection"))),
        Verb::Update(filter, update, _) => {
            same(plain(&update), "data").or_else(|| same(plain(&filter), "query"))
        }
        Verb::Set(id, document) => {
            same(plain(&document), "data").or_else(|| same(json!({"_id": ejson::plain(&id)}), "query"))
        }
        Verb::Remove(filter, _) | Verb::Count(filter) => same(plain(&filter), "query"),
        Verb::Add(documents) => {
            let texts = part(pair.wire, "data")?;
            let sent: Vec<Json> = texts
                .as_array()?
                .iter()
                .filter_map(|text| serde_json::from_str::<Json>(text.as_str()?).ok())
                .map(|json| normal(&json))
                .collect();
            let found: Vec<Json> = documents.iter().map(plain).collect();
            (sent != found).then(|| format!("{found:?} is not {sent:?}"))
        }
        Verb::Aggregate(stages) => {
            let sent = part(pair.wire, "stages")?;
            let sent: Vec<Json> = sent
                .as_array()?
                .iter()
                .filter_map(|stage| {
                    let value = serde_json::from_str::<Json>(stage["stageValue"].as_str()?).ok()?;
                    Some(normal(&json!({ stage["stageKey"].as_str()?: value })))
                })
                .collect();
            let found: Vec<Json> = stages.iter().map(plain).collect();
            (sent != found).then(|| format!("{found:?} is not {sent:?}"))
        }
    }
}

/// A projection's `true` is sent as 1.
fn truths(projection: &super::super::value::Document) -> Json {
    let fields = projection.iter().map(|(name, value)| {
        let value = match value {
            Value::Bool(wanted) => Value::Int(i32::from(*wanted)),
            other => other.clone(),
        };
        (name.to_owned(), value)
    });
    plain(&fields.collect())
}

#[test]
fn every_expression_means_what_the_sdk_sends() {
    let pairs = pairs();
    assert!(pairs.len() >= 140, "{} pairs", pairs.len());
    let excepted = |pair: &Pair| EXCEPTIONS.iter().any(|(part, _)| pair.expression.contains(part));
    let wrong: Vec<String> = pairs
        .iter()
        .filter(|pair| !excepted(pair))
        .filter_map(|pair| Some(format!("{}\n  {}", pair.expression, differs(pair)?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
}

#[test]
fn every_exception_is_one() {
    for (part, why) in EXCEPTIONS {
        let all = pairs();
        let mut found = all.iter().filter(|pair| pair.expression.contains(part)).peekable();
        assert!(found.peek().is_some(), "{part} ({why}) is in no pair");
    }
}
