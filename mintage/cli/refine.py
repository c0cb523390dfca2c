"""`mintage corpus tag|dedup|decontaminate|scrub|mix`: see what a refinement would do, before the recipe does
it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from mintage.cli.corpus import CorpusOption, chosen, print_table
from mintage.cli.options import WORKSPACE, RecipeArgument, WorkspaceOption


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows as a table, or that there are none."""
    if rows:
        print_table(title, list(rows[0]), rows)
    else:
        print(f"{title}: none")


def tag(
    keep: Annotated[
        str | None,
        typer.Option(help="A filter to try: an SQL condition over the signals that keeps a document."),
    ] = None,
    corpus: CorpusOption = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Measure the quality signals by source or, with --keep, show what a filter would remove.

    Example: mintage corpus tag --keep "digit_share < 0.3 and words > 50"
    """
    from mintage.pipeline import refining

    place, card = chosen(workspace, corpus)
    directory = place.path("corpora", card.name)
    if keep is None:
        for row in refining.signals(directory):
            source = row.pop("source")
            show(source, [{"signal": name, "median": value} for name, value in row.items()])
        return
    removed, examples = refining.filtered(directory, keep)
    show("removed", removed)
    show("examples", examples)
    print("to apply it, put it under corpus.refine.filters: {name: …, keep: …}")


def dedup(
    jaccard: Annotated[float, typer.Option(help="The least similarity of 5-grams of words.")] = 0.8,
    corpus: CorpusOption = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Find near duplicates; texts that differ in a figure are never taken for one another.

    Example: mintage corpus dedup --jaccard 0.8
    """
    from mintage.corpus.refine.settings import NearDuplicateSettings
    from mintage.pipeline import refining

    place, card = chosen(workspace, corpus)
    directory = place.path("corpora", card.name)
    settings = NearDuplicateSettings(jaccard=jaccard)
    found, by_reason, examples = refining.near(directory, settings, card.settings["use"])
    show("near duplicates", [found])
    show("left out", by_reason)
    show("examples", examples)
    print("to apply it, put it under corpus.refine: {near_duplicates: {jaccard: …}}")


def decontaminate(
    benchmarks: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder with a folder for each set; all of them count.")
    ],
    corpus: CorpusOption = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Find the items of benchmark sets in a corpus, tables included.

    Example: mintage corpus decontaminate ../shared/data/benchmarks
    """
    from mintage.corpus.refine.settings import BenchmarkSet, DecontaminateSettings
    from mintage.errors import MintageError
    from mintage.pipeline import refining

    known: tuple[BenchmarkSet, ...] = get_args(BenchmarkSet)
    sets = tuple(name for name in known if (benchmarks / name).is_dir())
    if not sets:
        raise MintageError(f"{benchmarks}: it has none of the folders {', '.join(known)}; see docs/refine.md")
    place, card = chosen(workspace, corpus)
    directory = place.path("corpora", card.name)
    found, examples = refining.benchmarks(directory, DecontaminateSettings(str(benchmarks), sets))
    show("found", found)
    show("examples", examples)
    setting = f"{{decontaminate: {{path: …, sets: [{', '.join(sets)}]}}}}"
    print(f"to leave these documents out, put it under corpus.refine: {setting}")


def scrub(corpus: CorpusOption = None, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Count the personal data that would be masked, and the public contacts that stay.

    Example: mintage corpus scrub
    """
    from mintage.corpus.refine.settings import ScrubSettings
    from mintage.pipeline import refining

    place, card = chosen(workspace, corpus)
    show("personal data", refining.personal_data(place.path("corpora", card.name), ScrubSettings()))


def mix(recipe: RecipeArgument, corpus: CorpusOption = None, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Measure the parts of the recipe's mix (corpus.refine.mix) in a corpus.

    Example: mintage corpus mix recipes/finance-mix.yaml
    """
    from mintage import recipe as recipes
    from mintage.errors import MintageError
    from mintage.pipeline import refining

    loaded = recipes.load(recipe)
    settings = loaded.corpus.refine.mix if loaded.corpus.refine else None
    if settings is None:
        raise MintageError(f"{recipe}: corpus.refine.mix: missing; it names the parts and their weights")
    place, card = chosen(workspace, corpus or loaded.name)
    directory = place.path("corpora", card.name)
    said, rows = refining.parts_of_mix(directory, settings, loaded.cutoff, card.settings["use"])
    show(said, rows)


def register(parent: typer.Typer) -> None:
    """Add the verbs to `mintage corpus`."""
    for verb in (tag, dedup, decontaminate, scrub, mix):
        parent.command()(verb)
