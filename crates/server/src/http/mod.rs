//! The HTTP API. One resource a file; the hot route is matched at hyper's door, everything else by a router.

mod answer;
mod aside;
mod cloud;
mod credentials;
mod door;
mod files;
mod health;
mod listen;
mod oauth;
mod openapi;
mod refresh;
mod report;
mod request_id;
mod routes;
mod sign;
mod status;
mod tls;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::callback::Callbacks;
use crate::clients::Clients;
use crate::driver::Input;
use crate::facade::Facade;
use crate::feed::Feed;
use crate::gateway::Gateway;
use crate::keeper::Health;
use crate::telemetry::Telemetry;

pub use answer::{Body, Refusal, json, whole};
pub use door::Activity;
pub use files::FileRoots;
pub use listen::{BODY_TIMEOUT, Entrance, Listener, serve};
pub use report::{look, report_refused};
pub use request_id::RequestIds;
pub use status::how_often;
pub use tls::acceptor;
pub use token::wait_for_usable;

/// What every request needs.
#[derive(Debug)]
pub struct Api {
    /// Published credentials.
    pub feed: Arc<Feed>,
    /// Who may ask.
    pub clients: Clients,
    /// Calls to platforms.
    pub gateway: Gateway,
    /// The gateway dressed as the platform, if the configuration wants it.
    pub facade: Option<Facade>,
    /// Server callbacks, if the configuration wants them.
    pub callbacks: Option<Arc<Callbacks>>,
    /// Where reports and wishes go.
    pub driver: mpsc::UnboundedSender<Input>,
    /// Whether the store works.
    pub store: Arc<Health>,
    /// Logs and metrics.
    pub telemetry: Arc<Telemetry>,
    /// Names for requests.
    pub request_ids: RequestIds,
    /// How ids of files in the cloud begin.
    pub file_roots: FileRoots,
    /// Set when the server is shutting down.
    pub draining: AtomicBool,
}

impl Api {
    /// Whether the server is shutting down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
