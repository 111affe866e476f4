//! The commands, one a file.

pub mod check;
pub mod completions;
pub mod emulate;
pub mod refresh;
pub mod serve;
pub mod status;
pub mod token;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Completes on SIGTERM or SIGINT.
pub async fn until_stopped() -> Result<(), Failure> {
    let no_signals = |error| Failure::failed(format!("cannot listen for signals: {error}"), "Try again.");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
