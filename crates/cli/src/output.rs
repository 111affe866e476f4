//! Results on standard output: JSON for programs, tables and sentences for people.

use serde::Serialize;

/// A result as JSON, on several lines.
pub fn json(value: &impl Serialize) {
    let text =
        serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    anstream::println!("{}", harmless(&text));
}

/// A result as JSON, on one line.
pub fn json_line(value: &serde_json::Value) {
    anstream::println!("{}", harmless(&value.to_string()));
}

/// A result as text.
pub fn text(line: &str) {
    anstream::println!("{line}");
}

/// A remark that is not the result.
pub fn remark(text: &str) {
    anstream::eprintln!("{}", printable(text));
}

/// A remark as JSON, on one line.
pub fn json_remark(value: &serde_json::Value) {
    anstream::eprintln!("{}", harmless(&value.to_string()));
}

/// Without what a terminal would obey: platforms and documents hold what strangers wrote. Lines stay lines.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || turns(c) {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
    }
    shown
}

/// JSON without the characters that it need not escape, and that some terminals obey.
fn harmless(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            c if matches!(c, '\u{7f}'..='\u{9f}') || turns(c) => {
                shown.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Whether it turns the direction of what follows, so that a line reads as another one.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}b\nc"), "a\\u{1b}[2J\\u{9b}b\nc");
        assert_eq!(printable("txt.\u{202e}exe\u{2069}"), "txt.\\u{202e}exe\\u{2069}");
        assert_eq!(harmless("{\"a\":\"\u{202e}\"}"), "{\"a\":\"\\u202e\"}");
        assert_eq!(harmless("{\n\"a\":\"\u{9b}图\"}"), "{\n\"a\":\"\\u009b图\"}");
    }
}
