#!/usr/bin/env bash
# Several generators: on clocks that differ (clocks.sh), and by the schedulers that people have, one run by `mpirun` and one by `srun`
# under Slurm, each merged, and each once more with a process killed. Debian's openmpi-bin, slurm-wlm and munge; everything on loopback,
# in a folder that is removed.
#   scripts/shards/prove.sh [PROGRAM]
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd -P)
source "$repo/scripts/stand-in.sh"
source "$repo/scripts/shards/scenario.sh"
program=$(realpath "${1:-$repo/target/release/loadcmp}")
for command in mpirun slurmctld slurmd munged sbatch; do
    PATH=$PATH:/usr/sbin command -v "$command" >/dev/null || {
        echo "$command is missing: apt-get install openmpi-bin slurm-wlm munge" >&2
        exit 1
    }
done
[ "$(id -u)" = 0 ] || { echo "Slurm's daemons are started: this needs root" >&2 && exit 1; }

work=$(mktemp -d)
started=()
end() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap end EXIT
mkdir -p "$work/bin" "$work/state" "$work/munge"
ln -s "$program" "$work/bin/loadcmp"
export PATH=$work/bin:/usr/sbin:$PATH LOADCMP_CALIBRATION=/nowhere/calibration.json LOADCMP_HOST=127.0.0.1
cd "$work"

stand_in loadcmp serve.log --first-token-ms 20 --slots 64
started+=("$pid")
export URL_a=$url URL_b=$url
scenario 4 >s.yaml
scenario 60 >long.yaml
scenario 8 2 >drift.yaml

# A result of all three, whose rows are theirs.
whole() { # folder of parts, merged folder
    local parts merged
    parts=$(cat "$1"/*/samples.csv | grep -c ',measure,')
    merged=$(grep -c ',measure,' "$2/samples.csv")
    [ "$parts" = "$merged" ] && [ "$merged" -gt 100 ] && [ -s "$2/report.json" ] || {
        echo "FAILED: $merged rows of $parts" >&2
        exit 1
    }
    echo "ok: $merged requests of three generators"
}
# Kills the process of one rank once it sends, and waits until all have ended.
lose() { # variable=rank
    local pid=
    for _ in $(seq 200); do
        for candidate in $(pgrep -x loadcmp || true); do
            if tr '\0' '\n' <"/proc/$candidate/environ" 2>/dev/null | grep -qx "$1" && [ -s parts/0/samples.csv ]; then pid=$candidate; fi
        done
        [ -z "$pid" ] || break
        sleep 0.1
    done
    sleep 1
    kill -9 "$pid"
}
lost() { # log
    grep -q 'shard 1 was lost after' "$1" || {
        cat "$1" >&2
        echo "FAILED: nobody says that shard 1 was lost" >&2
        exit 1
    }
    grep -h -m1 -o 'shard 1 was lost after .* ended' "$1" | sed 's/^/ok: /'
}

ranks() { mpirun --allow-run-as-root --oversubscribe -n 3 "$@"; }
port=17077
part() { echo --shard auto --rendezvous "127.0.0.1:$port" --out 'parts/{shard}' --quiet; }
# A generator whose clock runs 5 % fast sees all times 5 % too long; merged, they are as the others'.
if command -v faketime >/dev/null; then
    for shard in 0 1; do
        clock=()
        [ "$shard" = 0 ] || clock=(faketime -f '+0 x1.05')
        "${clock[@]}" loadcmp run drift.yaml --shard "$shard/2" --rendezvous "127.0.0.1:$port" --out "drift/$shard" --quiet >"drift-$shard.log" 2>&1 &
        parts[shard]=$!
    done
    for shard in 0 1; do
        wait "${parts[$shard]}" || [ $? -le 5 ] || { cat "drift-$shard.log" >&2 && exit 1; }
    done
    loadcmp merge drift/* --out drift-merged >/dev/null || [ $? -le 5 ]
    python3 - <<'PYTHON'
import csv, statistics, sys

def median(path, shard=None):
    with open(path) as file:
        rows = [row for row in csv.DictReader(file) if row["phase"] == "measure" and row["target"] == "a" and row["outcome"] == "ok"]
    return statistics.median(float(row["latency_us"]) for row in rows if shard is None or row["shard"] == shard)

fast = median("drift/1/samples.csv") / median("drift/0/samples.csv")
right = median("drift-merged/samples.csv", "1") / median("drift-merged/samples.csv", "0")
print(f"{'ok' if abs(right - 1) < 0.01 < fast - 1 else 'FAILED'}: a clock that runs fast: {fast:.3f} of the other's times, merged {right:.3f}")
sys.exit(not abs(right - 1) < 0.01 < fast - 1)
PYTHON
else
    echo "NOT RUN: no faketime on this machine"
fi
"$repo/scripts/shards/clocks.sh" "$program"

echo "MPI: $(mpirun --version | head -n 1)"
ranks true || {
    echo "NOT RUN: mpirun starts nothing on this machine"
    exit 0
}
SCENARIO=s.yaml OUT=parts LOADCMP_PORT=$port ranks "$repo/examples/mpi/run.sh" >mpi.log 2>&1
loadcmp merge parts/* --out merged >/dev/null || [ $? -le 5 ]
whole parts merged
rm -rf parts merged
# shellcheck disable=SC2046
ranks sh -c 'loadcmp "$@"; sleep 1' - run long.yaml $(part) >mpi-lost.log 2>&1 &
mpi=$!
lose OMPI_COMM_WORLD_RANK=1
wait "$mpi" || true
lost mpi-lost.log

echo "Slurm: $(slurmctld -V)"
dd if=/dev/urandom bs=1 count=1024 of=munge/key 2>/dev/null
chown -R munge munge "$work"
chmod 755 "$work"
chmod 700 munge
chmod 400 munge/key
runuser -u munge -- munged --foreground --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --log-file="$work/munge/log" --seed-file="$work/munge/seed" --force >/dev/null 2>&1 &
started+=($!)
cat >slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/ctld.pid
SlurmdPidFile=$work/d-%n.pid
SlurmctldPort=16817
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=2
NodeName=n[1-3] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[17101-17103] CPUs=2
PartitionName=p Nodes=ALL Default=YES State=UP
CONF
export SLURM_CONF=$work/slurm.conf
sleep 1
slurmctld -D >ctld.log 2>&1 &
started+=($!)
for node in n1 n2 n3; do
    mkdir -p "spool-$node"
    slurmd -D -N "$node" >"$node.log" 2>&1 &
    started+=($!)
done
idle=0
for _ in $(seq 150); do
    idle=$(sinfo -h -t idle -o %D 2>/dev/null || echo 0)
    [ "$idle" != 3 ] || break
    sleep 0.2
done
if [ "$idle" != 3 ]; then
    tail -n 5 ctld.log n1.log >&2
    echo "NOT RUN: Slurm's daemons don't come up on this machine"
    exit 0
fi
OUT=slurm SCENARIO=s.yaml sbatch --quiet --wait -o sbatch.log "$repo/examples/slurm/loadcmp.sbatch" || [ $? -le 5 ]
whole slurm/parts slurm/merged
rm -rf parts
ln -s lost/parts parts
OUT=lost SCENARIO=long.yaml sbatch --quiet --wait -o lost.log "$repo/examples/slurm/loadcmp.sbatch" &
batch=$!
lose SLURM_PROCID=1
wait "$batch" || true
lost lost.log

OUT=array SCENARIO=s.yaml sbatch --quiet --wait -o array-%a.log "$repo/examples/slurm/array.sbatch" || [ $? -le 5 ]
loadcmp merge array/parts/* --out array/merged >/dev/null || [ $? -le 5 ]
whole array/parts array/merged
rm parts
ln -s array-lost/parts parts
OUT=array-lost SCENARIO=long.yaml sbatch --quiet --wait -o array-lost-%a.log "$repo/examples/slurm/array.sbatch" &
batch=$!
lose SLURM_ARRAY_TASK_ID=1
wait "$batch" || true
cat array-lost-*.log >array-lost.log
lost array-lost.log
