//! Results on standard output: JSON for programs, tables and sentences for people.

use serde::Serialize;

/// A result as JSON, on several lines.
pub fn json(value: &impl Serialize) {
    let text =
        serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    anstream::println!("{text}");
}

/// A result as text.
pub fn text(line: &str) {
    anstream::println!("{line}");
}

/// A remark that is not the result.
pub fn remark(line: &str) {
    anstream::eprintln!("{line}");
}
