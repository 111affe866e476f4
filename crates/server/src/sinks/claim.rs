//! A value of somebody else at a sink's place hints that somebody else fetches tokens for the same app.
//!
//! It proves nothing: whoever can write there can write anything. So it is told to the core as a report of the current
//! token, which is looked into with the platform's cheapest call, and again when that token would die of such a fetch.
//! Where a foreign fetch does no harm, or nothing but a fetch could verify it, nothing is claimed.

use tokenward_core::fleet::CredentialId;
use tokenward_core::policy::Policy;
use tokenward_core::time::{Boot, Span};
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
    again: Option<(u64, Boot)>,
}

/// Between two claims: an SDK that fetches does so for each of its processes.
const SPACING: Span = Span::minutes(1);
/// How long the platform may take to carry out what it promises.
const SLACK: Span = Span::seconds(1);

impl Claims {
    pub(super) fn new(driver: mpsc::UnboundedSender<Input>, id: CredentialId, policy: &Policy) -> Claims {
        let is_harmed = policy.semantics.dies_by_foreign_fetch() && policy.probe;
        let overlap = is_harmed.then(|| policy.overlap + policy.skew + SLACK);
        Claims { driver, id, overlap, last: None, again: None }
    }

    /// Somebody else wrote where the token of this generation stood, or should stand.
    pub(super) fn make(&mut self, generation: u64, now: Boot) {
        let Some(overlap) = self.overlap else { return };
        if self.last.is_none_or(|last| now - last >= SPACING) {
            self.last = Some(now);
            self.tell(generation);
        }
        // The first of several fetches ends the token.
        if self.again.is_none_or(|(claimed, _)| claimed != generation) {
            self.again = Some((generation, now + overlap));
        }
    }

    /// Makes a claim again when the token would be dead if it were true.
    pub(super) fn advance(&mut self, now: Boot) {
        if let Some((generation, _)) = self.again.take_if(|(_, at)| now >= *at) {
            self.tell(generation);
        }
    }

    fn tell(&self, generation: u64) {
        // Nobody waits for the answer; a driver that has ended needs no claims.
        let (reply, _) = oneshot::channel();
        drop(self.driver.send(Input::Report { id: self.id, generation, proven: false, reply }));
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
        std::iter::from_fn(|| inputs.try_recv().ok())
            .map(|input| match input {
                Input::Report { generation, proven: false, .. } => generation,
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
