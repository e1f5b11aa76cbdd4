#!/usr/bin/env bash
# `make bench`: builds what is shipped and the bench's own server, installs oha into target/tools if there is none, and prints
# the figures.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --profile dist --quiet
server=$(cargo bench --no-run --bench server --message-format=json 2>/dev/null | grep -o '"executable":"[^"]*"' | tail -n 1 | cut -d'"' -f4)
if ! command -v oha >/dev/null && [ ! -x target/tools/bin/oha ]; then
    cargo install --locked --root target/tools --quiet oha
fi
BENCH_SERVER=$server exec python3 bench/bench.py "$@"
