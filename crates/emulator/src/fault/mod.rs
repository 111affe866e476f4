//! Faults on demand: what goes wrong, where, how often and for how long.

mod board;
mod kind;
mod wire;

use std::time::Duration;

pub(crate) use board::{Faults, Target};
pub use kind::{FaultKind, ToldLife};
pub use wire::FaultError;

use crate::moment::Moment;

/// A fault to inject.
///
/// Without further words it strikes every request that its kind can strike (see [`FaultKind`]), until it is
/// cleared. The methods narrow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only requests whose path, repeated slashes collapsed, is this one or begins with it.
    pub path: Option<String>,
    /// Only requests that concern this app.
    pub app_id: Option<String>,
    /// Only this many times. At least 1.
    pub times: Option<u32>,
    /// Only for this long, on the emulator's clock.
    pub lasts: Option<Duration>,
}

impl Fault {
    /// A fault of this kind, not narrowed.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, path: None, app_id: None, times: None, lasts: None }
    }

    /// The same fault, on this path or on the paths that begin with it.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same fault, for requests that concern this app.
    #[must_use]
    pub fn for_app(mut self, app_id: impl Into<String>) -> Self {
        self.app_id = Some(app_id.into());
        self
    }

    /// The same fault, at most this many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same fault, for this long on the emulator's clock.
    #[must_use]
    pub fn lasting(mut self, lasts: Duration) -> Self {
        self.lasts = Some(lasts);
        self
    }
}

/// A fault that is active.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveFault {
    /// Counts the faults of this emulator, from 1.
    pub id: u64,
    /// The fault as it was injected.
    pub fault: Fault,
    /// How many more times it strikes; `None`: without limit.
    pub left: Option<u32>,
    /// When it ends by itself; `None`: never.
    pub until: Option<Moment>,
}
