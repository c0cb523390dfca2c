"""Bits per byte of held-out documents, by source and by month, with perplexity beside it.

Whole documents, cut into non-overlapping windows of the training length; the end-of-text token is predicted
too; the sum of -log2 p is divided by the text's UTF-8 bytes. The measure does not depend on the tokenizer, so
models with different vocabularies compare.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from mintage.model.transformer import Transformer
from mintage.tokens.loader import DocumentTokens

UNDATED = "undated"
TOKENS_PER_BATCH = 8192


@dataclass(frozen=True)
class Score:
    """How well a model predicts some documents."""

    bits: float
    bytes: int
    tokens: int
    documents: int

    @property
    def bits_per_byte(self) -> float:
        """Mean information content of a byte of text, in bits."""
        return self.bits / self.bytes

    @property
    def perplexity(self) -> float:
        """Per token; comparable only between models that share a tokenizer."""
        return math.exp(self.bits * math.log(2) / self.tokens)

    def figures(self) -> dict[str, float | int]:
        """The figures that reports and logs carry."""
        return {
            "bits_per_byte": round(self.bits_per_byte, 5),
            "perplexity": round(self.perplexity, 3),
            "bytes": self.bytes,
            "tokens": self.tokens,
            "documents": self.documents,
        }


def capped(documents: Iterable[DocumentTokens], megabytes: float) -> list[DocumentTokens]:
    """For each source, the first documents by id that hold `megabytes` of text together, at least one of
    each."""
    chosen: list[DocumentTokens] = []
    taken: dict[str, int] = defaultdict(int)
    for document in sorted(documents, key=lambda document: document.doc_id):
        if taken[document.source] < megabytes * 1e6:
            taken[document.source] += document.bytes
            chosen.append(document)
    return chosen


def measure(
    model: Transformer, documents: Iterable[DocumentTokens], context: int, end_of_text_id: int
) -> dict[str, dict[str, Score]]:
    """Score documents by (source, month of publication), months as `2019-07`.

    Args:
        model: predicts the next token; left in the mode (train or eval) that it came in. documents: held-out
        documents, ids with the end-of-text token. Where one has a mask, only the tokens that
            it marks count, and its `bytes` must be those of their text.
        context: window length in tokens.
        end_of_text_id: stands before each document's first token, as it does in training.
    """
    device = next(model.parameters()).device
    bits: dict[tuple[str, str], float] = defaultdict(float)
    sizes: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(3, np.int64))
    keyed = []
    for document in documents:
        month = f"{document.available_at:%Y-%m}" if document.available_at else UNDATED
        counted = len(document.ids) if document.mask is None else int(document.mask.sum())
        sizes[document.source, month] += (document.bytes, counted, 1)
        keyed.append(((document.source, month), document))
    training = model.training
    model.eval()
    with torch.no_grad():
        for keys, inputs_BT, targets_BT, mask_BT in batches(keyed, context, end_of_text_id):
            logits_BTV = model.logits(model(torch.from_numpy(inputs_BT).to(device))).float()
            loss_BT = F.cross_entropy(
                logits_BTV.flatten(0, 1), torch.from_numpy(targets_BT).to(device).flatten(), reduction="none"
            ).view(targets_BT.shape)
            loss_B = (loss_BT.double().cpu() * torch.from_numpy(mask_BT)).sum(1) / math.log(2)
            for key, value in zip(keys, loss_B.tolist()):
                bits[key] += value
    model.train(training)
    result: dict[str, dict[str, Score]] = defaultdict(dict)
    for (source, month), (size, tokens, count) in sorted(sizes.items()):
        result[source][month] = Score(bits[source, month], int(size), int(tokens), int(count))
    return dict(result)


def batches(
    keyed: list[tuple[tuple[str, str], DocumentTokens]], context: int, end_of_text_id: int
) -> Iterator[tuple[list[tuple[str, str]], np.ndarray, np.ndarray, np.ndarray]]:
    """Windows of all documents, grouped by length so that little is padded: keys, inputs, targets, mask."""
    windows = []
    for key, document in keyed:
        stream = np.concatenate([[end_of_text_id], document.ids]).astype(np.int64)
        counts = np.ones(len(document.ids), bool) if document.mask is None else document.mask.astype(bool)
        for start in range(0, len(stream) - 1, context):
            windows.append((key, stream[start : start + context + 1], counts[start : start + context]))
    windows.sort(key=lambda window: -len(window[1]))
    position = 0
    while position < len(windows):
        width = len(windows[position][1]) - 1
        chunk = windows[position : position + max(1, TOKENS_PER_BATCH // width)]
        inputs_BT = np.zeros((len(chunk), width), np.int64)
        targets_BT = np.zeros((len(chunk), width), np.int64)
        mask_BT = np.zeros((len(chunk), width), bool)
        for row, (_, window, counted) in enumerate(chunk):
            inputs_BT[row, : len(window) - 1] = window[:-1]
            targets_BT[row, : len(window) - 1] = window[1:]
            mask_BT[row, : len(window) - 1] = counted
        yield [key for key, *_ in chunk], inputs_BT, targets_BT, mask_BT
        position += len(chunk)


def total(scores: Iterable[Score]) -> Score:
    """Several scores as one, weighted by their bytes."""
    scores = list(scores)
    return Score(
        sum(score.bits for score in scores),
        sum(score.bytes for score in scores),
        sum(score.tokens for score in scores),
        sum(score.documents for score in scores),
    )


def by_source(scores: dict[str, dict[str, Score]]) -> dict[str, Score]:
    """Each source over all its months."""
    return {source: total(months.values()) for source, months in scores.items()}


def curve_figures(scores: dict[str, dict[str, Score]]) -> dict[str, dict[str, float]]:
    """What the training log keeps of a measurement: both measures by source, and over all sources as
    `all`."""
    sources = by_source(scores)
    sources["all"] = total(sources.values())
    return {
        "bits_per_byte": {source: round(score.bits_per_byte, 5) for source, score in sources.items()},
        "perplexity": {source: round(score.perplexity, 3) for source, score in sources.items()},
    }
