//! Whatever a value holds, it stays a value.

use proptest::prelude::*;
use tokenward_cloud::{Date, Expr, Filter, Projection, Regex, Update, Value, collection, field};

use crate::reader::{self, Read};

const HOSTILE: [(&str, &str); 34] = [
    ("an apostrophe", "'"),
    ("a quote", "\""),
    ("an escaped quote", "\\\""),
    ("a backslash at the end", "\\"),
    ("two backslashes at the end", "\\\\"),
    ("a backslash before a line break", "\\\n"),
    ("a line break", "a\nb"),
    ("a carriage return", "a\rb"),
    ("both", "a\r\nb"),
    ("a tab", "\t"),
    ("nothing", ""),
    ("a NUL", "\0"),
    ("a bell and a backspace", "\u{7}\u{8}"),
    ("a delete", "\u{7f}"),
    ("a C1 control", "\u{85}\u{9f}"),
    ("a line separator", "\u{2028}"),
    ("a paragraph separator", "\u{2029}"),
    ("a byte-order mark", "\u{feff}"),
    ("the end of an HTML script", "</script><script>alert(1)</script>"),
    ("an HTML comment", "<!-- --><!--"),
    ("a template", "${db.collection('x').get()}"),
    ("a backtick", "`"),
    ("the end of a comment", "*/"),
    ("the beginning of a comment", "/*"),
    ("a line comment", "// \n"),
    ("an emoji", "🍵👨‍👩‍👧‍👦"),
    ("text from right to left", "\u{202e}abc\u{202c}"),
    ("a combining character", "e\u{301}"),
    ("an end and a new statement", "').remove();db.collection('x').where({}).remove();('"),
    ("the same with quotes", "\"}).remove();db.collection(\"x\").where({\"a\":\""),
    ("an escape of JavaScript", "\\x27\\u0027\\u{27}"),
    ("a tautology", "' || '1'=='1"),
    ("the last character of Unicode", "\u{10ffff}"),
    ("a regular expression", "/.*/i"),
];

#[test]
fn hostile_ids_and_values_are_nothing_but_text() {
    for (what, text) in HOSTILE {
        if !text.is_empty() {
            let statement = collection(text).doc(text).get().unwrap();
            let (skeleton, strings) = reader::strings(statement.text());
            assert_eq!(skeleton, r#"db.collection("").doc("").get()"#, "{what}");
            assert_eq!(strings, [text, text], "{what}");
        }
        let statement = collection("c").filter(field("a").eq(text)).remove().unwrap();
        let (skeleton, strings) = reader::strings(statement.text());
        assert_eq!(skeleton, r#"db.collection("").where({"":_.eq("")}).remove()"#, "{what}");
        assert_eq!(strings, ["c", "a", text], "{what}");
        let statement = collection("c").filter(field("a").matches(Regex::new(text))).count().unwrap();
        let (skeleton, strings) = reader::strings(statement.text());
        assert_eq!(
            skeleton, r#"db.collection("").where({"":db.RegExp({regexp:"",options:""})}).count()"#,
            "{what}"
        );
        assert_eq!(strings[2], text, "{what}");
    }
}

#[test]
fn the_end_of_an_html_script_does_not_appear() {
    let statement = collection("c").doc("</script>").get().unwrap();
    assert!(!statement.text().contains("</"), "{}", statement.text());
}

/// Text in which what is special to JavaScript is frequent.
fn text() -> impl Strategy<Value = String> {
    let special: Vec<char> = "\"'\\`\n\r\t\0\u{2028}\u{2029}${}()[]:;,</>*._ \u{7f}u0x".chars().collect();
    let c = prop_oneof![proptest::sample::select(special), any::<char>()];
    proptest::collection::vec(c, 0..24).prop_map(|chars| chars.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::Float),
        text().prop_map(Value::String),
        (-8_640_000_000_000_000_i64..=8_640_000_000_000_000)
            .prop_map(|ms| Value::Date(Date::from_unix_ms(ms).unwrap())),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map(text().prop_filter("a field", |key| is_field(key)), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn is_field(key: &str) -> bool {
    !key.starts_with('$') && key != "__proto__"
}

fn read(value: &Value) -> Read {
    match value {
        Value::Null => Read::Null,
        Value::Bool(it) => Read::Bool(*it),
        Value::Int(it) => Read::Number((*it as f64).to_bits()),
        Value::Float(it) => Read::Number(it.to_bits()),
        Value::String(it) => Read::Text(it.clone()),
        Value::Date(it) => Read::Date(it.unix_ms()),
        Value::Array(items) => Read::List(items.iter().map(read).collect()),
        Value::Object(fields) => Read::Object(fields.iter().map(|(k, v)| (k.clone(), read(v))).collect()),
        other => panic!("not generated: {other:?}"),
    }
}

proptest! {
    #[test]
    fn every_literal_reads_back_as_the_value(value in value()) {
        let statement = collection("c").filter(field("a").eq(value.clone())).count().unwrap();
        let text = statement.text();
        let literal = text.strip_prefix(r#"db.collection("c").where({"a":_.eq("#).unwrap();
        let literal = literal.strip_suffix(")}).count()").unwrap();
        prop_assert_eq!(reader::literal(literal), read(&value));
        prop_assert_eq!(Value::of(&value).unwrap(), value);
    }

    #[test]
    fn every_text_stays_within_its_quotes(name in text(), id in text(), path in text(), value in text()) {
        if let Ok(statement) = collection(name.as_str()).doc(id.as_str()).get() {
            let (skeleton, strings) = reader::strings(statement.text());
            prop_assert_eq!(skeleton, r#"db.collection("").doc("").get()"#);
            prop_assert_eq!(strings, [name.clone(), id]);
        }
        let filter = Filter::any_of([field(path.as_str()).eq(value.as_str()), field("b").one_of([value.as_str()])]);
        if let Ok(statement) = collection("c").filter(filter).update(Update::new().push("b", value.as_str())) {
            let (skeleton, strings) = reader::strings(statement.text());
            prop_assert_eq!(
                skeleton,
                r#"db.collection("").where(_.or([{"":_.eq("")},{"":_.in([""])}])).update({data:{"":_.push([""])}})"#
            );
            prop_assert_eq!(strings, ["c", &path, &value, "b", &value, "b", &value]);
        }
    }

    #[test]
    fn text_in_an_expression_is_never_a_field(text in text()) {
        let projection = Projection::new().compute("x", text.as_str());
        let statement = collection("c").aggregate().project(projection).end().unwrap();
        let (skeleton, strings) = reader::strings(statement.text());
        let literal = if text.starts_with('$') { r#"$.literal("")"# } else { r#""""# };
        prop_assert_eq!(skeleton, format!(r#"db.collection("").aggregate().project({{"":{literal}}}).end()"#));
        prop_assert_eq!(strings, ["c", "x", &text]);
    }

    #[test]
    fn a_field_in_an_expression_is_one_string(path in text()) {
        let filter = Filter::expr(Expr::gt(Expr::field(&path), 1));
        if let Ok(statement) = collection("c").filter(filter).count() {
            let (skeleton, strings) = reader::strings(statement.text());
            prop_assert_eq!(skeleton, r#"db.collection("").where(_.expr($.gt(["",1]))).count()"#);
            prop_assert_eq!(&strings[1], &format!("${path}"));
        }
    }
}
