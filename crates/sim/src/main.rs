//! `tokenward-sim`: plays seeds and stops at the first broken promise.

use std::process::ExitCode;

use clap::Parser;
use tokenward_sim::{Summary, run};

/// Seeded simulation of the refreshing core.
#[derive(Debug, Parser)]
struct Arguments {
    /// Play this seed only, and show what happened at its end
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds to play
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (from, seeds, verbose) = match arguments.seed {
        Some(seed) => (seed, 1, true),
        None => (arguments.from, arguments.seeds, false),
    };
    let mut total = Summary::default();
    for seed in from..from.saturating_add(seeds) {
        match run(seed, verbose) {
            Ok(summary) => {
                total.reads += summary.reads;
                total.fetches += summary.fetches;
                total.crashes += summary.crashes;
                total.refusals += summary.refusals;
            }
            Err(violation) => {
                eprintln!("{violation}");
                println!("{} passed, 1 failed", seed - from);
                return ExitCode::FAILURE;
            }
        }
    }
    let Summary { reads, fetches, crashes, refusals } = total;
    println!("{reads} reads, {fetches} fetches, {crashes} crashes, {refusals} tokens refused");
    println!("{seeds} passed, 0 failed");
    ExitCode::SUCCESS
}
