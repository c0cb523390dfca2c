"""The evaluation stage: measure a model on held-out text and questions, and write its report."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mintage.corpus import store
from mintage.corpus.document import CHAT
from mintage.evaluate import bits_per_byte, questions, report
from mintage.evaluate.bits_per_byte import Score
from mintage.generate.engine import Engine, load
from mintage.generate.sampling import Sampling
from mintage.pipeline import proofs
from mintage.pipeline.artifacts import Made, make, plain
from mintage.pipeline.console import console
from mintage.pipeline.lineage import cutoff_text
from mintage.recipe import Recipe
from mintage.tokens import report as tokenizer_report
from mintage.tokens.loader import documents
from mintage.tokens.tokenizer import Tokenizer
from mintage.workspace import Card, Workspace, code_version, now


@contextlib.contextmanager
def progress(label: str, unit: str) -> Iterator[Any]:
    """A progress bar as a callable of (done, total or None)."""
    columns = (
        TextColumn(f"{label:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


def evaluate(
    recipe: Recipe, workspace: Workspace, model: Card, shards: Card, tokenizer: Card, prove: bool
) -> Card:
    """Bring `reports/<name>` up to date; `prove` adds the proofs that train and serve."""
    start = time.monotonic()

    def write(directory: Path) -> Made:
        results = measure(recipe, workspace, model, shards, tokenizer)
        results["proofs"] = prove_claims(recipe, workspace, model, prove)
        report.write(directory, results, run_plots(workspace, model))
        keep = ("exact_answer_accuracy", "right_form", "bits_per_byte")
        return Made(model.knowledge_cutoff, model.licence, {key: results[key] for key in keep})

    card, made = make(
        workspace,
        "reports",
        recipe.name,
        settings={**plain(recipe.evaluate), "prove": prove},
        parents=(model, shards, tokenizer),
        write=write,
    )
    for line in summary(card):
        console.print(line)
    state = f"{time.monotonic() - start:.1f} s" if made else "up to date"
    path = workspace.path("reports", recipe.name) / "report.html"
    console.print(f"[bold]{'evaluate':<10}[/bold] {path}  [dim]({state})[/dim]", soft_wrap=True)
    return card


def summary(card: Card) -> Iterator[str]:
    """The report's main figures as lines."""
    for source, score in card.figures["bits_per_byte"].items():
        size, documents = score["bits_per_byte"], score["documents"]
        yield f"  {source:<28} {size:.3f} bits per byte on {documents} held-out documents"
    for kind, accuracy in card.figures["exact_answer_accuracy"].items():
        form = card.figures["right_form"][kind]
        yield f"  {kind:<28} {accuracy:.0%} exact answers, {form:.0%} in the right form"


def measure(
    recipe: Recipe, workspace: Workspace, model: Card, shards: Card, tokenizer: Card
) -> dict[str, Any]:
    """Every figure of the report."""
    shards_directory = workspace.path("shards", shards.name)
    engine = load(workspace.path("models", model.name))
    held_out = list(documents(shards_directory, split="test", as_of=None))
    cutoff = datetime.fromisoformat(model.knowledge_cutoff) if model.knowledge_cutoff else None
    before, after, months = scores(engine, recipe, held_out, cutoff)
    graded = grade_questions(recipe, workspace, shards, engine, held_out)
    trained = Tokenizer.load(workspace.path("tokenizers", tokenizer.name))
    facts = tokenizer_report.report(trained, shards_directory)
    return {
        "name": recipe.name,
        "about": recipe.about,
        "made_at": now(),
        "code_version": code_version(),
        "knowledge_cutoff": model.knowledge_cutoff,
        "licence": model.licence,
        "model": {
            "parameters": model.figures["parameters"],
            "layout": recipe.model.layout,
            "context": engine.model.config.max_position_embeddings,
            "content_hash": model.content_hash,
        },
        "exact_answer_accuracy": {kind: row["exact"] for kind, row in graded.items()},
        "baselines": {kind: row["baselines"] for kind, row in graded.items()},
        "right_form": {kind: row["right_form"] for kind, row in graded.items()},
        "questions": graded,
        "bits_per_byte": {source: score.figures() for source, score in before.items()},
        "bits_per_byte_after_cutoff": {source: score.figures() for source, score in after.items()},
        "bits_per_byte_by_month": months,
        "samples": samples(engine, recipe),
        "sample_temperature": recipe.evaluate.temperature,
        "tokenizer": {"vocab_size": trained.vocab_size, "hash": trained.hash, **facts},
        "training": training_facts(workspace, model),
        "ledger": {"root": model.figures["ledger_root"], "documents": model.figures["ledger_documents"]},
        "lineage": lineage_of(workspace, model),
    }


def prove_claims(recipe: Recipe, workspace: Workspace, model: Card, thorough: bool) -> list[dict[str, Any]]:
    """Prove what the model claims, and print it while it is being proved."""
    console.print("[bold]proofs[/bold]")
    shown = [proofs.show(proof) for proof in proofs.quick(workspace, model)]
    if thorough:
        shown.append(proofs.show(proofs.killed_and_resumed(workspace, model)))
        shown += [
            proofs.show(proofs.served_answer(workspace, model, prompt))
            for prompt in recipe.evaluate.examples[:1]
        ]
    return proofs.records(shown)


def scores(
    engine: Engine, recipe: Recipe, held_out: list[Any], cutoff: datetime | None
) -> tuple[dict[str, Score], dict[str, Score], dict[str, dict[str, float]]]:
    """Bits per byte by source before and after the cutoff, and by source and month over both."""
    stage = recipe.tune or recipe.pretrain
    context = stage.plan.phases[-1].context
    megabytes = recipe.evaluate.megabytes_per_source
    parts: list[dict[str, dict[str, Score]]] = []
    for late in (False, True):
        chosen = [
            dataclasses.replace(document, mask=None)
            for document in held_out
            if late == bool(cutoff and document.available_at and document.available_at > cutoff)
        ]
        some = bits_per_byte.capped(chosen, megabytes)
        parts.append(bits_per_byte.measure(engine.model, some, context, engine.tokenizer.end_of_text_id))
    months = {
        source: {
            month: round(score.bits_per_byte, 5)
            for part in parts
            for month, score in part.get(source, {}).items()
        }
        for source in sorted(set(parts[0]) | set(parts[1]))
    }
    return bits_per_byte.by_source(parts[0]), bits_per_byte.by_source(parts[1]), months


def grade_questions(
    recipe: Recipe, workspace: Workspace, shards: Card, engine: Engine, held_out: list[Any]
) -> dict[str, dict[str, Any]]:
    """Exact answers by kind, on held-out chats that carry a question kind; empty where the corpus has
    none."""
    wanted = {document.doc_id for document in held_out if document.kind == CHAT}
    if not wanted:
        return {}
    by_kind: dict[str, list[questions.Question]] = {}
    training: list[questions.Question] = []
    for document in store.view(workspace.path("corpora", shards.name), None, recipe.corpus.use):
        kind = next((entity.id for entity in document.entities if entity.scheme == "question_kind"), None)
        if document.kind != CHAT or kind is None:
            continue
        question = questions.Question.from_chat(kind, document.text)
        if document.doc_id in wanted:
            by_kind.setdefault(kind, []).append(question)
        else:
            training.append(question)
    chosen = [
        question for kind in by_kind.values() for question in kind[: recipe.evaluate.questions_per_kind]
    ]
    return questions.grade(chosen, questions.ask(engine, chosen), questions.commonest_answers(training))


def samples(engine: Engine, recipe: Recipe) -> list[dict[str, str]]:
    """Continuations of the recipe's prompts, first draw."""
    sampling = Sampling(
        max_tokens=recipe.evaluate.sample_tokens, temperature=recipe.evaluate.temperature, seed=1
    )
    return [
        {"prompt": prompt, "text": engine.complete(prompt, sampling).text}
        for prompt in recipe.evaluate.prompts
    ]


def training_facts(workspace: Workspace, model: Card) -> list[dict[str, Any]]:
    """What each gradient stage behind a model did, first stage first."""
    stages: list[dict[str, Any]] = []
    for parent in model.parents:
        base = workspace.card(parent.kind, parent.name) if parent.kind == "models" else None
        if base is not None:
            stages += training_facts(workspace, base)
    keys = ("stage", "steps", "tokens", "seconds", "final_loss", "sources", "run")
    return [*stages, {key: model.figures[key] for key in keys}]


def run_plots(workspace: Workspace, model: Card) -> dict[str, list[Path]]:
    """The curves of each gradient stage behind a model."""
    return {
        facts["stage"]: sorted(workspace.path("runs", facts["run"]).glob("plots/*.png"))
        for facts in training_facts(workspace, model)
    }


def lineage_of(workspace: Workspace, card: Card) -> dict[str, Any]:
    """A card and its parents, down to the source files."""
    parents = [workspace.card(parent.kind, parent.name) for parent in card.parents]
    return {
        "artifact": f"{card.kind}/{card.name}",
        "content_hash": card.content_hash,
        "knowledge": cutoff_text(card),
        "use": card.licence["use"],
        "sources": list(card.sources),
        "parents": [lineage_of(workspace, parent) for parent in parents if parent is not None],
    }
