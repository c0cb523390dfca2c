"""Recipe files: YAML in, validated and frozen settings out. Unknown keys are errors that name the nearest
key."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import os
import re
import shlex
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import yaml
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError, with_config

import mintage
from mintage.corpus.refine.settings import RefineSettings
from mintage.corpus.settings import CorpusSettings
from mintage.corpus.settings import Source as AnySource
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.edgar.settings import EdgarSource
from mintage.corpus.sources.education.settings import EducationSource
from mintage.corpus.sources.files import FilesSource
from mintage.corpus.sources.hub.settings import HubSource
from mintage.corpus.sources.macro.settings import MacroSource
from mintage.corpus.sources.markets.settings import MarketsSource
from mintage.corpus.sources.news.settings import NewsSource
from mintage.corpus.sources.papers.settings import PapersSource
from mintage.corpus.sources.patterns.settings import PatternsSource
from mintage.corpus.sources.sandbox.settings import SandboxSource
from mintage.errors import MintageError
from mintage.evaluate.settings import EvaluateSettings
from mintage.model import sizes
from mintage.model.config import ModelConfig
from mintage.tokens.plan import PlanSettings
from mintage.tokens.tokenizer import TokenizerSettings
from mintage.train.settings import TrainSettings


@dataclasses.dataclass(frozen=True)
class Source:
    """One source of documents; exactly one key is given."""

    files: FilesSource | None = None
    sandbox: SandboxSource | None = None
    edgar: EdgarSource | None = None
    macro: MacroSource | None = None
    markets: MarketsSource | None = None
    crypto: CryptoSource | None = None
    news: NewsSource | None = None
    patterns: PatternsSource | None = None
    education: EducationSource | None = None
    papers: PapersSource | None = None
    hub: HubSource | None = None

    def __post_init__(self) -> None:
        if len(self.given()) != 1:
            raise ValueError(f"give exactly one of: {', '.join(vars(self))}")

    def given(self) -> list[AnySource]:
        """The settings of the kinds that are given."""
        return [source for source in vars(self).values() if source is not None]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Where the text comes from, the least permission (`use`) that a document needs to be let in, and what
    else is left out (`refine`)."""

    sources: tuple[Source, ...]
    use: typing.Literal["ship", "local", "evaluate", "none"] = "local"
    refine: RefineSettings | None = None

    def settings(self) -> CorpusSettings:
        """The same, as the corpus floor takes it."""
        return CorpusSettings(tuple(source.given()[0] for source in self.sources), self.use, self.refine)


@dataclasses.dataclass(frozen=True)
class Stage:
    """A gradient stage: which batches, and how to learn from them."""

    plan: PlanSettings
    train: TrainSettings = dataclasses.field(default_factory=TrainSettings)


def day_or_moment(value: Any) -> Any:
    """A text that is only a day stays a day, so that it can mean the end of it; pydantic would make it its
    midnight."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    return value


def moment(day: datetime | date | None) -> datetime | None:
    """The last moment that a day or a moment of a recipe stands for, in UTC."""
    if day is None or isinstance(day, datetime):
        return day.replace(tzinfo=day.tzinfo or UTC).astimezone(UTC) if day else None
    return datetime.combine(day, time(23, 59, 59, 999999), tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class Initialize:
    """A model whose weights pretraining begins with, instead of fresh ones.

    Attributes:
        base: the folder of a model, or the name of one in the workspace. In the recipe's shape it goes on as
            it is; a GPT-2 is cut to the recipe's shape.
        calibration_tokens: how many tokens of the training text show what may be cut.
        knowledge_cutoff: until when the text behind a base without a card goes, as its maker says; a recipe
            with `as_of` needs it.
        licence, use: of a base from elsewhere.
    """

    base: str
    calibration_tokens: int = 32_768
    knowledge_cutoff: typing.Annotated[datetime | date | None, BeforeValidator(day_or_moment)] = None
    licence: str = "unknown"
    use: typing.Literal["ship", "local", "evaluate", "none"] = "local"

    @property
    def cutoff(self) -> datetime | None:
        """`knowledge_cutoff` as a moment in UTC."""
        return moment(self.knowledge_cutoff)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All settings of a model, from the filing to the report.

    `as_of` is the knowledge cutoff: nothing that became public after it reaches the tokenizer or a batch. A
    day means the end of that day in UTC. `about` says what the recipe is for and where its numbers come from.
    `size` sets everything that `mintage.model.sizes` derives from it, where the recipe does not; `tokens` is
    then the length of the run.
    """

    name: str
    corpus: Corpus
    tokenizer: TokenizerSettings
    model: ModelConfig
    pretrain: Stage
    about: str = ""
    as_of: typing.Annotated[datetime | date | None, BeforeValidator(day_or_moment)] = None
    initialize: Initialize | None = None
    tune: Stage | None = None
    evaluate: EvaluateSettings = dataclasses.field(default_factory=EvaluateSettings)
    size: sizes.Size | None = None
    tokens: float | None = None

    def __post_init__(self) -> None:
        if self.tokens is not None and self.size is None:
            raise ValueError("tokens goes with size; without it, the phases' steps say how long the run is")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", self.name):
            raise ValueError("name: use lower-case letters, digits, dots, dashes and underscores")
        for name, stage in (("pretrain", self.pretrain), ("tune", self.tune)):
            for number, phase in enumerate(stage.plan.phases if stage else ()):
                try:
                    self.model.check_context(phase.context)
                except ValueError as error:
                    raise ValueError(f"{name}.plan.phases.{number}.context: {error}") from None

    @property
    def cutoff(self) -> datetime | None:
        """`as_of` as a moment in UTC."""
        return moment(self.as_of)


def load(path: str | Path, overrides: typing.Sequence[str] = ()) -> Recipe:
    """Read a recipe from a file, or by the name of one that comes with Mintage.

    A name may end in a size: `mintage-50m` is the recipe `mintage` with `size: 50m`. A file with the key
    `extends` holds what differs from the recipe of that name; lists are replaced whole.

    Args:
        path: a YAML file, or a name such as `quickstart`.
        overrides: `a.b=value` settings that replace the file's, values in YAML.

    Raises:
        MintageError: the file is missing or not YAML, or a key or a value is wrong; the message names it.
    """
    name, dash, size = str(path).rpartition("-")
    sized = bool(dash) and size in sizes.SIZES and not _files(path) and bool(_files(name))
    file = find(name if sized else path)
    record = _with_corpus(_read(file))
    if sized:
        record["size"] = size
    decides_others = re.compile(r"(corpus|size|tokens)=")
    for override in filter(decides_others.match, overrides):
        set_value(record, override)
    record = _sized(_with_corpus(record), file.name)
    for override in itertools.filterfalse(decides_others.match, overrides):
        set_value(record, override)
    recipe: Recipe = validate(expand_environment(record), place=file.name)
    return recipe


def _read(file: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The mapping of a recipe file, over that of the recipe which it extends. `below` are the files that led
    here."""
    try:
        record = yaml.safe_load(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise MintageError(f"{file}: not a text file; a recipe is YAML in UTF-8") from None
    except yaml.YAMLError as error:
        raise MintageError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(record, dict):
        raise MintageError(f"{file}: a recipe is a mapping with the keys {', '.join(field_types(Recipe))}")
    if "extends" not in record:
        return record
    base = record.pop("extends")
    if file in below:
        raise MintageError(f"{file}: it extends itself, by way of {base}")
    return _merged(_read(find(base), (*below, file)), record)


def _with_corpus(record: dict[str, Any]) -> dict[str, Any]:
    """A recipe whose `corpus` is the name (or file) of another one, with that one's corpus."""
    seen: list[str] = []
    while isinstance(corpus := record.get("corpus"), str):
        if corpus in seen:
            raise MintageError(f"corpus: {' -> '.join([*seen, corpus])}: each takes the corpus of the next")
        seen.append(corpus)
        record = record | {"corpus": _read(find(corpus)).get("corpus")}
    return record


def _sized(record: dict[str, Any], place: str) -> dict[str, Any]:
    """A recipe with all that its size decides and it does not say itself, named after its size."""
    size, tokens = record.get("size"), record.get("tokens")
    if size is None:
        return record
    if size not in sizes.SIZES:
        raise MintageError(f"{place}: size: {size!r} is none of {', '.join(sizes.SIZES)}")
    try:
        derived = sizes.settings_of(size, None if tokens is None else float(tokens))
    except (TypeError, ValueError):
        raise MintageError(f"{place}: tokens: {tokens!r} is not a number of tokens such as 2e9") from None
    merged = _merged(derived, record)
    return merged | {"name": f"{record['name']}-{size}"} if "name" in record else merged


def _merged(derived: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Two mappings as one; what is given holds."""
    both = {
        name: _merged(value, given[name])
        for name, value in derived.items()
        if isinstance(value, dict) and isinstance(given.get(name), dict)
    }
    return derived | given | both


def sources(what: str, pairs: typing.Sequence[str]) -> tuple[tuple[AnySource, ...], str]:
    """The sources that a user names, and the command that makes a corpus of them.

    Args:
        what: a recipe, or a kind of source.
        pairs: `key=value` settings: of the source, or such as replace the recipe's.
    """
    kinds = [field.name for field in dataclasses.fields(Source)]
    if what not in kinds and not _files(what):
        raise MintageError(f"{what}: neither a kind of source ({', '.join(kinds)}) nor a recipe")
    if what not in kinds:
        overrides = [word for pair in pairs for word in ("--set", pair)]
        following = shlex.join(["mintage", "corpus", "build", what, *overrides])
        return load(what, pairs).corpus.settings().sources, following
    record: dict[str, Any] = {what: {}}
    for pair in pairs:
        set_value(record, f"{what}.{pair}")
    source: Source = validate(expand_environment(record), "the command line", Source)
    shown = yaml.safe_dump(record, default_flow_style=True, sort_keys=False, width=10**6).strip()
    return tuple(source.given()), f"mintage corpus build RECIPE, with {shown} among its corpus.sources,"


def find(path: str | Path) -> Path:
    """The file of a recipe given by path or by name."""
    for file in _files(path):
        return file
    names = sorted({file.stem for folder in _folders() for file in folder.glob("*.yaml")})
    raise MintageError(f"{path}: no such recipe file; recipes known by name: {', '.join(names)}")


def _files(path: str | Path) -> list[Path]:
    """The files that a path or a name may mean, the nearest first."""
    named = [folder / f"{path}.yaml" for folder in _folders()]
    return [file for file in (Path(path), *named) if file.is_file()]


def _folders() -> list[Path]:
    return [
        Path("recipes"),
        Path(mintage.__file__).parent / "recipes",
        Path(mintage.__file__).parents[1] / "recipes",
    ]


def set_value(record: dict[str, Any], override: str) -> None:
    """Apply one `a.b.0.c=value` to a recipe's mapping, in place."""
    path, equals, text = override.partition("=")
    if not equals:
        raise MintageError(
            f"--set {override}: write it as key=value, for example pretrain.train.optimizer.name=muon"
        )
    keys = path.split(".")
    here: Any = record
    try:
        for key in keys[:-1]:
            here = here[int(key)] if isinstance(here, list) else here.setdefault(key, {})
        here[int(keys[-1]) if isinstance(here, list) else keys[-1]] = yaml.safe_load(text)
    except (IndexError, ValueError, TypeError, AttributeError):
        raise MintageError(f"--set {override}: there is no such place in the recipe") from None


def expand_environment(value: Any) -> Any:
    """Replace `${NAME}` and `${NAME:-default}` in every string of a recipe."""
    if isinstance(value, dict):
        return {key: expand_environment(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expand_environment(item) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        found = os.environ.get(name, default)
        if found is None:
            raise MintageError(
                f"the recipe uses ${{{name}}}, which is not set; set the environment variable {name}"
            )
        return found

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", replace, value)


def validate(record: dict[str, Any], place: str, settings: type = Recipe) -> Any:
    """Turn a recipe's mapping, or a part of one, into settings.

    Raises:
        MintageError: every wrong key and value, a line each.
    """
    for inner in settings_classes(settings):
        with_config(ConfigDict(extra="forbid"))(inner)
    try:
        return TypeAdapter(settings).validate_python(record)
    except ValidationError as error:
        problems = (explain(dict(problem), place, settings) for problem in error.errors())
        raise MintageError("\n".join(problems)) from None


def explain(problem: dict[str, Any], place: str, settings: type) -> str:
    """One line for one of pydantic's errors: the place, what is wrong, and the nearest key where that
    helps."""
    location = [str(part) for part in problem["loc"] if part not in ("datetime", "date")]
    where = f"{place}: {'.'.join(location)}" if location else place
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = keys_at(settings, location[:-1])
        nearest = difflib.get_close_matches(location[-1], known, n=1)
        mend = f"did you mean {nearest[0]}?" if nearest else f"known keys: {', '.join(known)}"
        return f"{where}: unknown key, {mend}"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{where}: missing; a value is required"
    message = (
        problem["msg"].removeprefix("Value error, ").removeprefix(f"{location[-1]}: " if location else "")
    )
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return f"{where}: {message}"  # settings that do not go together; the message names them
    return f"{where}: {message} (got {problem['input']!r})"[:400]


def unwrap(hint: Any) -> Any:
    """The type inside `X | None`, `tuple[X, ...]` and `dict[str, X]`."""
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return unwrap(next(argument for argument in arguments if argument is not type(None)))
    if origin in (tuple, list):
        return unwrap(arguments[0])
    if origin is dict:
        return unwrap(arguments[1])
    return hint


def field_types(settings: type) -> dict[str, Any]:
    """The fields of a settings class and their types, wrappers taken off."""
    hints = typing.get_type_hints(settings)
    return {field.name: unwrap(hints[field.name]) for field in dataclasses.fields(settings) if field.init}


def keys_at(settings: type, location: list[str]) -> list[str]:
    """The keys known at a place of the recipe."""
    for part in location:
        if not part.isdecimal():
            settings = field_types(settings).get(part, settings)
    return list(field_types(settings)) if dataclasses.is_dataclass(settings) else []


def settings_classes(settings: type) -> Iterator[type]:
    """A settings class and all that it is made of."""
    yield settings
    for inner in field_types(settings).values():
        if dataclasses.is_dataclass(inner):
            yield from settings_classes(typing.cast(type, inner))
