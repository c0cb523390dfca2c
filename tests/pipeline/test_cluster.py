"""The jobs for Slurm, run on this machine: each member of an array in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("datatrove", reason="the cluster needs the extra [cluster]")

from mintage import recipe as recipes
from mintage.pipeline import cluster, stages
from mintage.workspace import Workspace, content_of
from tests.conftest import ROOT
from tests.pipeline.test_reproduce import two_sources

# What Slurm's own commands would answer: a job's number, and the name of the machine.
SBATCH = """#!/bin/sh
jobs="$(dirname "$0")/submitted"
echo "$@" >> "$jobs"
cat "$(eval echo \\${$#})" >> "$jobs"
echo "Submitted batch job $(wc -l < "$jobs")"
"""
SCONTROL = "#!/bin/sh\necho localhost\n"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with Slurm's two commands that datatrove calls, first in the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scontrol", SCONTROL)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder


def run_job(logs: Path, member: int) -> subprocess.CompletedProcess[str]:
    """Run one member of a submitted array."""
    variables = {"SLURM_ARRAY_TASK_ID": str(member), "SLURM_NODELIST": "localhost", "SLURM_JOB_ID": "1"}
    command = ["bash", str(logs / "launch_script.slurm")]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # each member of an array starts Python anew
def test_arrays_of_three_stages_make_the_shards_of_one_process(slurm: Path, tmp_path: Path) -> None:
    recipe, workspace = two_sources(tmp_path), Workspace(tmp_path / "workspace")
    command = [sys.executable, str(ROOT / "deploy/slurm/submit.py"), str(tmp_path / "tiny.yaml")]
    command += ["-w", str(workspace.root), "--partition", "cpu", "--tasks", "2", "--sbatch", "account=team"]
    submitted = subprocess.run(command, capture_output=True, text=True)
    assert submitted.returncode == 0 and "5 jobs" in submitted.stdout, submitted.stderr
    dependencies = [
        line for line in (slurm / "submitted").read_text().splitlines() if "--dependency=" in line
    ]
    assert (
        len([line for line in dependencies if "RUN_OFFSET" in line]) == 4
    )  # the first array waits for nothing
    logs = workspace.root / "logs"
    script = (logs / "corpus-work" / "launch_script.slurm").read_text()
    assert "#SBATCH --array=0-1" in script and "#SBATCH --account=team" in script
    for job, members in (
        ("corpus-work", 2),
        ("corpus-merge", 1),
        ("tokenizer-merge", 1),
        ("shards-work", 2),
        ("shards-merge", 1),
    ):
        for member in reversed(range(members)):  # in any order
            ended = run_job(logs / job, member)
            assert ended.returncode == 0, ended.stderr
        if job == "corpus-work":
            assert len(list(workspace.root.glob("tasks/corpora-*/*/done.json"))) == 2
    alone = Workspace(tmp_path / "alone")
    stages.run(recipe, alone, until="shards")
    for kind in ("corpora", "tokenizers", "shards"):
        assert content_of(workspace.path(kind, "tiny")) == content_of(alone.path(kind, "tiny"))


def test_members_share_the_tasks_and_a_failed_one_is_done_again(tmp_path: Path) -> None:
    recipe, workspace = two_sources(tmp_path), Workspace(tmp_path / "workspace")
    place = {"recipe": str(tmp_path / "tiny.yaml"), "workspace": str(workspace.root)}
    cluster.work(None, 1, 2, **place, stage="corpus")
    assert [path.parent.name for path in workspace.root.glob("tasks/*/*/done.json")] == ["reports"]
    cluster.work(None, 0, 2, **place, stage="corpus")
    cluster.work(None, 7, 8, **place, stage="corpus")  # a member without a task
    cluster.merge(None, 0, 1, **place, stage="corpus")
    alone = Workspace(tmp_path / "alone")
    stages.run(recipes.load(tmp_path / "tiny.yaml"), alone, until="corpus")
    assert content_of(workspace.path("corpora", "tiny")) == content_of(alone.path("corpora", recipe.name))
