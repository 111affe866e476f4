//! Which message goes to which target when. Pure: time is an argument, nothing is sent here.
//!
//! Each target has places of its own, so that one that hangs delays nobody else; a message that failed waits longer
//! each time. Deliberately absent: order. A message that fails is overtaken by those after it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokenward_core::time::{Boot, Now, Span, Wall};
use tokenward_store::{Dead, Delivery};

/// A target's number.
pub type TargetId = usize;

/// All messages that are on their way or given up.
#[derive(Debug, Default)]
pub struct Queue {
    items: BTreeMap<u64, Item>,
    targets: Vec<Lane>,
    waiting: usize,
    dead: BTreeSet<u64>,
}

/// What is known of a message.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which message, and where it goes.
    pub delivery: Delivery,
    /// How often it was tried in this run.
    pub attempts: u32,
    /// What went wrong last in this run, the oldest first.
    pub failures: VecDeque<Failure>,
    /// When it is tried next; `None` while it is being tried, and when it was given up.
    pub due: Option<Boot>,
    target: Option<TargetId>,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Wall,
    /// What went wrong.
    pub detail: String,
}

#[derive(Debug, Default)]
struct Lane {
    due: BTreeSet<(Boot, u64)>,
    under_way: usize,
    retry_for: Span,
}

/// What follows from an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived.
    Arrived,
    /// It is tried again after this time.
    Again(Span),
    /// It is given up.
    GivenUp(Dead),
    /// It was forgotten meanwhile.
    Unknown,
}

/// Messages that may be under way to one target at once.
pub const PLACES: usize = 16;
/// Messages that were given up and are kept.
pub const MOST_DEAD: usize = 10_000;
/// Failures that are remembered of a message.
const KEPT_FAILURES: usize = 3;
const FIRST_RETRY: Span = Span::seconds(1);
const LONGEST_RETRY: Span = Span::minutes(10);

impl Queue {
    /// A queue for targets that try so long each.
    pub fn new(retry_for: impl IntoIterator<Item = Span>) -> Queue {
        let lane = |retry_for| Lane { retry_for, ..Lane::default() };
        Queue { targets: retry_for.into_iter().map(lane).collect(), ..Queue::default() }
    }

    /// A message sets out.
    pub fn add(&mut self, delivery: Delivery, target: TargetId, now: Boot) {
        let id = delivery.id;
        if self.items.insert(id, Item::new(delivery, Some(target), 0, Some(now))).is_none() {
            self.waiting += 1;
        }
        if let Some(lane) = self.targets.get_mut(target) {
            lane.due.insert((now, id));
        }
    }

    /// A message that was given up. Returns one that is forgotten for it, if there are too many.
    pub fn add_dead(&mut self, delivery: Delivery, target: Option<TargetId>) -> Option<u64> {
        let id = delivery.id;
        let attempts = delivery.dead.as_ref().map_or(0, |dead| dead.attempts);
        self.items.insert(id, Item::new(delivery, target, attempts, None));
        self.bury(id)
    }

    /// The next message to try now. It counts as under way from now on.
    pub fn take(&mut self, now: Boot) -> Option<(u64, TargetId)> {
        let free = self.targets.iter_mut().enumerate().filter(|(_, lane)| lane.under_way < PLACES);
        for (target, lane) in free {
            let Some((due, id)) = lane.due.first().copied().filter(|(due, _)| *due <= now) else { continue };
            lane.due.remove(&(due, id));
            lane.under_way += 1;
            if let Some(item) = self.items.get_mut(&id) {
                item.due = None;
            }
            return Some((id, target));
        }
        None
    }

    /// When there is something to take, unless a place becomes free before.
    pub fn next_wakeup(&self) -> Option<Boot> {
        let free = self.targets.iter().filter(|lane| lane.under_way < PLACES);
        free.filter_map(|lane| lane.due.first().map(|(due, _)| *due)).min()
    }

    /// An attempt came to this.
    pub fn tried(&mut self, id: u64, target: TargetId, outcome: Result<(), String>, now: Now) -> Verdict {
        let Some(lane) = self.targets.get_mut(target) else { return Verdict::Unknown };
        lane.under_way = lane.under_way.saturating_sub(1);
        let Some(item) = self.items.get_mut(&id) else { return Verdict::Unknown };
        item.attempts = item.attempts.saturating_add(1);
        let Err(failure) = outcome else {
            self.items.remove(&id);
            self.waiting = self.waiting.saturating_sub(1);
            return Verdict::Arrived;
        };
        item.failures.push_back(Failure { at: now.wall, detail: failure.clone() });
        if item.failures.len() > KEPT_FAILURES {
            item.failures.pop_front();
        }
        if item.delivery.since + lane.retry_for <= now.wall {
            let dead = Dead { failure, attempts: item.attempts };
            item.delivery.dead = Some(dead.clone());
            self.waiting = self.waiting.saturating_sub(1);
            return Verdict::GivenUp(dead);
        }
        let wait = Span(FIRST_RETRY.0.saturating_mul(1 << item.attempts.saturating_sub(1).min(20)))
            .min(LONGEST_RETRY);
        item.due = Some(now.boot + wait);
        lane.due.insert((now.boot + wait, id));
        Verdict::Again(wait)
    }

    /// Keeps a message that was given up among the last of them; returns the one that is forgotten for it.
    pub fn bury(&mut self, id: u64) -> Option<u64> {
        self.dead.insert(id);
        if self.dead.len() <= MOST_DEAD {
            return None;
        }
        let oldest = self.dead.pop_first()?;
        self.items.remove(&oldest);
        Some(oldest)
    }

    /// A message that was given up sets out again, as if it had come now. `None` if there is none or it has no target.
    pub fn redeliver(&mut self, id: u64, now: Now) -> Option<&Item> {
        let item = self.items.get_mut(&id)?;
        let target = item.target?;
        if item.delivery.dead.take().is_some() {
            self.dead.remove(&id);
            self.waiting += 1;
            item.attempts = 0;
            item.delivery.since = now.wall;
            item.due = Some(now.boot);
            self.targets.get_mut(target)?.due.insert((now.boot, id));
        } else if let Some(due) = item.due.replace(now.boot) {
            // On its way already: it need not wait for its next attempt.
            let lane = self.targets.get_mut(target)?;
            lane.due.remove(&(due, id));
            lane.due.insert((now.boot, id));
        } else {
            // Being tried at this moment.
            item.due = None;
        }
        self.items.get(&id)
    }

    /// A message.
    pub fn get(&self, id: u64) -> Option<&Item> {
        self.items.get(&id)
    }

    /// All messages, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// How many are on their way.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many were given up and are kept.
    pub fn dead(&self) -> usize {
        self.dead.len()
    }
}

impl Item {
    fn new(delivery: Delivery, target: Option<TargetId>, attempts: u32, due: Option<Boot>) -> Item {
        Item { delivery, attempts, failures: VecDeque::new(), due, target }
    }

    /// What went wrong last.
    pub fn failure(&self) -> Option<&str> {
        let dead = self.delivery.dead.as_ref().map(|dead| dead.failure.as_str());
        dead.or_else(|| self.failures.back().map(|failure| failure.detail.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenward_core::name::Name;

    fn delivery(id: u64) -> Delivery {
        Delivery {
            id,
            callback: Name::parse("shop").unwrap(),
            target: Name::parse("orders").unwrap(),
            kind: "text".to_owned(),
            format: "xml".to_owned(),
            received: Wall(0),
            since: Wall(0),
            dead: None,
        }
    }

    fn at(seconds: i64) -> Now {
        Now { boot: Boot(seconds * 1000), wall: Wall(seconds * 1000) }
    }

    fn queue() -> Queue {
        Queue::new([Span::hours(1), Span::hours(1)])
    }

    #[test]
    fn a_message_that_arrived_is_gone() {
        let mut queue = queue();
        queue.add(delivery(1), 0, at(0).boot);
        assert_eq!(queue.take(at(0).boot), Some((1, 0)));
        assert_eq!(queue.tried(1, 0, Ok(()), at(0)), Verdict::Arrived);
        assert_eq!((queue.take(at(9).boot), queue.waiting()), (None, 0));
    }

    #[test]
    fn a_message_that_failed_waits_longer_each_time() {
        let mut queue = queue();
        queue.add(delivery(1), 0, at(0).boot);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert_eq!(queue.take(at(now).boot), Some((1, 0)));
            let Verdict::Again(wait) = queue.tried(1, 0, Err("no".into()), at(now)) else { break };
            assert_eq!(queue.next_wakeup(), Some(at(now).boot + wait));
            now += wait.whole_seconds();
            waits.push(wait.whole_seconds());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    }

    #[test]
    fn after_its_time_a_message_is_given_up_and_can_be_sent_again() {
        let mut queue = queue();
        queue.add(delivery(1), 0, at(0).boot);
        queue.take(at(0).boot);
        let dead = Dead { failure: "no".into(), attempts: 1 };
        assert_eq!(queue.tried(1, 0, Err("no".into()), at(3_600)), Verdict::GivenUp(dead));
        assert_eq!(queue.bury(1), None);
        assert_eq!((queue.waiting(), queue.dead(), queue.take(at(9_999).boot)), (0, 1, None));
        queue.redeliver(1, at(4_000)).unwrap();
        assert_eq!((queue.waiting(), queue.dead()), (1, 0));
        assert_eq!(queue.take(at(4_000).boot), Some((1, 0)));
        assert_eq!(queue.tried(1, 0, Err("no".into()), at(4_001)), Verdict::Again(Span::seconds(1)));
        let item = queue.get(1).unwrap();
        assert_eq!((item.delivery.received, item.delivery.since), (Wall(0), at(4_000).wall));
    }

    #[test]
    fn the_last_failures_are_remembered() {
        let mut queue = queue();
        queue.add(delivery(1), 0, at(0).boot);
        for count in 0..5 {
            queue.take(at(count * 1_000).boot);
            queue.tried(1, 0, Err(count.to_string()), at(count * 500));
        }
        let failures = &queue.get(1).unwrap().failures;
        assert_eq!(failures.iter().map(|it| it.detail.as_str()).collect::<Vec<_>>(), ["2", "3", "4"]);
    }

    #[test]
    fn a_target_that_hangs_takes_its_own_places_only() {
        let mut queue = queue();
        for id in 0..100 {
            queue.add(delivery(id), 0, at(0).boot);
        }
        while queue.take(at(0).boot).is_some() {}
        assert_eq!(queue.next_wakeup(), None, "all places are taken");
        queue.add(delivery(1_000), 1, at(0).boot);
        assert_eq!(queue.take(at(0).boot), Some((1_000, 1)));
    }

    #[test]
    fn of_those_given_up_the_oldest_are_forgotten() {
        let mut queue = queue();
        for id in 0..MOST_DEAD as u64 {
            assert_eq!(queue.add_dead(delivery(id), Some(0)), None);
        }
        assert_eq!(queue.add_dead(delivery(MOST_DEAD as u64), Some(0)), Some(0));
        assert!(queue.get(0).is_none());
    }

    #[test]
    fn a_message_without_a_target_stays_where_it_is() {
        let mut queue = queue();
        let dead = Some(Dead { failure: "gone".into(), attempts: 0 });
        queue.add_dead(Delivery { dead, ..delivery(1) }, None);
        assert!(queue.redeliver(1, at(0)).is_none());
        assert_eq!(queue.dead(), 1);
    }
}
