#!/usr/bin/env bash
# Three generators on three hosts whose clocks are 80 ms ahead, 80 ms behind and right: network namespaces made here, and faketime. Merged,
# their stamps are to be those of one clock, by the record of the engine, which all requests came to.
#   scripts/shards/clocks.sh [PROGRAM]
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd -P)
program=$(realpath "${1:-$repo/target/release/loadcmp}")
PATH=$PATH:/usr/sbin
if [ -z "${INSIDE:-}" ]; then
    for command in faketime ip nsenter; do
        command -v "$command" >/dev/null || { echo "NOT RUN: no $command on this machine" && exit 0; }
    done
    unshare --net ip link add name hosts type bridge 2>/dev/null || { echo "NOT RUN: this machine makes no networks" && exit 0; }
    # With the first process in there everything ends that it started.
    INSIDE=1 exec unshare --net --pid --fork --kill-child --mount-proc "$0" "$program"
fi
source "$repo/scripts/stand-in.sh"
source "$repo/scripts/shards/scenario.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export LOADCMP_CALIBRATION=/nowhere/calibration.json LOADCMP_SHARD_TOKEN=of-this-proof

# The engine's host, and one for each generator, on a cable to it.
ip link set lo up
ip link add name hosts type bridge
ip address add 192.0.2.1/24 dev hosts
ip link set hosts up
hosts=()
for shard in 0 1 2; do
    unshare --net sleep 300 &
    hosts+=($!)
    until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
    ip link add name "cable$shard" type veth peer name eth0 netns "$!"
    ip link set "cable$shard" master hosts up
    nsenter --target "$!" --net sh -c "ip link set lo up; ip address add 192.0.2.1$shard/24 dev eth0; ip link set eth0 up"
done
for engine in a b; do
    STAND_IN_ADDRESS=192.0.2.1:0 stand_in "$program" "$engine.log" --allow-remote --first-token-ms 20 --slots 64 --record "$work/$engine.csv"
    export "URL_$engine=$url"
done
scenario 4 >s.yaml
clocks=('+0.08' '-0.08' '+0')
for shard in 0 1 2; do
    nsenter --target "${hosts[shard]}" --net faketime -f "${clocks[shard]}" "$program" run s.yaml --shard "$shard/3" \
        --rendezvous 192.0.2.10:17077 --out "parts/$shard" --quiet >"$shard.log" 2>&1 &
    parts[shard]=$!
done
for shard in 0 1 2; do
    wait "${parts[shard]}" || [ $? -le 5 ] || { cat "$shard.log" >&2 && exit 1; }
done
"$program" merge parts/* --out merged >merge.log 2>&1 || [ $? -le 5 ] || { cat merge.log >&2 && exit 1; }
python3 "$repo/scripts/shards/clocks.py" merged a.csv b.csv parts/0 parts/1 parts/2
