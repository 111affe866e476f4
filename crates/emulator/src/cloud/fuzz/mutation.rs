//! Texts from grammar and fixtures, broken.

use super::grammar::Grammar;
use crate::chance::Chance;

const FIXTURE: &str = include_str!("../../../fixtures/cloud-sdk-wire.txt");

/// The longest text: longer ones are refused unread, or cost nothing but time.
const LONGEST: usize = 300_000;

/// What breaks what reads it.
const PIECES: [&str; 44] = [
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "'",
    "\"",
    "`",
    "/",
    "//",
    "/*",
    "*/",
    "\\",
    "\n",
    "\u{2028}",
    "\u{feff}",
    "中",
    ";",
    ",",
    ".",
    "..",
    "...",
    "-",
    "!",
    "new ",
    "typeof ",
    "=>",
    "a?b:",
    "${",
    "<!--",
    "-->",
    "\0",
    "$.range([0,1000000])",
    "'$$ROOT'",
    "'$n'",
    "{a:{b:{c:1}}}",
    "'a.1500000'",
    "'a.0.0.0.0.0.0.0'",
    "/(a?){50}a{50}/",
    "const a=[1,1];",
    "const b=[a,a];",
    "db",
    "$.reduce({input:$.range([0,99999]),initialValue:[],in:['$$value']})",
];

/// The text of a seed.
pub(super) fn text(seed: u64) -> String {
    let mut chance = Chance::seeded(seed);
    let mut grammar = Grammar { chance: &mut chance };
    let mut text = whole(&mut grammar);
    let breaks = match grammar.below(10) {
        0..=4 => 0,
        5..=7 => 1,
        _ => 1 + grammar.below(6),
    };
    for _ in 0..breaks {
        text = broken(text, &mut grammar);
    }
    text.truncate(between_characters(&text, LONGEST));
    text
}

fn whole(grammar: &mut Grammar<'_>) -> String {
    if grammar.below(3) == 0 {
        let all: Vec<&str> = FIXTURE.lines().filter(|line| line.starts_with("db.")).collect();
        return grammar.one_of(&all).to_owned();
    }
    grammar.text()
}

/// A place in a text, between characters.
fn place(text: &str, grammar: &mut Grammar<'_>) -> usize {
    between_characters(text, grammar.below(text.len() + 1))
}

fn between_characters(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn broken(mut text: String, grammar: &mut Grammar<'_>) -> String {
    let (one, other) = (place(&text, grammar), place(&text, grammar));
    let (from, to) = (one.min(other), one.max(other));
    let near = between_characters(&text, to.min(from + 8)).max(from);
    match grammar.below(8) {
        0 => text.truncate(from),
        1 => text.replace_range(from..near, ""),
        2 => {
            let piece = grammar.one_of(&PIECES);
            text.insert_str(from, piece);
        }
        3 => {
            let piece = grammar.one_of(&PIECES);
            text.insert_str(from, &piece.repeat(1 + grammar.below(5000)));
        }
        4 => {
            let times = [2, 10, 90, 300, 5000].get(grammar.below(5)).copied().unwrap_or(2);
            let part = text.get(from..to).unwrap_or_default().to_owned();
            text.insert_str(to, &part.repeat(times.min(LONGEST / part.len().max(1))));
        }
        5 => {
            let value = grammar.value(4);
            text.replace_range(from..near, &value);
        }
        6 => {
            let mut bytes = text.into_bytes();
            let at = grammar.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << grammar.below(8);
            }
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => {
            let second = whole(grammar);
            let at = place(&second, grammar);
            text =
                format!("{}{}", text.get(..from).unwrap_or_default(), second.get(at..).unwrap_or_default());
        }
    }
    text
}
