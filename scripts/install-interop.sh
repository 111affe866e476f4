#!/usr/bin/env bash
# Installs the real clients that the interop tests run, under target/interop. Does nothing where they are already.
set -euo pipefail
cd "$(dirname "$0")/.."

place=target/interop
mkdir -p "$place"

python_wanted=$(sha256sum interop/python/requirements.txt)
if [ "$(cat "$place/python.done" 2>/dev/null)" != "$python_wanted" ]; then
  rm -rf "$place/python"
  python3 -m venv "$place/python"
  "$place/python/bin/pip" install --quiet --disable-pip-version-check -r interop/python/requirements.txt
  echo "$python_wanted" > "$place/python.done"
fi

node_wanted=$(sha256sum interop/node/package-lock.json)
mkdir -p "$place/node"
cp interop/node/* "$place/node/"
if [ "$(cat "$place/node.done" 2>/dev/null)" != "$node_wanted" ]; then
  (cd "$place/node" && npm ci --no-audit --no-fund --loglevel=error >/dev/null)
  echo "$node_wanted" > "$place/node.done"
fi
