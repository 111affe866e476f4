//! When a record of the cloud database is read back. Pure: time is an argument.
//!
//! A call whose end is not known may be carried out after later ones. The record is in doubt from the moment at which such
//! a call was given up, and it stays so until a look that began when it must be over. A delivery never puts a look off.

use tokenward_core::time::{Boot, Span};

/// What is planned.
#[derive(Debug)]
pub(super) struct Looks {
    /// Between two looks at a record that is not in doubt; zero for none.
    every: Span,
    due: Option<Boot>,
    /// When the last call of unknown end was given up.
    doubt: Option<Boot>,
    /// Whether a call that writes has set out, and nobody has said that it ended.
    is_writing: bool,
    /// When the last look began.
    begun: Boot,
    /// Looks that failed in a row.
    failures: u32,
}

/// How long a call may still be on its way after it was given up.
const SOON: Span = Span::seconds(10);
/// Between two looks that fail: each is a call, and so is the delivery after it.
const LONGEST_PAUSE: Span = Span::minutes(30);

impl Looks {
    /// A call of the process before may be on its way.
    pub(super) fn new(every: Span, now: Boot) -> Looks {
        Looks { every, due: None, doubt: Some(now), is_writing: false, begun: now, failures: 0 }
    }

    pub(super) fn is_due(&self, now: Boot) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// A call that writes sets out. Should it be broken off, nobody says that it ended.
    pub(super) fn write_begins(&mut self, now: Boot) {
        self.note_broken_off(now);
        self.is_writing = true;
    }

    /// It ended, and whether it is known how.
    pub(super) fn write_ended(&mut self, is_known: bool, now: Boot) {
        self.is_writing = false;
        if !is_known {
            self.doubt = Some(now);
        }
    }

    /// A call that nobody has seen the end of was given up before now.
    fn note_broken_off(&mut self, now: Boot) {
        if std::mem::take(&mut self.is_writing) {
            self.doubt = Some(now);
        }
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
        self.note_broken_off(now);
        self.begun = now;
        let pause = Span(SOON.0 << self.failures.min(8)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.due = Some(now + pause);
    }

    /// The record was read back.
    pub(super) fn looked(&mut self, now: Boot) {
        self.failures = 0;
        if self.doubt.is_some_and(|since| self.begun - since >= SOON) {
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
            looks.write_begins(at(second));
            looks.write_ended(true, at(second));
            looks.delivered(at(second));
        }
        assert!(looks.is_due(at(10)));
    }

    #[test]
    fn a_call_of_unknown_end_is_in_doubt_until_it_must_be_over() {
        let mut looks = Looks::new(Span::ZERO, at(0));
        looks.delivered(at(0));
        looks.write_begins(at(3));
        looks.write_ended(false, at(8));
        looks.begin(at(10));
        looks.looked(at(10));
        assert_eq!((looks.is_due(at(17)), looks.is_due(at(18))), (false, true), "too early for that call");
        looks.begin(at(18));
        looks.looked(at(18));
        assert!(!looks.is_due(at(99_999)), "nobody wants more looks");
    }

    /// A call that hangs is given up after ten seconds, and may still be carried out ten seconds later.
    #[test]
    fn a_call_that_was_broken_off_is_in_doubt_from_its_end_on() {
        let mut looks = sure(Span::ZERO);
        looks.write_begins(at(20));
        looks.write_begins(at(30));
        looks.write_ended(true, at(31));
        looks.delivered(at(31));
        assert_eq!((looks.is_due(at(39)), looks.is_due(at(40))), (false, true));
    }

    #[test]
    fn a_look_that_began_too_early_settles_nothing() {
        let mut looks = sure(Span::seconds(5));
        looks.write_begins(at(11));
        looks.write_ended(false, at(12));
        looks.begin(at(15));
        looks.looked(at(24));
        looks.begin(at(29));
        looks.looked(at(29));
        assert_eq!((looks.doubt, looks.is_due(at(33)), looks.is_due(at(34))), (None, false, true));
        let mut looks = sure(Span::ZERO);
        looks.write_begins(at(11));
        looks.write_ended(false, at(12));
        looks.begin(at(15));
        looks.looked(at(24));
        assert!(looks.is_due(at(24)), "what it read was read before that call must be over");
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
