//! Somebody else fetches tokens for the same app: how often, and what we do about it.
//!
//! Two foreign evictions within an hour make the credential contested. From then on holders are told two
//! minutes at most, the token is probed regularly, and fetches come out of a bucket of their own, so that
//! two parties never drive each other through the platform's quota.

use super::{Context, Credential};
use crate::budget::{Bucket, Exhausted};
use crate::effect::{Effect, Happening};
use crate::record::ForeignRecord;
use crate::time::{Boot, Now, Span, Wall, beijing};
use crate::view::ForeignView;

/// Deaths of our tokens that were not our doing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Foreign {
    day: i64,
    times: u32,
    last: Option<Wall>,
    last_boot: Option<Boot>,
    contested_until: Option<Boot>,
    fetches: Bucket,
}

const CONTEST_WINDOW: Span = Span::hours(1);
/// 300 fetches a day.
const CONTEST_REFILL: Span = Span::seconds(288);

impl Foreign {
    /// `then` is a reading of both clocks that goes together with the record's wall times.
    pub(super) fn restore(record: ForeignRecord, then: Now, now: Boot) -> Foreign {
        Foreign {
            day: record.day,
            times: record.times,
            last: record.last,
            // A clock that was set back must not make an old eviction look like one of just now.
            last_boot: record.last.map(|last| then.boot_of(last)).filter(|last| *last <= now),
            contested_until: record
                .contested_until
                .map(|until| then.boot_of(until).min(now + CONTEST_WINDOW))
                .filter(|until| *until > now),
            fetches: Bucket::default(),
        }
    }

    pub(super) fn record(&self, now: Now) -> ForeignRecord {
        ForeignRecord {
            day: self.day,
            times: self.times,
            last: self.last,
            contested_until: self.contested_until.map(|until| now.wall_of(until)),
        }
    }

    pub(super) fn is_contested(&self, now: Boot) -> bool {
        self.contested_until.is_some_and(|until| now < until)
    }

    pub(super) fn contested_until(&self) -> Option<Boot> {
        self.contested_until
    }

    pub(super) fn next_wakeup(&self) -> Boot {
        self.contested_until.unwrap_or(Boot::NEVER)
    }

    /// The bucket of contested fetches after one more.
    pub(super) fn with_fetch(&self, now: Boot, burst: u32) -> Result<Bucket, Exhausted> {
        let mut fetches = self.fetches;
        fetches.take(now, burst, CONTEST_REFILL)?;
        Ok(fetches)
    }

    pub(super) fn set_fetches(&mut self, fetches: Bucket) {
        self.fetches = fetches;
    }

    pub(super) fn view(&self, now: Now) -> ForeignView {
        let today = beijing::day(now.wall) == self.day;
        ForeignView { times_today: if today { self.times } else { 0 }, last: self.last }
    }
}

impl Credential {
    /// Our token died long before its end without our doing.
    pub(super) fn note_foreign(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        if !self.policy.semantics.dies_by_foreign_fetch() {
            return;
        }
        let today = beijing::day(now.wall);
        let foreign = &mut self.foreign;
        foreign.times = if foreign.day == today { foreign.times.saturating_add(1) } else { 1 };
        foreign.day = today;
        let again = foreign.last_boot.is_some_and(|last| now.boot - last < CONTEST_WINDOW);
        foreign.last = Some(now.wall);
        foreign.last_boot = Some(now.boot);
        if again {
            foreign.contested_until = Some(now.boot + CONTEST_WINDOW);
        }
        let times_today = foreign.times;
        self.dirty = true;
        cx.effects.push(Effect::Tell(Happening::ForeignRefresh { times_today }));
    }

    /// Ends the contest when nobody has interfered for an hour.
    pub(super) fn advance_contest(&mut self, cx: &mut Context<'_>) {
        if self.foreign.contested_until.is_some_and(|until| cx.now.boot >= until) {
            self.foreign.contested_until = None;
            self.dirty = true;
        }
    }
}
