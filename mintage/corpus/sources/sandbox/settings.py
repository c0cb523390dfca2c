"""Settings of the sandbox source."""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = (
    "sandbox_filings",
    "sandbox_calls",
    "sandbox_releases",
    "sandbox_notes",
    "sandbox_macro",
    "sandbox_questions",
    "sandbox_drills",
)

# Kilobytes of prose in one year. Below the least, the macro releases (for the economy) and a few reports (for
# each company) do not fit; above the most, a company would repeat itself.
LEAST_FOR_ECONOMY, LEAST_FOR_COMPANY, MOST_FOR_COMPANY = 16.0, 6.0, 90.0


@dataclass(frozen=True)
class SandboxSource:
    """A simulated economy: `companies` over `years` calendar years from `first_year`, written out as about
    `megabytes` of text (10**6 UTF-8 bytes of document text, questions and drills included).

    `questions` and `drills` are the shares of that text that go to question-answer pairs and to copying
    drills. The same settings give the same documents on every machine; two seeds give two economies.
    """

    name: str = "sandbox"
    companies: int = 48
    years: int = 8
    first_year: int = 2012
    seed: int = 1
    megabytes: float = 20.0
    questions: float = 0.25
    drills: float = 0.05

    def __post_init__(self) -> None:
        if self.companies < 1 or self.years < 1:
            raise ValueError("sandbox: companies and years must be at least 1")
        if not 1900 <= self.first_year <= 2100:
            raise ValueError("sandbox: first_year must lie between 1900 and 2100")
        if self.questions < 0 or self.drills < 0 or self.questions + self.drills > 0.95:
            raise ValueError(
                "sandbox: questions and drills are shares of the text; together they must be at most 0.95"
            )
        share = 1 - self.questions - self.drills
        low = self.years * (LEAST_FOR_ECONOMY + LEAST_FOR_COMPANY * self.companies) / 1000 / share
        high = self.years * MOST_FOR_COMPANY * self.companies / 1000 / share
        if not low <= self.megabytes <= high:
            raise ValueError(
                f"sandbox: {self.companies} companies over {self.years} years fill {low:.2f} to {high:.2f} "
                f"megabytes, not {self.megabytes:g}: change megabytes, companies or years"
            )
