//! Looks for a pattern in texts with a lazy DFA, and counts all that it does.
//!
//! Its states are made when a text leads to them for the first time. From one known state to another takes a look into a
//! table, so that ordinary patterns cost next to nothing; to find out where a state leads takes a walk through the
//! pattern, which is charged by how far it may go. That is all there is: no text makes a search slower than what it is
//! charged for, so that no other engine is needed for the patterns that never come to an end of new states.

use std::cell::RefCell;
use std::collections::HashMap;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::alphabet::ByteClasses;
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::start;
use regex_automata::{MatchKind, Span};

use super::super::budget::Budget;
use super::super::error::Outcome;
use super::translation::refuse_pattern;

/// How much memory the states of one pattern may take in bytes, before they are made anew. The table takes as much.
const STATES: usize = 512 << 10;
/// How many bytes of text are looked at in one step.
const STRIDE: u64 = 16;
/// How many steps it takes to find out where a state leads, besides the walk through the pattern.
const MISS: u64 = 6;
/// How many parts of a pattern are walked through in one step.
const WALK: u64 = 6;
/// How many ways out of a part of the pattern are looked at in the time that the part itself takes.
const FORKS: u64 = 16;
/// How often the beginning of a pattern is looked for in one step.
const PREFIXES: u64 = 4;

/// What the table says of a state that is not known yet, and of one from which nothing can be found any more.
const UNKNOWN: u32 = u32::MAX;
const DEAD: u32 = UNKNOWN - 1;
/// Set for a state in which the pattern has been found, in front of the byte that leads to it.
const FOUND: u32 = 1 << 31;

/// A pattern that can be looked for.
#[derive(Debug)]
pub(in super::super) struct Search {
    dfa: DFA,
    classes: ByteClasses,
    /// How far a walk goes that finds nothing but ways on.
    ways: u64,
    /// How long one part of the pattern takes, which has more ways out the more characters it is about.
    part: u64,
    /// Finds where a text may begin with the pattern.
    prefix: Option<Prefilter>,
    known: RefCell<Known>,
}

/// The states that are known.
#[derive(Debug)]
struct Known {
    cache: Cache,
    ids: Vec<LazyStateID>,
    rows: HashMap<LazyStateID, u32>,
    /// Rows of where a state leads, for each class of bytes and, at last, the end of a text. A state is called after the
    /// place where its row begins.
    table: Vec<u32>,
    start: Option<u32>,
    /// How many bytes the largest state has.
    widest: u64,
}

impl Search {
    /// Prepares the search for a pattern.
    pub(super) fn new(nfa: NFA, prefix: Option<Prefilter>) -> Outcome<Search> {
        let (mut ways, mut forks) = (1, 1);
        for state in nfa.states() {
            match state {
                State::Union { alternates } => ways += alternates.len() as u64,
                State::Sparse(sparse) => forks = forks.max(sparse.transitions.len() as u64),
                State::BinaryUnion { .. } | State::Look { .. } | State::Capture { .. } => ways += 2,
                State::ByteRange { .. } | State::Dense(_) | State::Fail | State::Match { .. } => {}
            }
        }
        // All matches are followed, since an empty one between the bytes of a character does not count.
        let config =
            DFA::config().match_kind(MatchKind::All).cache_capacity(STATES).skip_cache_capacity_check(true);
        let dfa = DFA::builder()
            .configure(config)
            .build_from_nfa(nfa)
            .or_else(|error| refuse_pattern(error.to_string()))?;
        let known = Known {
            cache: dfa.create_cache(),
            ids: Vec::new(),
            rows: HashMap::new(),
            table: Vec::new(),
            start: None,
            widest: 0,
        };
        let classes = *dfa.byte_classes();
        let part = 1 + forks / FORKS;
        Ok(Search { dfa, classes, ways, part, prefix, known: RefCell::new(known) })
    }

    /// Whether the pattern is found in a text.
    pub(super) fn finds(&self, text: &str, budget: &Budget) -> Outcome<bool> {
        budget.work(1 + text.len() as u64 / STRIDE)?;
        let mut prefixes = 0;
        let found = self.walk(text, &mut prefixes, budget);
        budget.work(prefixes / PREFIXES)?;
        found
    }

    fn walk(&self, text: &str, prefixes: &mut u64, budget: &Budget) -> Outcome<bool> {
        let known = &mut *self.known.borrow_mut();
        let stride = self.classes.alphabet_len();
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut state = self.start(known)?;
        loop {
            if let Some(prefix) = &self.prefix
                && known.start == Some(state)
            {
                *prefixes += 1;
                let Some(next) = prefix.find(bytes, Span { start: at, end: bytes.len() }) else {
                    return Ok(false);
                };
                at = next.start;
            }
            let byte = bytes.get(at).copied();
            let class = byte.map_or(stride - 1, |byte| usize::from(self.classes.get(byte)));
            let mut next = known.table.get(state as usize + class).copied().unwrap_or(UNKNOWN);
            if next == UNKNOWN {
                next = self.follow(known, state, byte, budget)?;
            }
            if next == DEAD {
                return Ok(false);
            }
            if next & FOUND != 0 && text.is_char_boundary(at) {
                return Ok(true);
            }
            if byte.is_none() {
                return Ok(false);
            }
            state = next & !FOUND;
            at += 1;
        }
    }

    /// The state in which a text begins.
    fn start(&self, known: &mut Known) -> Outcome<u32> {
        if let Some(start) = known.start {
            return Ok(start);
        }
        let clears = known.cache.clear_count();
        let config = start::Config::new();
        let id = self
            .dfa
            .start_state(&mut known.cache, &config)
            .or_else(|error| refuse_pattern(error.to_string()))?;
        known.forget_since(clears);
        let start = known.row(id, self.classes.alphabet_len());
        known.start = Some(start);
        Ok(start)
    }

    /// Finds out where a state leads with a byte, or at the end.
    fn follow(&self, known: &mut Known, state: u32, byte: Option<u8>, budget: &Budget) -> Outcome<u32> {
        let stride = self.classes.alphabet_len();
        let Some(id) = known.ids.get(state as usize / stride).copied() else { return Ok(DEAD) };
        let (clears, before) = (known.cache.clear_count(), known.cache.memory_usage());
        let next = match byte {
            Some(byte) => self.dfa.next_state(&mut known.cache, id, byte),
            None => self.dfa.next_eoi_state(&mut known.cache, id),
        };
        let next = next.or_else(|error| refuse_pattern(error.to_string()))?;
        let grown = known.cache.memory_usage().saturating_sub(before) as u64;
        known.widest = known.widest.max(grown.saturating_sub(4 << self.classes.stride2()));
        budget.work(MISS + (self.ways + known.widest * self.part) / WALK)?;
        let is_forgotten = known.forget_since(clears);
        if next.is_dead() || next.is_quit() {
            return Ok(DEAD);
        }
        let found = if next.is_match() { FOUND } else { 0 };
        let next = known.row(next, stride) | found;
        let class = byte.map_or(stride - 1, |byte| usize::from(self.classes.get(byte)));
        if !is_forgotten && let Some(place) = known.table.get_mut(state as usize + class) {
            *place = next;
        }
        Ok(next)
    }
}

impl Known {
    /// The row of a state. Where it leads is not known if it is new.
    fn row(&mut self, id: LazyStateID, stride: usize) -> u32 {
        if let Some(row) = self.rows.get(&id) {
            return *row;
        }
        // There are fewer than there are bytes for them.
        let row = u32::try_from(self.table.len()).unwrap_or(0);
        self.rows.insert(id, row);
        self.ids.push(id);
        self.table.resize(self.table.len() + stride, UNKNOWN);
        row
    }

    /// Forgets all states, if those of the cache were made anew since it was asked how often that happened.
    fn forget_since(&mut self, clears: usize) -> bool {
        let is_forgotten = self.cache.clear_count() != clears;
        if is_forgotten {
            self.ids.clear();
            self.rows.clear();
            self.table.clear();
            self.start = None;
        }
        is_forgotten
    }
}
