"""The parts of a mix: which component each document belongs to, written as the attribute `component`, and
what the weights mean for the text that a view holds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mintage.corpus.document import USES, Use, allows
from mintage.corpus.refine.duplicates import FETCH_ROWS, create_view
from mintage.corpus.refine.settings import Component, MixSettings
from mintage.corpus.store import (
    EXACT_DUPLICATE,
    KEPT,
    create_views,
    database,
    parts,
    quoted,
    write_attribute,
)
from mintage.errors import MintageError

COMPONENT = "component"


@dataclass(frozen=True)
class Share:
    """A component in a view: its documents and characters, its part of what is read, and how many times it is
    read when the largest mix under the repetition cap is read once through."""

    name: str
    documents: int
    characters: int
    weight: float
    repetitions: float


@dataclass(frozen=True)
class MixReport:
    """The largest mix that the view allows: `characters` in all, limited by the component `limited_by`;
    `outside` documents of the view belong to no component."""

    characters: int
    limited_by: str
    outside: int
    shares: tuple[Share, ...]


def mix(directory: Path, settings: MixSettings, as_of: datetime | None, use: Use) -> MixReport:
    """Write the attribute `component` of a corpus directory and measure the mix as of a moment (None: now).

    Raises:
        MintageError: a component has no text in the view.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".mix-", dir=directory) as scratch,
        database(Path(scratch)) as connection,
    ):
        create_views(connection, directory)
        cases = " ".join(
            f"when {condition(component)} then {quoted(component.name)}" for component in settings.components
        )
        rows = connection.sql(f"select doc_id, case {cases} end as component from documents")
        write_attribute(directory, COMPONENT, rows.to_arrow_reader(FETCH_ROWS))
        create_view(connection, COMPONENT, directory / "attributes" / COMPONENT / "part-*.parquet")
        passing = ", ".join(quoted(each) for each in USES if allows(each, use))
        if parts(directory, f"attributes/{KEPT}"):
            twins, left_out = KEPT, f"coalesce(list_contains(dropped_at, {quoted(use)}), false)"
        else:
            twins, left_out = EXACT_DUPLICATE, f"coalesce(duplicate_use in ({passing}), false)"
        public = "true" if as_of is None else f"available_at <= timestamptz {quoted(as_of.isoformat())}"
        replaced = "true" if as_of is None else f"superseded_at <= timestamptz {quoted(as_of.isoformat())}"
        sizes = {
            name: (documents, characters)
            for name, documents, characters in connection.execute(
                f"""
                select component, count(*), sum(length(text))::bigint
                from documents join superseded using (doc_id) join {twins} using (doc_id)
                    join {COMPONENT} using (doc_id)
                where "use" in ({passing}) and {public} and not {left_out}
                    and (superseded_at is null or not {replaced})
                group by component
                """
            ).fetchall()
        }
    return report(settings, sizes)


def condition(component: Component) -> str:
    """The documents of a component, as an SQL expression."""
    conditions = ["true"]
    if component.sources:
        conditions.append(f"source in ({', '.join(map(quoted, component.sources))})")
    if component.kinds:
        conditions.append(f"kind in ({', '.join(map(quoted, component.kinds))})")
    if component.since:
        conditions.append(f"available_at >= timestamptz '{component.since.isoformat()} 00:00:00Z'")
    if component.until:
        conditions.append(f"available_at < timestamptz '{component.until.isoformat()} 00:00:00Z'")
    return " and ".join(conditions)


def report(settings: MixSettings, sizes: dict[str | None, tuple[int, int]]) -> MixReport:
    """The largest mix with the weights of the settings in which no component exceeds the repetition cap."""
    total = sum(component.weight for component in settings.components)
    for component in settings.components:
        if not sizes.get(component.name, (0, 0))[1]:
            raise MintageError(
                f"corpus.refine.mix: no document of the view (as_of, use) is in the component "
                f"{component.name}; widen it or the view, or take it out"
            )
    largest, limited_by = min(
        (sizes[component.name][1] * settings.repetition_cap * total / component.weight, component.name)
        for component in settings.components
    )
    shares = tuple(
        Share(
            name=component.name,
            documents=sizes[component.name][0],
            characters=sizes[component.name][1],
            weight=component.weight / total,
            repetitions=largest * component.weight / total / sizes[component.name][1],
        )
        for component in settings.components
    )
    return MixReport(int(largest), limited_by, sizes.get(None, (0, 0))[0], shares)
