#!/usr/bin/env bash
# Everything that must hold before a change lands. Starts and stops its own servers on free ports.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "tools"
scripts/install-test-tools.sh
scripts/install-interop.sh

say "format"
cargo fmt --all --check

say "lints"
cargo clippy --workspace --all-targets --quiet -- -D warnings

say "tests"
cargo nextest run --workspace --no-fail-fast

say "examples in the documentation of the code"
cargo test --workspace --doc --quiet

say "simulation: 2,000 seeds"
cargo run --quiet --release -p tokenward-sim -- --seeds 2000
