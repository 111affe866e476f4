#!/usr/bin/env bash
# The full lengths. Each part that has passed is remembered under target/prove, so that a run can be resumed;
# remove that folder to begin anew.
set -euo pipefail
cd "$(dirname "$0")/.."

done_dir=target/prove
mkdir -p "$done_dir"
commit=$(git rev-parse HEAD)

# part NAME COMMAND...: runs the command unless it has passed for this commit already.
part() {
  local name=$1
  shift
  if [ "$(cat "$done_dir/$name" 2>/dev/null)" = "$commit" ]; then
    printf '== %s: passed before\n' "$name"
    return
  fi
  printf '\n== %s\n' "$name"
  "$@"
  echo "$commit" > "$done_dir/$name"
}

deny() {
  command -v cargo-deny >/dev/null || cargo install --locked --quiet cargo-deny
  cargo deny check bans licenses sources
}

seeds() {
  cargo run --quiet --release -p tokenward-sim -- --from "$1" --seeds 100000
}

go_recipe() {
  command -v go >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq golang-go >/dev/null
  cargo nextest run -p tokenward-cli --test recipes --run-ignored only go
}

scripts/install-test-tools.sh
scripts/install-interop.sh
part deny deny
for block in 0 1 2 3 4 5 6 7 8 9; do
  part "seeds-$block" seeds $((block * 100000))
done
part go_recipe go_recipe
part kills env TOKENWARD_KILLS=1000 cargo nextest run -p tokenward-cli --test promises fifty_kills --profile prove
part soak env TOKENWARD_SOAK=600s cargo nextest run -p tokenward-cli --test soak --profile prove
part wars env TOKENWARD_WAR=120s cargo nextest run -p tokenward-cli --test wars --profile prove
part redis_down env TOKENWARD_REDIS_DOWN=60s cargo nextest run -p tokenward-cli --test sinks_redis comes_back_empty --profile prove
part callback_p99 env TOKENWARD_CALLBACK_P99_MS=50 cargo nextest run --release -p tokenward-cli --test callback_attacks answered_at_once --profile prove
part large_files env TOKENWARD_LARGE_FILE_MIB=500 cargo nextest run -p tokenward-cli --test cloud_files large --profile prove
part fuzz env TOKENWARD_FUZZ=600s cargo nextest run --release -p tokenward-emulator -E 'test(any_text_is_answered)' --profile prove
