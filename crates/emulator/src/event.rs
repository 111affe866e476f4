//! What happened inside the emulator, for an audience such as a demo.

use std::fmt;
use std::time::Duration;

use crate::duration_text;
use crate::moment::Moment;
use crate::token_api::TokenApi;

/// Something that happened, and when. No event carries a secret or a whole token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, on the emulator's clock.
    pub at: Moment,
    /// What.
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A new token came into being.
    Issued {
        /// By which interface.
        api: TokenApi,
        /// For which app.
        app_id: String,
        /// The beginning of the token.
        token: String,
        /// Its life.
        life: Duration,
        /// Whether the old one was killed on request (`force_refresh`).
        forced: bool,
    },
    /// The stable interface answered with the token that it had answered before.
    Repeated {
        /// For which app.
        app_id: String,
        /// The beginning of the token.
        token: String,
    },
    /// A request for a token was refused.
    Refused {
        /// By which interface.
        api: TokenApi,
        /// The app, when the request named one that exists.
        app_id: Option<String>,
        /// The platform's name for the reason: a code, or an OAuth error.
        reason: String,
    },
    /// A business call was refused because of its token.
    TokenRefused {
        /// The call.
        path: &'static str,
        /// The app that the token once belonged to, when it was ever issued here.
        app_id: Option<String>,
        /// The platform's name for the reason.
        reason: String,
    },
    /// Live tokens were forgotten by order of a control call.
    Invalidated {
        /// The app; `None` for all of them.
        app_id: Option<String>,
        /// How many tokens died.
        tokens: usize,
    },
    /// The counters of an app were cleared by `clear_quota`.
    QuotaCleared {
        /// The app.
        app_id: String,
    },
    /// A fault became active.
    FaultInjected {
        /// Its kind.
        kind: &'static str,
    },
    /// A fault changed what happened to a request.
    FaultStruck {
        /// Its kind.
        kind: &'static str,
        /// The call.
        path: &'static str,
    },
    /// The clock was moved forward.
    TimeMoved {
        /// By how much.
        by: Duration,
    },
    /// A cloud function wrote a line to its log.
    FunctionSaid {
        /// The environment that it ran in.
        env: String,
        /// Its name.
        name: String,
        /// The line.
        line: String,
    },
    /// A run of a cloud function ended.
    FunctionEnded {
        /// The environment that it ran in.
        env: String,
        /// Its name.
        name: String,
        /// Who called it: `http`, `delayed`, `timer` or `function`.
        source: &'static str,
        /// How long it took, in real time.
        took: Duration,
        /// Code and text, if it failed.
        failure: Option<String>,
    },
}

/// One line for a terminal.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Happening::Issued { api, app_id, token, life, forced } => {
                let how = if *forced { " by force" } else { "" };
                write!(f, "{api}: issued {token} to {app_id}{how}, for {}", duration_text::format(*life))
            }
            Happening::Repeated { app_id, token } => write!(f, "stable: repeated {token} to {app_id}"),
            Happening::Refused { api, app_id, reason } => {
                write!(f, "{api}: refused {}: {reason}", app_id.as_deref().unwrap_or("an unknown app"))
            }
            Happening::TokenRefused { path, app_id, reason } => {
                let whose = app_id.as_deref().unwrap_or("nobody");
                write!(f, "{path}: refused a token of {whose}: {reason}")
            }
            Happening::Invalidated { app_id, tokens } => {
                write!(f, "forgot {tokens} live tokens of {}", app_id.as_deref().unwrap_or("all apps"))
            }
            Happening::QuotaCleared { app_id } => write!(f, "cleared the counters of {app_id}"),
            Happening::FaultInjected { kind } => write!(f, "fault {kind} is active"),
            Happening::FaultStruck { kind, path } => write!(f, "fault {kind} struck {path}"),
            Happening::FunctionSaid { env, name, line } => write!(f, "function {env}/{name}: {line}"),
            Happening::FunctionEnded { env, name, source, took, failure } => {
                let took = took.as_millis();
                match failure {
                    None => write!(f, "function {env}/{name} ({source}) returned after {took}ms"),
                    Some(failure) => {
                        write!(f, "function {env}/{name} ({source}) failed after {took}ms: {failure}")
                    }
                }
            }
            Happening::TimeMoved { by } => write!(f, "time moved by {}", duration_text::format(*by)),
        }
    }
}

/// The beginning of a token: enough to tell two apart on a screen, too little to use.
pub(crate) fn hint(token: &str) -> String {
    token.chars().take(10).chain(['…']).collect()
}
