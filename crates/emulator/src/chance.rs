//! A seeded generator: everything random in the emulator comes from here, so a seed replays a run.
//!
//! It is xoshiro256** (Blackman and Vigna, public domain), seeded through splitmix64. It is no source of
//! secrets; the emulator's tokens protect nothing.

use std::time::Duration;

use crate::moment::millis;

const TOKEN_ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The generator.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    state: [u64; 4],
}

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        let mut stream = seed;
        Self { state: std::array::from_fn(|_| splitmix(&mut stream)) }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Eight lower-case hexadecimal digits.
    pub(crate) fn hex8(&mut self) -> String {
        format!("{:08x}", self.next_u64() >> 32)
    }

    /// As many lower-case hexadecimal digits as asked for, in steps of eight.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        (0..digits.div_ceil(8)).map(|_| self.hex8()).collect()
    }

    /// Letters, digits, `-` and `_`, six random bits each.
    pub(crate) fn token_text(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| {
                let at = (self.next_u64() >> 58) as usize;
                TOKEN_ALPHABET.get(at).map_or('A', |byte| char::from(*byte))
            })
            .collect()
    }

    /// A signed number of milliseconds, evenly drawn from `-limit..=limit`.
    pub(crate) fn millis_within(&mut self, limit: Duration) -> i64 {
        let limit = millis(limit).min(i64::MAX / 4);
        let span = u64::try_from(limit * 2 + 1).unwrap_or(1);
        i64::try_from(self.next_u64() % span).unwrap_or(0) - limit
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays() {
        assert_eq!(Chance::seeded(7).token_text(40), Chance::seeded(7).token_text(40));
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(Chance::seeded(7).token_text(40), Chance::seeded(8).token_text(40));
    }

    #[test]
    fn offsets_stay_within_their_limit_and_fall_on_both_sides() {
        let mut chance = Chance::seeded(1);
        let drawn: Vec<i64> = (0..200).map(|_| chance.millis_within(Duration::from_secs(1))).collect();
        assert!(drawn.iter().all(|offset| offset.abs() <= 1000));
        assert!(drawn.iter().any(|offset| *offset < 0) && drawn.iter().any(|offset| *offset > 0));
    }
}
