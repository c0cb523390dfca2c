#!/usr/bin/env bash
# Train a recipe's model on several machines without a scheduler: run this on each of them.
#
#     deploy/torchrun/train.sh 4 first-machine:29500 recipes/tenali-7b.yaml /shared/workspace
#
# The first argument is the number of machines, the second the address of one of them, the same everywhere. One
# process a GPU; the workspace lies on a disk that every machine sees. Where a process or a machine fails, all
# are started again, up to three times, and go on from the newest whole checkpoint. torchrun cannot be told that
# what you must mend (a recipe's mistake, a file that is not there) will fail again: the processes that it starts
# again see so and end at once, without a word. The message is in WORKSPACE/mintage.error too.
set -euo pipefail

usage="usage: $0 MACHINES HOST:PORT RECIPE WORKSPACE [mintage options]"
machines=${1:?$usage}
endpoint=${2:?$usage}
recipe=${3:?$usage}
workspace=${4:?$usage}
shift 4

export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600} # seconds to write the last checkpoint
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}

mkdir -p "$workspace"
export MINTAGE_ERROR_FILE=$workspace/${RUN_ID:-mintage}.error # left there by mintage where you must mend something
rm -f "$MINTAGE_ERROR_FILE" # of an earlier call; no process begins before all machines have come this far

exec torchrun \
    --nnodes "$machines" \
    --nproc-per-node "${PROCESSES:-gpu}" \
    --max-restarts 3 \
    --rdzv-backend c10d \
    --rdzv-id "${RUN_ID:-mintage}" \
    --rdzv-endpoint "$endpoint" \
    -m mintage run "$recipe" --workspace "$workspace" "$@"
