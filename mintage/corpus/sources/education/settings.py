"""Settings of the education source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from mintage.corpus.sources.dates import DateField


@dataclass(frozen=True)
class Page:
    """One web page of a guide or a textbook at `url`.

    `licence` and `use` are the page's own and stand on it, or on its site. `title` is taken from here.
    `available_at` (a day, which means its end, or a time) is when this text was first public, where that is
    known.
    """

    url: str
    title: str
    licence: str
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    available_at: datetime | date | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"page {self.url!r}: not an address; begin it with https://")


@dataclass(frozen=True)
class EducationSource:
    """Investor guides and open textbooks: the `pages` at the addresses that are listed, one document each.

    A page is dated by its `available_at`; else by the day that it bears, by its Last-Modified header, or by
    its retrieval, each as a bound. Days are in `zone`. A page that changed is a new vintage. `contact` (a
    name and an e-mail address) is declared in the User-Agent.
    """

    name: str = "education"
    pages: tuple[Page, ...] = ()
    zone: str = "UTC"
    contact: str | None = None

    def __post_init__(self) -> None:
        if not self.pages:
            raise ValueError("education: list a page in `pages`: {url, title, licence, use}")
        addresses = [page.url for page in self.pages]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"education: {address} is listed twice")
        DateField("zone", zone=self.zone)  # which refuses a zone that there is not
