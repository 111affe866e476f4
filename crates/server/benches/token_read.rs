//! The token read against nginx, side by side on the same cores.
//!
//! Both servers get core 0 and one worker, the load generator core 1. A round is one short slice of each, in
//! turning order; what counts is the median of the ratios within rounds, and the CPU time of the server
//! process for each request. Absolute numbers of one machine say little.
//!
//! `make bench` runs it. It needs nginx, and the `tokenward` binary built with the profile `dist`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

#[path = "bench/load.rs"]
mod load;
#[path = "bench/subject.rs"]
mod subject;

use std::time::Duration;

use load::Load;
use subject::{Nginx, Tokenward};

const ROUNDS: usize = 31;
const SLICE: Duration = Duration::from_millis(300);
const CONNECTIONS: usize = 32;

fn main() {
    let rounds = std::env::var("BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let folder = tempfile::tempdir().unwrap();
    subject::pin(std::process::id(), 1);
    let tokenward = Tokenward::start(folder.path());
    let nginx = Nginx::start(folder.path(), &tokenward.sample());
    let mut loads = [
        Load::connect(nginx.address(), &nginx.request(), CONNECTIONS),
        Load::connect(tokenward.address(), &tokenward.request(), CONNECTIONS),
    ];
    let pids = [nginx.worker(), tokenward.pid()];
    for load in &mut loads {
        load.run(SLICE);
    }
    let mut slices: [Vec<Slice>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for subject in order {
            let before = subject::cpu_nanoseconds(pids[subject]);
            let done = loads[subject].run(SLICE);
            let cpu = subject::cpu_nanoseconds(pids[subject]) - before;
            slices[subject].push(Slice::new(done, cpu));
        }
    }
    report(&slices);
}

type Figure = fn(&Slice) -> f64;

/// One subject's slice of a round.
struct Slice {
    rate: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Slice {
    fn new(mut done: load::Done, cpu_ns: u64) -> Slice {
        done.latencies.sort_unstable();
        let at = |share: usize| done.latencies[(done.latencies.len() - 1) * share / 100] as f64 / 1000.0;
        let count = done.latencies.len() as f64;
        Slice {
            rate: count / done.elapsed.as_secs_f64(),
            cpu_us: cpu_ns as f64 / 1000.0 / count,
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

fn report([nginx, tokenward]: &[Vec<Slice>; 2]) {
    let quartiles = |value: Figure| {
        let mut ratios: Vec<f64> =
            nginx.iter().zip(tokenward).map(|(base, subject)| value(subject) / value(base)).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |share: usize| ratios[(ratios.len() - 1) * share / 100];
        format!("{:.3} / {:.3} / {:.3}", at(25), at(50), at(75))
    };
    let median = |slices: &[Slice], value: Figure| {
        let mut values: Vec<f64> = slices.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "token read, c={CONNECTIONS}, {} rounds of {} ms, tokenward : nginx",
        nginx.len(),
        SLICE.as_millis()
    );
    println!("                    q25 / median / q75        goal      nginx  tokenward");
    let rows: [(&str, Figure, &str); 4] = [
        ("requests a second", |slice| slice.rate, ">= 1.05"),
        ("CPU us a request", |slice| slice.cpu_us, "<= 0.95"),
        ("p50 us", |slice| slice.p50_us, ""),
        ("p99 us (if quiet)", |slice| slice.p99_us, "<= 1.00"),
    ];
    for (name, value, goal) in rows {
        let (base, subject) = (median(nginx, value), median(tokenward, value));
        println!("{name:<19} {:<25} {goal:<8} {base:>7.1} {subject:>10.1}", quartiles(value));
    }
}
