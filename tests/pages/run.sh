#!/usr/bin/env bash
# The pages as people open them: short runs on stand-ins, each page in a real browser, light and dark, wide and narrow, by
# look.mjs; report.json against its schema by another's reader of schemas. Installs what it needs under target/pages (from npm
# and PyPI, pinned); pictures lie in target/pages/pictures.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
source "$root/scripts/stand-in.sh"
loadcmp=${LOADCMP:-$root/target/debug/loadcmp}
pages=$root/target/pages
export PAGES_TOOLS=$pages/tools
export LOADCMP_CALIBRATION=/nowhere/calibration.json

mkdir -p "$PAGES_TOOLS"
if ! cmp -s "$here/package-lock.json" "$PAGES_TOOLS/installed.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$PAGES_TOOLS/"
  (cd "$PAGES_TOOLS" && npm ci --silent --no-audit --no-fund)
  cp "$here/package-lock.json" "$PAGES_TOOLS/installed.json"
fi

# The machine's own browser, or one that is installed beside the rest.
browser=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
  [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
if [ -z "$browser" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "no chromium on this machine: installing the distribution's"
  apt-get update -qq >/dev/null 2>&1 || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null 2>&1 || true
  browser=$(command -v chromium || true)
fi
if [ -z "$browser" ]; then
  echo "no chromium on this machine: installing one under target/pages"
  browser=$("$PAGES_TOOLS/node_modules/.bin/browsers" install chrome-headless-shell@stable --path "$pages/browser" |
    tail -n 1 | cut -d' ' -f2-) || true
fi
if ! "$browser" --version >/dev/null 2>&1; then
  echo "no chromium on this machine, and none could be installed: name one by CHROMIUM=/path/to/chromium" >&2
  exit 1
fi

# Two engines that fail now and then, so that every part of a page has something to show.
work=$(mktemp -d)
pids=()
end() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end EXIT
serve() {
  local log=$work/$1.log
  shift
  stand_in "$loadcmp" "$log" "$@"
  pids+=("$pid")
}
timing=(--jitter lognormal --jitter-scale 0.25 --labels "$root/scenarios/data/tickets.csv")
serve native --first-token-ms 8 --decode-rate 1500 --accuracy 0.92 --fault-status 0.01 "${timing[@]}"
native=$url
serve ollama --first-token-ms 14 --decode-rate 900 --accuracy 0.85 --fault-truncate 0.02 "${timing[@]}"
ollama=$url

# A run whose audit has something against it is what a page is for: only its page counts here.
rm -rf "$pages/runs"
go() {
  local out=$1
  shift
  "$loadcmp" "$@" --quiet --target "native=openai:$native" --target "ollama=ollama:$ollama" --out "$pages/runs/$out" \
    >"$work/$out.txt" 2>&1 || [ $? -le 5 ] || { cat "$work/$out.txt" >&2 && exit 1; }
}
mkdir -p "$pages/runs"
go classify run "$root/scenarios/classify.yaml" --set load.closed.duration=5s --set load.closed.warmup=1s
go generate run "$root/scenarios/generate.yaml" --set load.closed.duration=5s --set load.closed.warmup=1s
go open run "$root/scenarios/open.yaml" --set 'load.open={rate: 20, duration: 4s, warmup: 1s}'
go sweep run "$root/scenarios/generate.yaml" --sweep load.closed.users=1,2,4 --set load.closed.duration=1s \
  --set load.closed.warmup=200ms
go capacity capacity "$root/scenarios/classify.yaml" --by users --slo 'latency.p95 <= 80ms and errors <= 20%' \
  --probe 500ms --most 4 --budget 20s

# Three variants of one target, in blocks, with text that must stay text; and a target by itself.
cat >"$work/variants.yaml" <<YAML
name: variants
about: "Text that others wrote: <b>bold</b> & \"quoted\""
task: classify
seed: 5
targets: { ollama: { ollama: { url: "$ollama" } } }
variants: { ollama: { a: {}, quick: { ollama.url: "$native" }, twin: {} } }
workload: { prompts: { csv: { path: $root/scenarios/data/tickets.csv, text: text, label: label } }, labels: [billing, bug, feature, account, shipping, praise] }
order: alternate
blocks: { pairs: 6, settle: 5ms, warmup: 5ms }
load: { closed: { users: 1, requests: 40 } }
YAML
alone() {
  local out=$1
  shift
  "$loadcmp" run "$@" --quiet --out "$pages/runs/$out" >"$work/$out.txt" 2>&1 || [ $? -le 5 ] ||
    { cat "$work/$out.txt" >&2 && exit 1; }
}
alone variants "$work/variants.yaml"
sed -e '/^variants:/d' -e '/^order:/d' -e '/^blocks:/d' -e 's/^name: .*/name: one/' "$work/variants.yaml" >"$work/one.yaml"
alone one "$work/one.yaml"

# Gates of every outcome, tiers and a baseline; a suite of two nights, and a figure over them.
cat >"$work/gated.yaml" <<YAML
name: gated
task: classify
seed: 5
targets: { native: { openai: { url: "$native" } }, ollama: { ollama: { url: "$ollama" } } }
workload: { prompts: { csv: { path: $root/scenarios/data/tickets.csv, text: text, label: label } }, labels: [billing, bug, feature, account, shipping, praise] }
order: alternate
blocks: { pairs: 6, settle: 5ms, warmup: 5ms }
load: { closed: { users: 1, duration: 4s } }
gates: [native.latency.p50 <= 1s, native.latency.p50 <= 1ms, native.memory_ratio <= 1.35, native.accuracy >= ollama.accuracy - 1pp]
tiers: { functional: [latency.p50 <= 10s], usable: [latency.p50 <= 1ms] }
YAML
alone kept "$work/gated.yaml" --set 'gates=[native.requests >= 10]' --judge-stand-ins
"$loadcmp" baseline save kept "$pages/runs/kept" --baselines "$pages/runs/baselines" --reason "for the page" --stand-ins >/dev/null
alone gated "$work/gated.yaml" --judge-stand-ins --baseline kept --baselines "$pages/runs/baselines"
for night in one two; do
  DEMO_NATIVE=$native DEMO_OLLAMA=$ollama "$loadcmp" nightly "$root/scripts/demo-nightly/nightly.yaml" --quiet --judge-stand-ins \
    --results "$pages/runs/nights" --night "$night" --set load.closed.duration=1s >"$work/$night.txt" 2>&1 || [ $? -le 5 ] ||
    { cat "$work/$night.txt" >&2 && exit 1; }
  sleep 1
done
"$loadcmp" trend latency.p50 "$pages/runs/nights" --html "$pages/runs/trend.html" >/dev/null 2>&1
# Three runs of one workload, compared.
mkdir -p "$work/builds" "$pages/runs/builds"
for n in 1 2 3; do alone "builds/build-$n" "$work/one.yaml"; done
"$loadcmp" compare "$pages/runs/builds/build-*" >/dev/null 2>&1
# A suite of two hundred nights, made up.
(cd "$root" && PAGES_OUT=$pages/runs/long.html cargo test --quiet --lib two_hundred_nights >"$work/long.txt" 2>&1) ||
  { cat "$work/long.txt" >&2 && exit 1; }

failed=0
node "$here/look.mjs" "$pages/pictures" "$browser" classify="$pages/runs/classify/report.html" \
  generate="$pages/runs/generate/report.html" open="$pages/runs/open/report.html" \
  variants="$pages/runs/variants/report.html" one="$pages/runs/one/report.html" sweep="$pages/runs/sweep/sweep.html" \
  capacity="$pages/runs/capacity/capacity.html" gated="$pages/runs/gated/report.html" \
  suite="$pages/runs/nights/two/suite.html" nights="$pages/runs/nights/index.html" trend="$pages/runs/trend.html" \
  compare="$pages/runs/builds/compare.html" long="$pages/runs/long.html" || failed=1

if ! [ -x "$pages/venv/bin/python" ]; then python3 -m venv "$pages/venv"; fi
"$pages/venv/bin/python" -m pip install --quiet --disable-pip-version-check jsonschema==4.26.0
"$loadcmp" schema --report >"$work/schema.json"
for run in classify generate open variants one gated; do
  if "$pages/venv/bin/python" "$here/valid.py" "$work/schema.json" "$pages/runs/$run/report.json"; then
    echo "ok      $run/report.json is what its schema says"
  else failed=1; fi
done
exit $failed
