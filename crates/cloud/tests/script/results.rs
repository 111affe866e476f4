//! Results in every spelling.

use serde::Deserialize;
use serde_json::{Value, json};
use tokenward_cloud::{Date, Point, Regex, document, documents};

#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    _id: String,
    n: i64,
    f: f64,
    at: Date,
}

fn row() -> Row {
    Row { _id: "x".into(), n: 113, f: 2.0, at: Date::from_unix_ms(1_535_736_600_882).unwrap() }
}

#[test]
fn every_spelling_of_one_document() {
    let texts = [
        r#"{"_id":"x","n":113,"f":2,"at":{"$date":1535736600882}}"#,
        r#"{"_id":"x","n":113.0,"f":2.0,"at":{"$date":1535736600882.0}}"#,
        r#"{"_id":{"$oid":"x"},"n":{"$numberInt":"113"},"f":{"$numberInt":"2"},"at":{"$date":{"$numberLong":"1535736600882"}}}"#,
        r#"{"_id":"x","n":{"$numberDouble":"113.0"},"f":{"$numberDouble":"2.0"},"at":{"$date":"2018-08-31T17:30:00.882Z"}}"#,
        r#"{"_id":"x","n":{"$numberLong":"113"},"f":{"$numberLong":"2"},"at":{"$date":"2018-09-01T01:30:00.882+08:00"}}"#,
    ];
    let rows: Vec<Row> = documents(&texts.map(str::to_owned)).unwrap();
    assert!(rows.iter().all(|it| *it == row()), "{rows:?}");
}

#[test]
fn types_of_the_database() {
    let point = r#"{"type":"Point","coordinates":[{"$numberDouble":"113.0"},{"$numberDouble":"23.5"}]}"#;
    assert_eq!(document::<Point>(point).unwrap(), Point::new(113.0, 23.5));
    for regex in
        [r#"{"$regularExpression":{"pattern":"^a","options":"i"}}"#, r#"{"$regex":"^a","$options":"i"}"#]
    {
        assert_eq!(document::<Regex>(regex).unwrap(), Regex::new("^a").with("i"));
    }
}

#[test]
fn without_a_type_it_is_plain_json() {
    let text = r#"{"a":[{"$numberLong":"9007199254740993"},{"$numberDouble":"NaN"},{"$numberDouble":"0.5"}],"$x":1}"#;
    assert_eq!(
        document::<Value>(text).unwrap(),
        json!({"a": [9_007_199_254_740_993_i64, null, 0.5], "$x": 1})
    );
    assert_eq!(document::<Option<f64>>(r#"{"$numberDouble":"Infinity"}"#).unwrap(), None);
}

#[test]
fn an_error_says_which_document() {
    let error = documents::<Row>(&["{}".to_owned()]).unwrap_err();
    assert_eq!(error.to_string(), "document 0 of the result: missing field `_id`");
    assert_eq!(documents::<Value>(&["{}".to_owned(), "{".to_owned()]).unwrap_err().index, 1);
}
