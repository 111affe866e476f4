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
        if c.is_control() && c != '\n' { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// JSON without the control characters that it need not escape, and that some terminals obey.
fn harmless(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}b\nc"), "a\\u{1b}[2J\\u{9b}b\nc");
        assert_eq!(harmless("{\n\"a\":\"\u{9b}图\"}"), "{\n\"a\":\"\\u009b图\"}");
    }
}
