//! The allowed arrows between crates, kept. Dev-dependencies are exempt.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Who may know whom. What is not here is forbidden.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("core", &[]),
    ("vault", &[]),
    ("api", &[]),
    ("emulator", &[]),
    ("cloud", &[]),
    ("providers", &["core"]),
    ("store", &["core"]),
    ("sim", &["core", "store"]),
    ("client", &["api", "cloud"]),
    ("server", &["core", "providers", "store", "vault", "api", "cloud"]),
    ("cli", &["server", "client", "emulator"]),
];

#[test]
fn crates_know_only_whom_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut known = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().strip_prefix("tokenward-").unwrap().to_owned();
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let ours = dependencies
            .filter(|dependency| dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str().unwrap().strip_prefix("tokenward-"))
            .map(str::to_owned);
        known.insert(name, ours.collect::<Vec<_>>());
    }
    assert_eq!(known.len(), ALLOWED.len(), "a new crate needs a line in ALLOWED: {known:?}");
    for (name, dependencies) in known {
        let (_, allowed) = ALLOWED.iter().find(|(allowed, _)| *allowed == name).unwrap();
        for dependency in dependencies {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not know {dependency}");
        }
    }
}

#[test]
fn the_core_depends_on_nothing_that_could_do_anything() {
    let manifest = include_str!("../../core/Cargo.toml");
    let dependencies: Vec<_> = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(dependencies, ["zeroize.workspace = true"]);
}
