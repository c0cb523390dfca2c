"""A small grammar: sentences with nested alternatives, named rules and slots for facts.

A phrase file has sections (`== name`), each a list of templates, one a line. In a template `[a|b|]` is a
choice of equally likely alternatives (which may be empty and may hold choices again), `<rule>` is a choice
among the templates of the section `rule` of `words.txt` (put in place when the file is read), and `{slot}` is
a fact.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import NamedTuple, Protocol

from mintage.corpus.sources.sandbox.randomness import Stream

_TOKENS = re.compile(r"[\[\]|]|<[^>]+>|\{[^}]+\}|[^\[\]|<{]+")
_STARTS = re.compile(r"(?<=[.?!] )(?<!Inc[.] )[a-z]")
_ARTICLES = re.compile(r"(?<=\b[Aa]) (?=[aeio])(?!one)")
_SPACES = re.compile(r" +([.,])| {2,}")
Sections = dict[str, tuple[str, ...]]


class Lookup(Protocol):
    """Whatever gives the text of a slot by its name."""

    def __getitem__(self, key: str, /) -> str: ...


class _Slot(NamedTuple):
    name: str


class _Choice(NamedTuple):
    alternatives: tuple[tuple[_Part, ...], ...]


_Part = str | _Slot | _Choice


@cache
def sections(name: str) -> Sections:
    """The sections of the phrase file `phrases/<name>.txt`."""
    text = (resources.files(__package__) / "phrases" / f"{name}.txt").read_text(encoding="utf-8")
    result: dict[str, tuple[str, ...]] = {}
    for block in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        heading, *lines = block.strip().split("\n")
        result[heading.strip()] = tuple(line.strip() for line in lines if line.strip())
    return result


@cache
def _compiled(template: str) -> tuple[_Part, ...]:
    tokens = _TOKENS.findall(template)
    parts, end = _parse(tokens, 0)
    if end != len(tokens):
        raise ValueError(f"unbalanced brackets in the template: {template}")
    return parts


def _parse(tokens: list[str], position: int) -> tuple[tuple[_Part, ...], int]:
    """Parts up to the next `|` or `]` of this level, and where that stands."""
    parts: list[_Part] = []
    while position < len(tokens) and tokens[position] not in "|]":
        token = tokens[position]
        position += 1
        if token == "[":
            alternatives = []
            while True:
                alternative, position = _parse(tokens, position)
                alternatives.append(alternative)
                position += 1
                if tokens[position - 1] == "]":
                    break
            parts.append(_Choice(tuple(alternatives)))
        elif token[0] == "<":
            parts.append(_Choice(tuple(_compiled(line) for line in sections("words")[token[1:-1]])))
        elif token[0] == "{":
            parts.append(_Slot(token[1:-1]))
        else:
            parts.append(token)
    return tuple(parts), position


def expand(template: str, stream: Stream, facts: Lookup) -> str:
    """One text of the template: choices drawn from the stream, slots looked up in `facts`."""
    written: list[str] = []
    _write(_compiled(template), stream, facts, written)
    return "".join(written)


def _write(parts: tuple[_Part, ...], stream: Stream, facts: Lookup, written: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            written.append(part)
        elif isinstance(part, _Slot):
            written.append(facts[part.name])
        else:
            _write(stream.pick(part.alternatives), stream, facts, written)


def sentence(template: str, stream: Stream, facts: Lookup) -> str:
    """The same with what spelling asks for: capitals, "an" before vowels, no spaces left by empty
    alternatives."""
    text = expand(template, stream, facts)
    if "  " in text or " ." in text or " ," in text:
        text = _SPACES.sub(lambda match: match[1] or " ", text)
    text = _ARTICLES.sub("n ", text)
    text = _STARTS.sub(lambda match: match[0].upper(), text)
    return text[:1].upper() + text[1:]
