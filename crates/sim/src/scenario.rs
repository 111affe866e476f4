//! What one seed plays: the platform's rules, and how often things go wrong.

use std::sync::Arc;

use tokenward_core::budget::Limits;
use tokenward_core::policy::{Lead, Policy};
use tokenward_core::schedule::{Schedule, Timetable};
use tokenward_core::semantics::IssueSemantics;
use tokenward_core::time::{Span, Wall};

use crate::random::Random;

/// What one seed plays.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) policy: Policy,
    /// Life of a token.
    pub(crate) life: Span,
    /// How long it is played.
    pub(crate) length: Span,
    /// Rates, in a thousand exchanges.
    pub(crate) lost_answers: i64,
    pub(crate) lost_requests: i64,
    pub(crate) refusals: i64,
    pub(crate) store_failures: i64,
    /// In a thousand effects: the node dies just before, or just after it is carried out.
    pub(crate) crashes: i64,
    /// Mean times between accidents; `None` for never.
    pub(crate) outages: Option<Span>,
    pub(crate) rivals: Option<Span>,
    pub(crate) wall_jumps: Option<Span>,
    pub(crate) suspends: Option<Span>,
    pub(crate) operators: Option<Span>,
    /// Mean time between reads.
    pub(crate) reads: Span,
    /// In a thousand reads: the reader claims a refusal that did not happen.
    pub(crate) false_reports: i64,
    /// Whether a ticket is derived from the token.
    pub(crate) ticket: bool,
}

/// Fires at every full step of the wall clock.
#[derive(Debug)]
struct Every(Span);

impl Timetable for Every {
    fn next_after(&self, moment: Wall) -> Option<Wall> {
        let Span(step) = self.0;
        Some(Wall((moment.0.div_euclid(step) + 1) * step))
    }
}

impl Scenario {
    /// The ticket's own rules.
    pub(crate) fn ticket_policy(&self) -> Policy {
        Policy {
            semantics: IssueSemantics::Coexisting,
            lead: Lead::Share,
            schedule: None,
            probe: false,
            ..self.policy.clone()
        }
    }

    pub(crate) fn draw(random: &mut Random) -> Scenario {
        let semantics = random.pick(&[
            IssueSemantics::RotateWithOverlap,
            IssueSemantics::RotateWithOverlap,
            IssueSemantics::RotateWithOverlap,
            IssueSemantics::IdempotentUntilNearExpiry,
            IssueSemantics::Coexisting,
        ]);
        let scaled = random.per_mille(300);
        let (life, overlap, window) = if scaled {
            (Span::seconds(20), Span::seconds(5), Span::seconds(4))
        } else {
            (Span::hours(2), Span::minutes(5), Span::minutes(5))
        };
        let skew = if scaled { Span::ZERO } else { Span::minutes(2) };
        let policy = Policy {
            semantics,
            lead: match semantics {
                IssueSemantics::RotateWithOverlap => Lead::Fixed(Span::minutes(65)),
                IssueSemantics::IdempotentUntilNearExpiry => Lead::Window,
                _ => Lead::Share,
            },
            schedule: None,
            overlap,
            skew,
            safe_part: overlap.part(1, 2),
            renew_window: window,
            probe: semantics != IssueSemantics::Coexisting,
            limits: Limits { per_day: if scaled { 0 } else { 400 }, ..Limits::default() },
        };
        let length = if scaled { Span::minutes(8) } else { Span::hours(14) };
        let unit = life.part(1, 2);
        let mut scenario = Scenario {
            policy,
            life,
            length,
            lost_answers: random.pick(&[0, 0, 50, 300]),
            lost_requests: random.pick(&[0, 0, 50, 300]),
            refusals: random.pick(&[0, 0, 100, 400]),
            store_failures: random.pick(&[0, 0, 0, 200]),
            crashes: random.pick(&[0, 0, 5, 30]),
            outages: random.pick(&[None, None, Some(unit.part(4, 1))]),
            rivals: random.pick(&[None, None, Some(unit.part(3, 1)), Some(unit.part(1, 4))]),
            wall_jumps: random.pick(&[None, None, Some(unit.part(3, 1))]),
            suspends: random.pick(&[None, None, Some(unit.part(3, 1))]),
            operators: random.pick(&[None, None, Some(unit.part(4, 1))]),
            reads: life.part(1, 200),
            false_reports: random.pick(&[0, 0, 20, 200]),
            ticket: false,
        };
        // Drawn last, so that a seed means what it meant before there were schedules.
        scenario.policy.schedule = draw_schedule(random, semantics, unit);
        // And this after that, for the same reason.
        scenario.ticket = random.per_mille(400);
        scenario
    }
}

/// None for most seeds; else every tenth of a life, every half, or one that is too sparse.
fn draw_schedule(random: &mut Random, semantics: IssueSemantics, half_life: Span) -> Option<Schedule> {
    let step = random.pick(&[None, None, None, Some((1, 5)), Some((1, 1)), Some((3, 1))]);
    let (numerator, denominator) = step?;
    let timetable = Arc::new(Every(half_life.part(numerator, denominator)));
    let alone = random.per_mille(500) && semantics != IssueSemantics::IdempotentUntilNearExpiry;
    Some(Schedule { timetable, alone })
}
