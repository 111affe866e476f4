//! When a record of the cloud database is read back. Pure: time is an argument.
//!
//! A call whose end is not known may be carried out after later ones. From then on the record is in doubt, and it stays so
//! until it was read back when such a call is over. A delivery never puts a look off.

use tokenward_core::time::{Boot, Span};

/// What is planned.
#[derive(Debug)]
pub(super) struct Looks {
    /// Between two looks at a record that is not in doubt; zero for none.
    every: Span,
    due: Option<Boot>,
    doubt: Option<Boot>,
    /// Looks that failed in a row.
    failures: u32,
}

/// How long a call may be on its way.
const SOON: Span = Span::seconds(10);
/// Between two looks that fail: each is a call, and so is the delivery after it.
const LONGEST_PAUSE: Span = Span::minutes(30);

impl Looks {
    /// A call of the process before may be on its way.
    pub(super) fn new(every: Span, now: Boot) -> Looks {
        Looks { every, due: None, doubt: Some(now), failures: 0 }
    }

    pub(super) fn is_due(&self, now: Boot) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// A call sets out that may be broken off. Returns what [`settle`](Self::settle) takes back.
    pub(super) fn doubt(&mut self, now: Boot) -> Option<Boot> {
        self.doubt.replace(now)
    }

    /// The call ended, and it is known how.
    pub(super) fn settle(&mut self, before: Option<Boot>) {
        self.doubt = before;
    }

    /// Something was delivered.
    pub(super) fn delivered(&mut self, now: Boot) {
        let wanted = self.next(now);
        self.due = match self.due {
            // What cannot be read is not asked more often because it is written.
            Some(due) if self.failures > 0 => Some(due),
            due => due.into_iter().chain(wanted).min(),
        };
    }

    /// A look begins. It counts as failed until its answer is there.
    pub(super) fn begin(&mut self, now: Boot) {
        let pause = Span(SOON.0 << self.failures.min(8)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.due = Some(now + pause);
    }

    /// The record was read back.
    pub(super) fn looked(&mut self, now: Boot) {
        self.failures = 0;
        if self.doubt.is_some_and(|since| now - since >= SOON) {
            self.doubt = None;
        }
        self.due = self.next(now);
    }

    fn next(&self, now: Boot) -> Option<Boot> {
        let regular = (self.every > Span::ZERO).then(|| now + self.every);
        self.doubt.map(|since| since + SOON).into_iter().chain(regular).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Boot {
        Boot(seconds * 1_000)
    }

    /// A record that was written at 0 and read back at 10.
    fn sure(every: Span) -> Looks {
        let mut looks = Looks::new(every, at(0));
        looks.delivered(at(0));
        looks.begin(at(10));
        looks.looked(at(10));
        looks
    }

    #[test]
    fn after_a_start_the_record_is_read_back_soon_and_rarely_then() {
        let mut looks = Looks::new(Span::minutes(30), at(0));
        assert!(!looks.is_due(at(9_999)), "there is nothing to look at");
        looks.delivered(at(0));
        assert_eq!((looks.is_due(at(9)), looks.is_due(at(10))), (false, true));
        let looks = sure(Span::minutes(30));
        assert_eq!((looks.is_due(at(1_809)), looks.is_due(at(1_810))), (false, true));
    }

    #[test]
    fn a_look_that_is_due_soon_is_not_put_off_by_the_next_delivery() {
        let mut looks = Looks::new(Span::ZERO, at(0));
        looks.delivered(at(0));
        for second in 1..=9 {
            let before = looks.doubt(at(second));
            looks.settle(before);
            looks.delivered(at(second));
        }
        assert!(looks.is_due(at(10)));
    }

    #[test]
    fn a_call_of_unknown_end_is_in_doubt_until_it_must_be_over() {
        let mut looks = Looks::new(Span::ZERO, at(0));
        looks.delivered(at(0));
        looks.doubt(at(8));
        looks.begin(at(10));
        looks.looked(at(10));
        assert_eq!((looks.is_due(at(17)), looks.is_due(at(18))), (false, true), "too early for that call");
        looks.begin(at(18));
        looks.looked(at(18));
        assert!(!looks.is_due(at(99_999)), "nobody wants more looks");
    }

    #[test]
    fn a_look_that_failed_is_made_again_and_more_and_more_rarely() {
        let mut looks = sure(Span::minutes(30));
        let mut pauses = Vec::new();
        let mut now = at(1_810);
        for _ in 0..9 {
            looks.begin(now);
            looks.delivered(now);
            let pause = (1..).find(|second| looks.is_due(now + Span::seconds(*second))).unwrap();
            now = now + Span::seconds(pause);
            pauses.push(pause);
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_280, 1_800]);
    }
}
