//! A reader of the platform's literals that owes nothing to the writer under test.

use std::collections::BTreeMap;

/// A literal that was read. Numbers are doubles, as in JavaScript.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    Date(i64),
    List(Vec<Read>),
    Object(BTreeMap<String, Read>),
}

/// A script with every string literal emptied, and what stood in them.
pub fn strings(script: &str) -> (String, Vec<String>) {
    let (mut skeleton, mut strings, mut rest) = (String::new(), Vec::new(), script);
    while let Some(c) = rest.chars().next() {
        assert!(!matches!(c, '\'' | '`' | '\\' | '\n' | '\r'), "{c:?} outside of a string: {script}");
        if c == '"' {
            let (text, after) = string(rest);
            strings.push(text);
            skeleton.push_str("\"\"");
            rest = after;
        } else {
            assert!(c.is_ascii_graphic() || c == ' ', "{c:?} outside of a string: {script}");
            skeleton.push(c);
            rest = &rest[1..];
        }
    }
    (skeleton, strings)
}

/// A string literal at the beginning, and what follows it.
fn string(text: &str) -> (String, &str) {
    let mut read = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return (read, &text[place + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => read.push('\n'),
                'r' => read.push('\r'),
                't' => read.push('\t'),
                'u' => {
                    let digits: String = (0..4).map(|_| chars.next().unwrap().1).collect();
                    read.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                other @ ('"' | '\\' | '/') => read.push(other),
                other => panic!("an escape that we do not write: {other:?}"),
            },
            '\u{2028}' | '\u{2029}' => panic!("a line break in a string: {text}"),
            c if c.is_control() => panic!("a control character in a string: {text}"),
            c => read.push(c),
        }
    }
    panic!("a string without end: {text}");
}

/// A literal that is all of the text.
pub fn literal(text: &str) -> Read {
    let (read, rest) = value(text);
    assert_eq!(rest, "", "after a literal");
    read
}

fn value(text: &str) -> (Read, &str) {
    let words = [("null", Read::Null), ("true", Read::Bool(true)), ("false", Read::Bool(false))];
    for (word, read) in words {
        if let Some(rest) = text.strip_prefix(word) {
            return (read, rest);
        }
    }
    if let Some(rest) = text.strip_prefix("new Date(") {
        let (ms, rest) = rest.split_once(')').unwrap();
        return (Read::Date(ms.parse().unwrap()), rest);
    }
    match text.chars().next().unwrap() {
        '"' => {
            let (read, rest) = string(text);
            (Read::Text(read), rest)
        }
        '[' => list(&text[1..]),
        '{' => object(&text[1..]),
        _ => {
            let end = text.find([',', ']', '}', ')']).unwrap_or(text.len());
            (Read::Number(text[..end].parse::<f64>().unwrap().to_bits()), &text[end..])
        }
    }
}

fn list(mut text: &str) -> (Read, &str) {
    let mut items = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix(']') {
            return (Read::List(items), rest);
        }
        let (item, rest) = value(text);
        items.push(item);
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn object(mut text: &str) -> (Read, &str) {
    let mut fields = BTreeMap::new();
    loop {
        if let Some(rest) = text.strip_prefix('}') {
            return (Read::Object(fields), rest);
        }
        let (key, rest) = string(text);
        let (value, rest) = value(rest.strip_prefix(':').unwrap());
        assert!(fields.insert(key, value).is_none(), "a key that stands twice");
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
}
