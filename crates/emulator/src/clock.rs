//! The only reader of the machine's clock and of its entropy.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::moment::Moment;

/// Wall time. The emulator's own time is this plus what `POST /_emulator/time` added, which the machine keeps.
#[allow(
    clippy::disallowed_methods,
    reason = "the shell's one reader of time; the machine gets it as an argument"
)]
pub(crate) fn wall_now() -> Moment {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_unix_seconds(0).plus(elapsed)
}

/// A seed that differs from run to run, so that a restarted emulator does not mint its old tokens again.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().hash_one("tokenward-emulator")
}
