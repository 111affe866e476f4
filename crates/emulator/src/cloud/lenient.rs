//! JSON as clients of the cloud API send it: raw line breaks in texts, and `\'`, which JSON does not know.
//!
//! The platform's own samples have both. Everything else is JSON. A body is looked through at most three times, and
//! what it becomes is bounded: its length, its values, and (by `serde_json`) its depth.

use serde_json::Value;

/// The longest body in bytes: a text of 1 MiB, should every byte of it be written as an escape.
const LONGEST: usize = 7 * 1024 * 1024;
/// The most values. Each takes far more memory than it has bytes.
const MOST_VALUES: usize = 200_000;

/// Reads such JSON.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    if bytes.len() > LONGEST || values(bytes) > MOST_VALUES {
        return None;
    }
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Some(value);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str(&mended(text)).ok()
}

/// How many values there are, or some more.
fn values(bytes: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for byte in bytes {
        match (inside, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => inside = !inside,
            (false, _, b',' | b'[' | b'{') => count += 1,
            _ => {}
        }
    }
    count
}

fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        match (inside, escaped, c) {
            (true, true, '\'') => {
                // The backslash is there already: it goes.
                out.pop();
                out.push('\'');
                escaped = false;
            }
            (true, true, c) => {
                out.push(c);
                escaped = false;
            }
            (true, false, '\\') => {
                out.push('\\');
                escaped = true;
            }
            (true, false, c) if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            (inside_before, false, '"') => {
                out.push('"');
                inside = !inside_before;
            }
            (_, _, c) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_quotes_of_real_clients_are_understood() {
        let sent = b"{\"env\":\"e\",\"query\":\"db.collection(\\'c\\')\n  .where({a:\\\"x\\\"})\t.get()\"}";
        let query = parse(sent).unwrap()["query"].as_str().unwrap().to_owned();
        assert_eq!(query, "db.collection('c')\n  .where({a:\"x\"})\t.get()");
    }

    #[test]
    fn a_text_of_escapes_is_read_whatever_is_in_it() {
        let body = format!("{{\"query\":\"{}\"}}", "\\u005b".repeat(1024 * 1024));
        assert_eq!(parse(body.as_bytes()).unwrap()["query"].as_str().map(str::len), Some(1024 * 1024));
    }

    #[test]
    fn bodies_are_bounded() {
        for body in
            ["[".repeat(100_000), format!("[{}0]", "0,".repeat(300_000)), " ".repeat(8 * 1024 * 1024) + "1"]
        {
            assert!(parse(body.as_bytes()).is_none());
        }
        assert!(parse(format!("{{\"a\":\"{}\"}}", "[,\\\"{".repeat(300_000)).as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "{", "{\"a\":}", "not json"] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
