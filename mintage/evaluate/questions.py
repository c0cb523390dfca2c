"""Exact answers to held-out questions, beside what answering without understanding would score."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mintage.corpus.document import Message
from mintage.corpus.sources.sandbox.questions import answer_key, context_figures
from mintage.generate.engine import Engine
from mintage.generate.sampling import Sampling

LONGEST_ANSWER = 48
RANDOM_DRAWS = 20


@dataclass(frozen=True)
class Question:
    """A prompt whose exact answer is known."""

    kind: str
    prompt: str
    answer: str

    @staticmethod
    def from_chat(kind: str, text: str) -> Question:
        """From the JSON messages of a chat document of one question and one answer."""
        question, answer = json.loads(text)
        return Question(kind, question["content"], answer["content"])


def ask(engine: Engine, questions: Sequence[Question]) -> list[str]:
    """The model's greedy answers."""
    prompts = [[Message(role="user", content=question.prompt)] for question in questions]
    answers = engine.complete_batch(prompts, Sampling(max_tokens=LONGEST_ANSWER, temperature=0.0))
    return [answer.text for answer in answers]


def grade(
    questions: Sequence[Question], answers: Sequence[str], constants: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Per kind: the share of exact answers and of answers in the right form, and every baseline's share.

    Args:
        constants: for each kind, the commonest answer among the training questions.

    An answer is exact when its key (the figure, the company, the quarter, the direction) is the key of the
    known answer; it has the right form when it has a key at all. The baselines answer with the constant, with
    the first, the last or a random figure (or label) of the context.
    """
    grouped: dict[str, list[tuple[Question, str]]] = defaultdict(list)
    for question, answer in zip(questions, answers):
        grouped[question.kind].append((question, answer))
    result = {}
    for kind, pairs in sorted(grouped.items()):
        truth = [answer_key(kind, question.answer) for question, _ in pairs]
        given = [answer_key(kind, answer) for _, answer in pairs]
        figures = [context_figures(kind, question.prompt) for question, _ in pairs]
        generator = random.Random(0)
        draws = [
            share([generator.choice(candidates) if candidates else None for candidates in figures], truth)
            for _ in range(RANDOM_DRAWS)
        ]
        baselines = {
            "constant": share([constants.get(kind)] * len(truth), truth),
            "first": share([candidates[0] if candidates else None for candidates in figures], truth),
            "last": share([candidates[-1] if candidates else None for candidates in figures], truth),
            "random": round(sum(draws) / len(draws), 4),
        }
        result[kind] = {
            "questions": len(pairs),
            "exact": share(given, truth),
            "right_form": round(sum(key is not None for key in given) / len(given), 4),
            "baselines": baselines,
            "above_best_baseline": round(share(given, truth) - max(baselines.values()), 4),
            "examples": [
                {"prompt": question.prompt, "expected": question.answer, "answer": answer}
                for question, answer in pairs[:3]
            ],
        }
    return result


def share(given: Sequence[str | None], truth: Sequence[str | None]) -> float:
    """The fraction of positions at which both agree."""
    return round(sum(one == other for one, other in zip(given, truth)) / len(truth), 4)


def commonest_answers(questions: Iterable[Question]) -> dict[str, str]:
    """For each kind, the answer key that the training questions have most often."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        key = answer_key(question.kind, question.answer)
        if key is not None:
            counts[question.kind][key] += 1
    return {kind: counter.most_common(1)[0][0] for kind, counter in counts.items()}
