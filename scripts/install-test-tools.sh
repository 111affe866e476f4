#!/usr/bin/env bash
# Installs what the tests need beyond Rust, on Debian. Does nothing where it is there already.
set -euo pipefail

missing=()
command -v faketime >/dev/null || missing+=(faketime)
command -v cc >/dev/null || missing+=(gcc)
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi
cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest
