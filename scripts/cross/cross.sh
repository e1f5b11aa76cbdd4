#!/usr/bin/env bash
# The program for other systems, made and used on this one: clippy for each, then it is built, started outside the checkout (by wine for
# Windows, by qemu for ARM), and compares two stand-ins; what it says of the workload must be what this system's own program says.
# For macOS it is compiled and not linked: its libraries are Apple's. Compilers and runners lie in target/cross.
#   scripts/cross/cross.sh [--profile PROFILE] [--no-lint | --lint-only] [--build-only] [TARGET...]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
cd "$root"
source scripts/stand-in.sh
tools=$root/target/cross
profile=dev
lint=true
build=true
use=true
targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --profile) profile=$2 && shift ;;
    --no-lint) lint=false ;;
    --lint-only) build=false ;;
    --build-only) use=false ;;
    -*) echo "scripts/cross/cross.sh: $1 is not known" >&2 && exit 2 ;;
    *) targets+=("$1") ;;
    esac
    shift
done
[ "${#targets[@]}" -gt 0 ] ||
    targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-pc-windows-gnu aarch64-apple-darwin x86_64-apple-darwin)

# A C compiler and linker for all of them, from PyPI.
mkdir -p "$tools"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check ziglang==0.15.2 cargo-zigbuild==0.24.1
export PATH=$tools/venv/bin:$PATH
# The AES of its assembler comes with the package: nothing else assembles for Windows here.
export AWS_LC_SYS_PREBUILT_NASM=1
# Of what zig forbids a C source for the sake of reproducible builds, mimalloc has the date.
export CFLAGS=-Wno-error=date-time

runner() { # Debian's package, its command: the command, installed if that can be
    if ! PATH=$PATH:/usr/lib/wine command -v "$2" >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq >/dev/null 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 || true
    fi
    PATH=$PATH:/usr/lib/wine command -v "$2" || true
}

# Wine before 9 lacks the library that Rust has its random numbers from; Windows has it.
random() { # folder of the program
    cat >"$tools/random.c" <<'C'
#include <stddef.h>
__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *at, unsigned long length);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *at, size_t length) { return SystemFunction036(at, (unsigned long)length); }
C
    "$tools/venv/bin/python" -m ziglang cc -target x86_64-windows-gnu -shared -O1 -o "$1/bcryptprimitives.dll" "$tools/random.c" -ladvapi32
}

work=$(mktemp -d)
serving=
end() {
    [ -z "$serving" ] || kill "$serving" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

native=$root/target/debug/loadcmp
serve() { # What both programs are pointed at.
    [ -z "$serving" ] || return 0
    [ -x "$native" ] || cargo build --quiet
    stand_in "$native" "$work/serve.log" --first-token-ms 20 --slots 8
    serving=$pid
}

hash() { sed -n 's/^ *"workload_hash": "\([0-9a-f]*\)".*/\1/p' "$1/manifest.json"; }
compare() { # folder, command...: check, run, report and the machine, as on a fresh machine
    local out=$1
    shift
    mkdir -p "$work/$out"
    (
        cd "$work/$out"
        export LOADCMP_CALIBRATION=$PWD/calibration.json
        "$@" --version
        "$@" doctor --json >doctor.json
        both=(--target "native=openai:$url" --target "ollama=ollama:$url" --set allow_same_endpoint=true)
        "$@" check generate "${both[@]}" >/dev/null
        "$@" run generate "${both[@]}" --quiet --set load.closed.duration=2s --set load.closed.warmup=200ms --out run >run.txt 2>&1 ||
            [ $? -le 5 ]
        [ -s run/report.json ] || { cat run.txt >&2 && exit 1; }
        "$@" report run --full >report.txt || [ $? -le 5 ]
        grep -q 'requests/s' report.txt || { cat report.txt >&2 && exit 1; }
        # It starts itself once more, which a program under qemu can't.
        $calibrates || exit 0
        "$@" calibrate --quick --quiet >calibrate.txt 2>&1 || { cat calibrate.txt >&2 && exit 1; }
        $pipes || exit 0
        # GG-CORE's wire over a named pipe: each request is in the record of the one that served it.
        pipe='\\.\pipe\loadcmp-cross'
        "$@" serve --no-http --socket "$pipe" --first-token-ms 20 --slots 8 --record served.csv 2>pipe.txt &
        server=$!
        trap 'kill "$server" 2>/dev/null || true' EXIT
        for _ in $(seq 200); do ! grep -q listening pipe.txt || break && sleep 0.1; done
        "$@" run generate --target "native=gg_core:$pipe" --target "ollama=ollama:$url" --quiet --set load.closed.duration=2s \
            --set load.closed.warmup=200ms --out piped >piped.txt 2>&1 || [ $? -le 5 ]
        kill "$server" && wait "$server" || true
        asked=$(grep -c '^native,' piped/samples.csv || true)
        [ "$asked" -gt 20 ] && [ "$asked" = "$(grep -c ',inference_request,' served.csv)" ] || { cat pipe.txt piped.txt >&2 && exit 1; }
        echo "ok: $asked requests over $pipe, as its server's own record has them"
    )
}

failed=()
for target in "${targets[@]}"; do
    echo "== $target"
    if command -v rustup >/dev/null && ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] && ! rustup -q target add "$target"; then
        echo "NOT RUN: no standard library for $target is to be had here" >&2
        continue
    fi
    case $target in *apple*)
        # Its C parts include Apple's own headers, which are nowhere else: an empty file stands for each.
        printf '#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" != -o ] || : >"$2"; shift; done\n' >"$tools/no-cc"
        printf '#!/bin/sh\nfor each; do case $each in *.a) : >"$each" ;; esac; done\n' >"$tools/no-ar"
        chmod +x "$tools/no-cc" "$tools/no-ar"
        env "CC_${target//-/_}=$tools/no-cc" "AR_${target//-/_}=$tools/no-ar" \
            cargo clippy --quiet --target "$target" --all-targets -- -D warnings || { failed+=("$target: clippy") && continue; }
        echo "ok: compiled, with the tests; not linked, and without its C parts"
        continue
        ;;
    esac
    ! $lint || cargo-zigbuild clippy --quiet --target "$target" --all-targets -- -D warnings || { failed+=("$target: clippy") && continue; }
    $build || continue
    cargo-zigbuild zigbuild --quiet --target "$target" --profile "$profile" || { failed+=("$target: build") && continue; }
    folder=$profile
    [ "$profile" != dev ] || folder=debug
    program=$root/target/$target/$folder/loadcmp
    case $target in *windows*) program=$program.exe ;; esac
    ls -l "$program" | awk '{ printf "built: %.1f MiB\n", $5 / 1048576 }'
    $use || continue
    command=("$program")
    calibrates=true
    pipes=false
    case $target in
    *windows*)
        wine=$(runner wine64 wine64)
        export WINEPREFIX=$tools/wine WINEDEBUG=-all
        command=("$wine" "$program")
        pipes=true
        [ -z "$wine" ] || random "${program%/*}"
        ;;
    "$(uname -m)"*) ;;
    aarch64*)
        qemu=$(runner qemu-user-static qemu-aarch64-static)
        command=("$qemu" "$program")
        calibrates=false
        ;;
    esac
    if [ -z "${command[0]}" ]; then
        echo "NOT RUN: nothing here starts a program for $target" >&2
        continue
    fi
    serve
    [ -d "$work/own" ] || calibrates=false pipes=false compare own "$native"
    # In the background, since a failure within a condition ends nothing.
    compare "$target" "${command[@]}" &
    wait $! || { failed+=("$target: use") && continue; }
    if [ "$(hash "$work/own/run")" = "$(hash "$work/$target/run")" ]; then
        echo "ok: used outside the checkout; the same workload, $(hash "$work/own/run" | cut -c1-12)"
    else
        failed+=("$target: another workload")
    fi
done
[ "${#failed[@]}" = 0 ] || {
    printf 'FAILED: %s\n' "${failed[@]}" >&2
    exit 1
}
