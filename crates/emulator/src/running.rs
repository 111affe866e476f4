//! An emulator that is running.

use std::net::SocketAddr;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::control::Control;
use crate::stats::Stats;

/// A running emulator. Dropping it stops it too, a moment later.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    control: Control,
    /// The shell ends when this is dropped.
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    pub(crate) fn new(
        address: SocketAddr,
        control: Control,
        stop: oneshot::Sender<()>,
        serving: JoinHandle<()>,
    ) -> Self {
        Self { address, control, stop, serving }
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for clients, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The control calls for code in the same process.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.control.stats()
    }

    /// Closes the listener and all connections; answers that are under way are lost. The port is free when
    /// this returns.
    pub async fn stop(self) {
        drop(self.stop);
        // The task ends by itself; that it might have been cancelled with its runtime is no concern here.
        let _ = self.serving.await;
    }
}
