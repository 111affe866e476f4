//! Findings about a configuration: where, what, and how to mend it. Source lines are shown with everything
//! that may be a secret blotted out.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

use super::blot::blot;

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
        ConfigError { findings: vec![Finding::nowhere(message.into(), fix.into())] }
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
        let finding = Finding { warning: false, ..self.remark(span, message, fix) };
        ConfigError { findings: vec![finding] }
    }

    /// A warning at a place.
    pub(super) fn remark(&self, span: Range<usize>, message: String, fix: String) -> Finding {
        let mut finding = Finding { span, warning: true, ..Finding::nowhere(message, fix) };
        self.locate(&mut finding);
        finding
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

impl Finding {
    fn nowhere(message: String, fix: String) -> Finding {
        let (file, span) = (String::new(), 0..0);
        Finding { file, line: 0, column: 0, message, fix, warning: false, span, source: None }
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
