"""The model that a recipe goes on from: where it is, what is known of its text, whether its tokens are the
recipe's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
import torch
from torch import Tensor

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.continued import continue_from
from mintage.model.transformer import Transformer
from mintage.pipeline.models import model_directory
from mintage.recipe import Initialize, Recipe
from mintage.tokens.loader import Loader
from mintage.workspace import CARD, Card, Workspace, file_sha256, json_sha256, publish_directory

WEIGHTS = "weights"  # the kind of a source that is a model
FILES = ("*.json", "*.safetensors")


@dataclass(frozen=True)
class Base:
    """A model to go on from.

    `card`: of a model of this workspace, which is a parent with its own lineage and ledger. A model from
    elsewhere is a `source` with its files and their hashes; its licence and its knowledge cutoff stand on the
    recipe's word where no card beside it states them.
    """

    directory: Path
    content_hash: str
    knowledge_cutoff: str | None
    card: Card | None
    source: dict[str, Any] | None
    calibration_tokens: int

    @property
    def decisive(self) -> dict[str, Any]:
        """What of the base decides the model made from it, and its card."""
        names = ("content_hash", "knowledge_cutoff", "calibration_tokens")
        stated = {key: self.source[key] for key in ("licence", "use")} if self.source else {}
        return {name: getattr(self, name) for name in names} | stated


def find(recipe: Recipe, workspace: Workspace) -> Base | None:
    """The base that a recipe names; None: fresh weights.

    Raises:
        MintageError: there is no such model, or its text may be later than the recipe's `as_of`.
    """
    settings = recipe.initialize
    if settings is None:
        return None
    directory = model_directory(workspace, settings.base)
    card = Card.read(directory) if (directory / CARD).exists() else None
    if card and card.name in (recipe.name, f"{recipe.name}-base"):
        raise MintageError(
            f"{recipe.name}: initialize.base: a model cannot go on from itself; rename the recipe"
        )
    if card and card.kind == "models" and settings.cutoff:
        raise MintageError(
            f"{recipe.name}: initialize.knowledge_cutoff: the card of {settings.base} states it; leave the "
            "key out"
        )
    stated = settings.cutoff.isoformat() if settings.cutoff else None
    cutoff = card.knowledge_cutoff if card and card.kind == "models" else stated
    if card and directory.resolve() == workspace.path("models", card.name).resolve():
        base = Base(directory, card.content_hash, cutoff, card, None, settings.calibration_tokens)
    else:
        source = source_of(directory, settings, card)
        content_hash = json_sha256(source["files"])
        base = Base(directory, content_hash, cutoff, None, source, settings.calibration_tokens)
    require_cutoff(recipe, base)
    return base


def source_of(directory: Path, settings: Initialize, card: Card | None) -> dict[str, Any]:
    """The entry in a card's sources for weights from elsewhere: their files with their hashes, and the
    licence of their own card, or of the recipe where they have none."""
    files = [path for pattern in FILES for path in sorted(directory.glob(pattern)) if path.name != CARD]
    return {
        "name": settings.base,
        "kind": WEIGHTS,
        "documents": 0,
        "licence": "; ".join(card.licence["licences"]) if card else settings.licence,
        "use": card.licence["use"] if card else settings.use,
        "files": [
            {"file": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in files
        ],
    }


def require_cutoff(recipe: Recipe, base: Base) -> None:
    """A recipe with `as_of` takes only a base that is said to know nothing later."""
    assert recipe.initialize is not None
    name = recipe.initialize.base
    if recipe.cutoff is None:
        return
    if base.knowledge_cutoff is None:
        mend = (
            "take a base of dated text"
            if base.card
            else "give initialize.knowledge_cutoff, the day that its maker states"
        )
        raise MintageError(
            f"{recipe.name}: initialize: nobody says until when {name} knows the world, so its weights may "
            f"hold what came after as_of {recipe.as_of}; {mend}, or leave as_of out"
        )
    if base.knowledge_cutoff > recipe.cutoff.isoformat():
        raise MintageError(
            f"{recipe.name}: initialize: {name} knows the world until {base.knowledge_cutoff}, later than "
            f"as_of {recipe.as_of}; take an older base, or a later as_of"
        )


def start(base: Base, config: ModelConfig, loader: Loader, run_directory: Path) -> Transformer:
    """The model that training begins with: the base as it is, or cut to `config` on the run's last batches.

    It is kept as `start/` in the run's directory, so that a resumed run does not cut again.
    """
    kept = run_directory / "start"
    if not kept.exists():
        with publish_directory(kept) as directory:
            huggingface.save(continue_from(base.directory, config, calibration(base, loader)), directory)
    return huggingface.load(kept)


def is_weights(source: dict[str, Any]) -> bool:
    """Whether an entry of a card's sources is a model, and not text."""
    return source.get("kind") == WEIGHTS


def calibration(base: Base, loader: Loader) -> Iterator[Tensor]:
    """Token ids (B, T) of the run's last batches, where contexts are longest, until there are
    `calibration_tokens`."""
    seen = 0
    for step in reversed(range(loader.plan.steps)):
        batch = loader.batch(step)
        yield torch.from_numpy(batch.inputs_BT)
        seen += batch.inputs_BT.size
        if seen >= base.calibration_tokens:
            return


def require_same_tokens(base: Path, tokenizer: Path) -> None:
    """Refuse a tokenizer in which an id of the base's means another text. New ids may follow the base's, and
    control tokens may bear other names.

    Raises:
        MintageError: the base has no tokenizer.json, or the two differ.
    """
    theirs, ours = read_tokenizer(base), read_tokenizer(tokenizer)
    their_texts, our_texts = texts_by_id(theirs), texts_by_id(ours)
    controls = control_ids(theirs) & control_ids(ours)
    for number, text in sorted(their_texts.items()):
        if our_texts.get(number) != text and number not in controls:
            raise MintageError(
                f"{base}: its weights were trained with another tokenizer: id {number} is {text!r} there and "
                f"{our_texts.get(number, 'missing')!r} in {tokenizer}; train with the tokenizer of the base"
            )
    count = len(theirs["model"].get("merges", []))
    same = theirs["model"].get("merges", []) == ours["model"].get("merges", [])[:count] and all(
        theirs.get(part) == ours.get(part) for part in ("normalizer", "pre_tokenizer")
    )
    if not same:
        raise MintageError(
            f"{base}: its tokenizer cuts text into the same tokens in another way than {tokenizer} does; "
            "train with the tokenizer of the base"
        )


def read_tokenizer(directory: Path) -> dict[str, Any]:
    """The contents of a directory's tokenizer.json, as today's writer would put them."""
    path = directory / "tokenizer.json"
    if not path.is_file():
        raise MintageError(
            f"{path}: no such file; the tokenizer of the base must be beside its weights, so that its ids "
            "can be compared with the recipe's"
        )
    try:
        specification: dict[str, Any] = json.loads(tokenizers.Tokenizer.from_file(str(path)).to_str())
    except Exception as error:  # the library raises bare ones
        raise MintageError(f"{path}: not a tokenizer ({error})") from None
    return specification


def texts_by_id(specification: dict[str, Any]) -> dict[int, str]:
    """What each id of a tokenizer.json stands for."""
    added = {token["id"]: token["content"] for token in specification.get("added_tokens", [])}
    return {number: text for text, number in specification["model"]["vocab"].items()} | added


def control_ids(specification: dict[str, Any]) -> set[int]:
    """The ids of a tokenizer.json that no text encodes to."""
    return {token["id"] for token in specification.get("added_tokens", []) if token["special"]}
