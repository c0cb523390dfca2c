"""Real filings: the facts of the face statements stand in Markdown tables, beside their label and under their
period. The measure is that of bench/extract.py."""

from __future__ import annotations

import gzip
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mintage.corpus.extract.html import to_markdown

LEAST_COVERAGE = 0.99


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[3] / "bench" / "extract.py"
    spec = importlib.util.spec_from_file_location("bench_extract", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("company", ["hubs", "nvda", "pg", "wfc", "xom"])
def test_face_statements_are_whole_and_nothing_is_escaped(
    shared_data: Path, bench: ModuleType, company: str
) -> None:
    paths = sorted((shared_data / "fixtures" / "sec_html" / company).glob("*.html.gz"))
    assert paths
    for path in paths:
        html = gzip.decompress(path.read_bytes())
        markdown = to_markdown(html)
        gold = bench.gold_cells(html)
        score = bench.score(markdown, gold)
        assert score["backslashes"] == 0
        assert score["face_covered"] >= LEAST_COVERAGE * score["face"], path.name
        assert score["face_in_period"] >= LEAST_COVERAGE * score["face_dated"], path.name
        assert score["recall"] >= LEAST_COVERAGE or not gold
        assert company == "wfc" or {cell.face for cell in gold} >= {"balance sheet", "income", "cash flow"}
        assert "<" not in markdown.split("\n\n")[0]


@pytest.mark.parametrize("company", ["googl", "nvda", "pg", "wfc"])
def test_every_item_of_an_annual_report_is_a_heading(shared_data: Path, company: str) -> None:
    path = next((shared_data / "fixtures" / "sec_html" / company).glob("*10-k*"))
    markdown = to_markdown(gzip.decompress(path.read_bytes()))
    items = [line.split()[2].strip(".").upper() for line in markdown.split("\n") if line.startswith("## ")]
    assert " ".join(items) == "1 1A 1B 1C 2 3 4 5 6 7 7A 8 9 9A 9B 9C 10 11 12 13 14 15 16"


def test_the_measure_sees_a_number_that_is_split_or_moved(bench: ModuleType) -> None:
    gold = [
        bench.Gold(0, "sales", "1234", ("2024",), "income"),
        bench.Gold(0, "sales", "-5", ("2023",), "income"),
    ]
    right = "|  | 2024 | 2023 |\n| --- | --- | --- |\n| Sales | $1,234 | (5) |\n"
    assert bench.score(right, gold)["f1"] == 1.0
    assert bench.score(right, gold)["face_in_period"] == 2
    split = "|  | 2024 |  | 2023 |\n| --- | --- | --- | --- |\n| Sales | $ | 1,234 | (5) |\n"
    assert bench.score(split, gold)["f1"] < 1.0
    swapped = right.replace("2024 | 2023", "2023 | 2024")
    assert bench.score(swapped, gold)["face_in_period"] == 0
    assert bench.score(right.replace("Sales", "Costs"), gold)["recall"] == 0.0
