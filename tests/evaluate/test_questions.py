"""Grades and baselines are what a reader would count by hand."""

from __future__ import annotations

import pytest

from mintage.evaluate.questions import Question, commonest_answers, grade

CONTEXT = "Acmelan, 2019\n- cash: 10 million\n- revenue: 1,234 million\n- net income: 56 million\n"
QUESTIONS = [
    Question(
        "lookup_key_value",
        CONTEXT + f"What was the {label} of Acmelan in 2019?",
        f"In 2019, Acmelan's {label} was {figure} million.",
    )
    for label, figure in (("cash", "10"), ("revenue", "1,234"), ("revenue", "1,234"), ("net income", "56"))
]


def test_exact_answers_and_right_form_are_counted_apart() -> None:
    answers = [
        "In 2019, Acmelan's cash was 10 million.",
        "In 2019, Acmelan's revenue was 1,235 million.",  # the right form, the wrong figure
        "In 2019, Acmelan's revenue rose.",  # no figure at all
        "In 2019, Acmelan's net income was 56 million.",
    ]
    row = grade(QUESTIONS, answers, {})["lookup_key_value"]
    assert (row["questions"], row["exact"], row["right_form"]) == (4, 0.5, 0.75)


def test_baselines_answer_without_reading() -> None:
    constants = commonest_answers(QUESTIONS)
    row = grade(QUESTIONS, [""] * 4, constants)["lookup_key_value"]
    assert row["baselines"]["constant"] == 0.5  # two of four ask for the revenue
    assert row["baselines"]["first"] == 0.25
    assert row["baselines"]["last"] == 0.25
    assert row["baselines"]["random"] == pytest.approx(1 / 3, abs=0.15)
    assert row["above_best_baseline"] == -0.5
