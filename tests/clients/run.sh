#!/usr/bin/env bash
# The official clients of Ollama, OpenAI and Anthropic, unchanged, against the stand-in; and the queries of docs/history.md, with DuckDB and
# pandas, on runs against it. Installs them under target/clients (from
# PyPI and npm, pinned), starts `loadcmp serve` on a free port, prints a line a client; fails if one does.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
loadcmp=${LOADCMP:-$root/target/debug/loadcmp}
export CLIENTS=$root/target/clients

mkdir -p "$CLIENTS"
if ! [ -x "$CLIENTS/venv/bin/python" ]; then python3 -m venv "$CLIENTS/venv"; fi
"$CLIENTS/venv/bin/python" -m pip install --quiet --disable-pip-version-check ollama==0.6.3 openai==2.54.0 anthropic==2.14.0 \
  duckdb==2.0.0 pandas==3.1.1 zstandard==0.25.0
if ! [ -d "$CLIENTS/node_modules/ollama" ]; then
  npm install --silent --no-audit --no-fund --prefix "$CLIENTS" ollama@0.6.4
fi

# It ends with this script, however that ends: its standard input is a pipe held open here.
log=$(mktemp)
coproc STANDIN { exec "$loadcmp" serve --listen 127.0.0.1:0 --until-stdin-closes 2>"$log"; }
pid=$STANDIN_PID
end() {
  kill "$pid" 2>/dev/null || true
  rm -f "$log"
}
trap end EXIT
url=
for _ in $(seq 100); do
  url=$(sed -n 's|^stand-in listening on \(http://.*\)$|\1|p' "$log")
  [ -n "$url" ] && break
  sleep 0.05
done
if [ -z "$url" ]; then
  echo "the stand-in did not start: $(cat "$log")" >&2
  exit 1
fi

failed=0
try() {
  local name=$1
  shift
  if "$@" "$url"; then echo "ok      $name"; else
    echo "FAILED  $name"
    failed=1
  fi
}
try "ollama 0.6.3 (Python)" "$CLIENTS/venv/bin/python" "$here/ollama_python.py"
try "ollama 0.6.4 (npm)" node "$here/ollama_npm.mjs"
try "openai 2.54.0 (Python)" "$CLIENTS/venv/bin/python" "$here/openai_python.py"
try "anthropic 2.14.0 (Python)" "$CLIENTS/venv/bin/python" "$here/anthropic_python.py"
try "duckdb 2.0.0, pandas 3.1.1" "$CLIENTS/venv/bin/python" "$here/tables.py" "$loadcmp" "$root/docs/history.md"
exit $failed
