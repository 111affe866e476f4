//! Names for requests: what logs and answers call them.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use crate::clock;

/// Gives every request a name of sixteen hexadecimal digits that no other of this process has, and that tells
/// nothing about how many there were.
#[derive(Debug)]
pub struct RequestIds {
    next: AtomicU64,
}

/// Odd, so that steps of it visit every number once.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl RequestIds {
    /// Begins at a number of chance.
    #[must_use]
    pub fn new() -> RequestIds {
        RequestIds { next: AtomicU64::new(clock::entropy()) }
    }

    /// The next name.
    #[must_use]
    pub fn next(&self) -> HeaderValue {
        let number = self.next.fetch_add(STEP, Ordering::Relaxed);
        let mut digits = [0_u8; 16];
        for (place, digit) in digits.iter_mut().enumerate() {
            let nibble = u8::try_from((number >> (60 - 4 * place)) & 15).unwrap_or(0);
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        HeaderValue::from_bytes(&digits).expect("hexadecimal digits make a header value")
    }
}

impl Default for RequestIds {
    fn default() -> RequestIds {
        RequestIds::new()
    }
}
