#!/usr/bin/env bash
# The wheel of this system, used as people get it: installed into an empty environment, it compares two stand-ins in an empty folder.
#   scripts/release/wheel.sh [--profile release]     (default: dist, as it is shipped)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$root"
tools=$root/target/wheel
mkdir -p "$tools"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check maturin==1.16.0
rm -rf "$tools/made"
# Of this machine's own C library: what is published is built by the release's workflow for older ones.
PATH=$tools/venv/bin:$PATH maturin build --quiet --compatibility linux --out "$tools/made" "${@:---profile=dist}"
wheel=$(ls "$tools"/made/loadcmp-*.whl)
ls -l "$wheel" | awk '{ printf "%.1f MiB: ", $5 / 1048576 }'
basename "$wheel"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index "$wheel"
cd "$work"
"$work/venv/bin/loadcmp" --version
env -u OLLAMA_HOST -u NATIVE_URL LOADCMP_CALIBRATION=/nowhere/calibration.json \
    "$work/venv/bin/loadcmp" run classify --set load.closed.duration=2s --set load.closed.warmup=200ms --quiet --out run >run.txt 2>&1 ||
    [ $? -le 5 ] || { cat run.txt >&2 && exit 1; }
[ -s run/report.html ] || { cat run.txt >&2 && exit 1; }
echo "ok: installed into an empty environment, and ran a comparison there"
