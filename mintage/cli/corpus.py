"""`mintage corpus build` and `mintage corpus sql`."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, RecipeArgument, SetOption, WorkspaceOption
from mintage.cli.stages import bring_up_to_date

app = typer.Typer(no_args_is_help=True, help="Build a corpus, and ask it questions.")


@app.command()
def build(recipe: RecipeArgument, overrides: SetOption, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Read the recipe's sources into dated documents; find exact duplicates; keep bad rows out and count
    them.

    Example: mintage corpus build recipes/fed-10m.yaml
    """
    bring_up_to_date(recipe, workspace, overrides, "corpus")


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="DuckDB's SQL over the views documents, sources and the attributes.")
    ],
    corpus: Annotated[str | None, typer.Option(help="Which corpus; not needed when there is one.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Ask a corpus a question in SQL.

    Example: mintage corpus sql "select source, count(*) from documents group by source"
    """
    from rich.console import Console
    from rich.table import Table

    from mintage.corpus import store
    from mintage.errors import MintageError
    from mintage.workspace import Workspace

    place = Workspace(workspace)
    if corpus is None:
        names = [card.name for card in place.cards() if card.kind == "corpora"]
        if len(names) != 1:
            known = ", ".join(names) or "none yet; `mintage corpus build RECIPE` makes one"
            raise MintageError(f"--corpus: say which corpus to ask. There are: {known}")
        corpus = names[0]
    card = place.find(f"corpora/{corpus}")
    answer = store.sql(place.path("corpora", card.name), query)
    table = Table(*answer.column_names)
    for row in answer.slice(0, 1000).to_pylist():
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    if answer.num_rows > 1000:
        print(f"the first 1,000 of {answer.num_rows:,} rows")


def register(parent: typer.Typer) -> None:
    """Add the verbs to the command line."""
    parent.add_typer(app, name="corpus")
