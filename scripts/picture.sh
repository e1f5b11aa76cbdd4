#!/usr/bin/env bash
# docs/img/report.png anew: the first screen of a run's page, of real engines, in a browser of 1,440 px.
#   scripts/picture.sh RUN      a run's results, such as results/demo-.../generate
# Needs what `make pages` has installed, and a browser (CHROMIUM=/path/to/chromium, or chromium on PATH).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
run=${1:?usage: scripts/picture.sh RUN}
browser=${CHROMIUM:-$(command -v chromium || command -v google-chrome)}
export PAGES_TOOLS=$root/target/pages/tools
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
grep -q '"stand_in": true' "$run/report.json" && { echo "$run has a stand-in: the picture is of real engines" >&2; exit 1; }
node "$root/tests/pages/look.mjs" "$out" "$browser" run="$run/report.html"
mkdir -p "$root/docs/img"
cp "$out/run-light-1440-first.png" "$root/docs/img/report.png"
ls -l "$root/docs/img/report.png"
