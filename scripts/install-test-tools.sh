#!/usr/bin/env bash
# Installs what the tests need beyond Rust, on Debian. Does nothing where it is there already.
set -euo pipefail

missing=()
command -v faketime >/dev/null || missing+=(faketime)
command -v cc >/dev/null || missing+=(gcc)
# The recipes of the README are run as they stand.
command -v curl >/dev/null || missing+=(curl)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
command -v jq >/dev/null || missing+=(jq)
command -v python3 >/dev/null || missing+=(python3)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v redis-server >/dev/null || missing+=(redis-server)
php -r 'exit((int) !(is_file("/usr/share/php/Symfony/Component/Cache/autoload.php") && is_file("/usr/share/php/Psr/SimpleCache/autoload.php")));' 2>/dev/null || missing+=(php-symfony-cache php-psr-simple-cache)
php -m 2>/dev/null | grep -q redis || missing+=(php-redis)
php -m 2>/dev/null | grep -q apcu || missing+=(php-cli php-apcu)
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi
cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest
