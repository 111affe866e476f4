//! How long a run may take.

use std::time::Duration;

use super::Source;
use crate::cloud::CloudFailure;

/// A time limit, and what it means to reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// In real time.
    pub(super) time: Duration,
    /// Whether it is the one of the HTTP API, and not the function's own.
    is_of_http: bool,
}

/// What the HTTP API waits for a function.
const OVER_HTTP: Duration = Duration::from_secs(5);

impl Limit {
    /// The limit of a function that is called by `source` and may run `own`.
    pub(super) fn of(source: &Source, own: Duration) -> Limit {
        let is_of_http = matches!(source, Source::Http(_)) && own > OVER_HTTP;
        Limit { time: if is_of_http { OVER_HTTP } else { own }, is_of_http }
    }

    /// What a caller is told.
    pub(super) fn failure(self) -> CloudFailure {
        let time = crate::duration_text::format(self.time);
        if self.is_of_http {
            let text = format!("resource server timeout (over HTTP a function has {time})");
            return CloudFailure::new(-501_002, text);
        }
        CloudFailure::execution_failed(&format!("Invoking task timed out after {time}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_http_a_function_has_five_seconds() {
        let limit = Limit::of(&Source::Http("wx1".to_owned()), Duration::from_secs(60));
        assert_eq!((limit.time, limit.failure().code), (Duration::from_secs(5), -501_002));
    }

    #[test]
    fn its_own_limit_counts_when_it_is_shorter_or_nobody_waits() {
        let (short, long) = (Duration::from_secs(3), Duration::from_secs(60));
        let over_http = Limit::of(&Source::Http("wx1".to_owned()), short);
        assert_eq!((over_http.time, over_http.failure().code), (short, -504_002));
        assert_eq!(Limit::of(&Source::Timer("t".to_owned()), long).time, long);
    }
}
