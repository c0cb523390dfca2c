"""What a person sees while a model trains: every figure on one line of a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from mintage.train import monitor
from mintage.train.monitor import Monitor

ROWS = (
    {"step": 9_990, "evaluation": {"bits_per_byte": {"all": 2.4321}}},
    {"step": 10_000, "loss": 5.278, "tokens_per_second": 15_478.2, "share_of_peak": 0.64},
    {"step": 10_000, "samples": [{"prompt": "The", "text": " bank\nsaid"}]},
)


def lines_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, steps: int) -> list[str]:
    """What a terminal of this width is shown of ROWS."""
    out = io.StringIO()
    monkeypatch.setattr(
        monitor, "Console", partial(Console, file=out, width=width, force_terminal=True, color_system=None)
    )
    with Monitor(tmp_path, 0, steps, show=True) as shown:
        for row in ROWS:
            shown.record(row)
            shown.step_done(row["step"])
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()))
    assert max(map(len, lines)) <= width
    return lines


@pytest.mark.parametrize("width", [80, 140])
def test_the_bar_shows_every_figure_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = lines_of(tmp_path, monkeypatch, width, 15_000)
    figures = r"loss 5\.278  2\.432 bits/byte  15,478 tokens/s  64% of peak (\d\d:\d\d|-?-:--)"
    assert re.match(rf"10,000/15,000 .*{figures}", [line for line in lines if "loss" in line][-1])
    assert "step 10,000 writes: The bank said" in lines


@pytest.mark.parametrize(
    "width, figures",
    [
        (60, r"loss 5\.278  2\.432 bits/byte"),
        (50, r"loss 5\.278"),
        (80, r"loss 5\.278  2\.432 bits/byte  15,478 tokens/s"),
    ],
)
def test_a_long_run_on_a_narrow_terminal_shows_the_first_figures_and_cuts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, figures: str
) -> None:
    lines = lines_of(tmp_path, monkeypatch, width, 12_345_678)
    last = next(line for line in reversed(lines) if "loss" in line)
    assert re.match(rf"10,000/12,345,678 .*{figures} [\d:]+$", last.strip()) and "…" not in last
