//! How long something takes, for tests of what must not take long.

use std::time::{Duration, Instant};

/// Does something, and says how long it took.
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}
