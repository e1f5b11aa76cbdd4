#!/usr/bin/env bash
# What the program is made of (CycloneDX): every package of Cargo.lock that is built into it on some system, with its version and licence.
#   scripts/release/sbom.sh FILE
set -euo pipefail
file=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
tools=$PWD/target/tools/bin
# It reads some files: built without being optimized, in half the time.
[ -x "$tools/cargo-cyclonedx" ] ||
    cargo install --locked --quiet --debug --config profile.dev.debug=0 --root target/tools cargo-cyclonedx
PATH=$tools:$PATH cargo cyclonedx --quiet --format json --spec-version 1.5 --target all --override-filename loadcmp.cdx
mv loadcmp.cdx.json "$file"
python3 - "$file" <<'PY'
import json, subprocess, sys
listed = {(part["name"], part["version"]): part for part in json.load(open(sys.argv[1]))["components"]}
tree = ["cargo", "tree", "--locked", "--edges", "normal,build", "--target", "all", "--prefix", "none", "--format", "{p}"]
lines = subprocess.run(tree, check=True, capture_output=True, text=True).stdout.split("\n")
built = {(line.split()[0], line.split()[1][1:]) for line in lines if line}
built = {part for part in built if part[0] != "loadcmp"}
if missing := sorted(built - set(listed)):
    sys.exit(f"FAILED: not in the list: {missing[:5]}, {len(missing)} in all")
if bare := sorted(part for part in built if not listed[part].get("licenses")):
    sys.exit(f"FAILED: without a licence: {bare[:5]}")
print(f"ok: {len(built)} packages, each with its licence")
PY
