#!/usr/bin/env bash
# Train a recipe's model on several machines of a Slurm cluster, one process a GPU.
#
#     sbatch --nodes 4 --gpus-per-node 8 deploy/slurm/train.sh recipes/tenali-7b.yaml /shared/workspace
#
# Submit it from the environment that the job shall use. The workspace lies on a disk that every machine sees.
# Corpus, tokenizer and shards are better built before, on machines without GPUs (deploy/slurm/submit.py);
# what is missing is built by the first process while the others wait.
# Three minutes before the limit of time Slurm sends SIGTERM: the run finishes its step, writes a checkpoint and
# ends, and the job goes back into the queue, where it goes on from there. A machine that fails does the same. What
# you must mend (a recipe's mistake, a file that is not there) ends the job. The output is mintage-train-JOB.txt.
#SBATCH --job-name mintage-train
#SBATCH --ntasks-per-node 1
#SBATCH --exclusive
#SBATCH --time 24:00:00
#SBATCH --requeue
#SBATCH --open-mode append
#SBATCH --output %x-%j.txt
#SBATCH --signal TERM@180
set -euo pipefail

recipe=${1:?usage: sbatch deploy/slurm/train.sh RECIPE WORKSPACE [mintage options]}
workspace=${2:?usage: sbatch deploy/slurm/train.sh RECIPE WORKSPACE [mintage options]}
shift 2

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=170 # seconds to write the last checkpoint
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}
mkdir -p "$workspace"
export MINTAGE_ERROR_FILE=$workspace/$SLURM_JOB_ID.error # left there by mintage where the user must mend something
rm -f "$MINTAGE_ERROR_FILE" # of a start of the same job that was cut off

code=0
srun --kill-on-bad-exit=1 torchrun \
    --nnodes "$SLURM_NNODES" \
    --nproc-per-node "${SLURM_GPUS_ON_NODE:-gpu}" \
    --rdzv-backend c10d \
    --rdzv-id "$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}" \
    --rdzv-endpoint "$first:$port" \
    -m mintage run "$recipe" --workspace "$workspace" "$@" || code=$?

if [[ -e $MINTAGE_ERROR_FILE ]]; then # to run it again would end the same way
    echo "error: $(<"$MINTAGE_ERROR_FILE")" # once more, below what torchrun prints
    rm "$MINTAGE_ERROR_FILE"
elif ((code != 0)) && ((${SLURM_RESTART_COUNT:-0} < 100)); then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
