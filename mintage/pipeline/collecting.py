"""Collecting: fetch what the sources name into the workspace's raw stores, from the network or from
recordings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Live, Replay, Transport
from mintage.corpus.settings import Source, is_collected, rates, source_module
from mintage.errors import MintageError
from mintage.pipeline.console import console
from mintage.workspace import Workspace, explain_full_disk, write_atomic

REFUSALS = "refusals.txt"
EXAMPLES = 5  # of refusals on the screen


def run(sources: Sequence[Source], workspace: Workspace, replay: list[Path]) -> None:
    """Collect every source that has something to fetch, and say what came and what was refused.

    Args:
        replay: folders of recorded responses, used in place of the network.

    Raises:
        MintageError: there is nothing to fetch; a source wants a contact; or, after all others were fetched,
            a source has nothing at all.
    """
    collected = [source for source in sources if is_collected(source)]
    if not collected:
        raise MintageError("collect: no source of the recipe is fetched from anywhere; build the corpus")
    transports = [Replay(replay) if replay else live_transport(source) for source in collected]
    with workspace.lock():
        found = [collect_source(*pair, workspace) for pair in zip(collected, transports, strict=True)]
    empty = [reason for reason in found if reason is not None]
    if empty:
        raise MintageError("; ".join(empty))


def live_transport(source: Source) -> Transport:
    """The way to the source's hosts.

    Raises:
        MintageError: the source wants to know who asks, and the settings do not say it.
    """
    module = source_module(source)
    if hasattr(module, "transport"):
        transport: Transport = module.transport(source)  # a library that brings its own way to its host
        return transport
    return Live(module.user_agent(source), rates(source))


def collect_source(source: Source, transport: Transport, workspace: Workspace) -> str | None:
    """Fetch one source, with a progress line. Returns why nothing is there after it; None if something is."""
    raw = RawStore(workspace.raw(source.name))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    start = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(source.name, total=None)

        def show(account: Account) -> None:
            seconds = time.monotonic() - start
            bar.update(task, description=f"{source.name}  {so_far(account, seconds)}")

        account = collect(source_module(source).discover, source, raw, transport, show)
    console.print(
        f"[bold]{source.name}[/bold]  {told(account)}  [dim]({time.monotonic() - start:.1f} s)[/dim]"
    )
    tell_refusals(account, raw.directory / REFUSALS)
    if raw.answers:
        return None
    why = account.refusals[0] if account.refusals else "the source names nothing to fetch"
    return f"{source.name}: nothing was collected: {why}"


def tell_refusals(account: Account, path: Path) -> None:
    """Print the first refusals, and write all of them to a file, which is of the last collection only."""
    path.unlink(missing_ok=True)
    if account.refusals:
        path.parent.mkdir(parents=True, exist_ok=True)
        with explain_full_disk(path):
            write_atomic(path, "".join(f"{refusal}\n" for refusal in account.refusals).encode())
    for refusal in account.refusals[:EXAMPLES]:
        console.print(f"  refused {refusal}", soft_wrap=True, markup=False)
    if account.refused > EXAMPLES:
        more = account.refused - EXAMPLES
        console.print(f"  and {more:,} more; all of them are in {path}", soft_wrap=True, markup=False)


def told(account: Account) -> str:
    """An account in words."""
    return (
        f"{account.fetched:,} fetched ({account.bytes / 1e6:,.1f} MB), {account.unchanged:,} unchanged, "
        f"{account.refused:,} refused"
    )


def so_far(account: Account, seconds: float) -> str:
    """An account while it grows, short enough for a line of 80 characters: with documents a second."""
    return (
        f"{account.fetched:,} documents, {account.bytes / 1e6:,.1f} MB, {account.fetched / seconds:,.1f}/s, "
        f"{account.unchanged:,} unchanged, {account.refused:,} refused"
    )
