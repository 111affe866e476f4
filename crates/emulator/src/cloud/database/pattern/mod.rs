//! Regular expressions of queries: PCRE as clients write it, compiled by `regex-automata`.
//!
//! PCRE's syntax is [translated](translation) first, and refused where it would mean something else. Deliberately absent
//! are look-around, back-references, atomic groups, possessive quantifiers, recursion and verbs. `\R` finds the second half
//! of a line break alone, if need be, which PCRE's does not. `$` takes a line break at
//! the end of a text with it, so that behind a `$` that line break cannot be asked for; and with the option `m`, `^`
//! is found behind it, where PCRE finds nothing.
//!
//! Translating, compiling and searching take time that grows with pattern and text, never more; all are charged.

mod class;
mod escape;
mod property;
mod search;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
mod translation;

use std::rc::Rc;

use regex_automata::MatchKind;
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::syntax;

use super::budget::Budget;
use super::error::{Outcome, refuse};
use crate::cloud::value::Value;
pub(super) use search::Search;
use translation::{Translation, refuse_pattern};

/// The longest pattern in bytes. MongoDB's own limit.
const LONGEST: usize = 32_764;
/// How large a compiled pattern may be in bytes. Smaller sizes are tried first, since that takes less time.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Up to which size it is worth the time to look for texts that a pattern begins with.
const SIZE_FOR_PREFIXES: usize = 64 << 10;

/// A compiled pattern, together with what it was written as.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// One for all that are the same: each has a memory of its own to search with, which is filled at its first search.
    search: Rc<Search>,
    source: Value,
    budget: Budget,
}

impl Pattern {
    /// Compiles a pattern with the options `i`, `m`, `s` and `x`. Others mean nothing.
    pub(super) fn compile(pattern: &str, options: &str, budget: &Budget) -> Outcome<Pattern> {
        // In one order, and each once: that is how compiled patterns are known again.
        let known: String = "imsx".chars().filter(|option| options.contains(*option)).collect();
        let search = budget.pattern(pattern, &known, || compiled(pattern, &known, budget))?;
        let source = Value::Regex(pattern.to_owned(), options.to_owned());
        Ok(Pattern { search, source, budget: budget.clone() })
    }

    /// Whether the pattern is found in a text.
    pub(super) fn finds(&self, text: &str) -> Outcome<bool> {
        self.search.finds(text, &self.budget)
    }

    /// Whether a value matches: a text in which the pattern is found, or the same pattern stored as a value.
    pub(super) fn matches(&self, value: &Value) -> Outcome<bool> {
        value.as_str().map_or_else(|| Ok(value == &self.source), |text| self.finds(text))
    }
}

fn compiled(pattern: &str, options: &str, budget: &Budget) -> Outcome<Search> {
    if pattern.len() > LONGEST {
        return refuse(format!("Regular expression is too long: {LONGEST} bytes are the most"));
    }
    let Translation { text, cost } = translation::translated(pattern, options)?;
    budget.work(cost)?;
    let has = |option: char| options.contains(option);
    let syntax =
        syntax::Config::new().case_insensitive(has('i')).multi_line(has('m')).dot_matches_new_line(has('s'));
    let parsed = syntax::parse_with(&text, &syntax).or_else(|error| {
        // What stands before the reason is a drawing of the translated pattern, which nobody wrote.
        refuse_pattern(error.to_string().rsplit("error: ").next().unwrap_or_default())
    })?;
    let build = |size: usize| {
        // Nobody asks where it is found: what groups found would only take memory.
        let config = NFA::config().nfa_size_limit(Some(size)).which_captures(WhichCaptures::None);
        NFA::compiler().configure(config).build_from_hir(&parsed).ok()
    };
    let (size, nfa) = automaton(build, budget)?;
    let mut prefix = None;
    // Where the pattern begins it must not matter what stands before.
    if size <= SIZE_FOR_PREFIXES && parsed.properties().look_set_prefix_any().is_empty() {
        budget.each(size)?;
        prefix = Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &parsed).filter(Prefilter::is_fast);
    }
    Search::new(nfa, prefix)
}

/// What a pattern is compiled to, and which of the sizes is enough for it.
fn automaton(build: impl Fn(usize) -> Option<NFA>, budget: &Budget) -> Outcome<(usize, NFA)> {
    for size in SIZES {
        budget.each(size / 8)?;
        if let Some(nfa) = build(size) {
            return Ok((size, nfa));
        }
    }
    refuse_pattern("it is too large")
}
