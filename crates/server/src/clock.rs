//! The only reader of time and entropy. Everything else is given the time as an argument.

use rustix::time::{ClockId, clock_gettime};
use tokenward_core::time::{Boot, Now, Wall};

/// What both clocks show now.
#[must_use]
pub fn now() -> Now {
    Now { boot: boot(), wall: wall() }
}

/// Boot time: goes on while the machine sleeps, and nobody can set it.
#[must_use]
pub fn boot() -> Boot {
    Boot(milliseconds(ClockId::Boottime))
}

/// The wall clock.
#[must_use]
pub fn wall() -> Wall {
    Wall(milliseconds(ClockId::Realtime))
}

fn milliseconds(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

/// A number that nobody can guess and no two nodes share.
///
/// # Panics
/// Never in practice: only if the system has no source of entropy.
#[must_use]
pub fn entropy() -> u64 {
    let mut bytes = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator works");
    u64::from_ne_bytes(bytes)
}

/// Which boot of which machine this is; 0 where the system does not say.
#[must_use]
pub fn boot_id() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}

/// A moment of the wall as RFC 3339 in UTC, to the second.
#[must_use]
pub fn rfc3339(wall: Wall) -> String {
    jiff::Timestamp::from_second(wall.unix_seconds())
        .map_or_else(|_| "unknown".to_owned(), |stamp| stamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_to_the_second_in_utc() {
        assert_eq!(rfc3339(Wall(1_795_176_000_999)), "2026-11-20T12:00:00Z");
    }
}
