"""What a model claims of itself, proved on the spot: files, ledger, cutoff, another library, a killed run, a
served answer."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from mintage.errors import MintageError
from mintage.evaluate import ledger
from mintage.generate.engine import load
from mintage.model import huggingface
from mintage.pipeline.bases import is_weights
from mintage.pipeline.models import model_directory
from mintage.pipeline.replay import plan_of
from mintage.serve.app import create_app
from mintage.serve.card import describe
from mintage.serve.run import running
from mintage.workspace import Card, Workspace, content_of, file_sha256, json_sha256

TOLERANCE = 1e-4  # of logits in float32, against another library


@dataclass(frozen=True)
class Proof:
    """A claim, whether it holds (None: it could not be tried here), and what was seen."""

    claim: str
    holds: bool | None
    evidence: str


def show(proof: Proof) -> Proof:
    """Print a proof as one line."""
    mark = {True: "[green]holds[/green]", False: "[red]FAILS[/red]", None: "[yellow]not run[/yellow]"}[
        proof.holds
    ]
    Console(highlight=False, emoji=False).print(
        f"  {mark}  {escape(proof.claim)}: {escape(proof.evidence)}", soft_wrap=True
    )
    return proof


def quick(workspace: Workspace, card: Card) -> Iterator[Proof]:
    """The proofs that take a second or two."""
    yield files(workspace, card)
    yield from cutoff(workspace, card)
    yield another_library(workspace.path("models", card.name))


def files(workspace: Workspace, card: Card) -> Proof:
    """Every file is the one that the card was made for."""
    _, content_hash = content_of(workspace.path(card.kind, card.name))
    claim = "every file is as it was published"
    return Proof(
        claim,
        content_hash == card.content_hash,
        f"{len(card.files)} files, SHA-256 over all {content_hash[:16]}",
    )


def cutoff(workspace: Workspace, card: Card) -> Iterator[Proof]:
    """The ledger is the one on the card, is what the plan admits, and holds nothing from after the cutoff."""
    leaves = ledger.read(workspace.path("models", card.name) / ledger.LEDGER)
    root = ledger.root_of(leaves)
    _, plan = plan_of(workspace, card)
    holds = (
        root == card.figures["ledger_root"]
        and plan.hash == card.figures["plan_hash"]
        and set(plan.ledger) <= set(leaves)
    )
    evidence = f"{len(leaves):,} documents, root {root[:16]}; the plan built anew admits the same documents"
    claim = "the ledger lists every document the model could see"
    taken = ", ".join(source["name"] for source in card.sources if is_weights(source))
    if taken:
        claim += f", besides those behind the weights of {taken}"
    yield Proof(claim, holds, evidence)
    if card.knowledge_cutoff is None:
        yield Proof(
            "knows nothing after a chosen day",
            None,
            f"nobody says until when {taken} knows the world"
            if taken
            else "the recipe names no as_of, and undated text was let in",
        )
        return
    months = ledger.months(leaves)
    late = ledger.later_than(leaves, card.knowledge_cutoff)
    evidence = (
        f"text of {min(months)} to {max(months)}, {len(months)} months; cutoff {card.knowledge_cutoff[:10]}; "
        f"{len(late)} documents later than it"
    )
    if taken:
        evidence += f"; for {taken} on the recipe's word"
    yield Proof("knows nothing after its cutoff", not late, evidence)


def another_library(directory: Path) -> Proof:
    """transformers opens the directory as it is and computes the same logits."""
    claim = "another library opens the model and computes the same logits"
    if importlib.util.find_spec("transformers") is None:
        return Proof(claim, None, "transformers is not installed: pip install 'mintage[interop]'")
    difference = huggingface.compare_with_transformers(directory)
    return Proof(
        claim, difference < TOLERANCE, f"largest difference {difference:.1e} to transformers, in float32"
    )


def killed_and_resumed(workspace: Workspace, card: Card) -> Proof:
    """The model's last steps, trained again from a checkpoint and killed half way, end in the same bits."""
    claim = "a run that was killed and resumed ends in the same bits"
    run_directory = workspace.path("runs", card.figures["run"])
    checkpoints = sorted(run_directory.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    if len(checkpoints) < 2:
        return Proof(claim, None, "the run kept one checkpoint only; lower train.checkpoint_every")
    processes = json.loads((checkpoints[-1] / "state.json").read_text())["processes"]
    if processes > 1:
        return Proof(
            claim, None, f"the run used {processes} processes, and the proof has one: other last bits"
        )
    first, last = (int(path.name.split("-")[1]) for path in checkpoints[-2:])
    with tempfile.TemporaryDirectory(dir=workspace.root) as folder:
        copy = Path(folder) / "run"
        shutil.copytree(checkpoints[-2], copy / checkpoints[-2].name)
        killed_at = kill_half_way(workspace, card, copy, first, last)
        command(workspace, card, copy).wait()
        reached = copy / f"checkpoint-{last}"
        if not reached.exists():
            return Proof(claim, False, f"the resumed run did not reach step {last:,}")
        resumed = weights_sha256(reached)
    published = weights_sha256(workspace.path("models", card.name))
    evidence = (
        f"steps {first:,} to {last:,} again, killed after step {killed_at:,}: "
        f"weights {resumed[:16]}, published {published[:16]}"
    )
    return Proof(claim, resumed == published, evidence)


def weights_sha256(directory: Path) -> str:
    """The SHA-256 of a model directory's weights; of weights in several files, that of their hashes."""
    hashes = [file_sha256(path) for path in sorted(directory.glob("model*.safetensors"))]
    return hashes[0] if len(hashes) == 1 else json_sha256(hashes)


def command(workspace: Workspace, card: Card, run_directory: Path) -> subprocess.Popen[bytes]:
    """Start the replay of a model's last steps in a process of its own."""
    module = [sys.executable, "-m", "mintage.pipeline.replay"]
    return subprocess.Popen(
        [*module, str(workspace.root), card.name, str(run_directory)], stdout=subprocess.DEVNULL
    )


def kill_half_way(workspace: Workspace, card: Card, run_directory: Path, first: int, last: int) -> int:
    """Start the replay and kill it, without warning, once its log has passed the middle; the step it had
    logged."""
    metrics = run_directory / "metrics.jsonl"
    with command(workspace, card, run_directory) as process:
        step = first
        while process.poll() is None and step < (first + last) // 2:
            time.sleep(0.05)
            lines = metrics.read_text().splitlines() if metrics.exists() else []
            step = max([first, *(json.loads(line)["step"] for line in lines if line.endswith("}"))])
        process.kill()
    return step


def served_answer(workspace: Workspace, card: Card, prompt: str) -> Proof:
    """The figures of an answer that came over HTTP stand in the prompt."""
    directory = workspace.path("models", card.name)
    engine = load(directory)
    body = {
        "model": engine.model_id,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": 48,
    }
    with running(create_app(engine, describe(engine, directory))) as address:
        request = urllib.request.Request(
            f"{address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request) as response:
            answer: str = json.load(response)["choices"][0]["message"]["content"]
    given = figures_of(answer)
    copied = [figure for figure in given if figure in figures_of(prompt)]
    evidence = (
        f"asked «{' / '.join(prompt.splitlines())}», served «{answer.strip()}»; "
        f"{len(copied)} of {len(given)} figures stand in the prompt"
    )
    return Proof(
        "a served answer copies its figures from the prompt", bool(given) and copied == given, evidence
    )


def figures_of(text: str) -> list[str]:
    """The figures of a text, with their separators."""
    return re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)


def verify(workspace: Workspace, name: str, replay: bool) -> None:
    """Print the proofs of a model; anything that fails ends with an error."""
    directory = model_directory(workspace, name)
    card = Card.read(directory)
    place = Workspace(directory.parent.parent)
    proofs = [show(proof) for proof in quick(place, card)]
    if replay:
        proofs.append(show(killed_and_resumed(place, card)))
    failed = [proof.claim for proof in proofs if proof.holds is False]
    if failed:
        raise MintageError(f"{directory}: does not hold: {'; '.join(failed)}")


def records(proofs: list[Proof]) -> list[dict[str, Any]]:
    """Proofs as the report keeps them."""
    return [asdict(proof) for proof in proofs]
