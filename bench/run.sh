#!/usr/bin/env bash
# `make bench`: builds what is shipped, installs oha into target/tools if there is none, and prints the figures.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --profile dist --quiet
if ! command -v oha >/dev/null && [ ! -x target/tools/bin/oha ]; then
    cargo install --locked --root target/tools --quiet oha
fi
exec python3 bench/bench.py "$@"
