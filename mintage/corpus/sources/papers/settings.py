"""Settings of the papers source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

FIRST_DAY = date(1991, 8, 14)  # of arXiv


@dataclass(frozen=True, kw_only=True)
class PapersSource:
    """Papers of arXiv's `categories` (quantitative finance) first submitted from `since` until `until`, both
    days included; without `until` there is no end.

    The abstract of each version is a document. With `full_text` the text of the newest version is another
    one, where the paper's licence is CC0, CC BY, CC BY-SA or CC BY-NC-SA and arXiv has it as HTML. `contact`
    (a name and an e-mail address) is declared in the User-Agent.
    """

    name: str = "papers"
    categories: tuple[str, ...] = ("q-fin.*",)
    since: date
    until: date | None = None
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
        if not FIRST_DAY <= self.since <= self.last:
            raise ValueError("papers: `since` must not be after `until`, nor before arXiv began (1991-08-14)")

    @property
    def last(self) -> date:
        """`until`; the last day of all where there is no end."""
        return self.until or date.max
