//! The token control server: the shell around the core.
//!
//! Configuration → build → run. Decisions are the core's; this crate reads clocks, files and sockets, carries
//! effects out, and shows what was decided. Later rooms: console.

mod callback;
pub mod clients;
pub mod clock;
pub mod config;
mod data_dir;
mod driver;
mod facade;
mod feed;
mod fetch;
mod gateway;
mod http;
mod import;
mod keeper;
mod material;
pub mod process;
mod reach;
pub mod schedule;
mod serve;
mod sinks;
mod telemetry;
mod ticket;
mod token_index;
mod try_out;

pub use data_dir::admin_socket;
pub use http::how_often;
pub use import::{Import, Imported, import};
pub use serve::{BrokeDown, Server, Stopper};
pub use telemetry::{Seen, init_log};
pub use tokenward_core::effect::Happening;
pub use try_out::{Trial, try_out};
