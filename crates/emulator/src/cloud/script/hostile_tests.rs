//! Texts that are made to break what reads them.
//!
//! They run on half the stack that a server's thread has, in a build that is not optimised.

use std::time::Duration;

use super::super::request::{Request, Verb};
use super::super::stopwatch::timed;
use super::shape::{self, FARTHEST};
use super::{LONGEST, ScriptError, evaluate};

const STACK: usize = 1024 * 1024;

/// Evaluates a text on a small stack.
fn evaluated(text: &str) -> Result<Request, ScriptError> {
    let text = text.to_owned();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || evaluate(&text, 0));
    thread.unwrap().join().unwrap()
}

fn reason(text: &str) -> String {
    evaluated(text).unwrap_err().reason
}

fn condition(condition: &str) -> String {
    format!("db.collection('c').where({{a:{condition}}}).get()")
}

/// The text with the most repetitions that its shape allows.
fn most(repeated: impl Fn(usize) -> String) -> String {
    let deepest = (1..=FARTHEST).rev().map(repeated).find(|text| shape::check(text).is_ok());
    deepest.expect("one repetition is allowed")
}

fn assert_evaluates_at_once(text: &str) {
    let (_, took) = timed(|| evaluated(text));
    let shown: String = text.chars().take(80).collect();
    assert!(took < Duration::from_secs(1), "{took:?} {shown}");
}

#[test]
fn operators_before_a_value_end_no_thread() {
    for prefix in [
        "!",
        "-",
        "new ",
        "typeof ",
        "await ",
        "a=>",
        "a?b:",
        "a=",
        "a**",
        "async a=>",
        "(a)=>",
        "yield ",
        "a?(b):",
        "a?(b)=>c:",
        "async(a)=>",
        "x??",
        "...",
    ] {
        assert_evaluates_at_once(&most(|times| condition(&format!("{}1", prefix.repeat(times)))));
    }
}

#[test]
fn brackets_end_no_thread() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("[{a:", "}]"),
        ("_.or([", "])"),
        ("_.not(", ")"),
        ("$.abs([", "])"),
        ("_.elemMatch({a:", "})"),
        ("_.and({a:", "})"),
        ("a[", "]"),
        ("new a(", ")"),
        ("(()=>", ")"),
        ("(a,b,", ")"),
        ("{get a(){return ", "}}"),
        ("{[", "]:1}"),
        ("class{a=", "}"),
        ("function(){return ", "}"),
        ("({a:b=", "})"),
        ("({a=1})=>[", "]"),
        ("[a=", "]"),
        ("async(", ")"),
        ("(a=", ")=>1"),
        ("{...", "}"),
        ("db.Geo.Polygon([", "])"),
        ("$.pipeline().match({a:", "}).done()"),
        ("_.gt(1).and(", ")"),
        ("_.pull([", "])"),
    ] {
        let nested = |times: usize| condition(&format!("{}1{}", open.repeat(times), close.repeat(times)));
        assert_evaluates_at_once(&most(nested));
    }
}

#[test]
fn statements_inside_statements_end_no_thread() {
    for statement in
        ["if(a)", "for(;;)", "a:", "do ", "if(a);else ", "while(a)", "with(a)", "try{}finally{}", "{}"]
    {
        assert_evaluates_at_once(&most(|times| format!("{}1", statement.repeat(times))));
    }
}

#[test]
fn links_of_a_chain_end_no_thread() {
    for link in [
        ".a",
        "()",
        "[0]",
        "``",
        ".gt(1)",
        ".and(_.lt(1))",
        "?.a",
        "+1",
        "||a",
        "?1:2",
        ".or({})",
        "=>1",
        ".not(1)",
        ".nor([{}])",
    ] {
        assert_evaluates_at_once(&most(|times| condition(&format!("_.gt(1){}", link.repeat(times)))));
    }
    for link in [".where({})", ".orderBy('a','asc')", ".skip(1)", ".aggregate().end()", ".field({a:1})"] {
        assert_evaluates_at_once(&most(|times| format!("db.collection('c'){}.get()", link.repeat(times))));
    }
}

#[test]
fn half_a_million_of_anything_is_refused_at_once() {
    for piece in [
        "!", ".a", "-", "new ", "typeof ", "await ", "=>", "a?b:", "a=>", "[", "(", "{", "a.", "`", "/", "\\",
    ] {
        let text = piece.repeat(LONGEST / 2 / piece.len());
        assert!(evaluated(&text).is_err(), "{piece}");
        assert_evaluates_at_once(&text);
    }
    assert!(
        reason(&format!("db.collection('c'){}.get()", ".where({})".repeat(90_000))).contains("nested deeper")
    );
}

#[test]
fn a_pipeline_has_as_many_stages_as_anyone_writes() {
    let text = format!("db.collection('c').aggregate(){}.end()", ".match({a:_.gt(1)})".repeat(90));
    assert!(matches!(evaluated(&text).unwrap().verb, Verb::Aggregate(stages) if stages.len() == 90));
}

#[test]
fn thousands_of_documents_are_added_at_once() {
    let document =
        "{name:'n',tags:['a','b'],place:new db.Geo.Point(113.5,23.5),at:new Date(0),nested:{a:{b:1}}},";
    let text = format!("db.collection('c').add({{data:[{}]}})", document.repeat(10_000));
    assert!(text.len() < LONGEST);
    assert!(matches!(evaluated(&text).unwrap().verb, Verb::Add(documents) if documents.len() == 10_000));
}

#[test]
fn an_object_of_many_fields_is_read_in_time_that_grows_with_it() {
    let fields: String = (0..90_000).map(|number| format!("f{number}:1,")).collect();
    let text = format!("db.collection('c').doc('i').update({{data:{{{fields}}}}})");
    let (done, took) = timed(|| evaluated(&text));
    assert!(done.is_ok() && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn many_values_under_many_brackets_are_read_in_time_that_grows_with_them() {
    let values = "1,".repeat(300_000);
    for (open, close) in [("{a:", "}"), ("[", "]"), ("{$and:[{a:", "}]}"), ("$.abs(", ")"), ("_.and(", ")")] {
        let nested =
            |times: usize| condition(&format!("{}[{{}}]{}", open.repeat(times), close.repeat(times)));
        let text = most(nested).replace("{}", &values);
        let (_, took) = timed(|| evaluated(&text));
        assert!(took < Duration::from_secs(5), "{open} {took:?}");
    }
}

#[test]
fn lists_of_lists_by_name_are_refused_before_they_fill_the_memory() {
    let doubled = |times: usize| -> String {
        let names = (1..=times).map(|at| format!("const a{at}=[a{},a{}];", at - 1, at - 1));
        std::iter::once("const a0=[1,1];".to_owned()).chain(names).collect()
    };
    let text = |times: usize| format!("{}db.collection('c').where({{a:a{times}}}).get()", doubled(times));
    assert!(evaluated(&text(10)).is_ok());
    assert!(reason(&text(60)).contains("what names stand for takes more than"));
}

#[test]
fn what_is_nested_by_name_is_as_deep_as_what_is_written() {
    for link in ["[a]", "{a:a}", "_.not(a)", "$.abs(a)", "_.and(a,_.gt(1))"] {
        let start = if link.starts_with("_.") { "_.gt(1)" } else { "1" };
        let nested = format!("let a={start};{}", format!("a={link};").repeat(500)).replace(";a=", ";let a=");
        assert!(reason(&format!("{nested}{}", condition("a"))).contains("nested deeper"), "{link}");
    }
}

#[test]
fn a_document_deeper_than_100_levels_is_not_stored() {
    let half = format!("const a={}1{};", "[".repeat(60), "]".repeat(60));
    let nested = format!("{}a{}", "[".repeat(60), "]".repeat(60));
    for verb in ["add", "doc('i').set"] {
        let text = format!("{half}db.collection('c').{verb}({{data:{{a:{nested}}}}})");
        assert!(reason(&text).contains("deeper than 100 levels"), "{verb}");
    }
}
