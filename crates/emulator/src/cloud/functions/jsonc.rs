//! JSON with comments and trailing commas, as people write `config.json`.

use serde_json::Value;

/// Reads such JSON.
///
/// # Errors
/// What is left after the comments is no JSON; lines and columns are those of the text.
pub(super) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&without_commas(&without_comments(text)))
}

/// With a space in the place of each character of a comment, so that positions stay.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.get(2..).and_then(|inside| inside.find("*/")).map_or(rest.len(), |end| end + 4)
        } else if c == '"' {
            let length = string_length(rest);
            plain.push_str(rest.get(..length).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
            continue;
        } else {
            plain.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        };
        let comment = rest.get(..length).unwrap_or_default();
        plain.extend(comment.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

/// The bytes of the string that a text begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// Without the commas that have nothing but a closing bracket after them.
fn without_commas(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c == '"' { string_length(rest) } else { c.len_utf8() };
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let is_last = c == ',' && after.trim_start().starts_with(['}', ']']);
        plain.push_str(if is_last { " " } else { part });
        rest = after;
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_sample_is_read() {
        let text = r#"{
            // triggers: one timer for now
            "triggers": [
              {
                "name": "myTrigger", // a name
                /* of this kind */ "type": "timer",
                "config": "0 0 2 1 * * *",
              },
            ]
        }"#;
        let trigger = json!({"name": "myTrigger", "type": "timer", "config": "0 0 2 1 * * *"});
        assert_eq!(parse(text).unwrap(), json!({"triggers": [trigger]}));
    }

    #[test]
    fn strings_stay_as_they_are() {
        let text = r#"{"a":"// no \" comment, ]","b":"/* none */","c":"\\"}"#;
        let read = parse(text).unwrap();
        assert_eq!(read, json!({"a": "// no \" comment, ]", "b": "/* none */", "c": "\\"}));
    }

    #[test]
    fn an_error_has_the_place_in_the_text() {
        let error = parse("{ // one\n \"a\": /* é */ ? }").unwrap_err();
        assert_eq!(error.line(), 2);
        for text in ["", "\"", "{\"a\":1,,}", "/*", "/*/ 1", "{\"a\":\"\\"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
