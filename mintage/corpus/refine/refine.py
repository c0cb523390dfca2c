"""All refinement of a corpus in its order: signals, filters, benchmarks, near duplicates, personal data; and
the one decision from them that views and shards read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from mintage.corpus.document import Use
from mintage.corpus.refine import decontaminate, filters, kept, mix, near_duplicates, quality, scrub
from mintage.corpus.refine.settings import RefineSettings

REPORT = "refined.json"


def refine(directory: Path, settings: RefineSettings, use: Use) -> dict[str, Any]:
    """Write the attributes that the settings ask for, `kept` from all of them, and `refined.json`: what each
    step found, with examples.

    Raises:
        MintageError: a filter is no Boolean expression, a benchmark set cannot be read, or a part of the mix
            has no text.
    """
    report: dict[str, Any] = {"tagged": quality.tag(directory)}
    removed = filters.apply_filters(directory, settings.filters)
    report["filters"] = [dataclasses.asdict(each) for each in removed]
    if settings.decontaminate is not None:
        report["decontaminate"] = decontaminate.decontaminate(directory, settings.decontaminate)
    if settings.near_duplicates is not None:
        found = near_duplicates.near_duplicates(directory, settings.near_duplicates)
        report["near_duplicates"] = dataclasses.asdict(found)
    if settings.scrub is not None:
        report["scrub"] = dataclasses.asdict(scrub.scrub(directory, settings.scrub))
    report["left_out"] = kept.decide(directory)
    if settings.mix is not None:
        report["mix"] = dataclasses.asdict(mix.mix(directory, settings.mix, None, use))
    text = json.dumps(report, indent=1, ensure_ascii=False, default=str)
    (directory / REPORT).write_text(text + "\n", encoding="utf-8")
    return report
