"""A newcomer reads from the command to the gradient in an evening."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 1200


def length_of(path: Path, names: list[str]) -> int:
    """Lines of a file, or of these functions of it."""
    text = path.read_text()
    if not names:
        return len(text.splitlines())
    found = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    return sum((found[name].end_lineno or 0) - found[name].lineno + 1 for name in names)


def test_the_way_from_the_command_to_the_gradient_is_short_and_its_list_is_true() -> None:
    section = (ROOT / "docs" / "ARCHITECTURE.md").read_text().split("## From the command to the gradient")[1]
    rows = re.findall(r"^\| `(\S+\.py)` \| (.*) \| (\d+) \|$", section.split("\n## ")[0], re.MULTILINE)
    counted = {
        path: length_of(ROOT / "mintage" / path, [] if what == "all" else re.findall(r"`(\w+)`", what))
        for path, what, _ in rows
    }
    assert sum(counted.values()) <= MOST_LINES
    assert {path: int(lines) for path, _, lines in rows} == counted
