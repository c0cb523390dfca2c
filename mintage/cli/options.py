"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a known one.")
]
ModelArgument = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A model's directory, or its name in the workspace or on the hub."),
]
WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="Where artifacts live.")]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        default_factory=list,
        show_default=False,
        help="Override a setting, e.g. pretrain.train.seed=2.",
    ),
]
ReplayOption = Annotated[
    list[Path],
    typer.Option(
        metavar="FOLDER",
        default_factory=list,
        show_default=False,
        help="Recorded responses (a folder with a MANIFEST.json) in place of the network.",
    ),
]
JobsOption = Annotated[
    int, typer.Option("-j", "--jobs", min=1, help="Processes that read sources and make shards.")
]
ProcessesOption = Annotated[
    int, typer.Option(min=1, help="Processes that train together: on GPUs, as many as there are.")
]
WORKSPACE = Path("workspace")
