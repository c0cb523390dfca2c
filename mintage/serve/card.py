"""What the server says about its model: OpenAI's fields, and a `mintage` object drawn from the model
directory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from mintage.errors import MintageError
from mintage.generate.engine import Engine

EXAMPLES = "examples.json"


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """The facts about a served model. Those that no card states are None or empty, never guessed."""

    id: str
    created: int  # seconds since 1970
    context: int  # tokens
    parameters: int
    knowledge_cutoff: str | None = None
    licence: str | None = None
    sources: tuple[dict[str, Any], ...] = ()
    figures: dict[str, Any] = dataclasses.field(default_factory=dict)
    examples: tuple[Any, ...] = ()

    def summary(self) -> dict[str, Any]:
        """OpenAI's model object."""
        return {"id": self.id, "object": "model", "created": self.created, "owned_by": "mintage"}

    def whole(self) -> dict[str, Any]:
        """OpenAI's model object with the `mintage` object in it."""
        facts = {
            name: value for name, value in dataclasses.asdict(self).items() if name not in ("id", "created")
        }
        return {**self.summary(), "mintage": facts}


def describe(engine: Engine, directory: Path) -> ModelCard:
    """The card of an engine's model, with the `examples.json` of its directory where there is one.

    Raises:
        MintageError: the examples are damaged.
    """
    artifact = engine.card
    return ModelCard(
        id=engine.model_id,
        created=int((directory / "config.json").stat().st_mtime),
        context=engine.context,
        parameters=engine.model.config.parameter_count(),
        knowledge_cutoff=artifact.knowledge_cutoff if artifact else None,
        licence=licence_text(artifact.licence) if artifact else None,
        sources=artifact.sources if artifact else (),
        figures=artifact.figures if artifact else {},
        examples=read_examples(directory / EXAMPLES),
    )


def licence_text(licence: dict[str, Any]) -> str:
    """The licences of what the model was made from, and the strictest use that they allow, in one line."""
    return "; ".join([*licence.get("licences", []), f"use: {licence['use']}"])


def read_examples(file: Path) -> tuple[Any, ...]:
    """Prompts to try: a JSON array of texts, or of objects with a title and a prompt. None where there is no
    file."""
    if not file.is_file():
        return ()
    try:
        examples = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(examples, list):
            raise ValueError("not an array")
        for example in examples:
            if not (isinstance(example, str) or {*example} == {"title", "prompt"}):
                raise ValueError(f"{example!r} is neither a text nor an object with title and prompt")
    except (ValueError, TypeError) as error:
        raise MintageError(
            f"{file}: not a list of example prompts ({error}); mend it or delete it"
        ) from error
    return tuple(examples)
