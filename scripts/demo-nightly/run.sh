#!/usr/bin/env bash
# Two weeks of nights, made by real runs against stand-ins: on night 9 the native one takes 8 % longer to its first token, and
# on night 5 others keep the machine busy. The page has to name night 9, and not night 5; this script fails if it doesn't.
#   scripts/demo-nightly/run.sh [FOLDER]    (default target/demo-nightly, made anew)
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/stand-in.sh
loadcmp=$PWD/target/release/loadcmp
here=$PWD/scripts/demo-nightly
out=${1:-target/demo-nightly}
rm -rf "$out"
mkdir -p "$out"

stand_ins=() busy=()
end() {
    local pid
    for pid in "${stand_ins[@]}" "${busy[@]}"; do kill "$pid" 2>/dev/null || true; done
    stand_ins=() busy=()
}
trap end EXIT

# A stand-in on a free port of loopback: its address goes to the variable.
start() { # variable first-token-ms
    local log pid url
    log=$(mktemp)
    stand_in "$loadcmp" "$log" --first-token-ms "$2"
    stand_ins+=("$pid")
    printf -v "$1" '%s' "$url"
    rm -f "$log"
}

for night in $(seq 14); do
    name=$(printf 'night-%02d' "$night")
    slower=50
    [ "$night" -ge 9 ] && slower=54
    start DEMO_NATIVE "$slower"
    start DEMO_OLLAMA 50
    export DEMO_NATIVE DEMO_OLLAMA
    if [ "$night" -eq 5 ]; then
        for _ in 1 2 3 4; do
            (while :; do :; done) &
            busy+=("$!")
        done
    fi
    # The first night has nothing to be compared with: its check against the baseline is not measured.
    held=()
    [ "$night" -gt 1 ] && held=(--baseline start --baselines "$out/baselines")
    code=0
    "$loadcmp" nightly "$here/nightly.yaml" --results "$out" --night "$name" --judge-stand-ins "${held[@]}" --quiet >/dev/null 2>"$out/$name.log" || code=$?
    end
    echo "$name: exit $code"
    if [ "$night" -eq 1 ]; then
        "$loadcmp" baseline save start "$out/$name/chat" --baselines "$out/baselines" --reason "the first night" --stand-ins
    fi
done

echo
cat "$out/nightly.md"
echo
echo "page: $out/index.html"
changed=$(sed -n '/What changed, and when/,/The nights/p' "$out/index.html")
grep -q 'TTFT p50 of native (stand-in) in chat: [^<]*first run night-09/chat' <<<"$changed" || { echo "night 9 is not named"; exit 1; }
if grep -q 'first run night-05' <<<"$changed"; then echo "night 5 is named"; exit 1; fi
echo "night 9 is named, and night 5 is not"
