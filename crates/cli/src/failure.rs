//! How a command ends when it does not succeed: what happened, what to do next, which exit code.

use std::process::ExitCode;

use serde_json::json;
use tokenward_client::{CallError, ClientError};
use tokenward_server::config::{ConfigError, Finding};

use crate::output;

/// A command that came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// Refused or failed: exit code 1.
    Failed {
        /// What happened.
        message: String,
        /// What to do.
        next_step: String,
    },
    /// The server's answer, with its code: exit code 1.
    Server(ClientError),
    /// A wrong configuration: exit code 2.
    Config(ConfigError),
    /// Everything has been said already: exit code 1.
    Said,
}

impl Failure {
    /// Refused or failed.
    pub fn failed(message: impl Into<String>, next_step: impl Into<String>) -> Failure {
        Failure::Failed { message: message.into(), next_step: next_step.into() }
    }

    /// 1 for what was refused or failed, 2 for what is configured wrongly.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Failure::Config(_)) { 2 } else { 1 })
    }

    /// Says what happened on standard error.
    pub fn show(&self, as_json: bool) {
        match self {
            Failure::Said => {}
            Failure::Config(error) if as_json => {
                let findings: Vec<_> = error.findings.iter().map(finding).collect();
                output::json_remark(&json!({ "errors": findings }));
            }
            Failure::Config(error) => error.findings.iter().for_each(show_finding),
            Failure::Server(ClientError::Refused { problem, .. }) if as_json => {
                output::json_remark(&json!(problem));
            }
            Failure::Server(error) => say(&error.to_string(), &error.next_step(), as_json),
            Failure::Failed { message, next_step } => say(message, next_step, as_json),
        }
    }
}

fn say(message: &str, next_step: &str, as_json: bool) {
    use owo_colors::OwoColorize as _;
    if as_json {
        output::json_remark(&json!({ "error": message, "next_step": next_step }));
    } else {
        let (message, next_step) = (output::printable(message), output::printable(next_step));
        anstream::eprintln!("{} {message}\n  {next_step}", "error:".red().bold());
    }
}

/// A finding as JSON.
pub fn finding(finding: &Finding) -> serde_json::Value {
    json!({
        "file": finding.file, "line": finding.line, "column": finding.column,
        "message": finding.message, "fix": finding.fix,
    })
}

/// A finding for people, with the place it points at.
pub fn show_finding(finding: &Finding) {
    let mut text = String::new();
    let plain = !std::io::IsTerminal::is_terminal(&std::io::stderr());
    let theme = if plain { miette::GraphicalTheme::none() } else { miette::GraphicalTheme::unicode() };
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(110);
    match handler.render_report(&mut text, finding) {
        Ok(()) => anstream::eprintln!("{}", text.trim_end()),
        Err(_) => anstream::eprintln!("{}: {}", finding.message, finding.fix),
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::Config(error)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        match error {
            CallError::Server(error) => Failure::Server(error),
            error => Failure::failed(error.to_string(), error.next_step()),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::Server(error)
    }
}
