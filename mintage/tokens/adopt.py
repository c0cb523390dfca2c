"""A tokenizer from elsewhere, such as GPT-2's: its entries and ids stay, and control tokens that it lacks
follow them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from mintage.errors import MintageError
from mintage.tokens.tokenizer import (
    BYTE_CHARACTERS,
    CONTROL_TOKENS,
    TOKENIZER_FILE,
    Tokenizer,
    TokenizerSettings,
    template_for,
)
from mintage.workspace import json_sha256

# Letters, digits, signs and spaces that a pattern or a normaliser might change.
PROBE = "It's 1,234.5\r\n\r\n  (17,729)\t$3.07% naïve e\u0301 “quoted” 中文 \u00a0x <0x41> ﬁ Å\u2003 🎉\n "


def adopt(settings: TokenizerSettings, directory: Path) -> Tokenizer:
    """The tokenizer of a directory (tokenizer.json, or GPT-2's vocab.json and merges.txt) as a Mintage one.

    Raises:
        MintageError: there is none, it is not a byte-level BPE, it does not give every text back, or a name
            of `rename` is not among its special tokens.
    """
    specification = _read(directory)
    if not isinstance(specification.get("model"), dict) or specification["model"].get("type") != "BPE":
        raise MintageError(f"{directory}: not a BPE tokenizer; Mintage takes byte-level BPE (GPT-2, Llama 3)")
    # What these add to a text or take from it, the stages say themselves.
    specification = {**specification, "truncation": None, "padding": None, "post_processor": None}
    vocabulary = specification["model"]["vocab"]
    added = specification["added_tokens"]
    missing_bytes = [byte for byte, character in BYTE_CHARACTERS.items() if character not in vocabulary]
    if missing_bytes or specification.get("normalizer") is not None:
        raise MintageError(
            f"{directory}: it changes texts or cannot write every byte; Mintage takes byte-level BPE without "
            "a normalizer (GPT-2, SmolLM2, Llama 3)"
        )
    for old, new in settings.rename.items():
        found = [token for token in added if token["content"] == old and token["special"]]
        if not found:
            special = ", ".join(token["content"] for token in added if token["special"])
            raise MintageError(
                f"tokenizer.rename: {old} is no special token of {directory}; it has {special}"
            )
        found[0]["content"] = new
        if old in vocabulary:
            vocabulary[new] = vocabulary.pop(old)
    present = {token["content"]: token for token in added}
    following = max(*vocabulary.values(), *(token["id"] for token in added), 0) + 1
    for control in settings.control_tokens:
        if control in present:
            present[control]["special"] = True
            continue
        number = vocabulary.get(control, following)
        following += number == following
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        added.append({"id": number, "content": control, **flags, "special": True})
    tokenizer = Tokenizer(specification, template_for(settings.control_tokens))
    if tokenizer.decode(tokenizer.encode(PROBE)) != PROBE:
        raise MintageError(f"{directory}: it does not give a text back as it was; take a byte-level BPE")
    return tokenizer


def fingerprint(directory: Path) -> str:
    """A hash of what `adopt` reads."""
    return json_sha256(_read(directory))


def _read(directory: Path) -> dict[str, Any]:
    """The contents of a directory's tokenizer.json, or of its vocab.json and merges.txt in that form."""
    try:
        if (directory / TOKENIZER_FILE).is_file():
            specification: dict[str, Any] = json.loads(
                (directory / TOKENIZER_FILE).read_text(encoding="utf-8")
            )
            return specification
        files = [str(directory / name) for name in ("vocab.json", "merges.txt")]
        made = tokenizers.Tokenizer(models.BPE.from_file(*files))
    except Exception as error:  # the library raises bare Exception for a file that it cannot read
        raise MintageError(
            f"{directory}: no tokenizer.json, nor vocab.json with merges.txt, that can be read ({error})"
        ) from None
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(CONTROL_TOKENS[0], special=True, normalized=False)])
    specification = json.loads(made.to_str())
    return specification
