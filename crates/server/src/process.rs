//! What holds for the whole process: who may read what it makes, and how many files it may hold open.

use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit, setrlimit, umask};

/// Makes new files and sockets the owner's alone, and allows as many open files as the system lets us have.
pub fn prepare() {
    umask(Mode::RWXG | Mode::RWXO);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// How many connections may be open at once, so that files remain for fetches, the store and the operator.
#[must_use]
pub fn connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 8 * 3).unwrap_or(usize::MAX).clamp(16, MOST_CONNECTIONS)
}

const MOST_CONNECTIONS: usize = 20_000;
