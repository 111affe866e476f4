//! Refreshes at fixed times of the wall clock.
//!
//! A timetable says when; [`crate::policy::Policy::due`] makes it a part of the due time, which is drawn once for a
//! generation and stored with it. So a refresh that was missed is made once, and a scheduled refresh is budgeted and
//! fenced like any other. Deliberately absent: cron's dialects and time zones, which the shell knows.

use core::fmt;
use std::sync::Arc;

use crate::time::Wall;

/// Moments of the wall clock. A function of its argument: no clock is read.
pub trait Timetable: fmt::Debug + Send + Sync {
    /// The first firing after this moment; `None` when there is none any more.
    fn next_after(&self, moment: Wall) -> Option<Wall>;
}

/// When tokens are refreshed, whatever their lead says.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The times.
    pub timetable: Arc<dyn Timetable>,
    /// Whether it takes the place of the lead: without it, the earlier of the two counts.
    pub alone: bool,
}
