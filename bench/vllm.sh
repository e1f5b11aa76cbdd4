#!/usr/bin/env bash
# Gets vLLM's client in Rust, a program of its own inside vLLM's wheel (336 MB are fetched, 58 MB kept), for `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=0.33.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --dest "$folder" "vllm==$VERSION"
mkdir -p target/tools/bin
python3 - "$folder"/*.whl target/tools/bin/vllm-rs <<'END'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2] + ".part", "wb") as out:
    out.write(wheel.read("vllm/vllm-rs"))
os.chmod(sys.argv[2] + ".part", 0o755)
os.rename(sys.argv[2] + ".part", sys.argv[2])
END
target/tools/bin/vllm-rs --version
