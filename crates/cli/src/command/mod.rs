//! The commands, one a file.

pub mod callback;
pub mod cert;
pub mod check;
pub mod cloud;
mod cloud_jobs;
mod cloud_progress;
mod cloud_sources;
mod cloud_storage;
mod cloud_target;
pub mod completions;
pub mod emulate;
pub mod import;
pub mod refresh;
pub mod serve;
pub mod sign;
pub mod status;
pub mod token;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// SIGTERM and SIGINT, heard from the moment this is made. SIGHUP, which will reload the configuration in a
/// later version, ends nothing either.
pub struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on, signals end nothing by themselves.
    pub fn listen() -> Result<Signals, Failure> {
        let no_signals = |error| Failure::failed(format!("cannot listen for signals: {error}"), "Try again.");
        let terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        let hang_up = signal(SignalKind::hangup()).map_err(no_signals)?;
        Ok(Signals { hang_up, terminate, interrupt })
    }

    /// Completes with the next of them.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::warn!("SIGHUP is ignored: this version reads its configuration at the start only");
                }
            }
        }
    }
}
