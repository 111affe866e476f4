//! Statements as the platform receives them, word for word.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod aggregates;
mod changes;
mod hostile;
mod queries;
mod reader;
mod results;
mod structured;
