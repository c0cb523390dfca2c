"""The stages of a recipe, in order: corpus, tokenizer, shards, pretrain, tune, evaluate. What is up to date
is skipped."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mintage.corpus import build as corpus_build
from mintage.corpus import store
from mintage.corpus.document import allows
from mintage.errors import MintageError
from mintage.pipeline import evaluation, pieces, vocabulary
from mintage.pipeline.artifacts import Made, make, plain, strictest, text_time
from mintage.pipeline.checks import check_recipe
from mintage.pipeline.console import console, done, say
from mintage.pipeline.runs import short
from mintage.pipeline.training import pretrain, tune
from mintage.recipe import Recipe
from mintage.tokens import shards as token_shards
from mintage.tokens import tokenizer as tokenizers
from mintage.tokens.tokenizer import Tokenizer
from mintage.train.parallel import joined
from mintage.workspace import Card, Workspace

STAGES = ("corpus", "tokenizer", "shards", "pretrain", "tune", "evaluate")


def run(
    recipe: Recipe,
    workspace: Workspace,
    until: str = "evaluate",
    prove: bool = False,
    jobs: int = 1,
    typed: Sequence[str] = (),
) -> Card:
    """Bring every stage up to and including `until` up to date; the last one's card is returned.

    `jobs` processes read sources and make shards; what they make does not depend on their number. `prove`
    makes the evaluation kill and resume the last steps, and ask the served model a question. `typed` is the
    recipe and its settings as they were typed, for the command to type next.
    """
    if until == "tune" and recipe.tune is None:
        raise MintageError(f"{recipe.name}: the recipe has no `tune`; stages: {', '.join(STAGES)}")
    with joined() as processes, workspace.lock() if processes.first else contextlib.nullcontext():
        console.quiet = not processes.first
        if processes.first:
            check_recipe(recipe, workspace, until, processes)
        # The first process makes the data while the others wait for its word.
        made = data(recipe, workspace, until, jobs) if processes.first else []
        card, *rest = made = processes.tell(made)
        if until == "corpus":
            query = "select source, count(*) from documents group by source"
            return done(card, workspace, "corpus", "sql", query)
        if until in ("tokenizer", "shards"):
            following = STAGES[STAGES.index(until) + 1]
            return done(made[-1], workspace, following, *(typed or [recipe.name]))
        tokenizer_card, shards_card = rest
        model = pretrain(recipe, workspace, tokenizer_card, shards_card)
        if until == "pretrain":
            return done(model, workspace, "chat", model.name)
        if recipe.tune is not None:
            model = tune(recipe, workspace, tokenizer_card, shards_card, model)
        if until == "tune":
            return done(model, workspace, "chat", model.name)
        if not processes.first:
            return model
        report = evaluation.evaluate(recipe, workspace, model, shards_card, tokenizer_card, prove)
        return done(report, workspace, "serve", model.name)


def data(recipe: Recipe, workspace: Workspace, until: str, jobs: int) -> list[Card]:
    """Bring corpus, tokenizer and shards up to date, as far as `until` needs them."""
    cards = [corpus(recipe, workspace, jobs)]
    if until != "corpus":
        cards.append(tokenizer(recipe, workspace, cards[0]))
    if until not in ("corpus", "tokenizer"):
        cards.append(shards(recipe, workspace, cards[0], cards[1], jobs))
    return cards


def corpus(recipe: Recipe, workspace: Workspace, jobs: int) -> Card:
    """Read the sources into dated documents."""
    settings = recipe.corpus.settings()
    decisive = pieces.corpus_settings(recipe, workspace)
    scratch = pieces.scratch_of(workspace, "corpora", decisive, ())
    start = time.monotonic()

    def write(directory: Path) -> Made:
        with evaluation.progress("corpus", "documents") as progress:
            summary = corpus_build.build(
                settings,
                directory,
                lambda _, documents, characters: progress(documents),
                workspace.raw(),
                scratch,
                jobs,
            )
        return Made(
            knowledge_cutoff=None if summary.undated else text_time(summary.latest),
            licence={"use": summary.use, "licences": sorted({item.licence for item in summary.licences})},
            figures=plain(summary),
            sources=source_facts(directory, settings.use),
        )

    card, made = make(
        workspace,
        "corpora",
        recipe.name,
        settings=decisive,
        parents=(),
        write=write,
    )
    pieces.forget(scratch)
    figures = card.figures
    facts = f"{figures['documents']:,} documents, {short(figures['characters'])} characters"
    if figures["duplicates"] or figures["removed"]:
        facts += f", {figures['duplicates']:,} duplicates and {figures['removed']:,} removed stay out"
    if figures["bad_rows"]:
        facts += f", {figures['bad_rows']:,} bad rows kept out (mintage show corpora/{card.name})"
    return say("corpus", card, made, time.monotonic() - start, facts)


def source_facts(directory: Path, gate: str) -> tuple[dict[str, Any], ...]:
    """For each source: documents, licences, the strictest use that the gate lets in, and its files with their
    hashes."""
    record = json.loads((directory / "sources.json").read_text())
    rows = store.sql(
        directory,
        """select source, count(*) as documents,
        string_agg(distinct licence, '; ' order by licence) as licence,
        list(distinct "use") as uses from documents group by source order by source""",
    ).to_pylist()
    return tuple(
        {
            "name": row["source"],
            "documents": row["documents"],
            "licence": row["licence"],
            "use": strictest([use for use in row["uses"] if allows(use, gate)]),
            "files": record[row["source"]]["files"],
        }
        for row in rows
    )


def tokenizer(recipe: Recipe, workspace: Workspace, corpus_card: Card) -> Card:
    """Train the tokenizer on the text that was public at the cutoff, or take the one that the recipe
    names."""
    directory = workspace.path("corpora", corpus_card.name)
    cutoff = text_time(recipe.cutoff) or corpus_card.knowledge_cutoff
    start = time.monotonic()

    def write(target: Path) -> Made:
        view = store.view(directory, recipe.cutoff, recipe.corpus.use)
        trained = tokenizers.train(recipe.tokenizer, tokenizers.training_texts(view))
        trained.save(target)
        return Made(
            knowledge_cutoff=cutoff,
            licence=corpus_card.licence,
            figures={"vocab_size": trained.vocab_size, "hash": trained.hash},
        )

    if recipe.tokenizer.base is not None:
        card, made = vocabulary.adopted(recipe, workspace, recipe.tokenizer.base, corpus_card)
    else:
        settings = {**plain(recipe.tokenizer), "as_of": text_time(recipe.cutoff)}
        card, made = make(
            workspace, "tokenizers", recipe.name, settings=settings, parents=(corpus_card,), write=write
        )
    return say("tokenizer", card, made, time.monotonic() - start, f"{card.figures['vocab_size']:,} entries")


def shards(recipe: Recipe, workspace: Workspace, corpus_card: Card, tokenizer_card: Card, jobs: int) -> Card:
    """Turn every admissible document into tokens; the cutoff is a predicate of the plan, not of the
    shards."""
    start = time.monotonic()
    parents = (corpus_card, tokenizer_card)
    scratch = pieces.scratch_of(workspace, "shards", {}, parents)

    def write(target: Path) -> Made:
        cutoff = tokenizer_card.knowledge_cutoff
        with evaluation.progress("shards", "documents") as progress:
            manifest = token_shards.build(
                workspace.path("corpora", corpus_card.name),
                Tokenizer.load(workspace.path("tokenizers", tokenizer_card.name)),
                target,
                recipe.corpus.use,
                tokenizer_cutoff=datetime.fromisoformat(cutoff) if cutoff else None,
                corpus_hash=corpus_card.content_hash,
                scratch=scratch,
                jobs=jobs,
                progress=progress,
            )
        return Made(
            knowledge_cutoff=corpus_card.knowledge_cutoff,
            licence=corpus_card.licence,
            figures={
                "tokens": manifest["tokens"],
                "documents": manifest["documents"],
                "bytes": manifest["bytes"],
            },
        )

    card, made = make(workspace, "shards", recipe.name, settings={}, parents=parents, write=write)
    pieces.forget(scratch)
    figures = card.figures
    facts = f"{short(figures['tokens'])} tokens, {figures['bytes'] / figures['tokens']:.2f} bytes per token"
    return say("shards", card, made, time.monotonic() - start, facts)
