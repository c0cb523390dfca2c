"""Build a recipe's corpus, tokenizer and shards on a cluster: Slurm arrays, or Ray.

    python deploy/slurm/submit.py recipes/finance-mix.yaml -w /shared/workspace --partition cpu --tasks 64
    python deploy/slurm/submit.py recipes/finance-mix.yaml -w /shared/workspace --ray --tasks 64

Run it where `sbatch` is (or in the Ray cluster), with `pip install mintage[cluster]`, from the environment
that the jobs shall use. What a job printed is in WORKSPACE/logs. If a job fails, mend the cause and run the
same command again: what is done is not done again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mintage.errors import MintageError
from mintage.pipeline.cluster import Cluster, submit
from mintage.recipe import find

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("recipe", help="a recipe file, or the name of a known one")
parser.add_argument(
    "-w", "--workspace", type=Path, default=Path("workspace"), help="on a disk all machines see"
)
parser.add_argument("--tasks", type=int, default=16, help="members of an array")
place = parser.add_mutually_exclusive_group(required=True)
place.add_argument("--partition", help="Slurm's partition")
place.add_argument("--ray", action="store_true", help="the Ray cluster that this machine belongs to")
parser.add_argument("--time", default="24:00:00", help="Slurm's limit for a job")
parser.add_argument(
    "--sbatch", action="append", default=[], metavar="KEY=VALUE", help="another option of sbatch"
)

if __name__ == "__main__":
    options = parser.parse_args()
    more = dict(each.split("=", 1) for each in options.sbatch)
    cluster = Cluster(options.tasks, options.partition, options.time, more)
    try:
        jobs = submit(find(options.recipe), options.workspace, cluster)
    except ImportError as error:
        raise SystemExit(f"error: {error.name} is missing; pip install mintage[cluster]") from None
    except MintageError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{len(jobs)} jobs; what they print is in {options.workspace / 'logs'}")
