"""The corpus on a cluster: the tasks of each stage as an array job, then one job that merges them, through
datatrove's executors.

`deploy/slurm/submit.py` is its command. The workspace lies on a disk that every machine sees. How many tasks
a stage has is known only when it begins, so member r of an array of n does the tasks r, r + n, r + 2n... The
merge is the stage's ordinary command, which finds its tasks done. A failed array is submitted again by the
same command and does what is missing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mintage import recipe as recipes
from mintage.corpus.tasks import ONE_THREAD
from mintage.pipeline import pieces, stages
from mintage.workspace import Workspace

CHAIN = ("corpus", "tokenizer", "shards")
GIGABYTES = 2  # of memory asked for each task; they need less than one


def work(data: object, rank: int, world: int, *, recipe: str, workspace: str, stage: str) -> None:
    """Do one member's share of a stage's tasks; a step of a datatrove pipeline, which gives it `data` (None),
    its number and how many members there are."""
    for task in pieces.tasks(recipes.load(recipe), Workspace(workspace), stage)[rank::world]:
        task.run()


def merge(data: object, rank: int, world: int, *, recipe: str, workspace: str, stage: str) -> None:
    """Publish a stage's artifact out of its tasks; a step of a datatrove pipeline."""
    stages.run(recipes.load(recipe), Workspace(workspace), until=stage)


@dataclass(frozen=True)
class Cluster:
    """Where the jobs go: `tasks` members an array; Slurm's `partition`, limit of `time` and further `sbatch`
    options, or Ray where there is no partition."""

    tasks: int
    partition: str | None = None
    time: str = "24:00:00"
    sbatch: dict[str, str] = field(default_factory=dict)


def submit(recipe: Path, workspace: Path, cluster: Cluster) -> list[Any]:
    """Submit the array and the merge of every stage, each waiting for the one before it, and return their
    executors. On Ray this returns when the last has ended."""
    recipes.load(recipe)  # a mistake in it is better found here than by every job
    executors: list[Any] = []
    for stage in CHAIN:
        steps = [(work, cluster.tasks)] if stage in pieces.IN_PIECES else []
        for function, tasks in [*steps, (merge, 1)]:
            step = partial(
                function, recipe=str(recipe.resolve()), workspace=str(workspace.resolve()), stage=stage
            )
            common = {
                "pipeline": [step],
                "tasks": tasks,
                "logging_dir": f"{workspace.resolve()}/logs/{stage}-{function.__name__}",
                # Which tasks are done is decided by Mintage, which knows when their inputs changed.
                "skip_completed": False,
                "depends": executors[-1] if executors else None,
                "mem_per_cpu_gb": GIGABYTES,
            }
            name = f"mintage-{stage}-{function.__name__}"
            executors.append(slurm(common, name, cluster) if cluster.partition else ray(common))
    executors[-1].run()  # it submits, or runs, those that it waits for first
    return executors


def slurm(common: dict[str, Any], name: str, cluster: Cluster) -> Any:
    """datatrove's executor that submits an array to Slurm."""
    from datatrove.executor.slurm import SlurmPipelineExecutor

    threads = " ".join(f"{name}={value}" for name, value in ONE_THREAD.items())
    return SlurmPipelineExecutor(
        **common,
        time=cluster.time,
        partition=cluster.partition,
        qos="",
        job_name=name,
        env_command=f'export PATH="{Path(sys.executable).parent}:$PATH" {threads}',
        sbatch_args=cluster.sbatch,
        with_srun=False,  # a member is one process
    )


def ray(common: dict[str, Any]) -> Any:
    """datatrove's executor that runs the members on a Ray cluster."""
    from datatrove.executor.ray import RayPipelineExecutor

    return RayPipelineExecutor(**common)
