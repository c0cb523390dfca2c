"""Settings of the hub source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from mintage.corpus.sources.dates import DateField
from mintage.corpus.sources.files import Fields

Known = Literal[
    "HuggingFaceFW/fineweb-edu",
    "tiiuae/falcon-refinedweb",
    "allenai/peS2o",
    "cerebras/SlimPajama-627B",
    "eloukas/edgar-corpus",
    "gbharti/finance-alpaca",
]


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A data set of the Hugging Face Hub, by its name `dataset` (owner/name).

    With `path`, a folder (or file) of the data set's own layout is read, as `hf download` leaves it: parquet,
    jsonl, json and csv, plain or compressed. Without it, rows are fetched a hundred at a time from the Hub's
    dataset viewer, `config` and `split` of them, up to `limit` documents; a token for data sets that ask for
    one is taken from the environment variable HF_TOKEN. `limit` holds for a folder too.

    Six data sets are known: HuggingFaceFW/fineweb-edu, tiiuae/falcon-refinedweb, allenai/peS2o,
    cerebras/SlimPajama-627B, eloukas/edgar-corpus, gbharti/finance-alpaca. Their `fields`, `available_at`,
    `kind`, `licence` and `use` need not be given, and what is given holds instead; for any other data set
    `licence` must be given.
    """

    name: str = "hub"
    dataset: str
    path: str | None = None
    config: str | None = None
    split: str = "train"
    limit: int | None = None
    fields: Fields | None = None
    available_at: tuple[DateField, ...] | None = None
    kind: str | None = None
    licence: str | None = None
    use: Literal["ship", "local", "evaluate", "none"] | None = None

    def __post_init__(self) -> None:
        if re.fullmatch(r"[\w.-]+/[\w.-]+", self.dataset) is None:
            raise ValueError(f"hub: {self.dataset!r} is no data set; write it as owner/name")
        if self.dataset not in get_args(Known) and self.licence is None:
            known = ", ".join(get_args(Known))
            raise ValueError(f"hub: {self.dataset} is not known (known are {known}); give its `licence`")
        if self.limit is not None and self.limit < 1:
            raise ValueError("hub: limit must be at least 1")
        if self.path is None and self.limit is None:
            raise ValueError(
                f"hub: {self.dataset} by its name needs a `limit` of documents; for the whole of it, "
                "download it (`hf download --repo-type dataset`) and give the folder as `path`"
            )
