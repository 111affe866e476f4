//! The tokenward command.

fn main() {}
