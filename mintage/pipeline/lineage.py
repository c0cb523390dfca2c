"""Print what the workspace holds: the tree of artifacts, and one card with its lineage back to the source
files."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from mintage.pipeline.bases import is_weights
from mintage.workspace import Card, Workspace


def cutoff_text(card: Card) -> str:
    """The knowledge cutoff as people read it."""
    if card.kind == "downloads":
        return "knowledge cutoff unknown (made elsewhere)"
    if card.knowledge_cutoff is None:
        weights = ", ".join(source["name"] for source in card.sources if is_weights(source))
        return f"cutoff unknown (begun from {weights})" if weights else "no cutoff (undated text inside)"
    return f"knows nothing after {card.knowledge_cutoff[:10]}"


def summary(card: Card) -> str:
    """One line of an artifact."""
    name = f"[bold]{card.kind}/{escape(card.name)}[/bold]"
    return f"{name}  {card.content_hash[:12]}  {cutoff_text(card)}, use: {card.licence['use']}"


def print_tree(workspace: Workspace) -> None:
    """Every artifact, below the artifacts that it was made from (each shown once, below its nearest
    parent)."""
    cards = workspace.cards()
    tree = Tree(f"[bold]{escape(str(workspace.root))}[/bold]")
    nodes: dict[str, Tree] = {}
    for card in cards:
        known = [
            nodes[parent.content_hash] for parent in reversed(card.parents) if parent.content_hash in nodes
        ]
        nodes[card.content_hash] = (known[0] if known else tree).add(summary(card))
    console = Console(emoji=False)
    console.print(tree)
    if not cards:
        console.print("nothing yet; next: mintage quickstart")
    else:
        console.print(f"next: mintage show {cards[-1].kind}/{cards[-1].name}")


def print_card(workspace: Workspace, card: Card) -> None:
    """One card: its facts, its figures, and its lineage."""
    console = Console(emoji=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    for label, value in (
        ("artifact", f"{card.kind}/{card.name}"),
        ("content", card.content_hash),
        ("made", f"{card.created_at} by mintage {card.code_version}"),
        ("knowledge", cutoff_text(card)),
        ("licence", f"use: {card.licence['use']}; {'; '.join(card.licence.get('licences', []))}"),
        ("files", f"{len(card.files)} in {workspace.path(card.kind, card.name)}"),
    ):
        table.add_row(label, escape(value))
    console.print(table)
    console.print("\n[bold]figures[/bold]")
    for key, value in card.figures.items():
        console.print(f"  {escape(key)}: {escape(short(value))}")
    console.print("\n[bold]lineage[/bold]")
    tree = Tree(summary(card))
    add_parents(workspace, tree, card)
    console.print(tree)


def short(value: Any) -> str:
    """A figure in at most a line and a half."""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def add_parents(workspace: Workspace, node: Tree, card: Card) -> None:
    """Hang an artifact's parents below it, down to the source files with their hashes."""
    for source in card.sources:
        what = "its text is not known" if is_weights(source) else f"{source['documents']:,} documents"
        label = "weights" if is_weights(source) else "source"
        branch = node.add(f"{label} {escape(source['name'])}: {what}, {escape(source['licence'])}")
        for file in source["files"]:
            branch.add(f"{escape(file['file'])}  {file['bytes']:,} bytes  sha256 {file['sha256'][:16]}")
    for parent in card.parents:
        found = workspace.card(parent.kind, parent.name)
        if found is None or found.content_hash != parent.content_hash:
            state = "gone" if found is None else "since made anew"
            node.add(
                f"{parent.kind}/{escape(parent.name)}  {parent.content_hash[:12]}  [yellow]{state}[/yellow]"
            )
        else:
            add_parents(workspace, node.add(summary(found)), found)
