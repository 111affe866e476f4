//! Which messages came already: what makes a repeated one harmless.
//!
//! Bounded twice: a message older than the window is refused anyway, so it need not be remembered; and when more
//! messages came within the window than are remembered, the window shrinks instead of forgetting one.

use std::collections::{BTreeSet, HashMap};

use tokenward_core::time::{Span, Wall};

/// A message as it is remembered.
pub type Digest = [u8; 16];

/// The messages of one callback that came within its window.
#[derive(Debug)]
pub struct SeenMessages {
    window: Span,
    most: usize,
    known: HashMap<Digest, Standing>,
    ends: BTreeSet<(Wall, Digest)>,
    /// Whatever would have been forgotten until then is not taken in any more.
    forgotten_until: Wall,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is about to be stored.
    Entering,
    /// It was taken in.
    In,
}

/// What a message is to those that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It never came. It counts as entering now.
    New,
    /// It came a moment ago and may still fail to be stored.
    Entering,
    /// It was taken in already.
    Repeated,
    /// Nobody can say: it is too old, or too far ahead.
    OutOfTime,
}

impl SeenMessages {
    /// Nothing came yet.
    pub fn new(window: Span, most: usize) -> SeenMessages {
        let (known, ends) = (HashMap::new(), BTreeSet::new());
        SeenMessages { window, most, known, ends, forgotten_until: Wall(i64::MIN) }
    }

    /// Whether a message signed then is one of now.
    pub fn is_in_time(&self, signed: Wall, now: Wall) -> bool {
        signed + self.window >= now
            && signed - self.window <= now
            && signed + self.window > self.forgotten_until
    }

    /// Until when a message must be remembered.
    pub fn end(&self, signed: Wall) -> Wall {
        signed + self.window
    }

    /// A message comes: under the first of its digests, and to be known under all of them.
    pub fn enter(&mut self, digests: &[Digest], signed: Wall, now: Wall) -> Novelty {
        self.forget_past(now);
        if !self.is_in_time(signed, now) {
            return Novelty::OutOfTime;
        }
        match digests.first().and_then(|digest| self.known.get(digest)) {
            Some(Standing::In) => return Novelty::Repeated,
            Some(Standing::Entering) => return Novelty::Entering,
            None => {}
        }
        self.note(digests, signed, Standing::Entering);
        Novelty::New
    }

    /// The message was stored.
    pub fn settle(&mut self, digests: &[Digest]) {
        for digest in digests {
            self.known.insert(*digest, Standing::In);
        }
    }

    /// The message could not be stored: it may come again.
    pub fn give_back(&mut self, digests: &[Digest], signed: Wall) {
        for digest in digests {
            self.known.remove(digest);
            self.ends.remove(&(self.end(signed), *digest));
        }
    }

    /// A message that an earlier run took in.
    pub fn restore(&mut self, digest: Digest, end: Wall) {
        self.note(&[digest], end - self.window, Standing::In);
    }

    fn note(&mut self, digests: &[Digest], signed: Wall, standing: Standing) {
        for digest in digests {
            self.known.insert(*digest, standing);
            self.ends.insert((self.end(signed), *digest));
        }
        while self.ends.len() > self.most {
            let Some((end, digest)) = self.ends.pop_first() else { return };
            self.known.remove(&digest);
            self.forgotten_until = self.forgotten_until.max(end);
        }
    }

    fn forget_past(&mut self, now: Wall) {
        while let Some((end, digest)) = self.ends.first().copied().filter(|(end, _)| *end < now) {
            self.ends.remove(&(end, digest));
            self.known.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_000_000_000);
    const WINDOW: Span = Span::minutes(5);

    fn digest(number: u32) -> Digest {
        let mut digest = [0; 16];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn a_message_is_new_once() {
        let mut seen = SeenMessages::new(WINDOW, 10);
        assert_eq!(seen.enter(&[digest(1)], NOW, NOW), Novelty::New);
        assert_eq!(seen.enter(&[digest(1)], NOW, NOW), Novelty::Entering);
        seen.settle(&[digest(1)]);
        assert_eq!(seen.enter(&[digest(1)], NOW, NOW), Novelty::Repeated);
    }

    #[test]
    fn a_message_that_could_not_be_stored_may_come_again() {
        let mut seen = SeenMessages::new(WINDOW, 10);
        seen.enter(&[digest(1)], NOW, NOW);
        seen.give_back(&[digest(1)], NOW);
        assert_eq!(seen.enter(&[digest(1)], NOW, NOW), Novelty::New);
    }

    #[test]
    fn outside_its_window_a_message_is_not_taken() {
        let mut seen = SeenMessages::new(WINDOW, 10);
        let step = Span(1);
        assert_eq!(seen.enter(&[digest(1)], NOW - WINDOW - step, NOW), Novelty::OutOfTime);
        assert_eq!(seen.enter(&[digest(1)], NOW + WINDOW + step, NOW), Novelty::OutOfTime);
        assert_eq!(seen.enter(&[digest(1)], NOW - WINDOW, NOW), Novelty::New);
        assert_eq!(seen.enter(&[digest(2)], NOW + WINDOW, NOW), Novelty::New);
    }

    #[test]
    fn a_message_is_remembered_as_long_as_it_could_be_taken() {
        let mut seen = SeenMessages::new(WINDOW, 10);
        seen.enter(&[digest(1)], NOW + WINDOW, NOW);
        seen.settle(&[digest(1)]);
        let last = NOW + WINDOW + WINDOW;
        assert_eq!(seen.enter(&[digest(1)], NOW + WINDOW, last), Novelty::Repeated);
        assert_eq!(seen.enter(&[digest(1)], NOW + WINDOW, last + Span(1)), Novelty::OutOfTime);
        assert!(seen.known.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_that_was_forgotten_is_taken_again() {
        let mut seen = SeenMessages::new(WINDOW, 100);
        for number in 0..1_000 {
            let signed = NOW + Span(i64::from(number));
            assert_eq!(seen.enter(&[digest(number)], signed, NOW), Novelty::New);
            seen.settle(&[digest(number)]);
        }
        assert_eq!((seen.known.len(), seen.ends.len()), (100, 100));
        for number in 0..900 {
            let signed = NOW + Span(i64::from(number));
            assert_eq!(seen.enter(&[digest(number)], signed, NOW), Novelty::OutOfTime);
        }
    }

    #[test]
    fn a_message_known_by_a_second_name_is_repeated_under_it() {
        let mut seen = SeenMessages::new(WINDOW, 10);
        seen.enter(&[digest(1), digest(2)], NOW, NOW);
        seen.settle(&[digest(1), digest(2)]);
        assert_eq!(seen.enter(&[digest(2)], NOW, NOW), Novelty::Repeated);
    }

    #[test]
    fn what_an_earlier_run_took_in_is_repeated() {
        let mut seen = SeenMessages::new(WINDOW, 10);
        seen.restore(digest(1), NOW + WINDOW);
        assert_eq!(seen.enter(&[digest(1)], NOW, NOW), Novelty::Repeated);
    }
}
