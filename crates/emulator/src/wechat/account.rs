//! What WeChat keeps about one app, besides the hash of its secret.

use super::period_counter::PeriodCounter;
use super::slot::Slot;
use super::tickets::Ticket;
use crate::moment::Moment;

/// One app at WeChat. The two token interfaces share nothing but the monthly count of clearings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) classic: Slot,
    pub(crate) stable: Slot,
    /// Classic fetches, by day.
    pub(crate) fetched: PeriodCounter,
    /// Calls of the stable interface, by day.
    pub(crate) stable_daily: PeriodCounter,
    /// Calls of the stable interface, by minute.
    pub(crate) stable_minutely: PeriodCounter,
    /// Forced refreshes, by day.
    pub(crate) forced: PeriodCounter,
    pub(crate) last_forced: Option<Moment>,
    pub(crate) tickets: Vec<Ticket>,
    /// Calls for tickets, by day.
    pub(crate) ticket_calls: PeriodCounter,
    /// Clearings of the counters, by month.
    pub(crate) cleared: PeriodCounter,
}

impl Account {
    /// Forgets every token and returns how many were still alive.
    pub(crate) fn forget_tokens(&mut self, now: Moment) -> usize {
        self.classic.forget_all(now) + self.stable.forget_all(now)
    }
}
