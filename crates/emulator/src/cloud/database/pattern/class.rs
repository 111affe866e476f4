//! What stands in brackets, where the `regex` crate has operators that PCRE does not know.

use super::super::error::Outcome;
use super::escape;
use super::translation::{Translator, refuse_pattern};

/// One part of a class.
enum Member {
    Character(char),
    /// Several, as they are written for the `regex` crate; they cannot be the end of a range.
    Set(String),
    Hyphen,
    End,
}

const NAMES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];
/// The longest name of a class, with what is around it.
const LONGEST_NAME: usize = 16;

/// Steps for a class within a class.
const SET: u64 = 100;

/// A class that is being translated.
struct Class<'t, 'p> {
    translator: &'t mut Translator<'p>,
    /// Whether it is between `\Q` and `\E`.
    is_quoted: bool,
    members: u64,
    /// Sets to which the option `i` means nothing.
    sets: String,
}

/// Translates the class behind a bracket.
pub(super) fn translate(translator: &mut Translator<'_>) -> Outcome<()> {
    if posix(translator.rest).is_some() {
        return refuse_pattern("POSIX named classes are supported only within a class");
    }
    let begin = translator.out.len();
    translator.out.push('[');
    let is_negated = translator.skip("^");
    if is_negated {
        translator.out.push('^');
    }
    let mut class = Class { translator, is_quoted: false, members: 0, sets: String::new() };
    // Directly behind the bracket, a closing one is a character.
    let mut next = if class.translator.skip("]") { Member::Character(']') } else { class.member()? };
    loop {
        next = match next {
            Member::End => {
                class.end_of_class(begin, is_negated);
                return Ok(());
            }
            Member::Set(set) => {
                class.set(&set);
                class.member()?
            }
            Member::Hyphen => class.range('-')?,
            Member::Character(character) => class.range(character)?,
        };
    }
}

impl Class<'_, '_> {
    /// Writes a character, or the range that begins with it, and returns what comes next.
    fn range(&mut self, from: char) -> Outcome<Member> {
        self.write(from);
        let next = self.member()?;
        if !matches!(next, Member::Hyphen) {
            return Ok(next);
        }
        match self.member()? {
            Member::Character(to) => self.end(from, to),
            Member::Hyphen => self.end(from, '-'),
            other => {
                self.write('-');
                Ok(other)
            }
        }
    }

    /// Writes the end of a range.
    fn end(&mut self, from: char, to: char) -> Outcome<Member> {
        self.translator.out.push('-');
        self.write(to);
        let characters = u64::from(u32::from(to).saturating_sub(u32::from(from)));
        self.translator.cost += self.translator.folding(characters);
        self.member()
    }

    fn set(&mut self, set: &str) {
        self.charge();
        self.translator.cost += SET;
        if self.translator.is_any_case() {
            self.sets.push_str(set);
        } else {
            self.translator.out.push_str(set);
        }
    }

    /// Writes the end of the class that begins at a place, and the sets beside it. Where the class is negated, and has
    /// characters as well as sets, `i` is about all of them: that differs for `ſ` and the sign for Kelvin only.
    fn end_of_class(&mut self, begin: usize, is_negated: bool) {
        let sets = std::mem::take(&mut self.sets);
        let has_characters = self.translator.out.len() > begin + 1 + usize::from(is_negated);
        let out = &mut self.translator.out;
        match (sets.is_empty(), has_characters) {
            (true, _) => out.push(']'),
            (false, false) => {
                out.truncate(begin);
                let sign = if is_negated { "^" } else { "" };
                out.push_str(&format!("(?-i:[{sign}{sets}])"));
            }
            (false, true) if is_negated => out.push_str(&format!("{sets}]")),
            (false, true) => {
                out.insert_str(begin, "(?:");
                out.push_str(&format!("]|(?-i:[{sets}]))"));
            }
        }
    }

    fn write(&mut self, character: char) {
        self.charge();
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => self.translator.out.push(character),
            other => self.translator.out.push_str(&format!("\\x{{{:x}}}", u32::from(other))),
        }
    }

    /// Ranges are kept in order, so that another one may have to go past all those before.
    fn charge(&mut self) {
        self.members += 1;
        self.translator.cost += 1 + self.members / 256;
    }

    fn member(&mut self) -> Outcome<Member> {
        loop {
            let Some(char) = self.translator.take() else {
                return refuse_pattern("missing terminating ] for character class");
            };
            if self.is_quoted {
                if char == '\\' && self.translator.skip("E") {
                    self.is_quoted = false;
                    continue;
                }
                return Ok(Member::Character(char));
            }
            return match char {
                ']' => Ok(Member::End),
                '-' => Ok(Member::Hyphen),
                '[' => self.named(),
                '\\' => match self.translator.take() {
                    None => refuse_pattern("\\ at end of pattern"),
                    Some('E') => continue,
                    Some('Q') => {
                        self.is_quoted = true;
                        continue;
                    }
                    Some(escaped) => self.escaped(escaped),
                },
                other => Ok(Member::Character(other)),
            };
        }
    }

    fn escaped(&mut self, escaped: char) -> Outcome<Member> {
        if let Some(set) = escape::set(escaped, self.translator)? {
            return Ok(Member::Set(set));
        }
        match escaped {
            'b' => Ok(Member::Character('\x08')),
            'B' | 'R' | 'X' => refuse_pattern("invalid escape sequence in character class"),
            other => escape::character(other, self.translator).map(Member::Character),
        }
    }

    /// A bracket in a class: `[:name:]`, or the character.
    fn named(&mut self) -> Outcome<Member> {
        let Some(name) = posix(self.translator.rest) else {
            return Ok(Member::Character('['));
        };
        self.translator.rest = self.translator.rest.get(name.len()..).unwrap_or_default();
        if name.starts_with(':') && NAMES.contains(&name.trim_matches(&[':', '^', ']'][..])) {
            let has_case =
                self.translator.is_any_case() && ["lower", "upper"].iter().any(|it| name.contains(it));
            let negated = if name.contains('^') { "^" } else { "" };
            return Ok(Member::Set(if has_case {
                format!("[:{negated}alpha:]")
            } else {
                format!("[{name}")
            }));
        }
        refuse_pattern(format!("unknown POSIX class name [{name}"))
    }
}

/// `:name:]` at the beginning of a text; `.name.]` and `=name=]`, which PCRE refuses, too.
fn posix(rest: &str) -> Option<&str> {
    let mark = rest.chars().next().filter(|mark| ":.=".contains(*mark))?;
    let inner = rest.get(1..)?;
    let inner = inner.strip_prefix('^').unwrap_or(inner);
    let letters = inner.bytes().take(LONGEST_NAME).take_while(u8::is_ascii_alphabetic).count();
    let after = inner.get(letters..)?.strip_prefix(mark)?.strip_prefix(']')?;
    rest.get(..rest.len() - after.len())
}
