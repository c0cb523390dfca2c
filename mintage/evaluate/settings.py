"""What an evaluation looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluateSettings:
    """How much of the held-out text and how many held-out questions an evaluation reads.

    `megabytes_per_source` caps the text measured for each source; documents are taken in the order of their
    hashes, so a smaller cap measures a subset of a larger one. `prompts` are continued in the report as
    samples; the served page offers `examples` to click.
    """

    megabytes_per_source: float = 0.3
    questions_per_kind: int = 100
    prompts: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    sample_tokens: int = 120
    temperature: float = 0.8
