"""Build a recipe's corpus, tokenizer and shards twice, in two ways, and compare every byte."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mintage.errors import MintageError
from mintage.pipeline import stages
from mintage.recipe import Recipe
from mintage.workspace import Card, Workspace, json_sha256

KINDS = ("corpora", "tokenizers", "shards")


def reproduce(recipe: Recipe, workspace: Workspace) -> Iterator[str]:
    """Build with one process and the sources as listed, then with two processes and the sources in another
    order, below the workspace (removed in the end). What it already holds of this recipe must be the same
    too.

    Yields:
        what to tell the user, a line at a time.

    Raises:
        MintageError: the builds differ; the files that do are named.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".reproduce-", dir=workspace.root) as scratch:
        builds = {"-j1": (recipe, 1), "-j2, sources shuffled": (shuffled(recipe), 2)}
        cards: dict[str, list[Card]] = {}
        for number, (label, (each, jobs)) in enumerate(builds.items()):
            # Files of raw answers are read where they are; only what is built goes elsewhere.
            place = Workspace(Path(scratch) / str(number))
            share_raw(workspace, place)
            stages.run(each, place, until="shards", jobs=jobs)
            cards[label] = [card for card in place.cards() if card.kind in KINDS]
            yield f"{label:<22} root {root(cards[label])}"
    made = [workspace.card(kind, recipe.name) for kind in KINDS]
    first = cards["-j1"]
    if all(there and there.fingerprint == built.fingerprint for there, built in zip(made, first)):
        cards["in the workspace"] = [card for card in made if card]
        yield f"{'in the workspace':<22} root {root(cards['in the workspace'])}"
    for label, others in cards.items():
        differing = differences(first, others)
        if differing:
            raise MintageError(f"{recipe.name}: -j1 and {label} differ in {', '.join(differing)}")
    yield f"the same {sum(len(card.files) for card in first):,} files, byte for byte"


def shuffled(recipe: Recipe) -> Recipe:
    """The recipe with its sources in another order, if there are two."""
    sources = list(recipe.corpus.sources)
    random.Random(1).shuffle(sources)
    if tuple(sources) == recipe.corpus.sources:
        sources.reverse()
    return dataclasses.replace(recipe, corpus=dataclasses.replace(recipe.corpus, sources=tuple(sources)))


def share_raw(workspace: Workspace, place: Workspace) -> None:
    """Let a workspace read the stored answers of another."""
    raw = workspace.raw()
    place.root.mkdir(parents=True)
    if raw.exists():
        (place.root / "raw").symlink_to(raw.resolve(), target_is_directory=True)


def root(cards: list[Card]) -> str:
    """One hash over the content of several artifacts."""
    return json_sha256({card.kind: card.content_hash for card in cards})


def differences(first: list[Card], others: list[Card]) -> list[str]:
    """The files that two builds do not share."""
    files = [
        {f"{card.kind}/{name}": sha for card in cards for name, sha in card.files.items()}
        for cards in (first, others)
    ]
    return sorted(name for name in files[0] | files[1] if files[0].get(name) != files[1].get(name))
