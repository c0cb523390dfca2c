"""Invented names: companies, people, places and products. Syllables, so that there are always names left
over."""

from __future__ import annotations

from mintage.corpus.sources.sandbox.grammar import sections
from mintage.corpus.sources.sandbox.randomness import Stream

_WORDS = sections("names")


def company_name(stream: Stream) -> str:
    """One invented word, such as "Veladuquist": about 40,000 are possible."""
    return stream.pick(_WORDS["heads"]) + stream.pick(_WORDS["middles"]) + stream.pick(_WORDS["tails"])


def company_names(seed: int, count: int) -> list[str]:
    """`count` different company names; a longer list of the same seed begins with the shorter one."""
    stream = Stream(seed, "company names")
    names: dict[str, None] = {}
    while len(names) < count:
        names[company_name(stream)] = None
    return list(names)


def ticker(name: str, taken: set[str]) -> str:
    """Five capitals from the name, different from those taken."""
    letters = name.upper()
    consonants = letters[0] + "".join(letter for letter in letters[1:] if letter not in "AEIOU")
    base = (consonants + letters[::-1])[:4]
    for last in consonants[4:] + "ABCDEGHIJKLMNOPRSTUVWZ":
        if base + last not in taken:
            return base + last
    return ticker(name[1:] + name[0].lower(), taken)


def legal_form(stream: Stream) -> str:
    """ "Inc.", "Corporation" and so on."""
    return stream.pick(_WORDS["forms"])


def person(stream: Stream) -> str:
    """A given name and an invented surname."""
    return f"{stream.pick(_WORDS['given'])} {_surname(stream)}"


def _surname(stream: Stream) -> str:
    return stream.pick(_WORDS["surname heads"]) + stream.pick(_WORDS["surname tails"])


def place(stream: Stream) -> str:
    """A town of the sandbox's country."""
    return stream.pick(_WORDS["places"])


def product(stream: Stream) -> str:
    """A product's name, such as "Lumenflow"."""
    return stream.pick(_WORDS["product roots"]) + stream.pick(_WORDS["product tails"])


def research_firm(stream: Stream) -> str:
    """A brokerage's name."""
    return f"{_surname(stream)} {stream.pick(_WORDS['firms'])}"
