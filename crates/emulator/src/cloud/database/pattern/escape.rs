//! What a backslash begins.
//!
//! `\d`, `\w`, `\s` and `\b` know ASCII only, so that `\w` is no Chinese character.

use super::super::error::Outcome;
use super::property;
use super::translation::{Before, END, Translator, UNICODE, refuse_absent, refuse_pattern};

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = "\\t\\n\\x0B\\f\\r ";
const HORIZONTAL: &str = "\\t \\x{a0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{202f}\\x{205f}\\x{3000}";
const VERTICAL: &str = "\\n\\x0B\\f\\r\\x{85}\\x{2028}\\x{2029}";

/// How many characters there are.
const ALL: u64 = 0x0011_0000;
/// The longest number of a character.
const LONGEST_NUMBER: usize = 64;

/// Translates what follows a backslash outside of classes. Says what a quantifier behind it would be about, unless that
/// stays as it was.
pub(super) fn translate(translator: &mut Translator<'_>) -> Outcome<Option<Before>> {
    let Some(escaped) = translator.take() else {
        return refuse_pattern("\\ at end of pattern");
    };
    if let Some(set) = set(escaped, translator)? {
        translator.out.push_str(&in_any_case(&set, translator));
        return Ok(Some(Before::Item));
    }
    let (text, before) = match escaped {
        'N' if !is_name(translator.rest) => ("[^\\n]", Before::Item),
        'R' => return line_break(translator),
        'b' => ("(?-u:\\b)", Before::Nothing),
        'B' => ("(?-u:\\B)", Before::Nothing),
        'A' | 'G' => ("\\A", Before::Nothing),
        'z' => ("\\z", Before::Nothing),
        'Z' => (END, Before::Nothing),
        // Where what is found begins is not asked.
        'K' | 'E' => return Ok(None),
        'Q' => {
            let (quoted, after) = translator.rest.split_once("\\E").unwrap_or((translator.rest, ""));
            translator.rest = after;
            quoted.chars().for_each(|char| translator.literal(char));
            return Ok((!quoted.is_empty()).then_some(Before::Item));
        }
        'C' | 'X' | 'g' | 'k' => return refuse_absent("back-references, calls, \\C and \\X"),
        '1'..='9' if is_reference(escaped, translator) => return refuse_absent("back-references"),
        other => {
            let character = character(other, translator)?;
            translator.literal(character);
            return Ok(Some(Before::Item));
        }
    };
    translator.out.push_str(text);
    Ok(Some(before))
}

/// A set of characters to which the option `i` means nothing: `s` in another case may be `ſ`, which is no `\w`.
pub(super) fn in_any_case(set: &str, translator: &Translator<'_>) -> String {
    if translator.is_any_case() { format!("(?-i:{set})") } else { set.to_owned() }
}

/// Whether there is a name in braces behind `\N`, and no quantifier.
fn is_name(rest: &str) -> bool {
    rest.strip_prefix('{').is_some_and(|inner| !inner.starts_with(|char: char| char.is_ascii_digit()))
}

/// `\R` takes the two characters of a line break, or none of them. What follows must not find the second one alone.
fn line_break(translator: &mut Translator<'_>) -> Outcome<Option<Before>> {
    translator.out.push_str(&format!("(?:\\r\\n|[{VERTICAL}])"));
    Ok(Some(Before::LineBreak))
}

/// Whether a number is that of a group: less than 8, or no more than there are groups so far.
fn is_reference(first: char, translator: &Translator<'_>) -> bool {
    let more = translator.rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let number = translator.rest.get(..more).map(|more| format!("{first}{more}").parse::<usize>());
    matches!(number, Some(Ok(number)) if number < 8 || number <= translator.groups)
}

/// The class that a backslash and a letter stand for.
pub(super) fn set(escaped: char, translator: &mut Translator<'_>) -> Outcome<Option<String>> {
    let (members, is_negated) = match escaped {
        'd' => (DIGIT, false),
        'D' => (DIGIT, true),
        'w' => (WORD, false),
        'W' => (WORD, true),
        's' => (SPACE, false),
        'S' => (SPACE, true),
        'h' => (HORIZONTAL, false),
        'H' => (HORIZONTAL, true),
        'v' => (VERTICAL, false),
        'V' => (VERTICAL, true),
        'p' | 'P' => {
            translator.cost += UNICODE + translator.folding(ALL);
            return property::translate(escaped == 'P', translator).map(Some);
        }
        _ => return Ok(None),
    };
    let sign = if is_negated { "^" } else { "" };
    Ok(Some(format!("[{sign}{members}]")))
}

/// The character that a backslash and what follows it stand for, in a class or outside.
pub(super) fn character(escaped: char, translator: &mut Translator<'_>) -> Outcome<char> {
    match escaped {
        'a' => Ok('\x07'),
        'e' => Ok('\x1B'),
        'f' => Ok('\x0C'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'c' => match translator.take().filter(char::is_ascii) {
            Some(control) => Ok(char::from(control.to_ascii_uppercase() as u8 ^ 0x40)),
            None => refuse_pattern("\\c must be followed by an ASCII character"),
        },
        'x' => {
            let digits = if translator.skip("{") {
                translator.take_until('}', LONGEST_NUMBER).unwrap_or("-")
            } else {
                digits(translator, 2, 16)
            };
            numbered(if digits.is_empty() { "0" } else { digits }, 16)
        }
        'o' if translator.skip("{") => match translator.take_until('}', LONGEST_NUMBER) {
            Some(digits) if !digits.is_empty() => numbered(digits, 8),
            _ => refuse_pattern("missing digits or closing brace in \\o{}"),
        },
        'o' => refuse_pattern("missing opening brace after \\o"),
        'L' | 'l' | 'N' | 'U' | 'u' => refuse_pattern(
            "PCRE does not support \\L, \\l, \\N{name}, \\U, or \\u; a character by its number is \\x{4e00}",
        ),
        '8' | '9' => Ok(escaped),
        '0'..='7' => {
            let more = digits(translator, 2, 8);
            numbered(&format!("{escaped}{more}"), 8)
        }
        other => Ok(other),
    }
}

/// So many digits at most.
fn digits<'p>(translator: &mut Translator<'p>, most: usize, radix: u32) -> &'p str {
    let digits = translator.rest.chars().take(most).take_while(|char| char.is_digit(radix)).count();
    let (digits, after) = translator.rest.split_at_checked(digits).unwrap_or_default();
    translator.rest = after;
    digits
}

fn numbered(digits: &str, radix: u32) -> Outcome<char> {
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return refuse_pattern("invalid digit in \\x{} or \\o{}");
    }
    match u32::from_str_radix(digits, radix).ok().and_then(char::from_u32) {
        Some(char) => Ok(char),
        None => refuse_pattern("character value in \\x{} or \\o{} is too large"),
    }
}
