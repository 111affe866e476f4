//! The faults that are active, and which of them strikes a request.
//!
//! Precedence, from the outside in: the longest matching latency delays the answer; among the kinds that
//! stand in for the platform's answer the fault injected first wins, and only the winner counts down, so that
//! several faults play one after the other; then the platform's own conditions (frozen, quota) at their place
//! in its order of checks; then what happens to the answer: an untrue life, the reset, the truncation.

use std::collections::HashSet;
use std::time::Duration;

use super::{ActiveFault, Fault, FaultKind};
use crate::apps::AppIndex;
use crate::moment::Moment;
use crate::route::collapse_slashes;

/// A request, as far as faults look at it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) now: Moment,
    /// With slashes collapsed.
    pub(crate) path: String,
    pub(crate) is_token_request: bool,
    /// The app that the request concerns. Looked for only while faults are active, because it costs a look
    /// into the body.
    pub(crate) app: Option<(AppIndex, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    active: Vec<Entry>,
    injected: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    public: ActiveFault,
    /// Apps whose counters were cleared since: the fault no longer concerns them.
    lifted_for: HashSet<AppIndex>,
}

impl Faults {
    /// Adds a fault and returns its id.
    pub(crate) fn inject(&mut self, now: Moment, mut fault: Fault) -> u64 {
        self.injected += 1;
        fault.path = fault.path.map(|path| collapse_slashes(&path));
        let mut until = fault.lasts.map(|lasts| now.plus(lasts));
        if fault.kind == FaultKind::QuotaUsedUp {
            let midnight = now.next_beijing_midnight();
            until = Some(until.map_or(midnight, |until| until.min(midnight)));
        }
        let public = ActiveFault { id: self.injected, left: fault.times, until, fault };
        self.active.push(Entry { public, lifted_for: HashSet::new() });
        self.forget_exhausted();
        self.injected
    }

    /// Ends all faults and returns how many there were.
    pub(crate) fn clear(&mut self, now: Moment) -> usize {
        self.forget_ended(now);
        std::mem::take(&mut self.active).len()
    }

    /// The active faults, in the order of their injection.
    pub(crate) fn list(&mut self, now: Moment) -> Vec<ActiveFault> {
        self.forget_ended(now);
        self.active.iter().map(|entry| entry.public.clone()).collect()
    }

    /// Whether there is any fault that might strike.
    pub(crate) fn are_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// The app's counters were cleared.
    pub(crate) fn lift_quota(&mut self, app: AppIndex) {
        for entry in &mut self.active {
            if entry.public.fault.kind == FaultKind::QuotaUsedUp {
                entry.lifted_for.insert(app);
            }
        }
    }

    /// The delay of this request; each fault that contributes counts down.
    pub(crate) fn take_latency(&mut self, target: &Target) -> Duration {
        self.forget_ended(target.now);
        let mut longest = Duration::ZERO;
        for entry in &mut self.active {
            if let FaultKind::Latency(latency) = entry.public.fault.kind
                && entry.strikes(target)
            {
                longest = longest.max(latency);
                entry.count_down();
            }
        }
        self.forget_exhausted();
        longest
    }

    /// The first matching fault of the wanted kinds; it counts down.
    pub(crate) fn take(&mut self, target: &Target, wanted: impl Fn(&FaultKind) -> bool) -> Option<FaultKind> {
        self.forget_ended(target.now);
        let entry =
            self.active.iter_mut().find(|entry| wanted(&entry.public.fault.kind) && entry.strikes(target))?;
        entry.count_down();
        let kind = entry.public.fault.kind.clone();
        self.forget_exhausted();
        Some(kind)
    }

    fn forget_ended(&mut self, now: Moment) {
        self.active.retain(|entry| entry.public.until.is_none_or(|until| now < until));
    }

    fn forget_exhausted(&mut self) {
        self.active.retain(|entry| entry.public.left != Some(0));
    }
}

impl Entry {
    fn strikes(&self, target: &Target) -> bool {
        let fault = &self.public.fault;
        let path_fits = match &fault.path {
            Some(path) => target.path.starts_with(path.as_str()),
            None => target.is_token_request || !fault.kind.is_about_tokens(),
        };
        let app_fits = match (&fault.app_id, &target.app) {
            (Some(wanted), Some((_, id))) => wanted == id,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let lifted = target.app.as_ref().is_some_and(|(app, _)| self.lifted_for.contains(app));
        path_fits && app_fits && !lifted
    }

    fn count_down(&mut self) {
        self.public.left = self.public.left.map(|left| left.saturating_sub(1));
    }
}
