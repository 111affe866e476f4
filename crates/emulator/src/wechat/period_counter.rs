//! Counts that begin anew with each period: a minute, a day, a month.

/// A count that belongs to one period. Periods are numbered by the caller; a count of another period than
/// the asked one is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeriodCounter {
    period: i64,
    count: u32,
}

impl PeriodCounter {
    pub(crate) fn in_period(&self, period: i64) -> u32 {
        if self.period == period { self.count } else { 0 }
    }

    pub(crate) fn add(&mut self, period: i64) {
        *self = Self { period, count: self.in_period(period).saturating_add(1) };
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }
}
