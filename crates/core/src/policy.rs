//! When a token is due for refresh, how long holders may rely on it, how long to wait after a failure.
//!
//! Pure arithmetic over a credential's [`Policy`]; the state machine asks, nothing here remembers.

use crate::budget::Limits;
use crate::draw;
use crate::schedule::Schedule;
use crate::semantics::{FetchKind, IssueSemantics};
use crate::time::{Boot, Now, Span};

/// The refreshing rules of one credential; many credentials share one.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What a fetch does to the token before it.
    pub semantics: IssueSemantics,
    /// How long before the end a token is refreshed.
    pub lead: Lead,
    /// At which times it is refreshed, beside its lead or instead of it.
    pub schedule: Option<Schedule>,
    /// How long the old token lives on after an exclusive fetch.
    pub overlap: Span,
    /// How far the platform's devices disagree about the time.
    pub skew: Span,
    /// How long a holder may rely on a token after an exclusive fetch has begun. At most the overlap.
    pub safe_part: Span,
    /// How early the platform itself renews (idempotent platforms only).
    pub renew_window: Span,
    /// Whether the platform offers a cheap call that tells whether a token is alive.
    pub probe: bool,
    /// What the platform lets us fetch.
    pub limits: Limits,
}

/// How long before its end a token becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// This long before the end, the last tenth of it spread; at most 55 % of the life.
    Fixed(Span),
    /// When this share of the life is over: drawn between 65 % and 80 %.
    Share,
    /// As soon as the platform itself renews: [`Policy::renew_window`] before the end.
    Window,
}

/// The shortest told life of a token whose fate is unknown: long enough for one call.
pub const DOUBTFUL_LIFE: Span = Span::seconds(2);
/// The longest told life while somebody else keeps fetching for the same app.
pub const CONTESTED_LIFE: Span = Span::seconds(120);

impl Policy {
    /// When the token of `generation` becomes due. A function of its arguments: drawn once, never moved.
    #[must_use]
    pub fn due(&self, name: &str, generation: u64, issued: Boot, end: Boot, now: Now) -> Boot {
        let by_lead = self.due_by_lead(name, generation, issued, end);
        let life = end - issued;
        let firing = self.next_firing(issued + self.apart(life), now);
        match &self.schedule {
            // A firing that comes too late to try again, or never, does not let the token run out.
            Some(schedule) if schedule.alone && firing > end - reserve(life) => by_lead,
            Some(schedule) if schedule.alone => firing,
            _ => by_lead.min(firing),
        }
    }

    /// When the schedule fires first after `moment`.
    #[must_use]
    pub fn next_firing(&self, moment: Boot, now: Now) -> Boot {
        let schedule = self.schedule.as_ref();
        let firing = schedule.and_then(|schedule| schedule.timetable.next_after(now.wall_of(moment)));
        firing.map_or(Boot::NEVER, |firing| now.boot_of(firing))
    }

    /// How long after a fetch a firing counts as served by it: while holders of the token before rely on that, and
    /// for as long as the clock may have been corrected since the firing was planned.
    #[must_use]
    pub fn apart(&self, life: Span) -> Span {
        let safe_part = if self.semantics.rotates() { self.safe_part } else { Span::ZERO };
        safe_part.max(life.part(1, 240).min(Span::minutes(1)))
    }

    /// The longest pause between two firings that a schedule alone may have: a token fetched in between, at the worst
    /// moment, still has its reserve when the second comes.
    #[must_use]
    pub fn longest_pause(&self, life: Span) -> Span {
        life - reserve(life) - self.apart(life)
    }

    fn due_by_lead(&self, name: &str, generation: u64, issued: Boot, end: Boot) -> Boot {
        let life = end - issued;
        let spread = draw::fraction(0, name, generation);
        match self.lead {
            Lead::Fixed(lead) => {
                let lead = lead.min(life.part(11, 20));
                let due = end - lead + lead.part(1, 10).fraction(spread);
                due.max(issued + self.safe_part.min(life.part(9, 10)))
            }
            Lead::Share => issued + life.part(65, 100) + life.part(15, 100).fraction(spread),
            Lead::Window => {
                let window = self.renew_window.min(life.part(11, 20));
                end - window + window.part(1, 10).fraction(spread)
            }
        }
    }

    /// When to ask an idempotent platform again that answered with the token we already have: as soon as
    /// it renews, and inside that window every sixtieth to thirtieth part of it (5-10 s of WeChat's 5 min).
    #[must_use]
    pub fn ask_again(&self, name: &str, attempt: u64, now: Boot, end: Boot) -> Boot {
        let spread = draw::fraction(1, name, attempt);
        let step = self.renew_window.part(1, 60).max(Span(250));
        let pause = step + step.fraction(spread);
        (end - self.renew_window + pause).max(now + pause)
    }

    /// How long to wait after so many failures in a row: exponential with full jitter, at most a minute
    /// while a token is in hand and half of that while there is none.
    #[must_use]
    pub fn backoff(&self, salt: u64, name: &str, failures: u32, usable: bool) -> Span {
        let cap = if usable { Span::seconds(60) } else { Span::seconds(30) };
        let ceiling = Span(1_000_i64 << failures.clamp(1, 12)).min(cap);
        Span(100) + ceiling.fraction(draw::fraction(salt, name, u64::from(failures)))
    }

    /// How long one fetch may take before its outcome counts as unknown: ten seconds, and less where the
    /// safe part of the old token must outlast it.
    #[must_use]
    pub fn fetch_timeout(&self, kind: FetchKind) -> Span {
        let longest = Span::seconds(10);
        if self.semantics.is_exclusive(kind) && self.semantics == IssueSemantics::RotateWithOverlap {
            self.safe_part.part(1, 2).clamp(Span(500), longest)
        } else {
            longest
        }
    }

    /// After an exclusive fetch whose outcome is unknown: how long after its start the next one follows.
    /// A little later than the safe part, so that nobody was told to rely on a token beyond that moment.
    #[must_use]
    pub fn retry_after_ambiguous(&self) -> Span {
        self.safe_part + self.safe_part.part(1, 10).min(Span::seconds(1))
    }

    /// The least time between two probes of one token: ten seconds, less where lives are short (tests, demo).
    #[must_use]
    pub fn probe_spacing(&self, life: Span) -> Span {
        life.part(1, 40).clamp(Span(250), Span::seconds(10))
    }

    /// The time between probes while the credential is contested or its token doubtful.
    #[must_use]
    pub fn watch_spacing(&self, life: Span) -> Span {
        self.probe_spacing(life).part(3, 1)
    }
}

/// What is left of a token's life at the least when a schedule alone refreshes it: five minutes of two hours.
#[must_use]
pub fn reserve(life: Span) -> Span {
    life.part(1, 24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Timetable;
    use crate::time::Wall;
    use std::sync::Arc;

    fn classic() -> Policy {
        Policy {
            semantics: IssueSemantics::RotateWithOverlap,
            lead: Lead::Fixed(Span::minutes(65)),
            schedule: None,
            overlap: Span::minutes(5),
            skew: Span::minutes(2),
            safe_part: Span(150_000),
            renew_window: Span::ZERO,
            probe: true,
            limits: Limits::default(),
        }
    }

    fn all_dues(policy: &Policy, life: Span) -> (Span, Span) {
        let now = Now { boot: Boot(0), wall: Wall(0) };
        let left =
            |generation| life - (policy.due("shop", generation, Boot(0), Boot(0) + life, now) - Boot(0));
        let lefts: Vec<Span> = (1..500).map(left).collect();
        (*lefts.iter().min().unwrap(), *lefts.iter().max().unwrap())
    }

    #[test]
    fn classic_tokens_are_due_in_the_tenth_after_their_lead() {
        let (least, most) = all_dues(&classic(), Span::hours(2));
        assert!(least >= Span(3_510_000), "58.5 min are left at least: {least:?}");
        assert!(most <= Span::minutes(65), "{most:?}");
    }

    #[test]
    fn a_lead_longer_than_the_life_is_cut_to_a_share_of_it() {
        let (_, most) = all_dues(&classic(), Span::seconds(20));
        assert!(most <= Span::seconds(11), "{most:?}");
    }

    #[test]
    fn coexisting_tokens_are_due_between_65_and_80_percent() {
        let policy = Policy { lead: Lead::Share, semantics: IssueSemantics::Coexisting, ..classic() };
        let (least, most) = all_dues(&policy, Span::seconds(1000));
        assert!(least >= Span::seconds(200) && most <= Span::seconds(350), "{least:?} {most:?}");
    }

    #[test]
    fn stable_tokens_are_due_only_inside_the_platforms_window() {
        let policy = Policy {
            lead: Lead::Window,
            semantics: IssueSemantics::IdempotentUntilNearExpiry,
            renew_window: Span::minutes(5),
            ..classic()
        };
        let (least, most) = all_dues(&policy, Span::hours(2));
        assert!(most <= Span::minutes(5) && least >= Span(270_000), "{least:?} {most:?}");
    }

    #[test]
    fn an_unchanged_stable_token_is_asked_for_again_every_five_to_ten_seconds_inside_the_window() {
        let policy = Policy { renew_window: Span::minutes(5), ..classic() };
        let now = Boot(10_000_000);
        let pause = policy.ask_again("shop", 3, now, now + Span::seconds(200)) - now;
        assert!(pause >= Span::seconds(5) && pause <= Span::seconds(10), "{pause:?}");
        let early = policy.ask_again("shop", 3, now, now + Span::seconds(345)) - now;
        assert!(early >= Span::seconds(50) && early <= Span::seconds(55), "{early:?}");
    }

    #[test]
    fn backoff_grows_to_a_minute_and_no_further() {
        let policy = classic();
        assert!(policy.backoff(1, "shop", 1, true) <= Span(2_100));
        assert!(policy.backoff(1, "shop", 50, true) <= Span(60_100));
        assert!(policy.backoff(1, "shop", 50, false) <= Span(30_100));
    }

    #[test]
    fn a_fetch_is_over_before_the_safe_part_is() {
        assert_eq!(classic().fetch_timeout(FetchKind::Plain), Span::seconds(10));
        let scaled = Policy { safe_part: Span(2_500), ..classic() };
        assert_eq!(scaled.fetch_timeout(FetchKind::Plain), Span(1_250));
    }

    /// Fires whenever the wall shows a multiple of this span.
    #[derive(Debug)]
    struct Every(Span);

    impl Timetable for Every {
        fn next_after(&self, moment: Wall) -> Option<Wall> {
            Some(Wall((moment.0.div_euclid(self.0.0) + 1) * self.0.0))
        }
    }

    /// When a token of two hours is due whose fetch was begun when the wall showed `issued`.
    fn due_at(every: Span, alone: bool, issued: Wall) -> Wall {
        let schedule = Some(Schedule { timetable: Arc::new(Every(every)), alone });
        let policy = Policy { schedule, ..classic() };
        let now = Now { boot: Boot(7_000), wall: issued };
        now.wall_of(policy.due("shop", 1, now.boot, now.boot + Span::hours(2), now))
    }

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_schedule_alone_takes_the_place_of_the_lead() {
        assert_eq!(due_at(Span::minutes(90), true, Wall(0)), Wall(90 * MINUTE));
    }

    #[test]
    fn beside_a_lead_the_earlier_of_the_two_counts() {
        assert_eq!(due_at(Span::minutes(40), false, Wall(0)), Wall(40 * MINUTE));
        let by_lead = due_at(Span::minutes(90), false, Wall(0));
        assert!(by_lead >= Wall(55 * MINUTE) && by_lead <= Wall(62 * MINUTE), "{by_lead:?}");
    }

    #[test]
    fn a_firing_within_the_safe_part_of_a_fetch_is_served_by_it() {
        assert_eq!(due_at(Span::minutes(30), true, Wall(28 * MINUTE)), Wall(60 * MINUTE));
        assert_eq!(due_at(Span::minutes(30), true, Wall(27 * MINUTE)), Wall(30 * MINUTE));
    }

    #[test]
    fn a_token_does_not_run_out_because_its_schedule_fires_too_late() {
        let due = due_at(Span::minutes(116), true, Wall(0));
        assert!(due < Wall(62 * MINUTE), "as its lead would have it: {due:?}");
    }

    #[test]
    fn a_schedule_alone_leaves_a_reserve_and_the_safe_part() {
        // 120 min less 5 min less 2.5 min.
        assert_eq!(classic().longest_pause(Span::hours(2)), Span(6_750_000));
    }
}
