"""The tokenizer stage of a recipe that takes a tokenizer from elsewhere."""

from __future__ import annotations

from pathlib import Path

from mintage.errors import MintageError
from mintage.pipeline.artifacts import Made, make, plain
from mintage.pipeline.hub import resolve
from mintage.recipe import Recipe, moment
from mintage.tokens.adopt import adopt, fingerprint
from mintage.workspace import Card, Workspace


def directory_of(base: str, workspace: Workspace) -> Path:
    """Where the files of a tokenizer lie.

    Raises:
        MintageError: they are not there; the message says how to get them.
    """
    folder = Path(base)
    return folder if (folder / "merges.txt").is_file() else resolve(base, workspace)


def adopted(recipe: Recipe, workspace: Workspace, base: str, corpus: Card) -> tuple[Card, bool]:
    """Bring `tokenizers/NAME` up to date with the tokenizer `base`; as `artifacts.make`.

    Raises:
        MintageError: there is no such tokenizer, it is none that Mintage takes, or nobody says what it knows.
    """
    known_until = moment(recipe.tokenizer.knowledge_cutoff)
    if recipe.as_of is not None and known_until is None:
        raise MintageError(
            f"{recipe.name}: tokenizer.knowledge_cutoff: the recipe has as_of, so say until when the text "
            f"behind {base} goes; the day of its release is an upper bound"
        )
    directory = directory_of(base, workspace)

    def write(target: Path) -> Made:
        tokenizer = adopt(recipe.tokenizer, directory)
        tokenizer.save(target)
        return Made(
            knowledge_cutoff=known_until.isoformat() if known_until else None,
            licence=corpus.licence,
            figures={"vocab_size": tokenizer.vocab_size, "hash": tokenizer.hash},
        )

    # What is in the folder decides, wherever it lies.
    settings = {**plain(recipe.tokenizer), "base": fingerprint(directory)}
    return make(workspace, "tokenizers", recipe.name, settings=settings, parents=(corpus,), write=write)
