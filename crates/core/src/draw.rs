//! Draws: numbers that look random and are a function of their inputs.
//!
//! The core holds no source of entropy. What is drawn from (credential, generation) comes out the same on
//! every node and after every restart, so a due time is drawn once and never moves; what is drawn with the
//! fleet's salt differs from node to node, so that nodes do not retry in step.

/// A fraction of one in units of 1/2³², for [`crate::time::Span::fraction`].
#[must_use]
pub fn fraction(salt: u64, name: &str, number: u64) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ salt;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (mix(hash ^ mix(number)) >> 32) as u32
}

/// The finalizer of SplitMix64: every input bit reaches every output bit.
fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_inputs_draw_the_same_fraction() {
        assert_eq!(fraction(1, "shop", 7), fraction(1, "shop", 7));
    }

    #[test]
    fn ten_thousand_neighbours_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for number in 0..10_000 {
            let tenth = (u64::from(fraction(0, "shop", number)) * 10) >> 32;
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (900..1100).contains(count)), "{tenths:?}");
    }
}
