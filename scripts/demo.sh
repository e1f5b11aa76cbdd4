#!/usr/bin/env bash
# The comparison that loadcmp is for, on this machine: llama.cpp's server against Ollama, with the same real models.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repo=$PWD
engines=scripts/engines/engines.sh
cache=${LOADCMP_ENGINES:-$repo/target/engines}
models=$cache/models
out=${OUT:-results/demo-$(date -u +%Y%m%dT%H%M%SZ)}

usage() {
    cat <<'TEXT'
demo.sh [--plan]    install what is missing, start the engines on loopback, compare, stop them
                    --plan says what would be done, and how long it takes

LOADCMP_BIN         a built loadcmp; without it, cargo builds one
OUT                 where the results go (default: results/demo-<time>)
DEMO_UNTIL          the most that each comparison measures, such as 3s: shows that all of it works, and decides nothing
LOADCMP_WHEELS      a folder with all packages, for a machine without a package registry (docs/demo.md)
TEXT
}

say() { printf 'demo: %s\n' "$*"; }
die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# ------------------------------------------------------------------------------------------------- what is to be done

# Seconds of each part on two cores, with empty caches (docs/demo.md).
parts=()
total=0
part() {
    parts+=("$(printf '  %4d s  %s' "$1" "$2")")
    total=$((total + $1))
}

plan() {
    [ -n "${LOADCMP_BIN:-}" ] || [ -x "${CARGO_TARGET_DIR:-target}/debug/loadcmp" ] || part 340 "build loadcmp"
    [ -e "$cache/stamps/venv" ] || part 20 "Python packages: llama.cpp's server among them (70 MiB)"
    [ -e "$cache/stamps/weights-minilm" ] || part 15 "two models: SmolLM2-135M-Instruct and all-MiniLM-L6-v2 (169 MiB)"
    [ -e "$cache/stamps/ollama-0.34.1" ] || part 160 "build Ollama 0.34.1 (from source, 440 MiB of modules)"
    part 10 "start the engines on loopback, and put both models into Ollama"
    part 65 "embed: two hundred sentences"
    part 90 "classify: support tickets into six labels"
    part 175 "generate: 32 tokens for each of sixty prompts"
    say "this takes about $(((total + 59) / 60)) minutes on two cores; nothing is opened but ports of 127.0.0.1:"
    printf '%s\n' "${parts[@]}"
}

# ------------------------------------------------------------------------------------------------- what is begun, ends

# Each job is its own process group: a Ctrl-C comes here alone, and what it ends is ended here.
set -m
groups=()
started=

begin() {
    "$@" </dev/null &
    groups+=("$!")
}

# The last job begun, to its end.
finish() {
    local group code=0
    group=${groups[${#groups[@]} - 1]}
    wait "$group" || code=$?
    groups=("${groups[@]:0:${#groups[@]}-1}")
    return "$code"
}

living() {
    local group
    for group in ${groups[@]+"${groups[@]}"}; do
        if kill -0 -- "-$group" 2>/dev/null; then echo "-$group"; fi
    done
}

stop() {
    local tries=0 list signal=INT
    trap '' INT TERM HUP
    set +m
    # A run that is asked to end says what it has; it gets some seconds for that.
    while list=$(living) && [ -n "$list" ] && [ "$tries" -lt 100 ]; do
        if [ "$tries" = 0 ] || [ "$tries" = 50 ]; then
            # shellcheck disable=SC2086
            kill -"$signal" -- $list 2>/dev/null || true
            signal=TERM
        fi
        tries=$((tries + 1))
        sleep 0.2
    done
    if [ -n "$started" ]; then
        "$engines" down demo-ollama demo-llama demo-embed || true
        say "stopped what it started"
    fi
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --------------------------------------------------------------------------------------------------------- the engines

install() {
    local begun=$SECONDS
    if [ -z "${LOADCMP_BIN:-}" ]; then
        command -v cargo >/dev/null || die "cargo is missing: install Rust 1.95 or later"
        begin cargo build --quiet
        LOADCMP_BIN=${CARGO_TARGET_DIR:-target}/debug/loadcmp
    fi
    begin "$engines" install llama weights ollama-new
    finish || die "the engines could not be installed"
    [ "${#groups[@]}" = 0 ] || finish || die "loadcmp could not be built"
    say "installed: $((SECONDS - begun)) s"
}

# Puts a model into the Ollama.
put() {
    "$LOADCMP_BIN" demo install --quiet --replace --ollama http://127.0.0.1:21440 --name "$1" "$models/$1.gguf" | head -n 1
}

# compare SCENARIO MODEL PORT OPTION...: the two, on the same requests. One user each, for an engine has half the cores; and
# a first look is content with a tenth. Answers of a second come from both at once, those of milliseconds in turns.
compare() {
    local scenario=$1 model=$2 port=$3 begun=$SECONDS code=0
    shift 3
    printf '\n=== %s\n\n' "$scenario"
    begin "$LOADCMP_BIN" run "$scenario" --real --out "$out/$scenario" \
        --target "native=openai:http://127.0.0.1:$port,model=$model" \
        --target "ollama=ollama:http://127.0.0.1:21440,model=$model" \
        --set load.closed.users=1 --set order=alternate "$@"
    finish || code=$?
    say "$scenario: $((SECONDS - begun)) s"
    [ "$code" = 0 ] || exit "$code"
}

case ${1:-} in
    "") ;;
    --plan)
        plan
        exit 0
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac

plan
install
LOADCMP_BIN=$(realpath "$LOADCMP_BIN")
# Before it is begun: an interrupted start is to be ended, too.
started=yes
begin "$engines" up demo-ollama demo-llama demo-embed
finish
for model in smollm2 minilm; do
    begin put "$model"
    finish
done

# bounds MOST: what a comparison measures at the least and at the most.
bounds() { echo "load.until={ci: 5%, least: ${DEMO_UNTIL:-10s}, most: ${DEMO_UNTIL:-$1}}"; }

# The one that is decided soonest first.
compare embed minilm 21442 --set "$(bounds 15s)"
compare classify smollm2 21441 --set "$(bounds 20s)"
compare generate smollm2 21441 --set workload.sampling.max_tokens=32 --set "$(bounds 40s)"
say "in all: $SECONDS s; the pages: $out/*/report.html"
