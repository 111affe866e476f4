//! `tokenward completions`

use clap::CommandFactory as _;

/// Prints a completion script.
pub fn run(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::args::Arguments::command(), "tokenward", &mut script);
    crate::output::text(String::from_utf8_lossy(&script).trim_end());
}
