#!/usr/bin/env bash
# One run by as many generators as there are ranks: `mpirun -n 3 --hostfile hosts examples/mpi/run.sh`, with LOADCMP_FIRST, the address
# of the host of rank 0, and LOADCMP_SHARD_TOKEN in the environment (`-x LOADCMP_FIRST -x LOADCMP_SHARD_TOKEN`), and the folder of results
# on a file system that all have. Afterwards: `loadcmp merge results/mpi/* --out results/merged`.
set -euo pipefail
exec loadcmp run "${SCENARIO:-scenario.yaml}" --shard auto --rendezvous "${LOADCMP_FIRST:-127.0.0.1}:${LOADCMP_PORT:-7077}" \
    --out "${OUT:-results/mpi}/{shard}"
