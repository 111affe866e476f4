//! A timing wheel: one alarm for each of a million credentials, set and cleared in constant time.
//!
//! Slots are one second wide; an alarm further away than one turn waits in its slot for another turn. Twelve
//! to sixteen bytes an alarm: its moment and its neighbours in the slot's list.

use std::collections::VecDeque;

use crate::time::Boot;

const SLOTS: i64 = 16_384;
const SLOT_MS: i64 = 1_000;
const NONE: u32 = u32::MAX;

/// Alarms by credential index.
#[derive(Debug)]
pub(crate) struct Wheel {
    alarms: Vec<Alarm>,
    heads: Vec<u32>,
    /// The slot that was looked at last; everything before it has rung.
    hand: i64,
}

#[derive(Clone, Copy, Debug)]
struct Alarm {
    at: Boot,
    previous: u32,
    next: u32,
}

const IDLE: Alarm = Alarm { at: Boot::NEVER, previous: NONE, next: NONE };

fn slot_of(second: i64) -> usize {
    usize::try_from(second.rem_euclid(SLOTS)).expect("a remainder of SLOTS fits")
}

impl Wheel {
    pub(crate) fn new(now: Boot) -> Wheel {
        let slots = usize::try_from(SLOTS).expect("a small constant fits");
        Wheel { alarms: Vec::new(), heads: vec![NONE; slots], hand: now.0.div_euclid(SLOT_MS) }
    }

    /// Sets the alarm of `index`; `NEVER` clears it.
    pub(crate) fn set(&mut self, index: u32, at: Boot) {
        let place = index as usize;
        if place >= self.alarms.len() {
            self.alarms.resize(place + 1, IDLE);
        }
        self.unlink(index);
        if at == Boot::NEVER {
            return;
        }
        // What is overdue goes into the slot under the hand, so that it is never missed.
        let at = at.max(Boot(self.hand.saturating_mul(SLOT_MS)));
        let slot = slot_of(at.0.div_euclid(SLOT_MS));
        let head = self.heads.get(slot).copied().unwrap_or(NONE);
        if let Some(alarm) = self.alarms.get_mut(place) {
            *alarm = Alarm { at, previous: NONE, next: head };
        }
        if let Some(next) = self.alarms.get_mut(head as usize) {
            next.previous = index;
        }
        if let Some(head) = self.heads.get_mut(slot) {
            *head = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(alarm) = self.alarms.get_mut(index as usize) else { return };
        let Alarm { at, previous, next } = core::mem::replace(alarm, IDLE);
        if at == Boot::NEVER {
            return;
        }
        if let Some(after) = self.alarms.get_mut(next as usize) {
            after.previous = previous;
        }
        if let Some(before) = self.alarms.get_mut(previous as usize) {
            before.next = next;
        } else if let Some(head) = self.heads.get_mut(slot_of(at.0.div_euclid(SLOT_MS))) {
            *head = next;
        }
    }

    /// Takes out every alarm that is due, earliest first.
    pub(crate) fn ring(&mut self, now: Boot, due: &mut VecDeque<u32>) {
        let target = now.0.div_euclid(SLOT_MS);
        let first = self.hand.max(target.saturating_sub(SLOTS - 1)).min(target);
        let mut rung = Vec::new();
        for second in first..=target {
            self.ring_slot(second, now, &mut rung);
        }
        self.hand = self.hand.max(target);
        rung.sort_unstable();
        for (_, index) in rung {
            self.unlink(index);
            due.push_back(index);
        }
    }

    fn ring_slot(&mut self, second: i64, now: Boot, rung: &mut Vec<(Boot, u32)>) {
        let mut index = self.heads.get(slot_of(second)).copied().unwrap_or(NONE);
        while let Some(alarm) = self.alarms.get(index as usize) {
            if alarm.at <= now {
                rung.push((alarm.at, index));
            }
            index = alarm.next;
        }
    }

    /// The earliest alarm, if there is one before `horizon`; else `horizon`. Looks only at the slots between.
    pub(crate) fn next(&self, now: Boot, horizon: Boot) -> Boot {
        let last = horizon.0.div_euclid(SLOT_MS);
        let first = now.0.div_euclid(SLOT_MS).min(self.hand);
        for second in first..=last.min(first + SLOTS - 1) {
            let mut index = self.heads.get(slot_of(second)).copied().unwrap_or(NONE);
            let mut earliest = horizon;
            while let Some(alarm) = self.alarms.get(index as usize) {
                earliest = earliest.min(alarm.at);
                index = alarm.next;
            }
            if earliest < horizon {
                return earliest;
            }
        }
        horizon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(wheel: &mut Wheel, now: i64) -> Vec<u32> {
        let mut due = VecDeque::new();
        wheel.ring(Boot(now), &mut due);
        due.into()
    }

    #[test]
    fn alarms_ring_in_order_and_once() {
        let mut wheel = Wheel::new(Boot(0));
        wheel.set(3, Boot(2_700));
        wheel.set(1, Boot(2_300));
        wheel.set(2, Boot(90_000));
        assert_eq!(ring(&mut wheel, 2_299), []);
        assert_eq!(ring(&mut wheel, 10_000), [1, 3]);
        assert_eq!(ring(&mut wheel, 10_001), []);
        assert_eq!(ring(&mut wheel, 90_000), [2]);
    }

    #[test]
    fn a_cleared_alarm_does_not_ring() {
        let mut wheel = Wheel::new(Boot(0));
        for index in 0..3 {
            wheel.set(index, Boot(5_000));
        }
        wheel.set(1, Boot::NEVER);
        wheel.set(2, Boot(6_000));
        assert_eq!(ring(&mut wheel, 5_500), [0]);
    }

    #[test]
    fn an_alarm_beyond_one_turn_waits_for_its_own() {
        let month = 30 * 24 * 3600 * 1000;
        let mut wheel = Wheel::new(Boot(0));
        wheel.set(0, Boot(month));
        for hour in 0..(30 * 24) {
            assert_eq!(ring(&mut wheel, hour * 3_600_000), []);
        }
        assert_eq!(ring(&mut wheel, month), [0]);
    }

    #[test]
    fn an_overdue_alarm_rings_at_the_next_turn_of_the_hand() {
        let mut wheel = Wheel::new(Boot(100_000));
        wheel.set(0, Boot(-5));
        assert_eq!(wheel.next(Boot(100_000), Boot(101_000)), Boot(100_000));
        assert_eq!(ring(&mut wheel, 100_001), [0]);
    }

    #[test]
    fn after_a_long_sleep_everything_due_rings() {
        let mut wheel = Wheel::new(Boot(0));
        for index in 0..1_000 {
            wheel.set(index, Boot(i64::from(index) * 7_001));
        }
        assert_eq!(ring(&mut wheel, 10_000_000_000).len(), 1_000);
    }

    #[test]
    fn the_next_alarm_is_found_before_the_horizon() {
        let mut wheel = Wheel::new(Boot(0));
        wheel.set(0, Boot(800));
        assert_eq!(wheel.next(Boot(0), Boot(1_000)), Boot(800));
        assert_eq!(wheel.next(Boot(0), Boot(500)), Boot(500));
    }
}
