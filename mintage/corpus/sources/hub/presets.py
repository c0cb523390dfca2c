"""How the rows of known data sets, and of any other, become documents: text, date, licence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from mintage.corpus.document import Document, Use
from mintage.corpus.sources.dates import DateField
from mintage.corpus.sources.files import Fields, FilesSource, document
from mintage.corpus.sources.hub.settings import HubSource
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.corpus.sources.rows import BadRow, Row

Values = dict[str, Any]

VIEWER_ROWS = 100  # the most that the dataset viewer gives in one answer


@dataclass(frozen=True)
class Preset:
    """What is known of a data set: the columns that its rows must and may have, how a row is made into the
    fields that the mapping names, and what those fields mean."""

    licence: str
    use: Use
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    fields: Fields = field(default_factory=Fields)
    available_at: tuple[DateField, ...] = ()
    kind: str = "text"
    config: str = "default"
    rows: int = VIEWER_ROWS
    refine: Callable[[Values], Values] = dict


CRAWL = re.compile(r"CC-MAIN-(\d{4})-(\d\d)")
CRAWL_WEEKS = 4


def crawl_end(dump: str) -> str | None:
    """A day (ISO) by which a crawl of Common Crawl was certainly over: four weeks after the end of the week
    that its name bears (the longest took about three); None where the name bears none."""
    found = CRAWL.search(dump)
    if found is None:
        return None
    try:
        sunday = date.fromisocalendar(int(found[1]), int(found[2]), 7)
    except ValueError:
        return None
    return (sunday + timedelta(weeks=CRAWL_WEEKS)).isoformat()


def fineweb(row: Values) -> Values:
    """Rows with the day of the crawl; without one, the end of the dump it is in."""
    return {**row, "crawled": row.get("date") or crawl_end(str(row["dump"]))}


def pes2o(row: Values) -> Values:
    """Rows with the day of publication; the first of January stands for a year of which no more is known."""
    day = str(row["created"] or "")[:10]
    return {**row, "published": day[:4] if day.endswith("-01-01") else day}


# The parts of SlimPajama, by the set that they come from.
PAJAMA_LICENCES: dict[str, tuple[str, Use]] = {
    "RedPajamaCommonCrawl": ("Common Crawl terms of use; (c) the pages' authors", "local"),
    "RedPajamaC4": ("ODC-By 1.0 (C4), Common Crawl terms of use; (c) the pages' authors", "local"),
    "RedPajamaGithub": ("MIT, BSD or Apache-2.0, by repository", "local"),
    "RedPajamaArXiv": ("(c) the authors; arXiv's licence of each paper", "local"),
    "RedPajamaWikipedia": ("CC BY-SA 3.0", "local"),
    "RedPajamaStackExchange": ("CC BY-SA, by year", "local"),
    # Books3 among them was taken down at its rights holders' demand.
    "RedPajamaBook": ("(c) the authors; no licence", "none"),
}


def slimpajama(row: Values) -> Values:
    """Rows with the licence of the set that they come from."""
    meta = row["meta"]
    part = meta.get("redpajama_set_name") if isinstance(meta, dict) else meta
    licence, use = PAJAMA_LICENCES.get(str(part), (f"unknown part {part!r} of SlimPajama", "none"))
    return {**row, "licence": licence, "use": use}


ITEMS = "1,1A,1B,2,3,4,5,6,7,7A,8,9,9A,9B,10,11,12,13,14,15"
SECTIONS = tuple(f"section_{item}" for item in ITEMS.split(","))


def edgar_corpus(row: Values) -> Values:
    """Rows with their items as one text, a title, and the CIK as EDGAR writes it."""
    items = [str(row[section]).strip() for section in SECTIONS if row.get(section)]
    cik, year = str(row["cik"]), str(row["year"])
    title = f"10-K of CIK {cik}, filed in {year}"
    text = "\n\n".join(item for item in items if item)
    return {**row, "text": text, "title": title, "filed": year, "entity": cik.zfill(10)}


def finance_alpaca(row: Values) -> Values:
    """Rows with the instruction and its input as one question."""
    parts = [str(row.get(name) or "").strip() for name in ("instruction", "input")]
    return {**row, "question": "\n\n".join(part for part in parts if part)}


PRESETS: dict[str, Preset] = {
    # https://huggingface.co/datasets/HuggingFaceFW/fineweb-edu; the crawl saw the page, so it was public.
    "HuggingFaceFW/fineweb-edu": Preset(
        licence="ODC-By 1.0, Common Crawl terms of use; (c) the pages' authors",
        use="local",
        required=("text", "id", "dump", "url"),
        optional=("date",),
        fields=Fields(native_id="id", url="url"),
        available_at=(DateField("crawled", bound=True),),
        kind="web",
        refine=fineweb,
    ),
    # https://huggingface.co/datasets/tiiuae/falcon-refinedweb
    "tiiuae/falcon-refinedweb": Preset(
        licence="ODC-By 1.0, Common Crawl terms of use; (c) the pages' authors",
        use="local",
        required=("content", "url", "timestamp"),
        fields=Fields(text="content", url="url"),
        available_at=(DateField("timestamp", bound=True),),
        kind="web",
    ),
    # https://huggingface.co/datasets/allenai/peS2o
    "allenai/peS2o": Preset(
        licence="ODC-By 1.0 (S2ORC); (c) the papers' authors, open access",
        use="local",
        required=("text", "id", "created"),
        fields=Fields(native_id="id"),
        available_at=(DateField("published", bound=True),),
        kind="paper",
        config="v2",
        refine=pes2o,
    ),
    # https://huggingface.co/datasets/cerebras/SlimPajama-627B; it has no dates.
    "cerebras/SlimPajama-627B": Preset(
        licence="by part, as RedPajama's",
        use="local",
        required=("text", "meta"),
        fields=Fields(licence="licence", use="use"),
        refine=slimpajama,
    ),
    # https://huggingface.co/datasets/eloukas/edgar-corpus; `year` is the year of the filing.
    "eloukas/edgar-corpus": Preset(
        licence="public filings (SEC EDGAR); the collection Apache-2.0",
        use="local",
        required=("filename", "cik", "year", *SECTIONS),
        fields=Fields(native_id="filename", title="title", entities={"cik": "entity"}),
        available_at=(DateField("filed", zone="America/New_York", bound=True),),
        kind="filing.10-K",
        config="full",
        rows=10,  # a row is a whole annual report
        refine=edgar_corpus,
    ),
    # https://huggingface.co/datasets/gbharti/finance-alpaca; made from Stanford Alpaca and FiQA.
    "gbharti/finance-alpaca": Preset(
        licence="MIT (the collection); CC BY-NC 4.0 (Stanford Alpaca); FiQA's terms",
        use="local",
        required=("instruction", "input", "output"),
        fields=Fields(prompt="question", response="output"),
        refine=finance_alpaca,
    ),
}


def preset_of(settings: HubSource) -> Preset:
    """What holds for a data set: what is known of it, with what the settings give in its place."""
    known = PRESETS.get(settings.dataset)
    rules = settings.available_at
    asked = tuple(rule.field for rule in rules or ())
    if known is None or settings.fields is not None:
        fields = settings.fields or Fields()
        required = tuple(dict.fromkeys([*fields.names(), *asked]))
        preset = Preset("", "local", required, fields=fields, available_at=rules or ())
        if known is not None:
            preset = replace(
                preset, licence=known.licence, use=known.use, config=known.config, rows=known.rows
            )
    elif rules is not None:
        preset = replace(known, available_at=rules, optional=(*known.optional, *asked))
    else:
        preset = known
    return replace(
        preset,
        licence=settings.licence or preset.licence,
        use=settings.use or preset.use,
        kind=settings.kind or preset.kind,
        config=settings.config or preset.config,
    )


def mapping_of(settings: HubSource, preset: Preset) -> FilesSource:
    """The mapping of a data set's refined rows, as of files of one's own."""
    return FilesSource(
        name=settings.name,
        path=settings.path or settings.dataset,
        licence=preset.licence,
        use=preset.use,
        kind=preset.kind,
        fields=preset.fields,
        available_at=preset.available_at,
    )


def documents(
    settings: HubSource, preset: Preset, rows: Iterator[Row | BadRow], file: RawFile, report: SourceReport
) -> Iterator[Document]:
    """Rows as documents; bad ones are counted."""
    mapping = mapping_of(settings, preset)
    for row in rows:
        if isinstance(row, BadRow):
            report.bad(file.file, row.line, row.reason)
            continue
        missing = [column for column in preset.required if column.split(".")[0] not in row.fields]
        if missing:
            report.bad(file.file, row.line, f"no field {', '.join(map(repr, missing))}")
            continue
        try:
            yield document(mapping, mapping.fields, Row(row.line, preset.refine(row.fields)), file)
        except UnicodeEncodeError:
            report.bad(file.file, row.line, "not UTF-8, or half of a surrogate pair")
        except ValueError as error:
            report.bad(file.file, row.line, str(error))
