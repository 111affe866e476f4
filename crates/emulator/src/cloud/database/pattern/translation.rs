//! From PCRE's syntax to that of the `regex` crate.
//!
//! Whitespace and comments of the option `x` go, and groups, quantifiers and `$` become what they mean in PCRE.

use std::collections::HashSet;

use super::super::error::{Outcome, refuse};
use super::{class, escape};

/// A pattern in the syntax of the `regex` crate.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) text: String,
    /// How many steps it takes to parse it.
    pub(super) cost: u64,
}

/// Steps for a class of Unicode, which consists of hundreds of ranges.
pub(super) const UNICODE: u64 = 2_500;
/// The longest quantifier behind its brace: `65535,65535}`.
const LONGEST_QUANTIFIER: usize = 12;

/// What `$` means without the option `m`, and `\Z` always: the end, or a line break there.
pub(super) const END: &str = "(?:\\n?\\z)";

/// Options that hold up to the end of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    any_case: bool,
    multi_line: bool,
    extended: bool,
}

/// What stands before a quantifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing, or something that has no width.
    Nothing,
    /// What PCRE takes as a whole: without atomic groups, two of them are found where PCRE finds one.
    LineBreak,
    Item,
    Quantifier,
    /// A quantifier and its `?`.
    Lazy,
}

/// A pattern that is being translated.
pub(super) struct Translator<'p> {
    pub(super) rest: &'p str,
    pub(super) out: String,
    pub(super) cost: u64,
    /// How many groups were opened that PCRE would number.
    pub(super) groups: usize,
    options: Options,
    surrounding: Vec<Options>,
    before: Before,
    /// The names of groups.
    names: HashSet<&'p str>,
    may_repeat_names: bool,
}

/// Refuses a pattern.
pub(super) fn refuse_pattern<T>(reason: impl AsRef<str>) -> Outcome<T> {
    refuse(format!("Regular expression is invalid: {}", reason.as_ref()))
}

/// Refuses what PCRE knows and the emulator does not.
pub(super) fn refuse_absent<T>(what: &str) -> Outcome<T> {
    refuse_pattern(format!("{what} are not emulated"))
}

/// The pattern with PCRE's meaning.
pub(super) fn translated(pattern: &str, options: &str) -> Outcome<Translation> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len()),
        cost: 0,
        groups: 0,
        options: Options {
            any_case: options.contains('i'),
            multi_line: options.contains('m'),
            extended: options.contains('x'),
        },
        surrounding: Vec::new(),
        before: Before::Nothing,
        names: HashSet::new(),
        may_repeat_names: false,
    };
    // Texts are in UTF-8, whether a pattern says so or not.
    while translator.skip("(*UTF8)") || translator.skip("(*UTF)") {}
    while let Some(char) = translator.take() {
        translator.part(char)?;
    }
    let cost = translator.cost + 2 * translator.out.len() as u64;
    Ok(Translation { text: translator.out, cost })
}

impl<'p> Translator<'p> {
    /// The next character, which is then behind.
    pub(super) fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        Some(char)
    }

    /// Goes past a text, if it is next.
    pub(super) fn skip(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// The text before the next `end`, which is then behind; if that comes within so many bytes.
    pub(super) fn take_until(&mut self, end: char, most: usize) -> Option<&'p str> {
        let at = self.rest.char_indices().take_while(|(at, _)| *at <= most).find(|(_, char)| *char == end)?.0;
        let (before, after) = self.rest.split_at_checked(at)?;
        self.rest = after.get(end.len_utf8()..)?;
        Some(before)
    }

    /// Whether upper and lower case are the same here.
    pub(super) fn is_any_case(&self) -> bool {
        self.options.any_case
    }

    /// How many steps it takes to look for so many characters in the other case, if that is asked for.
    pub(super) fn folding(&self, characters: u64) -> u64 {
        if self.options.any_case { characters / 8 } else { 0 }
    }

    /// Writes a character that means itself.
    pub(super) fn literal(&mut self, char: char) {
        if char.is_ascii_punctuation() && !matches!(char, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(char);
    }

    fn part(&mut self, char: char) -> Outcome<()> {
        if self.options.extended && is_space(char) {
            return Ok(());
        }
        match char {
            '#' if self.options.extended => {
                let (_, after) = self.rest.split_once('\n').unwrap_or_default();
                self.rest = after;
                return Ok(());
            }
            '*' | '+' | '?' => return self.quantifier(char, ""),
            '{' => {
                if let Some(bounds) = self.bounds() {
                    return self.quantifier(char, bounds);
                }
                self.literal(char);
            }
            '(' => return self.group(),
            ')' => {
                self.options = self.surrounding.pop().unwrap_or(self.options);
                self.out.push(')');
            }
            '[' => class::translate(self)?,
            '\\' => {
                if let Some(before) = escape::translate(self)? {
                    self.before = before;
                }
                return Ok(());
            }
            '$' | '^' | '|' => {
                if char == '$' && !self.options.multi_line {
                    self.out.push_str(END);
                } else {
                    self.out.push(char);
                }
                self.before = Before::Nothing;
                return Ok(());
            }
            other => self.out.push(other),
        }
        self.before = Before::Item;
        Ok(())
    }

    /// What follows a brace that begins a quantifier, like `2}`, `2,}` and `2,3}`. Any other brace is a character.
    fn bounds(&mut self) -> Option<&'p str> {
        let before = self.rest;
        let inner = self.take_until('}', LONGEST_QUANTIFIER)?;
        let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !least.is_empty() && digits(least) && digits(most) {
            return before.get(..=inner.len());
        }
        self.rest = before;
        None
    }

    fn quantifier(&mut self, sign: char, bounds: &str) -> Outcome<()> {
        self.before = match (self.before, sign) {
            (Before::Item, _) => Before::Quantifier,
            (Before::LineBreak, '{') => return refuse_absent("numbers of \\R"),
            (Before::LineBreak, _) => Before::Quantifier,
            (Before::Quantifier, '?') => Before::Lazy,
            (Before::Quantifier, '+') => return refuse_absent("possessive quantifiers like a++"),
            _ => return refuse_pattern("nothing to repeat"),
        };
        self.out.push(sign);
        self.out.push_str(bounds);
        Ok(())
    }

    /// What begins with a parenthesis.
    fn group(&mut self) -> Outcome<()> {
        if self.rest.starts_with('*') {
            return refuse_absent("verbs like (*UCP)");
        }
        if !self.skip("?") {
            self.groups += 1;
            self.open("(");
            return Ok(());
        }
        if self.skip("#") {
            let Some((_, after)) = self.rest.split_once(')') else {
                return refuse_pattern("missing ) after comment");
            };
            self.rest = after;
            return Ok(());
        }
        if self.skip(":") || self.skip("|") {
            self.open("(?:");
            return Ok(());
        }
        if self.skip(">") {
            return refuse_absent("atomic groups");
        }
        if ["=", "!", "<=", "<!"].iter().any(|sign| self.rest.starts_with(sign)) {
            return refuse_absent("look-ahead and look-behind");
        }
        let end = if self.skip("'") { Some('\'') } else { None };
        let end = if self.skip("P<") || self.skip("<") { Some('>') } else { end };
        if let Some(end) = end {
            let name = self.take_until(end, 32).unwrap_or_default();
            let is_word = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            if name.is_empty() || !is_word || name.starts_with(|char: char| char.is_ascii_digit()) {
                return refuse_pattern("syntax error in subpattern name");
            }
            if !self.names.insert(name) && !self.may_repeat_names {
                return refuse_pattern("two named subpatterns have the same name");
            }
            self.groups += 1;
            self.open("(?:");
            return Ok(());
        }
        self.set_options()
    }

    fn open(&mut self, written: &str) {
        self.surrounding.push(self.options);
        self.out.push_str(written);
        self.before = Before::Nothing;
    }

    /// `(?im-s)` and `(?im-s:`.
    fn set_options(&mut self) -> Outcome<()> {
        let (mut on, mut off, mut is_off) = (String::new(), String::new(), false);
        let mut options = self.options;
        loop {
            match self.take() {
                Some('-') if !is_off => is_off = true,
                Some(option @ ('i' | 's' | 'm')) => {
                    match option {
                        'i' => options.any_case = !is_off,
                        'm' => options.multi_line = !is_off,
                        _ => {}
                    }
                    // Of an option that is set and taken back, the last counts.
                    let (to, other) = if is_off { (&mut off, &mut on) } else { (&mut on, &mut off) };
                    to.push(option);
                    other.retain(|known| known != option);
                }
                Some('x') => options.extended = !is_off,
                // What is found is the same, however greedily; and names of groups are asked for by nobody.
                Some('U') => {}
                Some('J') if !is_off => self.may_repeat_names = true,
                Some('J') => self.may_repeat_names = false,
                Some(end @ (')' | ':')) => {
                    let (on, off) = (once(&on), once(&off));
                    let sign = if off.is_empty() { "" } else { "-" };
                    if end == ':' {
                        self.open(&format!("(?{on}{sign}{off}:"));
                    } else if on.len() + off.len() > 0 {
                        self.out.push_str(&format!("(?{on}{sign}{off})"));
                        self.before = Before::Nothing;
                    }
                    self.options = options;
                    return Ok(());
                }
                _ => {
                    return refuse_absent(
                        "recursion, conditions, callouts, references and options other than i, m, s, x, J and U",
                    );
                }
            }
        }
    }
}

/// Options without repetitions, which the `regex` crate refuses.
fn once(options: &str) -> String {
    "ims".chars().filter(|option| options.contains(*option)).collect()
}

/// What PCRE takes for white space in patterns.
fn is_space(char: char) -> bool {
    char.is_ascii_whitespace() || char == '\x0B'
}
