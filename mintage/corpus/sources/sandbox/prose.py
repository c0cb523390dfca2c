"""What the writers of all document families share: choosing a template, pacing the volume, writing tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mintage.corpus.sources.sandbox.grammar import sections, sentence
from mintage.corpus.sources.sandbox.randomness import Stream

LICENCE = "CC0-1.0"


class Slots(Protocol):
    """Facts for templates, and the stream from which their document is drawn."""

    stream: Stream

    def __getitem__(self, key: str, /) -> str: ...


class Voice:
    """Says topics: each call takes a template of the topic that this document has not used yet, as long as
    there is one, and after that any of them."""

    def __init__(self, phrases: str) -> None:
        self.phrases = sections(phrases)
        self.said: dict[str, list[str]] = {}

    def say(self, topic: str, facts: Slots) -> str:
        """One sentence (or a few) on the topic."""
        unsaid = self.said.get(topic)
        if not unsaid:
            unsaid = self.said[topic] = facts.stream.sample(self.phrases[topic], len(self.phrases[topic]))
        return sentence(unsaid.pop(), facts.stream, facts)

    def fresh(self, topic: str) -> bool:
        """Whether the topic still has a template that was not used."""
        return self.said.get(topic) != []


class Pacer:
    """Keeps a family of documents at its share of the volume: what a document may take is what was granted so
    far, less what was written. It looks only backwards, so documents do not depend on what comes later."""

    def __init__(self, per_weight: float) -> None:
        self.per_weight = per_weight
        self.balance = 0.0

    def grant(self, weight: float) -> float:
        """Grant a document (or a week) of this weight; returns how many bytes may be written now."""
        self.balance += self.per_weight * weight
        return self.balance

    def wrote(self, text: str) -> None:
        """Take note of a text that was written."""
        self.balance -= len(text.encode())


@dataclass(slots=True)
class Section:
    """A part of a document: paragraphs that must stand, and sentences that may be added while there is
    room."""

    heading: str
    required: list[str]
    optional: list[Callable[[], str]]


def compose(parts: Sequence[Section], room: float, facts: Slots) -> str:
    """The sections one after the other, with as many optional sentences, drawn from all of them, as there is
    room for."""
    added: list[list[str]] = [[] for _ in parts]
    length = sum(len(part.heading) + sum(map(len, part.required)) + 4 for part in parts)
    choices = [(number, say) for number, part in enumerate(parts) for say in part.optional]
    for number, say in facts.stream.sample(choices, len(choices)):
        if length >= room:
            break
        text = say()
        added[number].append(text)
        length += len(text) + 1
    blocks = []
    for part, more in zip(parts, added):
        paragraphs = [*part.required, *_paragraphs(more, facts)]
        if paragraphs:
            blocks.append("\n\n".join([part.heading, *paragraphs] if part.heading else paragraphs))
    return "\n\n".join(blocks)


def _paragraphs(sentences: list[str], facts: Slots) -> list[str]:
    """Sentences gathered into paragraphs of two to five."""
    result = []
    while sentences:
        count = facts.stream.integer(2, 5)
        result.append(" ".join(sentences[:count]))
        sentences = sentences[count:]
    return result


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def cell(value: int) -> str:
    """A figure of a table: thousands separators, parentheses for negative values, a dash for nothing."""
    return "-" if value == 0 else f"{value:,}" if value > 0 else f"({-value:,})"


def table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A Markdown table: a label and right-aligned figures in each row."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    lines += [f"| {label} | {' | '.join(figures)} |" for label, figures in rows]
    return "\n".join(lines)
