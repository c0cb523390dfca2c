"""Small corpora for these tests, made in the real store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mintage.corpus import store
from mintage.corpus.document import Document
from mintage.corpus.refine.duplicates import refine
from mintage.tokens import shards
from mintage.tokens.tokenizer import Tokenizer, TokenizerSettings, train

START = datetime(2020, 1, 1, tzinfo=UTC)
CHARACTERS = "".join(chr(0x4E00 + number) for number in range(6000))
_tokenizers: list[Tokenizer] = []


def characters() -> Tokenizer:
    """A tokenizer with an entry for each of `CHARACTERS` and of ASCII."""
    if not _tokenizers:
        ascii_text = "".join(chr(code) for code in range(128))
        _tokenizers.append(train(TokenizerSettings(kind="character"), [CHARACTERS, ascii_text]))
    return _tokenizers[0]


def day(number: int) -> datetime:
    """The moment so many days after the start of 2020."""
    return START + timedelta(days=number)


def document(
    native_id: str, text: str, available: int | None = 0, source: str = "a", **more: Any
) -> Document:
    """A document that came out `available` days after the start of 2020, or at an unknown time."""
    moment = day(available) if available is not None else None
    return Document.make(
        source=source,
        native_id=native_id,
        text=text,
        available_at=moment,
        **{"licence": "public domain", "use": "ship", **more},
    )


def build(
    folder: Path,
    documents: Iterable[Document],
    tokenizer: Tokenizer | None = None,
    tokenizer_cutoff: datetime | None = START,
    use: str = "ship",
) -> Path:
    """Shards of some documents, by way of a corpus in the same folder."""
    store.write_documents(folder / "corpus", documents)
    refine(folder / "corpus")
    shards.build(
        folder / "corpus",
        tokenizer or characters(),
        folder / "shards",
        use,
        tokenizer_cutoff=tokenizer_cutoff,
        corpus_hash="of the test",
    )
    return folder / "shards"


def distinct_texts(lengths: Iterable[int]) -> list[str]:
    """Texts of these lengths in which no character occurs twice, within or across them."""
    texts, place = [], 0
    for length in lengths:
        texts.append(CHARACTERS[place : place + length])
        place += length
    assert place <= len(CHARACTERS)
    return texts
