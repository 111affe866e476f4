//! Log lines: one for each happening, with the credential's name as a field and in words.

use std::io::IsTerminal as _;

use tokenward_core::effect::Happening;
use tokenward_core::time::Span;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::feed::Entry;

/// Sends log lines to standard error: text for people, or one JSON object a line. `filter` is what
/// `TOKENWARD_LOG` holds (`info`, `debug`, `tokenward_server=debug,…`).
pub fn init(format: LogFormat, filter: Option<&str>) {
    let filter =
        filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second call in one process (tests) changes nothing.
    drop(match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    });
}

/// Writes what happened.
pub(super) fn happening(entry: &Entry, happening: &Happening) {
    let credential = entry.name.as_str();
    match happening {
        Happening::FetchBegun { cause, kind, late } => {
            tracing::debug!(
                credential,
                ?cause,
                ?kind,
                late_ms = late.0,
                "asking {} for a token",
                entry.platform
            );
        }
        Happening::Rotated { generation, life, kept: true } => {
            let life_s = life.whole_seconds();
            tracing::info!(credential, generation, life_s, "new token for {credential}");
        }
        Happening::Rotated { generation, life, kept: false } => {
            let life_s = life.whole_seconds();
            tracing::warn!(credential, generation, life_s, "new token for {credential}, not stored yet");
        }
        Happening::Unchanged => tracing::debug!(credential, "the platform returned the same token"),
        Happening::FetchFailed { kind, ambiguous } => failed(entry, kind.code(), *ambiguous),
        Happening::LateAnswerKept => tracing::info!(credential, "an answer came late and is kept"),
        Happening::LateAnswerDropped => tracing::info!(credential, "an answer came too late and is dropped"),
        Happening::BudgetRefused { wait } => budget(credential, *wait),
        Happening::KeepFailed => tracing::warn!(credential, "the token of {credential} could not be stored"),
        Happening::KeptLate => tracing::info!(credential, "the token of {credential} is stored after all"),
        Happening::FoundAlive => tracing::debug!(credential, "the platform still accepts the token"),
        Happening::FoundDead => tracing::warn!(credential, "the platform refuses the token of {credential}"),
        Happening::ForeignRefresh { times_today } => tracing::warn!(
            credential,
            times_today,
            "someone else fetches tokens for the app of {credential}: find it and point it here"
        ),
        Happening::Expired => tracing::error!(credential, "the last token of {credential} is over"),
        Happening::StateChanged { from, to } => {
            tracing::info!(credential, from = from.as_str(), "{credential} is {}", to.as_str());
        }
    }
}

fn failed(entry: &Entry, code: &str, ambiguous: bool) {
    let credential = entry.name.as_str();
    tracing::warn!(credential, code, ambiguous, "no token for {credential} from {}: {code}", entry.platform);
}

fn budget(credential: &str, wait: Span) {
    let wait_s = wait.whole_seconds();
    tracing::warn!(credential, wait_s, "the budget allows no fetch for {credential} now");
}
