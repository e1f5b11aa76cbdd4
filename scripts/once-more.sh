#!/usr/bin/env bash
# Runs a command that runs tests; those that failed, three at most, are run once more, one after another and with nothing
# next to them, and both outcomes are printed: `scripts/once-more.sh scripts/busy.sh 2 make test`. A test that came late since
# others had the processor is no fault of the code; one that fails twice is. AGAIN = the start of the second command.
set -uo pipefail
again=${AGAIN:-${CARGO:-cargo} test --no-fail-fast -- --test-threads=1}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$@" 2>&1 | tee "$log"
[ "${PIPESTATUS[0]}" -ne 0 ] || exit 0

# The names that the runner lists last, below "failures:"; none of them: it didn't compile, or was killed.
mapfile -t failed < <(grep -E '^    [A-Za-z0-9_]+(::[A-Za-z0-9_]+)*$' "$log" | sed 's/^ *//' | sort -u)
[ "${#failed[@]}" -gt 0 ] || exit 1
if [ "${#failed[@]}" -gt 3 ]; then
    echo "${#failed[@]} tests failed: that is no chance"
    exit 1
fi
printf '\nfailed, and run once more, one after another:\n'
printf '    %s\n' "${failed[@]}"
# shellcheck disable=SC2086
$again --exact "${failed[@]}"
