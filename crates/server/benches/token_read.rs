//! The token read against nginx, side by side on the same cores.
//!
//! Both servers get core 0 and one worker, the load generator core 1. A round is one short slice of each, in
//! turning order; what counts is the median of the ratios within rounds, and the CPU time of the server
//! process for each request. Absolute numbers of one machine say little.
//!
//! `make bench` runs it. It needs nginx, and the `tokenward` binary built with the profile `dist`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

#[path = "bench/duel.rs"]
mod duel;
#[path = "bench/load.rs"]
mod load;
#[path = "bench/subject.rs"]
mod subject;

use duel::{CONNECTIONS, Row, Subject};
use load::Load;
use subject::{Nginx, Tokenward};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    subject::pin(std::process::id(), 1);
    let tokenward = Tokenward::start(folder.path());
    let nginx = Nginx::answering(folder.path(), &tokenward.sample());
    let mut subjects = [
        Subject::new(
            "nginx",
            Load::connect(nginx.address(), &nginx.token_read(), CONNECTIONS),
            nginx.worker(),
        ),
        Subject::new(
            "tokenward",
            Load::connect(tokenward.address(), &tokenward.token_read(), CONNECTIONS),
            tokenward.pid(),
        ),
    ];
    duel::run(&mut subjects);
    let [nginx, tokenward] = &subjects;
    duel::report("token read", nginx, tokenward, &Row::all(">= 1.05", "<= 0.95", "<= 1.00"));
}
