//! Regular expressions of queries: PCRE as clients write it, run by the `regex` crate.
//!
//! PCRE's classes `\d`, `\w`, `\s` and `\b` know ASCII only, so `\w` is no Chinese character; they are rewritten to
//! mean that. Deliberately absent: look-around and back-references, which the `regex` crate refuses.

use regex::{Regex, RegexBuilder};

use super::error::{DatabaseError, Outcome, refuse};
use crate::cloud::value::Value;

/// A compiled pattern, together with what it was written as.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    source: Value,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s` and `x`.
    pub(super) fn compile(pattern: &str, options: &str) -> Outcome<Pattern> {
        let mut builder = RegexBuilder::new(&translated(pattern));
        for option in options.chars() {
            match option {
                'i' => builder.case_insensitive(true),
                'm' => builder.multi_line(true),
                's' => builder.dot_matches_new_line(true),
                'x' => builder.ignore_whitespace(true),
                'u' => &mut builder,
                other => return refuse(format!("invalid flag in regex options: {other}")),
            };
        }
        let regex = builder
            .build()
            .map_err(|error| DatabaseError::new(format!("Regular expression is invalid: {error}")))?;
        Ok(Pattern { regex, source: Value::Regex(pattern.to_owned(), options.to_owned()) })
    }

    /// Whether the pattern is found in a text.
    pub(super) fn finds(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Whether a value matches: a text in which the pattern is found, or the same pattern stored as a value.
    pub(super) fn matches(&self, value: &Value) -> bool {
        value.as_str().map_or_else(|| value == &self.source, |text| self.finds(text))
    }
}

/// The pattern with PCRE's meaning, in the syntax of the `regex` crate.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(escaped) => escape(escaped, in_class, &mut out),
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // Directly behind the bracket, a closing one is a character.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(char);
            }
            other => out.push(other),
        }
    }
    out
}

fn escape(escaped: char, in_class: bool, out: &mut String) {
    const DIGIT: &str = "0-9";
    const WORD: &str = "0-9A-Za-z_";
    const SPACE: &str = "\\t\\n\\x0B\\f\\r ";
    let (class, negated) = match escaped {
        'd' => (DIGIT, false),
        'D' => (DIGIT, true),
        'w' => (WORD, false),
        'W' => (WORD, true),
        's' => (SPACE, false),
        'S' => (SPACE, true),
        'b' if !in_class => {
            out.push_str("(?-u:\\b)");
            return;
        }
        'Z' => {
            out.push_str("\\z");
            return;
        }
        other => {
            out.push('\\');
            out.push(other);
            return;
        }
    };
    match (in_class, negated) {
        (true, false) => out.push_str(class),
        (_, true) => out.push_str(&format!("[^{class}]")),
        (false, false) => out.push_str(&format!("[{class}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, options: &str, text: &str) -> bool {
        Pattern::compile(pattern, options).unwrap().finds(text)
    }

    #[test]
    fn letters_of_words_are_ascii() {
        assert!(!finds(r"^\w+$", "", "中文"));
        assert!(finds(r"^[\w-]+\b$", "", "a-b"));
    }

    #[test]
    fn options_are_known() {
        assert!(finds("^B.c", "ims", "a\nb\nc"));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert_eq!(Pattern::compile("a", "g").unwrap_err().to_string(), "invalid flag in regex options: g");
    }

    #[test]
    fn a_bracket_in_a_class_is_a_character() {
        assert!(finds("^[[a]$", "", "["));
    }
}
