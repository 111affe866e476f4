//! What texts mean.

use super::super::ejson;
use super::super::request::{Reach, Request, Verb};
use super::super::value::{Document, Value};
use super::{ScriptError, evaluate};

const NOW: i64 = 1_600_000_000_000;

fn request(text: &str) -> Request {
    evaluate(text, NOW).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> ScriptError {
    evaluate(text, NOW).unwrap_err()
}

fn plain(document: Document) -> String {
    ejson::plain(&Value::Object(document)).to_string()
}

fn filter(condition: &str) -> String {
    match request(&format!("db.collection('c').where({condition}).get()")).verb {
        Verb::Get(find) => plain(find.filter),
        other => panic!("{other:?}"),
    }
}

fn update(data: &str) -> String {
    match request(&format!("db.collection('c').doc('i').update({{data:{data}}})")).verb {
        Verb::Update(_, update, Reach::One) => plain(update),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_comes_in_any_order_and_the_last_word_counts() {
    let Verb::Get(find) =
        request("db.collection('geo').limit(5).orderBy('a','asc').where({x:1}).skip(2).orderBy('b','desc').limit(3).get()").verb
    else {
        panic!("a get");
    };
    assert_eq!((find.limit, find.skip), (Some(3), 2));
    assert_eq!(find.sort, [("a".to_owned(), 1), ("b".to_owned(), -1)]);
}

#[test]
fn conditions_become_filters() {
    for (condition, expected) in [
        ("{a:_.gt(1).and(_.lt(9))}", r#"{"$and":[{"a":{"$gt":1}},{"a":{"$lt":9}}]}"#),
        ("{a:_.gt(1).lt(9)}", r#"{"$and":[{"a":{"$gt":1}},{"a":{"$lt":9}}]}"#),
        ("{a:_.gt(1).or(_.eq(0)),c:1}", r#"{"$or":[{"a":{"$gt":1}},{"a":{"$eq":0}}],"c":1}"#),
        ("_.or([{a:1},{b:_.gt(2)}])", r#"{"$or":[{"a":1},{"b":{"$gt":2}}]}"#),
        ("{a:{b:1,c:{d:_.gt(1)}}}", r#"{"a.b":1,"a.c.d":{"$gt":1}}"#),
        ("{a:{}}", "{}"),
        ("{a:undefined,b:1}", r#"{"b":1}"#),
        ("{a:_.eq({x:1})}", r#"{"a":{"$eq":{"x":1}}}"#),
        ("{a:/x/i}", r#"{"a":{"$regularExpression":{"pattern":"x","options":"i"}}}"#),
        ("{a:{$gt:1}}", r#"{"a":{"$gt":1}}"#),
        ("{$or:[{a:1},{b:2}]}", r#"{"$or":[{"a":1},{"b":2}]}"#),
        ("{a:_.not(_.eq(3))}", r#"{"a":{"$not":{"$eq":3}}}"#),
        ("{a:_.elemMatch({x:_.gt(1)})}", r#"{"a":{"$elemMatch":{"x":{"$gt":1}}}}"#),
        ("{n:{\"$gt\":{\"$numberInt\":\"1\"}}}", r#"{"n":{"$gt":1}}"#),
        ("{a:_.lt(db.serverDate({offset:1}))}", r#"{"a":{"$lt":{"$date":1600000000001}}}"#),
        ("_.expr($.gt(['$a','$b']))", r#"{"$expr":{"$gt":["$a","$b"]}}"#),
    ] {
        assert_eq!(filter(condition), expected, "{condition}");
    }
}

#[test]
fn groups_of_two_fields_stay_apart() {
    assert_eq!(
        filter("{a:_.or(_.lt(1),_.gt(9)),b:_.or(_.eq(1),_.eq(2))}"),
        r#"{"$and":[{"$or":[{"a":{"$lt":1}},{"a":{"$gt":9}}]},{"$or":[{"b":{"$eq":1}},{"b":{"$eq":2}}]}]}"#
    );
}

#[test]
fn data_become_update_operators() {
    for (data, expected) in [
        ("{a:{b:{c:1}}}", r#"{"$set":{"a.b.c":1}}"#),
        ("{a:{b:_.inc(1),c:2},d:3}", r#"{"$inc":{"a.b":1},"$set":{"a.c":2,"d":3}}"#),
        ("{a:{}}", "{}"),
        ("{a:null}", r#"{"$set":{"a":null}}"#),
        ("{a:_.set({b:1})}", r#"{"$set":{"a":{"b":1}}}"#),
        ("{a:_.push(1,2)}", r#"{"$push":{"a":{"$each":[1,2]}}}"#),
        ("{a:_.addToSet({each:[1]})}", r#"{"$addToSet":{"a":{"$each":[1]}}}"#),
        ("{a:_.pull({x:_.gt(1)})}", r#"{"$pull":{"a":{"x":{"$gt":1}}}}"#),
        ("{a:new db.Geo.Point(1,2)}", r#"{"$set":{"a":{"type":"Point","coordinates":[1,2]}}}"#),
        ("{a:_.remove()}", r#"{"$unset":{"a":""}}"#),
    ] {
        assert_eq!(update(data), expected, "{data}");
    }
}

#[test]
fn pasted_declarations_and_comments_are_understood() {
    let text = "\n  const _ = db.command; // as everywhere\n  const { Point } = db.Geo\n  \
                db.collection(\"geo\").where({ loc: Point(113, 23), n: _.gt(1), }).count()\n";
    let Verb::Count(filter) = request(text).verb else { panic!("a count") };
    assert_eq!(plain(filter), r#"{"loc":{"type":"Point","coordinates":[113,23]},"n":{"$gt":1}}"#);
}

#[test]
fn an_aggregation_is_its_stages() {
    let text = "db.collection('c').aggregate().match({a:_.gt(1)}).group({_id:'$a',n:$.sum(1)})\
                .lookup({from:'b',pipeline:$.pipeline().match(_.expr($.eq(['$y','$$p']))).done(),as:'z'}).end()";
    let Verb::Aggregate(stages) = request(text).verb else { panic!("an aggregation") };
    let stages: Vec<String> = stages.into_iter().map(plain).collect();
    assert_eq!(
        stages,
        [
            r#"{"$match":{"a":{"$gt":1}}}"#,
            r#"{"$group":{"_id":"$a","n":{"$sum":1}}}"#,
            r#"{"$lookup":{"from":"b","pipeline":[{"$match":{"$expr":{"$eq":["$y","$$p"]}}}],"as":"z"}}"#,
        ]
    );
}

#[test]
fn errors_say_where() {
    let wrong = error("db.collection('c')\n  .where({a: _.gtt(1)}).get()");
    assert_eq!((wrong.line, wrong.column), (2, 16), "{wrong}");
    assert_eq!(error("db.collection('c'").line, 1);
}

#[test]
fn what_is_not_on_the_list_is_refused() {
    for text in [
        "(() => 1)()",
        "process.exit()",
        "db.collection('c').constructor",
        "db.collection('c').where({a: 1 + 1}).get()",
        "db.collection('c').where(x => true).get()",
        "a = 1",
        "for (;;) {}",
        "db['__proto__']",
        "db.collection(`a${1}`).get()",
        "db.collection('c').where({...x}).get()",
        "`x`",
        "'use strict'",
        "db.collection('c')",
        "",
        "db.collection('c').where({a: 1}).get().get()",
        "db.collection('c').update({data:{_id:1}})",
        "db.collection('c').doc('i').set({data:{a:_.inc(1)}})",
        "db.collection('c').orderBy('a','up').get()",
    ] {
        assert!(evaluate(text, NOW).is_err(), "{text}");
    }
}

#[test]
fn deep_texts_are_refused_before_anything_descends() {
    let deep = format!("db.collection('c').where({}1{}).get()", "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&deep).reason.contains("nested deeper"));
    let harmless = format!("db.collection('c').where({{a:'{}'}}).get()", "[".repeat(10_000));
    assert!(evaluate(&harmless, NOW).is_ok());
}

#[test]
fn no_condition_on_elements_is_lost() {
    let lost = error("db.collection('c').where({a:_.elemMatch(_.gt(4).gt(0))}).get()");
    assert!(lost.reason.contains("join them in one"), "{lost}");
    assert!(evaluate("db.collection('c').where({a:_.elemMatch(_.gt(4).lt(9))}).get()", NOW).is_ok());
}

#[test]
fn dates_go_to_the_end_of_the_year_9999() {
    let last = r#"{"a":{"$date":253402300799000}}"#;
    assert_eq!(filter("{a:new Date('9999-12-31T23:59:59Z')}"), last);
    assert_eq!(filter("{a:{$date:'9999-12-31T23:59:59Z'}}"), last);
}

#[test]
fn a_date_that_cannot_be_read_is_refused() {
    let refusal = error("db.collection('c').where({a:{$date:'soon'}}).get()").to_string();
    assert!(refusal.contains("\"soon\" is no date"), "{refusal}");
    for date in ["1.5", "null", "true", "{$numberLong:'x'}", "{$numberLong:'8640000000000001'}"] {
        error(&format!("db.collection('c').where({{a:{{$date:{date}}}}}).get()"));
    }
    for form in ["{$oid:'x'}", "{$numberLong:'x'}"] {
        let refusal = error(&format!("db.collection('c').where({{a:{form}}}).get()")).to_string();
        assert!(refusal.contains("\"x\" is no $"), "{refusal}");
    }
}

#[test]
fn no_date_is_after_the_year_9999() {
    for date in [
        "new Date(8640000000000001)",
        "new Date('9999-12-31T23:59:59-05:00')",
        "db.serverDate({offset:8640000000000001})",
    ] {
        let refusal = error(&format!("db.collection('c').where({{a:{date}}}).get()")).to_string();
        assert!(refusal.contains("before the year 10000"), "{refusal}");
    }
}

#[test]
fn dates_are_written_as_in_javascript() {
    for (text, same) in [
        ("2019", "2019-01-01T00:00:00Z"),
        ("2019-02", "2019-02-01T00:00:00Z"),
        ("2019/02/03", "2019-02-03T00:00:00Z"),
        ("2019/2/3 4:05", "2019-02-03T04:05:00Z"),
        ("2019-02-03T04:05:06.007", "2019-02-03T04:05:06.007Z"),
    ] {
        assert_eq!(
            filter(&format!("{{a:new Date('{text}')}}")),
            filter(&format!("{{a:new Date('{same}')}}"))
        );
    }
    error("db.collection('c').where({a:new Date('19')}).get()");
}
