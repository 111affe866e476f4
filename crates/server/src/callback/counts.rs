//! What is counted of callbacks, as metrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Requests of one callback, by what became of them.
#[derive(Debug, Default)]
pub struct Counts {
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
}

/// Attempts at one target.
#[derive(Debug, Default)]
pub struct Attempts {
    /// Messages that arrived.
    pub arrived: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
    /// Messages that were given up.
    pub given_up: AtomicU64,
}

/// How much is kept.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Messages on their way.
    pub waiting: AtomicUsize,
    /// Messages that were given up and are kept.
    pub dead: AtomicUsize,
}

impl Counts {
    /// Counts one request.
    pub fn count(&self, outcome: &'static str) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome).or_default() += 1;
    }

    fn render(&self, callback: &str, text: &mut String) {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, count) in outcomes.iter() {
            let labels = format!("callback=\"{callback}\",outcome=\"{outcome}\"");
            // Writing to a string does not fail.
            let _ = writeln!(text, "tokenward_callback_requests_total{{{labels}}} {count}");
        }
    }
}

/// All of it in the text format.
pub fn render<'a>(
    callbacks: impl Iterator<Item = (&'a str, &'a Counts)>,
    targets: impl Iterator<Item = (&'a str, &'a str, &'a Attempts)>,
    backlog: &Backlog,
) -> String {
    let mut text = String::new();
    head(&mut text, "callback_requests", "counter", "Requests to callbacks by what became of them");
    for (name, counts) in callbacks {
        counts.render(name, &mut text);
    }
    head(
        &mut text,
        "callback_deliveries",
        "counter",
        "Messages forwarded to targets, by the outcome of attempts",
    );
    for (callback, target, attempts) in targets {
        let outcomes =
            [("arrived", &attempts.arrived), ("failed", &attempts.failed), ("given_up", &attempts.given_up)];
        for (outcome, counter) in outcomes {
            let labels = format!("callback=\"{callback}\",target=\"{target}\",outcome=\"{outcome}\"");
            let count = counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "tokenward_callback_deliveries_total{{{labels}}} {count}");
        }
    }
    let kept = [
        ("callback_waiting", "Messages on their way", &backlog.waiting),
        ("callback_dead", "Messages given up and kept", &backlog.dead),
    ];
    for (name, help, gauge) in kept {
        head(&mut text, name, "gauge", help);
        let _ = writeln!(text, "tokenward_{name} {}", gauge.load(Ordering::Relaxed));
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP tokenward_{name} {help}.\n# TYPE tokenward_{name} {kind}");
}
