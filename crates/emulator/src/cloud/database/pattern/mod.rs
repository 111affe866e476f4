//! Regular expressions of queries: PCRE as clients write it, run by `regex-automata`.
//!
//! PCRE's syntax is [translated](translation) first, and refused where it would mean something else. Deliberately absent
//! are look-around, back-references, atomic groups, possessive quantifiers and recursion. `$` takes a line break at
//! the end of a text with it, so that behind a `$` that line break cannot be asked for; and with the option `m`, `^`
//! is found behind it, where PCRE finds nothing.
//!
//! Translating, compiling and searching take time that grows with pattern and text, never more; all are charged.

mod class;
mod escape;
#[cfg(test)]
mod tests;
mod translation;

use std::rc::Rc;

use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::syntax;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use crate::cloud::value::Value;
use translation::{Translation, refuse_pattern};

/// The longest pattern in bytes. MongoDB's own limit.
const LONGEST: usize = 32_764;
/// How large a compiled pattern may be in bytes, and how many steps it then takes for [`STRIDE`] bytes of text at most.
const SIZES: [(usize, u64); 4] = [(16 << 10, 256), (64 << 10, 1_600), (256 << 10, 19_200), (LARGEST, 76_800)];
/// How large a compiled pattern may be in bytes.
const LARGEST: usize = 1 << 20;
/// Up to which size it is worth the time to look for texts in a pattern that must be found anyway.
const SIZE_FOR_LITERALS: usize = 64 << 10;
/// How many bytes of text are searched in one step for a pattern that is nothing but text.
const STRIDE: u64 = 64;

/// A compiled pattern, together with what it was written as.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// One for all that are the same: each has a memory of its own to search with, which is filled at its first search.
    compiled: Rc<Compiled>,
    source: Value,
    budget: Budget,
}

/// A pattern, ready to be searched for.
#[derive(Debug)]
pub(super) struct Compiled {
    regex: Regex,
    /// Steps for [`STRIDE`] bytes of text.
    weight: u64,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s` and `x`. Others mean nothing.
    pub(super) fn compile(pattern: &str, options: &str, budget: &Budget) -> Outcome<Pattern> {
        // In one order, and each once: that is how compiled patterns are known again.
        let known: String = "imsx".chars().filter(|option| options.contains(*option)).collect();
        let compiled = budget.pattern(pattern, &known, || compiled(pattern, &known, budget))?;
        let source = Value::Regex(pattern.to_owned(), options.to_owned());
        Ok(Pattern { compiled, source, budget: budget.clone() })
    }

    /// Whether the pattern is found in a text.
    pub(super) fn finds(&self, text: &str) -> Outcome<bool> {
        self.budget.work(1 + self.compiled.weight.saturating_mul(text.len() as u64) / STRIDE)?;
        Ok(self.compiled.regex.is_match(text))
    }

    /// Whether a value matches: a text in which the pattern is found, or the same pattern stored as a value.
    pub(super) fn matches(&self, value: &Value) -> Outcome<bool> {
        value.as_str().map_or_else(|| Ok(value == &self.source), |text| self.finds(text))
    }
}

fn compiled(pattern: &str, options: &str, budget: &Budget) -> Outcome<Compiled> {
    if pattern.len() > LONGEST {
        return refuse(format!("Regular expression is too long: {LONGEST} bytes are the most"));
    }
    let Translation { text, cost } = translation::translated(pattern, options)?;
    budget.work(cost)?;
    let has = |option: char| options.contains(option);
    let syntax =
        syntax::Config::new().case_insensitive(has('i')).multi_line(has('m')).dot_matches_new_line(has('s'));
    let parsed = syntax::parse_with(&text, &syntax).or_else(|error| refuse_pattern(error.to_string()))?;
    let fits = |size: usize| {
        let config = NFA::config().nfa_size_limit(Some(size));
        NFA::compiler().configure(config).build_from_hir(&parsed).is_ok()
    };
    let Some((size, weight)) = size(fits, budget)? else {
        return refuse_pattern("it is too large");
    };
    budget.each(size / 8 + size.min(SIZE_FOR_LITERALS))?;
    let is_text = parsed.properties().is_literal();
    let config = Regex::config()
        .nfa_size_limit(Some(2 * LARGEST))
        .hybrid_cache_capacity(256 << 10)
        .auto_prefilter(is_text || size <= SIZE_FOR_LITERALS)
        // Nobody asks where it is found: what groups found would only take memory.
        .which_captures(WhichCaptures::Implicit);
    match Regex::builder().configure(config).build_from_hir(&parsed) {
        Ok(regex) => Ok(Compiled { regex, weight: if is_text { 1 } else { weight } }),
        Err(error) => refuse_pattern(error.to_string()),
    }
}

/// The first of the sizes that is enough for a pattern.
fn size(fits: impl Fn(usize) -> bool, budget: &Budget) -> Outcome<Option<(usize, u64)>> {
    for (size, weight) in SIZES {
        budget.each(size / 8)?;
        if fits(size) {
            return Ok(Some((size, weight)));
        }
    }
    Ok(None)
}
