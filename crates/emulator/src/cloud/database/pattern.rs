//! Regular expressions of queries: PCRE as clients write it, run by the `regex` crate.
//!
//! PCRE's classes `\d`, `\w`, `\s` and `\b` know ASCII only, so `\w` is no Chinese character; they are rewritten to
//! mean that. So is what stands in brackets, where the `regex` crate has operators that PCRE does not know. Deliberately
//! absent: look-around and back-references, which the `regex` crate refuses.
//!
//! A search takes time that grows with the text and with the pattern, never more; both are charged.

use regex::{Regex, RegexBuilder};

use super::budget::Budget;
use super::error::{Outcome, refuse};
use crate::cloud::value::Value;

/// The longest pattern in bytes. MongoDB's own limit.
const LONGEST: usize = 32_764;
/// How large a compiled pattern may be in bytes, and how many steps it then takes for [`STRIDE`] bytes of text at most.
const SIZES: [(usize, u64); 4] = [(16 << 10, 256), (64 << 10, 1_600), (256 << 10, 19_200), (1 << 20, 76_800)];
/// How many bytes of text are searched in one step for a pattern that is nothing but text.
const STRIDE: u64 = 64;

/// A compiled pattern, together with what it was written as.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    source: Value,
    /// Steps for [`STRIDE`] bytes of text.
    weight: u64,
    budget: Budget,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s` and `x`.
    pub(super) fn compile(pattern: &str, options: &str, budget: &Budget) -> Outcome<Pattern> {
        let (regex, weight) = budget.pattern(pattern, options, || compiled(pattern, options, budget))?;
        let source = Value::Regex(pattern.to_owned(), options.to_owned());
        Ok(Pattern { regex, source, weight, budget: budget.clone() })
    }

    /// Whether the pattern is found in a text.
    pub(super) fn finds(&self, text: &str) -> Outcome<bool> {
        self.budget.work(1 + self.weight.saturating_mul(text.len() as u64) / STRIDE)?;
        Ok(self.regex.is_match(text))
    }

    /// Whether a value matches: a text in which the pattern is found, or the same pattern stored as a value.
    pub(super) fn matches(&self, value: &Value) -> Outcome<bool> {
        value.as_str().map_or_else(|| Ok(value == &self.source), |text| self.finds(text))
    }
}

/// A pattern with how many steps a byte of text takes.
fn compiled(pattern: &str, options: &str, budget: &Budget) -> Outcome<(Regex, u64)> {
    if pattern.len() > LONGEST {
        return refuse(format!("Regular expression is too long: {LONGEST} bytes are the most"));
    }
    if let Some(other) = options.chars().find(|option| !"imsxu".contains(*option)) {
        return refuse(format!("invalid flag in regex options: {other}"));
    }
    let translated = translated(pattern)?;
    let is_text = regex::escape(pattern) == pattern && !options.contains(['i', 'x']);
    let mut refusal = String::new();
    for (size, weight) in SIZES {
        budget.each(size / 8)?;
        match built(&translated, options, size) {
            Ok(regex) => return Ok((regex, if is_text { 1 } else { weight })),
            Err(regex::Error::CompiledTooBig(_)) => refusal = "it is too large".to_owned(),
            Err(error) => {
                refusal = error.to_string();
                break;
            }
        }
    }
    refuse(format!("Regular expression is invalid: {refusal}"))
}

fn built(translated: &str, options: &str, size: usize) -> Result<Regex, regex::Error> {
    let has = |option: char| options.contains(option);
    RegexBuilder::new(translated)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(size)
        .dfa_size_limit(256 << 10)
        .build()
}

/// The pattern with PCRE's meaning, in the syntax of the `regex` crate.
fn translated(pattern: &str) -> Outcome<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(char) = rest.chars().next() {
        let after = rest.get(char.len_utf8()..).unwrap_or_default();
        rest = match char {
            '[' if posix(rest).is_some() => {
                return refuse(
                    "Regular expression is invalid: POSIX named classes are supported only within a class",
                );
            }
            '[' => class(after, &mut out)?,
            '\\' => match after.chars().next() {
                Some(escaped) => {
                    escape(escaped, false, &mut out);
                    let behind = after.get(escaped.len_utf8()..).unwrap_or_default();
                    // What `\x{41}` and `\p{L}` name is no quantifier.
                    let named = if "xupP".contains(escaped) {
                        behind.find('}').filter(|_| behind.starts_with('{'))
                    } else {
                        None
                    };
                    let (name, behind) =
                        behind.split_at_checked(named.map_or(0, |end| end + 1)).unwrap_or(("", behind));
                    out.push_str(name);
                    behind
                }
                None => return refuse("Regular expression is invalid: \\ at end of pattern"),
            },
            '{' if !is_quantifier(after) => {
                out.push_str("\\{");
                after
            }
            other => {
                out.push(other);
                after
            }
        };
    }
    Ok(out)
}

/// Whether what follows a brace makes it a quantifier: `{2}`, `{2,}` and `{2,3}`. Any other brace is a character.
fn is_quantifier(behind: &str) -> bool {
    let Some((inner, _)) = behind.split_once('}') else { return false };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// One part of a class.
enum Member<'p> {
    /// A character, as it is written for the `regex` crate.
    Character(String),
    /// Several, which cannot be the end of a range.
    Set(String),
    Named(&'p str),
    Hyphen,
    End,
}

/// Writes the class that begins here, behind its bracket, and returns what follows it.
fn class<'p>(mut rest: &'p str, out: &mut String) -> Outcome<&'p str> {
    out.push('[');
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    // Directly behind the bracket, a closing one is a character.
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = after;
    }
    // Whether a hyphen makes a range of what was written last.
    let mut starts_range = out.ends_with("\\]");
    loop {
        let (member, after) = member(rest)?;
        rest = after;
        starts_range = match member {
            Member::End => {
                out.push(']');
                return Ok(rest);
            }
            Member::Hyphen if starts_range => match self::member(rest)? {
                (Member::Character(end), after) => {
                    out.push('-');
                    out.push_str(&end);
                    rest = after;
                    false
                }
                (Member::Hyphen, after) => {
                    out.push_str("-\\-");
                    rest = after;
                    false
                }
                _ => {
                    out.push_str("\\-");
                    false
                }
            },
            Member::Hyphen => {
                out.push_str("\\-");
                true
            }
            Member::Character(character) => {
                out.push_str(&character);
                true
            }
            Member::Set(set) => {
                out.push_str(&set);
                false
            }
            Member::Named(name) => {
                out.push_str(name);
                false
            }
        };
    }
}

fn member(rest: &str) -> Outcome<(Member<'_>, &str)> {
    let mut chars = rest.chars();
    let Some(char) = chars.next() else {
        return refuse("Regular expression is invalid: missing terminating ] for character class");
    };
    Ok(match char {
        ']' => (Member::End, chars.as_str()),
        '-' => (Member::Hyphen, chars.as_str()),
        '[' => match posix(rest) {
            Some((name, after)) if NAMES.contains(&name.trim_matches(&['[', ':', '^', ']'][..])) => {
                (Member::Named(name), after)
            }
            Some((name, _)) => {
                return refuse(format!("Regular expression is invalid: unknown POSIX class name {name}"));
            }
            None => (Member::Character("\\[".to_owned()), chars.as_str()),
        },
        '\\' => {
            let Some(escaped) = chars.next() else {
                return refuse("Regular expression is invalid: \\ at end of pattern");
            };
            // `\x41`, `\x{41}`, `\u{41}` and `\p{L}` go on behind the letter.
            let braces = chars.as_str().strip_prefix('{').and_then(|inner| Some(inner.find('}')? + 2));
            let more = match (escaped, braces) {
                ('x' | 'u' | 'p' | 'P', Some(length)) => length,
                ('x', None) => 2,
                ('p' | 'P', None) => 1,
                _ => 0,
            };
            let mut written = String::new();
            escape(escaped, true, &mut written);
            let (Some(tail), Some(after)) = (chars.as_str().get(..more), chars.as_str().get(more..)) else {
                return refuse("Regular expression is invalid: an escape in a class is incomplete");
            };
            written.push_str(tail);
            let is_set = matches!(escaped, 'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P');
            (if is_set { Member::Set(written) } else { Member::Character(written) }, after)
        }
        '&' | '~' | '^' => (Member::Character(format!("\\{char}")), chars.as_str()),
        // The option `x` does not reach into classes.
        space if space.is_whitespace() || space == '#' => {
            (Member::Character(format!("\\x{{{:x}}}", u32::from(space))), chars.as_str())
        }
        other => (Member::Character(other.to_string()), chars.as_str()),
    })
}

const NAMES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// `[:name:]` at the beginning of a text, and what follows it; `[.name.]` and `[=name=]`, which PCRE refuses, too.
fn posix(rest: &str) -> Option<(&str, &str)> {
    let mark = rest.strip_prefix('[')?.chars().next().filter(|mark| ":.=".contains(*mark))?;
    let inner = rest.get(2..)?;
    let name = inner.trim_start_matches('^').trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let after = name.strip_prefix(mark)?.strip_prefix(']')?;
    Some((rest.get(..rest.len() - after.len())?, after))
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
        'b' if in_class => return out.push_str("\\x08"),
        'b' => return out.push_str("(?-u:\\b)"),
        'Z' if !in_class => return out.push_str("\\z"),
        // To the `regex` crate these are the beginning and the end of a word.
        '<' | '>' => return out.push(escaped),
        other if !other.is_ascii() => return out.push(other),
        other => {
            out.push('\\');
            return out.push(other);
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
        Pattern::compile(pattern, options, &Budget::default()).unwrap().finds(text).unwrap()
    }

    fn refusal(pattern: &str, options: &str) -> String {
        Pattern::compile(pattern, options, &Budget::default()).unwrap_err().to_string()
    }

    /// The characters of ASCII that a class has.
    fn members(class: &str) -> String {
        (' '..='~').filter(|c| finds(&format!("^{class}$"), "", &c.to_string())).collect()
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
        assert_eq!(refusal("a", "g"), "invalid flag in regex options: g");
    }

    #[test]
    fn a_bracket_in_a_class_is_a_character() {
        assert!(finds("^[[a]$", "", "["));
    }

    #[test]
    fn named_classes_mean_what_pcre_means() {
        assert_eq!(members("[[:digit:]]"), "0123456789");
        assert_eq!(members("[x[:digit:]-]"), "-0123456789x");
        assert_eq!(members("[^[:^digit:]5]"), "012346789");
        assert!(refusal("[[:number:]]", "").contains("unknown POSIX class name"));
        assert!(refusal("[:digit:]", "").contains("only within a class"));
    }

    #[test]
    fn what_are_operators_elsewhere_are_characters_in_a_class() {
        assert_eq!(members("[a&&b]"), "&ab");
        assert_eq!(members("[a~~b]"), "ab~");
        assert_eq!(members("[%--]"), "%&'()*+,-");
        assert_eq!(members("[--/]"), "-./");
        assert_eq!(members("[a-c-z]"), "-abcz");
        assert_eq!(members(r"[\d-.]"), "-.0123456789");
        assert_eq!(members("[a^]"), "^a");
        assert_eq!(members("[]a-]"), "-]a");
        assert_eq!(members(r"[a\-c]"), "-ac");
        assert_eq!(members(r"[\x41-\x43]"), "ABC");
    }

    #[test]
    fn spaces_in_a_class_count_whatever_the_options() {
        assert!(finds("^a [ #]$", "x", "a "));
        assert!(finds("^a [ #]$", "x", "a#"));
    }

    #[test]
    fn escaped_angle_brackets_are_characters() {
        assert!(finds(r"^\<a\>$", "", "<a>"));
    }

    #[test]
    fn a_brace_that_is_no_quantifier_is_a_character() {
        assert!(finds(r"^{a}{,2}a{2,}b{1}\x{63}\p{L}$", "", "{a}{,2}aaabcd"));
    }

    #[test]
    fn lengths_can_be_asked_for() {
        assert!(finds("^.{1,500}$", "", &"中".repeat(500)));
    }

    #[test]
    fn text_is_found_in_much_text() {
        let pattern = Pattern::compile("needle", "", &Budget::default()).unwrap();
        let hay = "hay".repeat(1 << 20);
        assert!((0..100).all(|_| !pattern.finds(&hay).unwrap()));
    }

    #[test]
    fn large_patterns_are_refused() {
        assert!(refusal("(a{100}){1000}", "").contains("too large"));
        assert!(refusal(&"a".repeat(40_000), "").contains("too long"));
    }

    #[test]
    fn a_request_has_100_patterns_at_most() {
        let budget = Budget::default();
        let compiled = |n: u32| Pattern::compile(&format!("a{n}"), "", &budget).is_ok();
        assert_eq!((0..101).filter(|n| compiled(*n)).count(), 100);
        assert!(compiled(7), "one that is known is not another one");
    }

    #[test]
    fn a_search_costs_what_pattern_and_text_cost() {
        let pattern = Pattern::compile("[ab]*a[ab]{300}c", "", &Budget::default()).unwrap();
        let text = "ab".repeat(500_000);
        assert!((0..100).any(|_| pattern.finds(&text).is_err()));
    }
}
