"""What a source says about itself while it is read: its files, and the rows that it had to leave out."""

from __future__ import annotations

from dataclasses import dataclass, field

EXAMPLES = 5


@dataclass(frozen=True)
class RawFile:
    """A file that documents came from: its name below the source's path, its SHA-256, its bytes."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class BadRowExample:
    """A row that was left out, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass
class SourceReport:
    """Filled while a source is read. `other_rows` are those that the source's `where` does not ask for."""

    files: list[RawFile] = field(default_factory=list)
    bad_rows: int = 0
    bad_row_examples: list[BadRowExample] = field(default_factory=list)
    other_rows: int = 0

    def bad(self, file: str, line: int, reason: str) -> None:
        """Count a row that is left out; the first ones are kept as examples."""
        self.bad_rows += 1
        if len(self.bad_row_examples) < EXAMPLES:
            self.bad_row_examples.append(BadRowExample(file, line, reason))
