//! What one request may cost: steps, memory, patterns.
//!
//! A step is about what one value costs that is looked at, compared or copied: all steps of a request take about two
//! seconds in an optimised build, most of them less. Nothing is measured with a clock, so that a request that is refused
//! is always refused. Memory is what a request makes, not what is stored anyway: what is held until its stage is over,
//! and what is made for one document and then given up. It is estimated; the process may take twice as much.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::error::{Outcome, refuse};
use super::pattern::Search;
use crate::cloud::measure::{DEEPEST_DOCUMENT, Measure};
use crate::cloud::value::Value;

/// The most steps.
const MOST_STEPS: u64 = 30_000_000;
/// The most bytes that are made and held at a time.
const MOST_MEMORY: u64 = 128 * 1024 * 1024;
/// The most regular expressions.
const MOST_PATTERNS: usize = 100;

/// What is left of what a request may cost. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Rc<Spent>);

#[derive(Debug, Default)]
struct Spent {
    steps: Cell<u64>,
    held: Cell<u64>,
    fleeting: Cell<u64>,
    /// By pattern and options.
    patterns: RefCell<HashMap<(String, String), Rc<Search>>>,
}

/// Gives up, when dropped, what was made for a document.
pub(super) struct ForOneDocument {
    before: u64,
    spent: Rc<Spent>,
}

impl Drop for ForOneDocument {
    fn drop(&mut self) {
        self.spent.fleeting.set(self.before);
    }
}

impl Budget {
    /// Takes steps.
    pub(super) fn work(&self, steps: u64) -> Outcome<()> {
        let all = self.0.steps.get().saturating_add(steps);
        self.0.steps.set(all);
        if all > MOST_STEPS {
            return refuse(format!(
                "exceeded time limit: the request takes more than {MOST_STEPS} steps; ask for less at a time"
            ));
        }
        Ok(())
    }

    /// How many steps were taken.
    #[cfg(test)]
    pub(super) fn steps(&self) -> u64 {
        self.0.steps.get()
    }

    /// Takes as many steps as there are things in a list.
    pub(super) fn each(&self, length: usize) -> Outcome<()> {
        self.work(length as u64)
    }

    /// Copies a value, or makes one.
    pub(super) fn make(&self, value: &Value) -> Outcome<()> {
        self.measured(Measure::of(value))
    }

    /// The same of a value that was measured.
    pub(super) fn measured(&self, measure: Measure) -> Outcome<()> {
        if measure.depth > DEEPEST_DOCUMENT {
            return refuse(format!("a value is nested deeper than {DEEPEST_DOCUMENT} levels"));
        }
        // Documents take longer than their values alone.
        self.work(measure.values + measure.memory / 64)?;
        self.bytes(measure.memory)
    }

    /// Makes so many bytes.
    pub(super) fn bytes(&self, bytes: u64) -> Outcome<()> {
        self.0.fleeting.set(self.0.fleeting.get().saturating_add(bytes));
        self.check_memory()
    }

    /// What is made from here on is made for one document: given up when the returned value is dropped, unless it is
    /// kept. What a surrounding document has made stays counted.
    #[must_use = "what is made is given up when this is dropped"]
    pub(super) fn for_one_document(&self) -> ForOneDocument {
        ForOneDocument { before: self.0.fleeting.get(), spent: Rc::clone(&self.0) }
    }

    /// Keeps so many bytes.
    pub(super) fn keep(&self, bytes: u64) -> Outcome<()> {
        self.0.held.set(self.0.held.get().saturating_add(bytes));
        self.check_memory()
    }

    /// Gives up what was kept.
    pub(super) fn release(&self, bytes: u64) {
        self.0.held.set(self.0.held.get().saturating_sub(bytes));
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> u64 {
        self.0.held.get()
    }

    fn check_memory(&self) -> Outcome<()> {
        if self.0.held.get().saturating_add(self.0.fleeting.get()) > MOST_MEMORY {
            return refuse(format!(
                "exceeded memory limit: the request makes more than {MOST_MEMORY} bytes; ask for less at a time"
            ));
        }
        Ok(())
    }

    /// A regular expression, which is compiled by `compile` when it is met for the first time.
    pub(super) fn pattern(
        &self,
        pattern: &str,
        options: &str,
        compile: impl FnOnce() -> Outcome<Search>,
    ) -> Outcome<Rc<Search>> {
        let mut patterns = self.0.patterns.borrow_mut();
        let name = (pattern.to_owned(), options.to_owned());
        if let Some(known) = patterns.get(&name) {
            return Ok(Rc::clone(known));
        }
        if patterns.len() >= MOST_PATTERNS {
            return refuse(format!("a request may have {MOST_PATTERNS} regular expressions at most"));
        }
        let compiled = Rc::new(compile()?);
        patterns.insert(name, Rc::clone(&compiled));
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_to_an_end() {
        let budget = Budget::default();
        assert!(budget.work(MOST_STEPS).is_ok());
        assert!(budget.clone().work(1).unwrap_err().to_string().starts_with("exceeded time limit"));
    }

    #[test]
    fn what_is_made_around_another_document_stays_counted() {
        let budget = Budget::default();
        let _outer = budget.for_one_document();
        budget.bytes(MOST_MEMORY).unwrap();
        drop(budget.for_one_document());
        assert!(budget.bytes(1).is_err());
    }

    #[test]
    fn what_is_given_up_can_be_made_again() {
        let budget = Budget::default();
        for _ in 0..3 {
            let _made = budget.for_one_document();
            budget.bytes(MOST_MEMORY).unwrap();
        }
        assert!(budget.keep(MOST_MEMORY).is_ok());
        assert!(budget.bytes(1).unwrap_err().to_string().starts_with("exceeded memory limit"));
    }
}
