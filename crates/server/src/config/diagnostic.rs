//! Findings about a configuration: where, what, and how to mend it. Source lines are shown with everything
//! that may be a secret blotted out.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

/// One thing that is wrong, or worth a word.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The configuration file as it was given.
    pub file: String,
    /// Line, from 1. 0 when the file could not be read.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub fix: String,
    pub(super) warning: bool,
    pub(super) span: Range<usize>,
    pub(super) source: Option<NamedSource<String>>,
}

/// A configuration that does not make sense, with all findings.
#[derive(Debug)]
pub struct ConfigError {
    /// What is wrong, in the order of the file.
    pub findings: Vec<Finding>,
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
        let fix = if error.kind() == std::io::ErrorKind::NotFound {
            "Name the file with -c, or write a tokenward.toml; `tokenward demo` shows one."
        } else {
            "Make the file readable for the user that Tokenward runs as."
        };
        ConfigError {
            findings: vec![Finding {
                file: path.display().to_string(),
                line: 0,
                column: 0,
                message: format!("cannot read {}: {error}", path.display()),
                fix: fix.to_owned(),
                warning: false,
                span: 0..0,
                source: None,
            }],
        }
    }

    /// A finding about something outside the file's text: a folder, a listener, a secret's place.
    #[must_use]
    pub fn outside(message: impl Into<String>, fix: impl Into<String>) -> ConfigError {
        let finding = Finding {
            file: String::new(),
            line: 0,
            column: 0,
            message: message.into(),
            fix: fix.into(),
            warning: false,
            span: 0..0,
            source: None,
        };
        ConfigError { findings: vec![finding] }
    }
}

/// The configuration's text without anything that may be a secret: for pointing at places in it.
#[derive(Clone, Debug)]
pub(super) struct ConfigText {
    blotted: String,
    file: String,
}

impl ConfigText {
    pub(super) fn new(text: &str, path: &Path) -> ConfigText {
        ConfigText { blotted: blot(text), file: path.display().to_string() }
    }

    /// An error at a place.
    pub(super) fn complain(&self, span: Range<usize>, message: String, fix: String) -> ConfigError {
        let ConfigError { mut findings } = ConfigError::outside(message, fix);
        for finding in &mut findings {
            finding.span = span.clone();
            self.locate(finding);
        }
        ConfigError { findings }
    }

    /// Finds out line and column of a finding's span.
    pub(super) fn locate(&self, finding: &mut Finding) {
        let before = self.blotted.get(..finding.span.start).unwrap_or(&self.blotted);
        finding.file.clone_from(&self.file);
        finding.line = before.matches('\n').count() + 1;
        finding.column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        finding.source = Some(NamedSource::new(&self.file, self.blotted.clone()).with_language("toml"));
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn severity(&self) -> Option<Severity> {
        Some(if self.warning { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.fix))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, self.span.clone()))))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if finding.line > 0 {
                write!(f, "{}:{}:{}: ", finding.file, finding.line, finding.column)?;
            }
            write!(f, "{} {}", finding.message, finding.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Words in a key that tell that its value may be a secret.
const SECRET_WORDS: [&str; 6] = ["secret", "key", "inline", "password", "token", "command"];

/// The text with the contents of quotes starred out on every line whose key may hold a secret. Byte for byte
/// as long as before, so that spans still fit.
fn blot(text: &str) -> String {
    let mut blotted = String::with_capacity(text.len());
    let mut long_quote: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let secret =
            SECRET_WORDS.iter().any(|word| lower.contains(word)) && !lower.trim_start().starts_with('[');
        if let Some(quote) = long_quote {
            blotted.push_str(&stars(line));
            if line.contains(quote) {
                long_quote = None;
            }
        } else if secret {
            blotted.push_str(&blot_quotes(line));
            long_quote = ["\"\"\"", "'''"].into_iter().find(|quote| line.matches(quote).count() % 2 == 1);
        } else {
            blotted.push_str(line);
        }
    }
    blotted
}

fn stars(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_ascii_whitespace() { c.to_string() } else { "*".repeat(c.len_utf8()) })
        .collect()
}

fn blot_quotes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut open = None;
    for c in line.chars() {
        match open {
            None => {
                open = matches!(c, '"' | '\'').then_some(c);
                out.push(c);
            }
            Some(quote) if c == quote => {
                open = None;
                out.push(c);
            }
            Some(_) if c == '\n' => out.push(c),
            Some(_) => out.push_str(&"*".repeat(c.len_utf8())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_starred_out_and_everything_stays_in_place() {
        let text = "platform = \"wechat\"\napp_secret = \"hunter2ü\" # \"x\"\nkey = '''\nhunter2\n'''\nscope = \"read\"\n";
        let blotted = blot(text);
        assert!(!blotted.contains("hunter2"), "{blotted}");
        assert!(blotted.contains("platform = \"wechat\"") && blotted.contains("scope = \"read\""));
        assert_eq!(blotted.len(), text.len());
    }
}
