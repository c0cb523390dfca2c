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


def words_of(direction: str) -> set[str]:
    """The words of the phrase file that tell one direction and never the other."""
    words: dict[str, set[str]] = {"up": set(), "down": set()}
    for name, lines in sections("words").items():
        if name.startswith("rose ") and name != "rose still":
            words[name.split()[-1]] |= {word for line in lines for word in re.findall(r"[a-z]+", line)}
    other = words["down" if direction == "up" else "up"]
    return words[direction] - other


def solve(kind: str, context: str, question: str) -> str:
    """The answer's key, worked out from the words of the context alone."""
    if kind in ("lookup_key_value", "lookup_sentence", "direction_worded"):
        [item] = [name for name in ITEMS.values() if re.search(rf"(?:'s|the) {name}\b(?! flow)", question)]
    if kind in ("lookup_key_value", "lookup_sentence"):
        linked = rf"\b{item}(?:: | of | was | came to | stood at | reached )(\d[\d,]*(?:\.\d+)?) [a-z]"
        [figure] = re.findall(linked, context)
        return figure
    if kind == "direction_worded":
        [clause] = re.findall(rf"\b{item}\b(?! flow) ([a-z ]+)", context)
        told = set(re.split(r" (?:while|and|as|to|from|in) ", f"{clause} ")[0].split())
        rising, falling = bool(told & words_of("up")), bool(told & words_of("down"))
        assert rising != falling, (context, question)
        return "rose" if rising else "fell"
    if kind == "comparison_numeric":
        period, earlier = re.findall(r"(?:Q\d )?\d{4}", question)
        values = {}
        for label in (period, earlier):
            in_sentence = re.search(rf"(\S+) (?:million|thousand) in {label}\b", context)
            match = in_sentence or re.search(rf"^- {label}: (\S+) ", context, re.MULTILINE)
            assert match
            values[label] = number(match[1])
        return "higher" if values[period] > values[earlier] else "lower"
    lines = re.findall(r"^- (\w+|Q\d \d{4}): (\S+) (?:million|thousand)$", context, re.MULTILINE)
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
        ("lookup_key_value", "In 2019, Acme's revenue was a lot."),
        ("direction_worded", "In 2019, Acme's revenue jumped."),
        ("which_company", "Acme"),
        ("which_quarter", "Acme's revenue was highest in 2019."),
    ],
)
def test_an_answer_of_another_form_has_no_key(kind: str, answer: str) -> None:
    assert answer_key(kind, answer) is None


def test_keys_are_read_from_answers() -> None:
    assert answer_key("lookup_sentence", "In 2019, Acme's revenue was 1,234 million.") == "1,234"
    assert answer_key("lookup_key_value", " In Q2 2019, Acme's gross margin was 45.6 percent.\n") == "45.6"
    assert answer_key("direction_worded", "In Q2 2019, Acme's cash fell.") == "fell"
    assert answer_key("comparison_numeric", "In Q2 2019, Acme's cash was lower than in Q2 2018.") == "lower"
    assert answer_key("which_quarter", "Acme's cash was lowest in Q3 2018.") == "Q3 2018"


def test_questions_draw_only_on_reports_that_were_filed_and_are_dated_with_the_last_of_them() -> None:
    settings = SandboxSource(companies=12, years=1, megabytes=0.7, questions=0.4)
    companies = simulate(settings).companies
    filed: dict[tuple[str, str], datetime] = {}  # the first report of a company and quarter
    compared = disguised = 0
    for document in generate(settings):
        assert document.available_at is not None
        if document.source == "sandbox_filings":
            key = (companies[document.entities[0].id].name, str(document.period_end))
            filed.setdefault(key, document.available_at)
        elif document.source == "sandbox_questions":
            if dict(document.entities).get("ticker") is None:
                disguised += 1
                continue
            own = (companies[document.entities[0].id].name, str(document.period_end))
            assert document.available_at == filed[own]
            if document.title == "which_company":
                context = json.loads(document.text)[0]["content"]
                for name in context_figures("which_company", context):
                    assert filed[name, str(document.period_end)] <= document.available_at
                    compared += 1
    assert compared > 20
    assert disguised > 100


def test_about_half_of_the_questions_are_about_a_company_that_the_economy_does_not_know() -> None:
    settings = SandboxSource(companies=12, years=1, megabytes=0.7, questions=0.4)
    names = [company.name for company in simulate(settings).companies.values()]
    unknown = 0
    questions = [document for document in generate(settings) if document.source == "sandbox_questions"]
    for document in questions:
        answer = json.loads(document.text)[1]["content"]
        if document.title != "which_company" and not any(name in answer for name in names):
            unknown += 1
            assert "ticker" not in dict(document.entities)
    assert 0.35 < unknown / len(questions) < 0.65


def test_what_ends_a_drill_can_be_read_from_its_beginning() -> None:
    kinds: Counter[str] = Counter()
    for document in generate(SandboxSource(companies=4, years=1, megabytes=0.3, drills=0.4)):
        if document.source != "sandbox_drills":
            continue
        lines = document.text.split("\n")
        answers = [line for line in lines if answer_key("lookup_sentence", line)]
        if len(answers) >= 3:
            context = "\n".join(lines[: lines.index(answers[0])]) or lines[0]
            figures = context_figures("lookup_sentence", context)
            assert {answer_key("lookup_sentence", answer) for answer in answers} <= set(figures)
            kinds["lookups"] += 1
        elif answer_key("direction_worded", lines[-1]):
            for line in lines[1:]:
                item = max((name for name in ITEMS.values() if f"'s {name} " in line), key=len)
                truth = solve("direction_worded", lines[0], f"Did the {item} of it rise?")
                assert answer_key("direction_worded", line) == truth
            kinds["directions"] += 1
        else:
            assert len(set(lines)) == 1 and len(lines) > 1
            kinds["echoes"] += 1
    assert min(kinds.values()) > 20 and len(kinds) == 3
