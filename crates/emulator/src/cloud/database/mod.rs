//! What MongoDB 3.6 does with documents, as far as cloud development shows it: queries, updates, projections,
//! orders, aggregations.
//!
//! Everything here is a pure function over values. There is no storage, no clock and no chance in it: the moment of
//! an update and the seed of a sample are arguments. Deliberately absent: text search,
//! collations, `$where`, and whatever came after MongoDB 3.6.

mod budget;
mod error;
mod expr;
mod filter;
mod geo;
#[cfg(test)]
mod hostile_tests;
mod kind;
mod number;
#[cfg(test)]
mod ordinary_tests;
mod output_size;
mod path;
mod pattern;
mod project;
mod reach;
mod sort;
mod sought;
mod stages;
#[cfg(test)]
mod testing;
mod update;

pub(crate) use error::DatabaseError;
pub(crate) use expr::Variables;
pub(crate) use filter::{Filter, is_operators};
pub(crate) use output_size::OutputSize;
pub(crate) use project::Projection;
pub(crate) use reach::{Path, Reached, reach};
pub(crate) use sort::SortOrder;
pub(crate) use stages::{Surroundings, run};
pub(crate) use update::{Occasion, Update};
