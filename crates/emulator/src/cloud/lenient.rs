//! JSON as clients of the cloud API send it: raw line breaks in texts, and `\'`, which JSON does not know.
//!
//! The platform's own samples have both. Everything else is JSON.

use serde_json::Value;

/// Reads such JSON.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Some(value);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    serde_json::from_str(&mended(text)).ok()
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
    fn what_is_no_json_stays_none() {
        for text in ["", "{", "{\"a\":}", "not json"] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
