"""The tokenizer: byte-level BPE (or characters), kept in the files that every other library opens.

The merges are those of Sennrich et al. 2016 (arXiv 1508.07909) over bytes, after the pre-tokenizer pattern of
Llama 3 (digits in groups of one to three). Training, encoding and the file format are Hugging Face's
`tokenizers`.
"""

from __future__ import annotations

import codecs
import hashlib
import heapq
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from mintage.corpus.document import CHAT, Document, Message, chat_messages
from mintage.errors import MintageError
from mintage.tokens import chat

CONTROL_TOKENS = ("<|endoftext|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
PAD_ID = 1  # what fills rows that are too short; any id would do, for the loss does not count it
CONTROL = re.compile("(" + "|".join(re.escape(token) for token in CONTROL_TOKENS) + ")")

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Where no word of PATTERN can reach across: after a line's end, and before the single space between two
# letters. A text may be cut there and its pieces encoded apart, with the same tokens. In the patterns of
# other tokenizers a line's end may go with the spaces before it or not; between letters all agree.
SAFE_CUT = re.compile(r"(?<=\n)(?=\S)|(?<=[A-Za-z])(?= [A-Za-z])")
SAFE_CUT_ELSEWHERE = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])")
ENCODE_PIECE = (
    1 << 16
)  # characters: bounds the memory of one encoding, and spreads a long text over the cores
SAMPLE_PIECE = 1 << 13  # characters
# Training needs about 110 bytes of memory for each byte of a distinct word. 100 MB of filings and speeches
# hold 1.7 MB of distinct words; noise (encoded pictures, keys) holds nothing else.
WORD = re.compile(r"[^\s\d]+")
DISTINCT_WORD_BYTES = 5_000_000
NO_TEXT = (
    "tokenizer: there is no text to train on; name a source that holds text which is public by the recipe's "
    "`as_of` and which its `use` allows"
)

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"


@dataclass(frozen=True)
class TokenizerSettings:
    """How to train a tokenizer.

    `vocab_size` counts control tokens and single bytes (262 together); training on little text reaches less.
    `sample_bytes` is how much of the text training looks at, at most (UTF-8 bytes): pieces chosen by their
    hash, so that each source keeps its share and the same text always gives the same tokenizer. A pair that
    occurs less than `min_frequency` times in the sample is not merged. `kind` "character" has one entry for
    each character seen.

    With a `base` nothing is trained, and those settings have no say (`mintage estimate` believes `vocab_size`
    until the base is there): the tokenizer of that folder, download or workspace name is taken with all its
    ids. `control_tokens` are those that it shall have; what it lacks
    of them follows its entries. `rename` makes control tokens of special tokens that it has and nobody needs,
    so that it does not grow. `knowledge_cutoff` is until when the text behind it goes, as its maker says; a
    recipe with `as_of` needs it.
    """

    kind: Literal["bpe", "character"] = "bpe"
    vocab_size: int = 32_768
    sample_bytes: int = 100_000_000
    min_frequency: int = 2
    base: str | None = None
    control_tokens: tuple[str, ...] = CONTROL_TOKENS
    rename: dict[str, str] = field(default_factory=dict)
    knowledge_cutoff: date | None = None

    def __post_init__(self) -> None:
        needed = {"<|endoftext|>", "<|user|>", "<|assistant|>"}
        known = set(self.control_tokens) | set(self.rename.values())
        if not needed <= set(self.control_tokens) or not known <= set(CONTROL_TOKENS):
            raise ValueError(
                f"control_tokens and the new names of rename must be among {', '.join(CONTROL_TOKENS)}, and "
                f"{', '.join(sorted(needed))} among control_tokens"
            )
        if self.base is None and (self.rename or self.control_tokens != CONTROL_TOKENS):
            raise ValueError("control_tokens and rename are for a tokenizer with a base")
        smallest = len(CONTROL_TOKENS) + 256
        if self.vocab_size < smallest:
            raise ValueError(
                f"vocab_size is {self.vocab_size}; control tokens and bytes alone need {smallest}"
            )


def train(settings: TokenizerSettings, texts: Iterable[str]) -> Tokenizer:
    """Train a tokenizer on a stream of texts; memory is bounded by `sample_bytes`, not by the stream.

    Raises:
        MintageError: the texts hold no character.
    """
    tokenizer = _train_bpe(settings, texts) if settings.kind == "bpe" else _train_characters(settings, texts)
    return Tokenizer(json.loads(tokenizer.to_str()), chat.CHAT_TEMPLATE)


def training_texts(documents: Iterable[Document]) -> Iterator[str]:
    """The texts of documents as a tokenizer meets them: of a chat, the contents of its messages."""
    for document in documents:
        if document.kind == CHAT:
            yield from (message["content"] for message in chat_messages(document.text))
        else:
            yield document.text


class Tokenizer:
    """Text to token ids and back.

    `control_ids` has the id of each of `CONTROL_TOKENS` that the tokenizer has: of one trained here 0 to 5.
    No text ever encodes to them. `decode(encode(text)) == text` for every text that UTF-8 can hold. `hash` is
    the SHA-256 over the canonical tokenizer.json and the chat template; `vocab_size` counts every entry.
    """

    def __init__(self, specification: dict[str, object], chat_template: str):
        """A tokenizer of the content of a tokenizer.json and a chat template; users call `train` or
        `load`."""
        self._json = json.dumps(specification, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self.chat_template = chat_template
        self.hash = hashlib.sha256(f"{self._json}\n{chat_template}".encode()).hexdigest()
        self._tokenizer = tokenizers.Tokenizer.from_str(self._json)
        self._tokenizer.encode_special_tokens = True  # a control token written in a text is text
        self.vocab_size: int = self._tokenizer.get_vocab_size()
        added = self._tokenizer.get_added_tokens_decoder()
        self.token_bytes: list[bytes] = _token_bytes(self._tokenizer, added)
        ids = {token.content: number for number, token in added.items() if token.special}
        self.control_ids = {name: ids[name] for name in CONTROL_TOKENS if name in ids}
        self.control_names = {number: name for name, number in self.control_ids.items()}
        self.end_of_text_id = self.control_ids["<|endoftext|>"]
        self.pad_id = self.control_ids.get("<|pad|>", self.end_of_text_id)
        self.end_of_turn_id = self.control_ids.get("<|end|>", self.end_of_text_id)
        is_ours = json.dumps(PATTERN) in json.dumps(specification["pre_tokenizer"])
        self.cut = SAFE_CUT if is_ours else SAFE_CUT_ELSEWHERE

    @staticmethod
    def load(directory: str | Path) -> Tokenizer:
        """The tokenizer of a directory that `save` wrote.

        Raises:
            MintageError: a file is missing or does not hold a Mintage tokenizer.
        """
        directory = Path(directory)
        try:
            specification = json.loads((directory / TOKENIZER_FILE).read_text(encoding="utf-8"))
            config = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))
            controls = tuple(token["content"] for token in specification["added_tokens"])
            if not {"<|endoftext|>", "<|user|>", "<|assistant|>"} <= set(controls):
                raise MintageError(
                    f"{directory}: its control tokens are {controls}, not those of a Mintage tokenizer; name "
                    "it as `tokenizer.base` of a recipe, which adds them"
                )
            return Tokenizer(specification, config["chat_template"])
        except FileNotFoundError as error:
            raise MintageError(
                f"{error.filename}: no such file; name a directory that holds a tokenizer"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise MintageError(f"{directory}: not a Mintage tokenizer ({error!r}); train it again") from None

    def save(self, directory: str | Path) -> None:
        """Write tokenizer.json and tokenizer_config.json, which transformers opens as they are."""
        end, pad = self.control_names[self.end_of_text_id], self.control_names[self.pad_id]
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": end,
            "pad_token": pad,
            "additional_special_tokens": [name for name in self.control_ids if name not in (end, pad)],
            "clean_up_tokenization_spaces": False,
            "chat_template": self.chat_template,
        }
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / TOKENIZER_FILE).write_text(self._json, encoding="utf-8")
        (directory / CONFIG_FILE).write_text(
            json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8"
        )

    def encode(self, text: str) -> list[int]:
        """The token ids of a text; no control tokens among them, whatever the text says."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of several texts, encoded on all cores."""
        pieces = [
            (number, piece)
            for number, text in enumerate(texts)
            for piece in pieces_of(text, ENCODE_PIECE, self.cut)
        ]
        encodings = self._tokenizer.encode_batch_fast(
            [piece for _, piece in pieces], add_special_tokens=False
        )
        ids: list[list[int]] = [[] for _ in texts]
        for (number, _), encoding in zip(pieces, encodings):
            ids[number].extend(encoding.ids)
        return ids

    def encode_chat(
        self, messages: Sequence[Message], add_generation_prompt: bool = False
    ) -> tuple[list[int], list[int]]:
        """The token ids of a chat and its loss mask: 1 on the assistant's contents and their end of turn.

        Raises:
            MintageError: a message has an unknown role.
        """
        return self.encode_chats([messages], add_generation_prompt)[0]

    def encode_chats(
        self, chats: Sequence[Sequence[Message]], add_generation_prompt: bool = False
    ) -> list[tuple[list[int], list[int]]]:
        """`encode_chat` of several chats, on all cores."""
        parts = [
            (number, part, None if segment.is_content else self.control_ids.get(part), segment.is_generated)
            for number, messages in enumerate(chats)
            for segment in chat.segments(self.chat_template, messages, add_generation_prompt)
            for part in ([segment.text] if segment.is_content else CONTROL.split(segment.text))
        ]
        texts = iter(self.encode_batch([part for _, part, control_id, _ in parts if control_id is None]))
        encoded: list[tuple[list[int], list[int]]] = [([], []) for _ in chats]
        for number, _, control_id, is_generated in parts:
            ids = next(texts) if control_id is None else [control_id]
            encoded[number][0].extend(ids)
            encoded[number][1].extend([int(is_generated)] * len(ids))
        return encoded

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids. Control tokens and ids above the vocabulary (a model's padding) have no
        text; bytes that are not UTF-8 become U+FFFD."""
        return b"".join(map(self._bytes_of, ids)).decode("utf-8", errors="replace")

    def decode_stream(self) -> DecodeStream:
        """A decoder that takes one id at a time."""
        return DecodeStream(self)

    def _bytes_of(self, token_id: int) -> bytes:
        return self.token_bytes[token_id] if token_id < self.vocab_size else b""


class DecodeStream:
    """Token ids to text, one at a time; a character's text comes when its last byte has come.

    The pieces, `finish()` included, join to `Tokenizer.decode` of all ids.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._bytes_of = tokenizer._bytes_of
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def step(self, token_id: int) -> str:
        """The text that this id completes; may be empty."""
        return self._decoder.decode(self._bytes_of(token_id))

    def finish(self) -> str:
        """What is left of a character that never came whole: U+FFFD, or nothing."""
        return self._decoder.decode(b"", final=True)


def template_for(control_tokens: Sequence[str]) -> str:
    """The chat template for a tokenizer with these control tokens."""
    complete = {"<|system|>", "<|end|>"} <= set(control_tokens)
    return chat.CHAT_TEMPLATE if complete else chat.SHORT_CHAT_TEMPLATE


def pieces_of(text: str, size: int, cut: re.Pattern[str] = SAFE_CUT) -> Iterator[str]:
    """A text in pieces of at least `size` characters (the last may be shorter) whose tokens are the text's
    tokens."""
    start = 0
    while found := cut.search(text, start + size):
        yield text[start : found.start()]
        start = found.start()
    yield text[start:]


def sample(texts: Iterable[str], limit: int) -> list[str]:
    """At most `limit` UTF-8 bytes of the texts: the pieces with the smallest hashes, in that order.

    Bottom-k sampling: one pass, memory bounded by `limit`, independent of the order of the texts, and each
    source keeps its share. Texts below the limit are kept whole.
    """
    kept: list[tuple[int, bytes]] = []  # a heap whose first entry has the largest hash (kept negative)
    total = 0
    threshold = 1 << 64
    for text in texts:
        for piece in pieces_of(text, SAMPLE_PIECE):
            content = piece.encode()
            priority = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")
            if priority >= threshold:
                continue
            heapq.heappush(kept, (-priority, content))
            total += len(content)
            while total > limit:
                largest, dropped = heapq.heappop(kept)
                threshold = -largest
                total -= len(dropped)
    kept.sort(reverse=True)
    return [content.decode() for _, content in kept]


def few_words(pieces: Iterable[str], limit: int) -> Iterator[str]:
    """The pieces without those that would bring the distinct words above `limit` UTF-8 bytes together."""
    seen: set[str] = set()
    size = 0
    for piece in pieces:
        fresh = set(WORD.findall(piece)) - seen
        added = sum(len(word.encode()) for word in fresh)
        if size + added <= limit:
            size += added
            seen |= fresh
            yield piece


def _train_bpe(settings: TokenizerSettings, texts: Iterable[str]) -> tokenizers.Tokenizer:
    pieces = list(few_words(sample(texts, settings.sample_bytes), DISTINCT_WORD_BYTES))
    if not any(pieces):
        raise MintageError(NO_TEXT)
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        special_tokens=_control_tokens(),
        initial_alphabet=sorted(BYTE_CHARACTERS.values()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(pieces, trainer)
    return tokenizer


def _train_characters(settings: TokenizerSettings, texts: Iterable[str]) -> tokenizers.Tokenizer:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    if not counts:
        raise MintageError(NO_TEXT)
    entries = [*CONTROL_TOKENS, *(f"<0x{byte:02X}>" for byte in range(256))]
    by_frequency = sorted(counts, key=lambda character: (-counts[character], character))
    entries += by_frequency[: settings.vocab_size - len(entries)]
    # A character without an entry is written as its UTF-8 bytes, so that nothing is lost.
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(_control_tokens())
    return tokenizer


def _control_tokens() -> list[AddedToken]:
    return [AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS]


def _byte_characters() -> dict[int, str]:
    """The character that byte-level vocabularies write for each byte (GPT-2's table): printable Latin-1
    characters stand for themselves, the others are shifted to U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + n) for n, byte in enumerate(shifted)}


BYTE_CHARACTERS = _byte_characters()


def _token_bytes(tokenizer: tokenizers.Tokenizer, added: dict[int, AddedToken]) -> list[bytes]:
    """The bytes that each entry stands for; of special tokens, none."""
    by_character = {character: byte for byte, character in BYTE_CHARACTERS.items()}
    is_byte_level = isinstance(tokenizer.decoder, decoders.ByteLevel)
    table = [b""] * tokenizer.get_vocab_size()
    for entry, number in tokenizer.get_vocab().items():
        if number in added:
            table[number] = b"" if added[number].special else entry.encode()
        elif is_byte_level:
            table[number] = bytes(by_character[character] for character in entry)
        elif len(entry) == 1:
            table[number] = entry.encode()
        else:
            table[number] = bytes([int(entry[3:5], 16)])
    return table
