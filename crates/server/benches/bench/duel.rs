//! Rounds of short slices in turning order, and what comes of them: ratios within rounds.

use std::time::Duration;

use crate::load::{Done, Load};
use crate::subject::cpu_nanoseconds;

/// One server under load.
pub struct Subject {
    pub name: &'static str,
    pub load: Load,
    /// The process whose CPU time counts.
    pub pid: u32,
    slices: Vec<Slice>,
}

/// One subject's slice of a round.
struct Slice {
    rate: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

/// What a row of the report shows, and what is aimed at.
pub struct Row {
    pub title: &'static str,
    value: fn(&Slice) -> f64,
    pub goal: &'static str,
}

const ROUNDS: usize = 31;
const SLICE: Duration = Duration::from_millis(300);
pub const CONNECTIONS: usize = 32;

impl Subject {
    pub fn new(name: &'static str, load: Load, pid: u32) -> Subject {
        Subject { name, load, pid, slices: Vec::new() }
    }

    fn run(&mut self) {
        let before = cpu_nanoseconds(self.pid);
        let done = self.load.run(SLICE);
        let cpu = cpu_nanoseconds(self.pid) - before;
        self.slices.push(Slice::new(done, cpu));
    }
}

impl Slice {
    fn new(mut done: Done, cpu_ns: u64) -> Slice {
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

impl Row {
    /// The four rows of every report, with the goals for requests and CPU.
    pub fn all(requests: &'static str, cpu: &'static str, p99: &'static str) -> [Row; 4] {
        [
            Row { title: "requests a second", value: |slice| slice.rate, goal: requests },
            Row { title: "CPU us a request", value: |slice| slice.cpu_us, goal: cpu },
            Row { title: "p50 us", value: |slice| slice.p50_us, goal: "" },
            Row { title: "p99 us (if quiet)", value: |slice| slice.p99_us, goal: p99 },
        ]
    }
}

/// Lets the subjects run, in an order that turns from round to round.
pub fn run(subjects: &mut [Subject]) {
    let rounds = std::env::var("BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    for subject in subjects.iter_mut() {
        subject.load.run(SLICE);
    }
    for round in 0..rounds {
        let count = subjects.len();
        for step in 0..count {
            subjects[(round + step) % count].run();
        }
    }
}

/// Prints the ratios of one subject to another.
pub fn report(title: &str, base: &Subject, subject: &Subject, rows: &[Row]) {
    let rounds = base.slices.len();
    println!(
        "{title}, c={CONNECTIONS}, {rounds} rounds of {} ms, {} : {}",
        SLICE.as_millis(),
        subject.name,
        base.name
    );
    println!("                    q25 / median / q75        goal    {:>10} {:>10}", base.name, subject.name);
    for Row { title, value, goal } in rows {
        let mut ratios: Vec<f64> = base
            .slices
            .iter()
            .zip(&subject.slices)
            .map(|(base, subject)| value(subject) / value(base))
            .collect();
        let quartiles = [25, 50, 75].map(|share| at(&mut ratios, share));
        let quartiles = format!("{:.3} / {:.3} / {:.3}", quartiles[0], quartiles[1], quartiles[2]);
        let median = |slices: &[Slice]| at(&mut slices.iter().map(value).collect::<Vec<f64>>(), 50);
        println!(
            "{title:<19} {quartiles:<25} {goal:<8} {:>9.1} {:>10.1}",
            median(&base.slices),
            median(&subject.slices)
        );
    }
    println!();
}

fn at(values: &mut [f64], share: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * share / 100]
}
