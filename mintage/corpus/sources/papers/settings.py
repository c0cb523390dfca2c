"""Settings of the papers source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

FIRST_DAY = date(1991, 8, 14)  # of arXiv


@dataclass(frozen=True, kw_only=True)
class PapersSource:
    """Papers of arXiv's `categories` (quantitative finance) first submitted from `since` until `until`, ISO
    days, both included; without `until` there is no end.

    The abstract of each version is a document. With `full_text` the text of the newest version is another
    one, where the paper's licence is CC0, CC BY, CC BY-SA or CC BY-NC-SA and arXiv has it as HTML. `contact`
    (a name and an e-mail address) is declared in the User-Agent.
    """

    name: str = "papers"
    categories: tuple[str, ...] = ("q-fin.*",)
    since: str
    until: str | None = None
    full_text: bool = False
    contact: str | None = None

    def __post_init__(self) -> None:
        for category in self.categories:
            if re.fullmatch(r"[a-z-]+(\.([A-Za-z-]{2,}|\*))?", category) is None:
                raise ValueError(
                    f"papers: {category!r} is no arXiv category; write it as q-fin.PR, q-fin.* or econ.EM"
                )
        if not self.categories:
            raise ValueError("papers: name a category in `categories`, such as q-fin.*")
        if not FIRST_DAY <= self.first <= self.last:
            raise ValueError("papers: `since` must not be after `until`, nor before arXiv began (1991-08-14)")

    @property
    def first(self) -> date:
        """`since` as a day."""
        return day(self.since, "since")

    @property
    def last(self) -> date:
        """`until` as a day; the last of all where there is no end."""
        return date.max if self.until is None else day(self.until, "until")


def day(text: str, field: str) -> date:
    """An ISO day.

    Raises:
        ValueError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"papers: {field}: {text!r} is not a day; write it as 2024-05-31") from None
