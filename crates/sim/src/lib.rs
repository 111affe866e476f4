//! Seeded simulation of the refreshing core.
//!
//! One node, one store, one strict platform, readers, reporters, rivals and accidents, all driven by one
//! seed and a clock of the simulation's own. Every promise about refreshing is checked at every step; a
//! violation names the seed that repeats it. The platform here is a third reading of the documents, beside
//! the providers' and the emulator's.

mod node;
mod oracle;
mod platform;
mod random;
mod scenario;
mod world;

pub use oracle::Violation;
pub use world::{Summary, run};
