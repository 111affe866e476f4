//! A value of somebody else at a sink's place hints that somebody else fetches tokens for the same app.
//!
//! It proves nothing: whoever can write there can write anything. So it is told to the core as a report of the current
//! token, which is looked into with the platform's cheapest call, and again when that token would die of such a fetch: of
//! the first of several, and of the last, because any of them may be that of a fetch. A look without a clear answer is made
//! again. Where a foreign fetch does no harm, or nothing but a fetch could verify it, nothing is claimed.

use tokenward_core::credential::ReportAnswer;
use tokenward_core::fleet::CredentialId;
use tokenward_core::policy::Policy;
use tokenward_core::time::{Boot, Span};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::driver::Input;

/// Claims about one credential.
#[derive(Debug)]
pub(super) struct Claims {
    driver: mpsc::UnboundedSender<Input>,
    id: CredentialId,
    /// How long a token lives on beside its successor; `None` where nothing is claimed.
    overlap: Option<Span>,
    last: Option<Boot>,
    /// What is looked into again.
    generation: u64,
    /// When: for the first value of somebody else, one between, and the last, or less.
    looks: Vec<Boot>,
    /// What answers a look that is under way.
    answer: Option<oneshot::Receiver<ReportAnswer>>,
    /// Looks in a row that got no clear answer.
    unclear: u32,
}

/// Between two claims: an SDK that fetches does so for each of its processes.
const SPACING: Span = Span::minutes(1);
/// So often a look is made that gets no clear answer.
const MOST_UNCLEAR: u32 = 10;
const MOST_LOOKS: usize = 3;
/// How long the platform may take to carry out what it promises.
const SLACK: Span = Span::seconds(1);

impl Claims {
    pub(super) fn new(driver: mpsc::UnboundedSender<Input>, id: CredentialId, policy: &Policy) -> Claims {
        let is_harmed = policy.semantics.dies_by_foreign_fetch() && policy.probe;
        let overlap = is_harmed.then(|| policy.overlap + policy.skew + SLACK);
        Claims { driver, id, overlap, last: None, generation: 0, looks: Vec::new(), answer: None, unclear: 0 }
    }

    /// Somebody else wrote where the token of this generation stood, or should stand.
    pub(super) fn make(&mut self, generation: u64, now: Boot) {
        let Some(overlap) = self.overlap else { return };
        if self.last.is_none_or(|last| now - last >= SPACING) {
            self.last = Some(now);
            drop(self.tell(generation));
        }
        if self.generation != generation {
            self.generation = generation;
            self.looks.clear();
            (self.answer, self.unclear) = (None, 0);
        }
        // The last takes the place of what was the last before; the first stays.
        self.looks.truncate(MOST_LOOKS - 1);
        self.looks.push(now + overlap);
    }

    /// Makes a claim again when the token would be dead if it were true.
    pub(super) fn advance(&mut self, now: Boot) {
        self.hear(now);
        if self.looks.extract_if(.., |at| now >= *at).count() > 0 {
            self.answer = Some(self.tell(self.generation));
        }
    }

    /// A look without a clear answer is made again.
    fn hear(&mut self, now: Boot) {
        let Some(answer) = &mut self.answer else { return };
        match answer.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(ReportAnswer::Alive | ReportAnswer::Superseded | ReportAnswer::Pending) => self.unclear = 0,
            Ok(ReportAnswer::Unclear | ReportAnswer::Failing | ReportAnswer::Limited { .. })
            | Err(TryRecvError::Closed) => {
                self.unclear += 1;
                if self.unclear < MOST_UNCLEAR {
                    self.looks.insert(0, now + SPACING);
                }
            }
        }
        self.answer = None;
    }

    fn tell(&self, generation: u64) -> oneshot::Receiver<ReportAnswer> {
        let (reply, answer) = oneshot::channel();
        // A driver that has ended needs no claims.
        drop(self.driver.send(Input::Report { id: self.id, generation, proven: false, reply }));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenward_core::budget::Limits;
    use tokenward_core::policy::Lead;
    use tokenward_core::semantics::IssueSemantics;

    fn claims(policy: Policy) -> (Claims, mpsc::UnboundedReceiver<Input>) {
        let (driver, inputs) = mpsc::unbounded_channel();
        (Claims::new(driver, CredentialId(0), &policy), inputs)
    }

    fn at(seconds: i64) -> Boot {
        Boot(seconds * 1_000)
    }

    fn told(inputs: &mut mpsc::UnboundedReceiver<Input>) -> Vec<u64> {
        told_and_answered(inputs, ReportAnswer::Alive)
    }

    fn told_and_answered(inputs: &mut mpsc::UnboundedReceiver<Input>, answer: ReportAnswer) -> Vec<u64> {
        std::iter::from_fn(|| inputs.try_recv().ok())
            .map(|input| match input {
                Input::Report { generation, proven: false, reply, .. } => {
                    let _ = reply.send(answer);
                    generation
                }
                other => panic!("{other:?} is no claim"),
            })
            .collect()
    }

    fn policy(semantics: IssueSemantics, probe: bool) -> Policy {
        Policy {
            semantics,
            lead: Lead::Share,
            schedule: None,
            overlap: Span::minutes(5),
            skew: Span::seconds(30),
            safe_part: Span::ZERO,
            renew_window: Span::ZERO,
            probe,
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_claim_is_made_at_once_and_again_when_the_token_would_be_dead() {
        let (mut claims, mut inputs) = claims(policy(IssueSemantics::RotateWithOverlap, true));
        claims.make(17, at(0));
        assert_eq!(told(&mut inputs), [17]);
        claims.advance(at(330));
        assert!(told(&mut inputs).is_empty());
        claims.advance(at(331));
        claims.advance(at(400));
        assert_eq!(told(&mut inputs), [17]);
    }

    #[test]
    fn many_values_of_others_are_few_claims() {
        let (mut claims, mut inputs) = claims(policy(IssueSemantics::RotateWithOverlap, true));
        (0..120).for_each(|second| claims.make(17, at(second)));
        assert_eq!(told(&mut inputs), [17, 17]);
        claims.advance(at(331));
        assert_eq!(told(&mut inputs), [17], "counted from the first");
        claims.advance(at(450));
        claims.advance(at(9_999));
        assert_eq!(told(&mut inputs), [17], "and from the last");
    }

    /// An old token that somebody's SDK had in its cache does no harm; a fetch five minutes later kills.
    #[test]
    fn the_last_of_several_values_is_looked_into_too() {
        let (mut claims, mut inputs) = claims(policy(IssueSemantics::RotateWithOverlap, true));
        claims.make(17, at(0));
        claims.make(17, at(300));
        claims.advance(at(331));
        assert_eq!(told(&mut inputs), [17, 17, 17]);
        claims.advance(at(630));
        assert!(told(&mut inputs).is_empty());
        claims.advance(at(631));
        assert_eq!(told(&mut inputs), [17]);
    }

    #[test]
    fn a_look_without_a_clear_answer_is_made_again_and_not_for_ever() {
        let (mut claims, mut inputs) = claims(policy(IssueSemantics::RotateWithOverlap, true));
        claims.make(17, at(0));
        told(&mut inputs);
        let mut looks = Vec::new();
        for second in 331..9_999 {
            claims.advance(at(second));
            if !told_and_answered(&mut inputs, ReportAnswer::Unclear).is_empty() {
                looks.push(second);
            }
        }
        assert_eq!(looks.get(..2), Some(&[331, 392][..]), "a minute after the answer was heard");
        assert_eq!(looks.len(), 10);
    }

    #[test]
    fn a_clear_answer_is_enough() {
        let (mut claims, mut inputs) = claims(policy(IssueSemantics::RotateWithOverlap, true));
        claims.make(17, at(0));
        claims.advance(at(331));
        told_and_answered(&mut inputs, ReportAnswer::Unclear);
        claims.advance(at(332));
        claims.advance(at(392));
        assert_eq!(told(&mut inputs), [17]);
        claims.advance(at(393));
        claims.advance(at(9_999));
        assert!(told(&mut inputs).is_empty());
    }

    #[test]
    fn nothing_is_claimed_where_it_does_no_harm_or_only_a_fetch_could_tell() {
        for (semantics, probe) in
            [(IssueSemantics::RotateWithOverlap, false), (IssueSemantics::Coexisting, true)]
        {
            let (mut claims, mut inputs) = claims(policy(semantics, probe));
            claims.make(17, at(0));
            claims.advance(at(9_999));
            assert!(told(&mut inputs).is_empty(), "{semantics:?}");
        }
    }
}
