//! The platform, strictly: what is alive, who killed it, and what a fetch does.

use std::collections::BTreeMap;

use tokenward_core::semantics::{FetchKind, IssueSemantics};
use tokenward_core::time::{Boot, Span};

/// The platform's own books. Its clock is the simulation's.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    semantics: IssueSemantics,
    life: Span,
    overlap: Span,
    window: Span,
    next: u64,
    tokens: BTreeMap<u64, Issued>,
    /// The newest and the one before it (rotating platforms), or the current one (idempotent ones).
    slots: Vec<u64>,
    /// Tickets and their ends.
    tickets: BTreeMap<u64, Boot>,
    pub(crate) is_down: bool,
    last_forced: Option<Boot>,
}

/// A token in the books.
#[derive(Clone, Copy, Debug)]
struct Issued {
    end: Boot,
    /// Somebody other than the node had a hand in its early death.
    by_rival: bool,
    issued_to: Asker,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Node,
    Rival,
}

impl Platform {
    pub(crate) fn new(semantics: IssueSemantics, life: Span, overlap: Span, window: Span) -> Platform {
        Platform {
            semantics,
            life,
            overlap,
            window,
            next: 0,
            tokens: BTreeMap::new(),
            slots: Vec::new(),
            tickets: BTreeMap::new(),
            is_down: false,
            last_forced: None,
        }
    }

    /// Answers a fetch with a token and what is left of its life; `None` when it refuses (forced too often).
    pub(crate) fn fetch(&mut self, asker: Asker, kind: FetchKind, now: Boot) -> Option<(u64, Span)> {
        match self.semantics {
            IssueSemantics::RotateWithOverlap => Some(self.rotate(asker, now)),
            IssueSemantics::IdempotentUntilNearExpiry => self.idempotent(asker, kind, now),
            _ => Some((self.issue(asker, now), self.life)),
        }
    }

    /// Answers a request for a ticket with one and its life; `None` when the token is dead.
    pub(crate) fn ticket(&mut self, token: u64, now: Boot) -> Option<(u64, Span)> {
        if !self.is_alive(token, now) {
            return None;
        }
        let number = self.tickets.len() as u64 + 1;
        self.tickets.insert(number, now + self.life);
        Some((number, self.life))
    }

    pub(crate) fn newest_ticket(&self) -> u64 {
        self.tickets.len() as u64
    }

    pub(crate) fn is_ticket_alive(&self, ticket: u64, now: Boot) -> bool {
        self.tickets.get(&ticket).is_some_and(|end| now < *end)
    }

    fn issue(&mut self, asker: Asker, now: Boot) -> u64 {
        self.next += 1;
        self.tokens.insert(self.next, Issued { end: now + self.life, by_rival: false, issued_to: asker });
        self.next
    }

    fn rotate(&mut self, asker: Asker, now: Boot) -> (u64, Span) {
        let token = self.issue(asker, now);
        self.slots.push(token);
        if self.slots.len() > 2 {
            let oldest = self.slots.remove(0);
            // The node's fetch alone would have left it its overlap: two in a row were one too many.
            let rival = self.slots.iter().any(|slot| self.was_issued_to_rival(*slot));
            self.cut(oldest, now, if rival { Asker::Rival } else { asker });
        }
        if let [previous, _] = self.slots.as_slice() {
            self.cut(*previous, now + self.overlap, asker);
        }
        (token, self.life)
    }

    fn idempotent(&mut self, asker: Asker, kind: FetchKind, now: Boot) -> Option<(u64, Span)> {
        if kind == FetchKind::Forced {
            if self.last_forced.is_some_and(|last| now - last < Span::seconds(30)) {
                return None;
            }
            self.last_forced = Some(now);
            if let Some(current) = self.slots.pop() {
                self.cut(current, now, asker);
            }
        } else if let Some(current) = self.slots.last().copied()
            && let Some(issued) = self.tokens.get(&current)
            && issued.end - now > self.window
        {
            return Some((current, issued.end - now));
        }
        let token = self.issue(asker, now);
        self.slots = vec![token];
        Some((token, self.life))
    }

    fn cut(&mut self, token: u64, end: Boot, asker: Asker) {
        if let Some(issued) = self.tokens.get_mut(&token)
            && end < issued.end
        {
            issued.end = end;
            issued.by_rival |= asker == Asker::Rival;
        }
    }

    /// Every token dies at once, as when an administrator resets something.
    pub(crate) fn forget_all(&mut self, now: Boot) {
        let all: Vec<u64> = self.tokens.keys().copied().collect();
        for token in all {
            self.cut(token, now, Asker::Rival);
        }
        self.slots.clear();
    }

    pub(crate) fn newest_token(&self) -> u64 {
        self.next
    }

    pub(crate) fn is_alive(&self, token: u64, now: Boot) -> bool {
        self.tokens.get(&token).is_some_and(|issued| now < issued.end)
    }

    fn was_issued_to_rival(&self, token: u64) -> bool {
        self.tokens.get(&token).is_some_and(|issued| issued.issued_to == Asker::Rival)
    }

    /// Whether a rival is to blame for the end of this token.
    pub(crate) fn was_killed_by_rival(&self, token: u64) -> bool {
        self.tokens.get(&token).is_some_and(|issued| issued.by_rival)
    }
}
