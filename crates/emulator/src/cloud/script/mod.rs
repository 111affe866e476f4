//! Query texts: a subset of JavaScript, parsed by a real parser and evaluated over a whitelist.
//!
//! Nothing is run: every identifier, member and call is looked up in a list, and what is not on it is an error with its
//! place. The value of the last expression is the request. Deliberately absent: functions, arithmetic, conditions,
//! loops, assignment, and everything else that the platform does not evaluate either.

mod chain;
mod encode;
mod interpreter;
mod item;
mod methods;
mod shape;

use oxc_allocator::Allocator;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

use super::request::Request;
use interpreter::Interpreter;

/// Why a text is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at line {line}, col {column})")]
pub(crate) struct ScriptError {
    /// What is wrong.
    pub(crate) reason: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
}

/// What is wrong, and where in the text.
type Fault = (String, u32);
type Evaluated<T> = Result<T, Fault>;

/// The longest text, in bytes.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// Evaluates a text at a moment (milliseconds since 1970), which is what server dates are made from.
///
/// # Errors
/// It is not a text of the subset, or does not end in a request.
pub(crate) fn evaluate(text: &str, now: i64) -> Result<Request, ScriptError> {
    let place = |(reason, offset): Fault| locate(text, reason, offset);
    if text.len() > LONGEST {
        return Err(place((format!("the text has more than {LONGEST} bytes"), 0)));
    }
    shape::check(text).map_err(place)?;
    let allocator = Allocator::default();
    // Parentheses mean nothing here.
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, text, SourceType::cjs()).with_options(options).parse();
    if let Some(diagnostic) = parsed.diagnostics.first() {
        let offset = diagnostic.labels.first().map_or(0, |label| label.offset());
        return Err(place((format!("SyntaxError: {}", diagnostic.message), offset)));
    }
    Interpreter::new(now).run(&parsed.program).map_err(place)
}

fn locate(text: &str, reason: String, offset: u32) -> ScriptError {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ScriptError { reason, line, column }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
