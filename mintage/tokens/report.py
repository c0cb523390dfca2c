"""What a tokenizer does to text: bytes per token by source, and how numbers split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mintage.tokens.shards import Shards
from mintage.tokens.tokenizer import Tokenizer

NUMBERS = (
    "7",
    "2019",
    "1,234",
    "1,234,567",
    "1234567",
    "12.5%",
    "$3.07",
    "(17,729)",
    "25 basis points",
    "Q3 2019",
)


def report(tokenizer: Tokenizer, shards_directory: Path) -> dict[str, Any]:
    """`bytes_per_token` by source, over all documents of the shards with their ends of text, and `numbers`:
    examples with their pieces.

    Raises:
        MintageError: the shards were encoded by another tokenizer.
    """
    shards = Shards.open(shards_directory)
    shards.require_tokenizer(tokenizer)
    sources = shards.manifest["sources"].items()
    return {
        "bytes_per_token": {name: round(counts["bytes"] / counts["tokens"], 3) for name, counts in sources},
        "numbers": {
            text: [tokenizer.decode([token]) for token in tokenizer.encode(text)] for text in NUMBERS
        },
    }
