"""`mintage corpus`: build, ask, trace and compare corpora."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mintage.cli.options import (
    WORKSPACE,
    JobsOption,
    RecipeArgument,
    ReplayOption,
    SetOption,
    WorkspaceOption,
)
from mintage.cli.stages import bring_up_to_date

if TYPE_CHECKING:
    from mintage.workspace import Card, Workspace

CorpusOption = Annotated[
    str | None, typer.Option("--corpus", help="Which corpus; not needed when there is one.")
]
SOURCES_ABREAST = 4  # columns of a table of years that a terminal of 80 characters shows whole

app = typer.Typer(no_args_is_help=True, help="Build a corpus, and ask it questions.")


@app.command()
def build(
    recipe: RecipeArgument,
    overrides: SetOption,
    replay: ReplayOption,
    workspace: WorkspaceOption = WORKSPACE,
    jobs: JobsOption = 1,
) -> None:
    """Read the recipe's sources into dated documents; find duplicates; keep bad rows out and count them.

    Sources that are fetched are read as `mintage collect` left them; with --replay they are collected first,
    from recordings.

    Example: mintage corpus build recipes/fed-10m.yaml
    """
    if replay:
        from mintage import recipe as recipes
        from mintage.pipeline import collecting
        from mintage.workspace import Workspace

        collecting.run(
            recipes.load(recipe, overrides).corpus.settings().sources, Workspace(workspace), replay
        )
    bring_up_to_date(recipe, workspace, overrides, "corpus", jobs)


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="DuckDB's SQL over the views documents, sources and the attributes.")
    ],
    corpus: CorpusOption = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Ask a corpus a question in SQL; one text alone is printed as it stands.

    Example: mintage corpus sql "select source, count(*) from documents group by source"
    """
    from mintage.corpus import store

    place, card = chosen(workspace, corpus)
    answer = store.sql(place.path("corpora", card.name), query)
    if (answer.num_rows, answer.num_columns) == (1, 1) and isinstance(value := answer[0][0].as_py(), str):
        print(value)  # a text is read as it stands
        return
    print_table("", answer.column_names, answer.slice(0, 1000).to_pylist())
    if answer.num_rows > 1000:
        print(f"the first 1,000 of {answer.num_rows:,} rows")


@app.command()
def show(
    corpus: CorpusOption = None,
    picture: Annotated[Path, typer.Option(help="Where to draw it, as PNG.")] = Path("corpus.png"),
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Count documents, tokens, licences and months by source, and draw them.

    Example: mintage corpus show --picture corpus.png
    """
    from mintage.pipeline import overview

    place, card = chosen(workspace, corpus)
    figures = overview.overview(place, card.name)
    years = overview.by_year(figures)
    counted = [] if figures.sources[0]["tokens"] is None else ["tokens"]
    print_table("sources", ["source", "documents", "megabytes", *counted, "first", "last"], figures.sources)
    aside = ("undated", "duplicates", "superseded")
    rows = [row for row in figures.sources if any(row[name] for name in aside)]
    if rows:
        print_table("of these not in every view", ("source", *aside), rows)
    print_table("licences", ("source", "licence", "use", "documents"), figures.licences)
    year, *names = list(years[0]) if years else [""]
    for start in range(0, len(names), SOURCES_ABREAST):
        abreast = names[start : start + SOURCES_ABREAST]
        print_table("years", [year, *abreast], [row for row in years if any(row[name] for name in abreast)])
    overview.draw(figures, picture)
    print(f"drawn: {picture}")


@app.command("as-of")
def as_of(
    day: Annotated[str, typer.Argument(metavar="DATE", help="A day (its end, in UTC) or an ISO time.")],
    diff: Annotated[str | None, typer.Option(help="A later day or time.")] = None,
    corpus: CorpusOption = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Count what was public on a day and, with --diff, what became known from then to a later day.

    Example: mintage corpus as-of 2008-09-12 --diff 2008-09-15
    """
    from mintage.corpus.compare import compare, moment_of

    place, card = chosen(workspace, corpus)
    earlier = moment_of(day)
    later = earlier if diff is None else moment_of(diff)
    changes = compare(place.path("corpora", card.name), earlier, later, card.settings["use"])
    if diff is None:
        rows = [{"source": name, "documents": change.before} for name, change in changes.items()]
        print_table(f"public at {earlier.isoformat()}", ["source", "documents"], rows)
        return
    counts = ("before", "after", "came", "replaced", "characters")
    rows = [
        {"source": name, **{count: getattr(change, count) for count in counts}}
        for name, change in changes.items()
    ]
    print_table(f"{earlier.isoformat()} to {later.isoformat()}", ["source", *counts], rows)
    first = [
        {
            "source": name,
            "known since": f"{each.available_at:%Y-%m-%d %H:%M:%S} UTC",
            "document": each.title or each.native_id,
        }
        for name, change in changes.items()
        for each in change.first
    ]
    if first:
        print_table("the first that came", ["source", "known since", "document"], first)
    else:
        print("nothing became known in between")


@app.command()
def locate(
    token: Annotated[str, typer.Argument(metavar="SHARD:POSITION", help="A token of the shards.")],
    corpus: CorpusOption = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Go from a token to its document, its raw bytes and its URL.

    Example: mintage corpus locate 0:1024
    """
    from mintage.pipeline import locate as tracing

    place, card = chosen(workspace, corpus)
    for label, value in tracing.describe(tracing.locate(place, card.name, token)):
        print(f"{label:<13} {value}")


@app.command()
def reproduce(recipe: RecipeArgument, overrides: SetOption, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Build corpus, tokenizer and shards twice, on one and on two processes and with the sources in another
    order, and compare the root hashes.

    Example: mintage corpus reproduce recipes/fed-10m.yaml
    """
    from mintage import recipe as recipes
    from mintage.pipeline.reproduce import reproduce as build_twice
    from mintage.workspace import Workspace

    for line in build_twice(recipes.load(recipe, overrides), Workspace(workspace)):
        print(line)


def chosen(workspace: Path, corpus: str | None) -> tuple[Workspace, Card]:
    """The workspace, and the card of the corpus that is meant."""
    from mintage.errors import MintageError
    from mintage.workspace import Workspace

    place = Workspace(workspace)
    if corpus is None:
        names = [card.name for card in place.cards() if card.kind == "corpora"]
        if len(names) != 1:
            known = ", ".join(names) or "none yet; `mintage corpus build RECIPE` makes one"
            raise MintageError(f"--corpus: say which corpus is meant. There are: {known}")
        corpus = names[0]
    return place, place.find(f"corpora/{corpus.removeprefix('corpora/')}")


def print_table(title: str, columns: Sequence[str], rows: list[dict[str, Any]]) -> None:
    """Print rows; whole numbers with separators and to the right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    numbers = {name for name in columns if all(type(row[name]) in (int, float) for row in rows)}
    table = Table(title=title or None, title_justify="left")
    for name in columns:
        table.add_column(escape(name), justify="right" if name in numbers else "left")
    for row in rows:
        values = (f"{row[name]:,}" if type(row[name]) is int else str(row[name]) for name in columns)
        table.add_row(*map(escape, values))
    Console(emoji=False).print(table)


def register(parent: typer.Typer) -> None:
    """Add the verbs to the command line."""
    parent.add_typer(app, name="corpus")
