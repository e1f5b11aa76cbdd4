#!/usr/bin/env bash
# Runs a command on a machine that does other work: `scripts/busy.sh 2 make test` has two busy loops next to it. They
# end with the command, also when it is interrupted.
set -euo pipefail
loops=$1
shift
pids=()
end() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for ((at = 0; at < loops; at++)); do
    sh -c 'while :; do :; done' &
    pids+=($!)
done
"$@"
