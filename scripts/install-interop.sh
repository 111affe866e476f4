#!/usr/bin/env bash
# Installs the real clients that the interop tests run, under target/interop. Does nothing where they are already.
set -euo pipefail
cd "$(dirname "$0")/.."

place=target/interop
mkdir -p "$place"

# Environments of their own for what does not go together.
for environment in "python requirements.txt" "python-wechat requirements-wechat.txt" "python-wechatpy2 requirements-wechatpy2.txt"; do
  read -r name list <<<"$environment"
  wanted=$(sha256sum "interop/python/$list")
  if [ "$(cat "$place/$name.done" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "${place:?}/$name"
    python3 -m venv "$place/$name"
    "$place/$name/bin/pip" install --quiet --disable-pip-version-check -r "interop/python/$list"
    echo "$wanted" > "$place/$name.done"
  fi
done

node_wanted=$(sha256sum interop/node/package-lock.json)
mkdir -p "$place/node"
cp interop/node/* "$place/node/"
if [ "$(cat "$place/node.done" 2>/dev/null)" != "$node_wanted" ]; then
  (cd "$place/node" && npm ci --no-audit --no-fund --loglevel=error >/dev/null)
  echo "$node_wanted" > "$place/node.done"
fi
