"""Looking before deciding: what a step of the refinement would find in a corpus. The corpus is not changed;
what shall hold stands in the recipe, under `corpus.refine`."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from mintage.corpus import store
from mintage.corpus.document import Use
from mintage.corpus.refine import decontaminate, filters, kept, mix, near_duplicates, quality, scrub
from mintage.corpus.refine.settings import (
    DecontaminateSettings,
    Filter,
    MixSettings,
    NearDuplicateSettings,
    ScrubSettings,
)

Rows = list[dict[str, Any]]


@contextlib.contextmanager
def scratch_copy(corpus: Path) -> Iterator[Path]:
    """A corpus directory of one's own beside the published one: the same files by hard links, so that new
    attributes can be written without touching it."""
    with tempfile.TemporaryDirectory(prefix=".look-", dir=corpus.parent) as temporary:
        copy = Path(temporary) / "corpus"
        shutil.copytree(corpus, copy, copy_function=os.link)
        yield copy


def signals(corpus: Path) -> Rows:
    """The median of the quality signals, by source."""
    with scratch_copy(corpus) as copy:
        quality.tag(copy)
        numbers = [each.name for each in quality.QUALITY_SCHEMA if pa.types.is_primitive(each.type)]
        medians = ", ".join(f"round(median({name}), 3) as {name}" for name in numbers)
        query = f"select source, count(*) as documents, {medians} from documents join quality using (doc_id)"
        return store.sql(copy, f"{query} group by source order by source").to_pylist()


def filtered(corpus: Path, expression: str) -> tuple[Rows, Rows]:
    """What a filter would remove by source, and three examples of each."""
    with scratch_copy(corpus) as copy:
        quality.tag(copy)
        found = filters.apply_filters(copy, (Filter("the filter", expression),))
    sources = [
        {"source": each.source, "documents": each.documents, "characters": each.characters} for each in found
    ]
    examples = [
        {"source": each.source, "document": one.native_id, "title": one.title, "text": one.excerpt}
        for each in found
        for one in each.examples
    ]
    return sources, examples


def near(corpus: Path, settings: NearDuplicateSettings, use: Use) -> tuple[dict[str, Any], Rows, Rows]:
    """What the search for near duplicates found, what would be left out and why, and examples."""
    with scratch_copy(corpus) as copy:
        report = near_duplicates.near_duplicates(copy, settings)
        counts = kept.decide(copy)
        examples = store.sql(
            copy,
            f"""select left_out.source, left_out.native_id as document, stays.native_id as "in its place"
            from kept join documents as left_out using (doc_id)
                join documents as stays on stays.doc_id = duplicate_of
            where list_contains(dropped_at, {store.quoted(use)}) and kept.reason = 'nearly the same text'
            order by left_out.doc_id limit 12""",
        ).to_pylist()
    by_reason = [
        {"source": source, "reason": reason, "documents": documents}
        for source, reasons in counts.items()
        for reason, documents in reasons.items()
    ]
    return vars(report), by_reason, examples


def benchmarks(corpus: Path, settings: DecontaminateSettings) -> tuple[Rows, Rows]:
    """The items of each benchmark set that were found, and examples of the documents."""
    with scratch_copy(corpus) as copy:
        found = decontaminate.decontaminate(copy, settings)
        examples = store.sql(
            copy,
            """select source, native_id as document, matches[1].benchmark as benchmark,
                matches[1].item as item, matches[1].kind as kind
            from decontamination join documents using (doc_id)
            where len(matches) > 0 order by doc_id limit 12""",
        ).to_pylist()
    return [{"benchmark": name, **counts} for name, counts in found.items()], examples


def personal_data(corpus: Path, settings: ScrubSettings) -> Rows:
    """How much personal data would be masked, and how many public contacts stay, by source and kind."""
    with scratch_copy(corpus) as copy:
        report = scrub.scrub(copy, settings)
    return [
        {"source": source, "kind": kind, "masked": report.masked.get(source, {}).get(kind, 0), "kept": stays}
        for source in sorted({*report.masked, *report.kept})
        for kind in settings.kinds
        if (stays := report.kept.get(source, {}).get(kind, 0)) or report.masked.get(source, {}).get(kind)
    ]


def parts_of_mix(corpus: Path, settings: MixSettings, as_of: datetime | None, use: Use) -> tuple[str, Rows]:
    """The largest mix that the corpus allows as of a moment, and its parts."""
    with scratch_copy(corpus) as copy:
        report = mix.mix(copy, settings, as_of, use)
    said = (
        f"the largest mix has {report.characters:,} characters, limited by {report.limited_by}; "
        f"{report.outside:,} documents belong to no component"
    )
    rows = [
        vars(share) | {"weight": round(share.weight, 3), "repetitions": round(share.repetitions, 2)}
        for share in report.shares
    ]
    return said, rows
