"""Question-answer pairs: each answer follows from its own context, by a computation that knows nothing of the
tables."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime

import pytest

from mintage.corpus.sources.sandbox.economy import generate
from mintage.corpus.sources.sandbox.grammar import sections
from mintage.corpus.sources.sandbox.questions import ITEMS, KINDS, answer_key, context_figures
from mintage.corpus.sources.sandbox.settings import SandboxSource
from mintage.corpus.sources.sandbox.simulation import simulate

SETTINGS = SandboxSource(companies=12, years=2, megabytes=1.6, questions=0.4, drills=0.05)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str, str, str]]:
    """(kind, context, question, answer) of every chat."""
    result = []
    for document in generate(SETTINGS):
        if document.source == "sandbox_questions":
            user, assistant = json.loads(document.text)
            assert (user["role"], assistant["role"]) == ("user", "assistant")
            context, _, question = user["content"].rpartition("\n")
            assert ("question_kind", document.title) in document.entities
            result.append((document.title, context, question, assistant["content"]))
    return result


def number(figure: str) -> float:
    return float(figure.replace(",", ""))


def solve(kind: str, context: str, question: str) -> str:
    """The answer's key, worked out from the words of the context alone."""
    if kind in ("lookup_key_value", "lookup_sentence"):
        item = max((name for name in ITEMS.values() if re.search(rf"\b{name} of\b", question)), key=len)
        found = re.findall(
            rf"(?:^|(?<=[ \n])){item}(?:: | of | was )(\d[\d,.]*\d|\d) ", context.lower(), re.MULTILINE
        )
        [figure] = set(found)
        return figure
    if kind == "direction_worded":
        words = sections("words")
        plain = lambda size: {  # noqa: E731 - one expression, used twice
            word for line in words[f"rose {size}"] for word in re.findall(r"[a-z]+", line)
        }
        ups = set.union(*(plain(f"{size} up") for size in ("small", "middle", "large")))
        downs = set.union(*(plain(f"{size} down") for size in ("small", "middle", "large")))
        told = set(re.findall(r"[a-z]+", context))
        score = len(told & (ups - downs)) - len(told & (downs - ups))
        assert score != 0, context
        return "rose" if score > 0 else "fell"
    if kind == "comparison_numeric":
        period, earlier = re.findall(r"(?:Q\d )?\d{4}", question)
        values = {}
        for label in (period, earlier):
            match = re.search(rf"(\S+) (?:million|thousand) in {label}\b", context) or re.search(
                rf"^{label}: (\S+) ", context, re.M
            )
            assert match
            values[label] = number(match[1])
        return "higher" if values[period] > values[earlier] else "lower"
    lines = re.findall(r"^(\w+|Q\d \d{4}): (\S+) (?:million|thousand)$", context, re.MULTILINE)
    choose = max if "highest" in question else min
    return choose(lines, key=lambda line: number(line[1]))[0]


def test_every_answer_follows_from_its_context(pairs: list[tuple[str, str, str, str]]) -> None:
    assert {kind for kind, *_ in pairs} == set(KINDS)
    for kind, context, question, answer in pairs:
        assert answer_key(kind, answer) == solve(kind, context, question), (kind, context, question, answer)


def test_look_ups_have_at_least_three_figures_and_the_answer_is_one_of_them(
    pairs: list[tuple[str, str, str, str]],
) -> None:
    for kind, context, question, answer in pairs:
        candidates = context_figures(kind, f"{context}\n{question}")
        assert candidates == context_figures(kind, context)
        assert answer_key(kind, answer) in candidates
        if kind.startswith("lookup"):
            assert 3 <= len(candidates) <= 6 and len(set(candidates)) == len(candidates)


def test_no_guess_without_reading_does_well(pairs: list[tuple[str, str, str, str]]) -> None:
    """The first, the last or the commonest candidate is right about as often as chance."""
    right: dict[str, Counter[str]] = defaultdict(Counter)
    keys: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, context, _, answer in pairs:
        key, candidates = answer_key(kind, answer), context_figures(kind, context)
        assert key is not None
        keys[kind][key] += 1
        right[kind].update({"first": key == candidates[0], "last": key == candidates[-1], "all": 1})
    for kind in ("lookup_key_value", "lookup_sentence"):
        assert (
            right[kind]["first"] / right[kind]["all"] < 0.4 and right[kind]["last"] / right[kind]["all"] < 0.4
        )
        assert keys[kind].most_common(1)[0][1] / right[kind]["all"] < 0.05
    for kind in ("direction_worded", "comparison_numeric"):
        assert keys[kind].most_common(1)[0][1] / right[kind]["all"] < 0.7


def test_pairs_are_short(pairs: list[tuple[str, str, str, str]]) -> None:
    lengths = sorted(len(context) + len(question) + len(answer) for _, context, question, answer in pairs)
    assert lengths[-1] < 420 and lengths[len(lengths) // 2] < 260


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("lookup_key_value", "1,234 million"),
        ("lookup_key_value", "Revenue of Acme in 2019 was about a lot."),
        ("direction_worded", "Revenue of Acme jumped in 2019."),
        ("which_company", "Acme"),
        ("which_quarter", "Revenue of Acme was highest in 2019."),
    ],
)
def test_an_answer_of_another_form_has_no_key(kind: str, answer: str) -> None:
    assert answer_key(kind, answer) is None


def test_keys_are_read_from_answers() -> None:
    assert answer_key("lookup_sentence", "Revenue of Acme in 2019 was 1,234 million.") == "1,234"
    assert (
        answer_key("lookup_key_value", " Earnings per share of Acme in Q2 2019 was 0.36 dollars.\n") == "0.36"
    )
    assert answer_key("comparison_numeric", "Cash of Acme was lower in Q2 2019 than in Q2 2018.") == "lower"
    assert answer_key("which_quarter", "Cash of Acme was lowest in Q3 2018.") == "Q3 2018"


def test_questions_draw_only_on_reports_that_were_filed_and_are_dated_with_the_last_of_them() -> None:
    settings = SandboxSource(companies=12, years=1, megabytes=0.7, questions=0.4)
    companies = simulate(settings).companies
    filed: dict[tuple[str, str], datetime] = {}  # the first report of a company and quarter
    compared = 0
    for document in generate(settings):
        assert document.available_at is not None
        if document.source == "sandbox_filings":
            key = (companies[document.entities[0].id].name, str(document.period_end))
            filed.setdefault(key, document.available_at)
        elif document.source == "sandbox_questions":
            own = (companies[document.entities[0].id].name, str(document.period_end))
            assert document.available_at == filed[own]
            if document.title == "which_company":
                context = json.loads(document.text)[0]["content"]
                for name in context_figures("which_company", context):
                    assert filed[name, str(document.period_end)] <= document.available_at
                    compared += 1
    assert compared > 20


def test_the_second_half_of_a_drill_can_be_copied_from_the_first() -> None:
    for document in generate(SandboxSource(companies=4, years=1, megabytes=0.25, drills=0.3)):
        if document.source == "sandbox_drills":
            lines = [line for line in document.text.split("\n") if line]
            assert len(set(lines)) < len(lines)
            first_again = next(number for number, line in enumerate(lines) if line in lines[:number])
            assert set(lines[first_again:]) <= set(lines[:first_again])
