"""Settings of the news source, and the feeds that are known by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Preset = Literal[
    "fed",
    "fed_monetary",
    "fed_speeches",
    "sec",
    "ecb",
    "ecb_statistics",
    "bls_cpi",
    "bls_employment",
    "bls_ppi",
    "bse",
    "nse",
]


@dataclass(frozen=True)
class Feed:
    """An RSS or Atom feed at `url`, called `name`.

    `licence` and `use` are those of its texts. With `full_text` the linked pages are fetched and their
    articles become the documents, where they are on the feed's own host or on one of `article_hosts`;
    without it a document is the headline, the summary and the link. `zone` is where a time without an
    offset is written (America/New_York); without it such an entry is dated by its retrieval.
    """

    name: str
    url: str
    licence: str
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    full_text: bool = False
    zone: str | None = None
    article_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"feed {self.name}: {self.url!r} is not an address; begin it with https://")
        try:
            ZoneInfo(self.zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"feed {self.name}: unknown zone {self.zone!r}; write it as Asia/Kolkata or UTC"
            ) from None


FED = "US public domain (Board of Governors of the Federal Reserve System)"
SEC = "US public domain (Securities and Exchange Commission)"
BLS = "US public domain (Bureau of Labor Statistics)"
ECB = "(c) European Central Bank; reuse permitted with the source acknowledged"

PRESETS: dict[str, Feed] = {
    feed.name: feed
    for feed in (
        Feed("fed", "https://www.federalreserve.gov/feeds/press_all.xml", FED, "ship", True),
        Feed("fed_monetary", "https://www.federalreserve.gov/feeds/press_monetary.xml", FED, "ship", True),
        Feed("fed_speeches", "https://www.federalreserve.gov/feeds/speeches.xml", FED, "ship", True),
        Feed("sec", "https://www.sec.gov/news/pressreleases.rss", SEC, "ship", True, "America/New_York"),
        Feed("ecb", "https://www.ecb.europa.eu/rss/press.html", ECB, "local", True, "Europe/Berlin"),
        Feed(
            "ecb_statistics",
            "https://www.ecb.europa.eu/rss/statpress.html",
            ECB,
            "local",
            True,
            "Europe/Berlin",
        ),
        Feed("bls_cpi", "https://www.bls.gov/feed/cpi.rss", BLS, "ship", True, "America/New_York"),
        Feed("bls_employment", "https://www.bls.gov/feed/empsit.rss", BLS, "ship", True, "America/New_York"),
        Feed("bls_ppi", "https://www.bls.gov/feed/ppi.rss", BLS, "ship", True, "America/New_York"),
        Feed(
            "bse",
            "https://www.bseindia.com/data/xml/announcements.xml",
            "(c) BSE Limited and the announcing companies; headlines and links",
            zone="Asia/Kolkata",
        ),
        Feed(
            "nse",
            "https://nsearchives.nseindia.com/content/RSS/Online_announcements.xml",
            "(c) National Stock Exchange of India and the announcing companies; headlines and links",
            zone="Asia/Kolkata",
        ),
    )
}


@dataclass(frozen=True)
class NewsSource:
    """News out of RSS and Atom feeds: `presets` by name, and `feeds` of one's own.

    An entry that two feeds carry belongs to the one that is named first, the presets before the feeds of
    one's own. `contact` (a name and an e-mail address) is declared in the User-Agent; sec.gov requires it.
    """

    name: str = "news"
    presets: tuple[Preset, ...] = ()
    feeds: tuple[Feed, ...] = ()
    contact: str | None = None

    def __post_init__(self) -> None:
        names = [feed.name for feed in self.chosen()]
        if not names:
            raise ValueError(f"news: name a feed: `presets` ({', '.join(PRESETS)}) or `feeds` of your own")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"news: two feeds are called {name}; each needs a name of its own")
        if "sec" in self.presets and not self.contact:
            raise ValueError("news: sec.gov requires a contact; give `contact`, your name and e-mail address")

    def chosen(self) -> tuple[Feed, ...]:
        """Every feed in the order in which they are read."""
        return (*(PRESETS[name] for name in self.presets), *self.feeds)
