# shellcheck shell=bash
# For scripts that read this: starts a stand-in on a free port of loopback, or at STAND_IN_ADDRESS. Its address is in $url, its process in $pid.
stand_in() { # program, log, options...
    local program=$1 log=$2
    shift 2
    # Read below, perhaps before the process in the background is far enough to make it.
    : >"$log"
    "$program" serve --listen "${STAND_IN_ADDRESS:-127.0.0.1:0}" "$@" 2>"$log" &
    pid=$!
    for _ in $(seq 100); do
        url=$(sed -n 's|^stand-in listening on \(http://.*\)$|\1|p' "$log")
        [ -z "$url" ] || return 0
        sleep 0.05
    done
    kill "$pid" 2>/dev/null || true
    echo "the stand-in did not start: $(cat "$log")" >&2
    exit 1
}
