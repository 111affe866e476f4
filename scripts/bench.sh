#!/usr/bin/env bash
# Hot paths against peers on the same two cores. Prints ratios; see docs/performance.md for how to read them.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v nginx >/dev/null || missing+=(nginx-light)
[ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || missing+=(libnginx-mod-http-lua)
command -v taskset >/dev/null || missing+=(util-linux)
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

cargo build --quiet --profile dist -p tokenward-cli
cargo bench --quiet --profile dist -p tokenward-server --bench token_read
cargo bench --quiet --profile dist -p tokenward-server --bench gateway
cargo test --quiet --profile dist -p tokenward-emulator --lib -- --ignored database_speed --nocapture | grep -E "us|ms|cloud"
