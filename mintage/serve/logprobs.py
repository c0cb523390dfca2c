"""Log-probabilities in OpenAI's two shapes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mintage.generate.engine import TokenScore
from mintage.generate.sampling import TokenLogprob
from mintage.tokens.tokenizer import Tokenizer


def token_bytes(tokenizer: Tokenizer, token_id: int) -> bytes:
    """The bytes that a token stands for; of a control token, those of its name."""
    name = tokenizer.control_names.get(token_id)
    return tokenizer.token_bytes[token_id] if name is None else name.encode()


def token_name(tokenizer: Tokenizer, token_id: int) -> str:
    """A token as text; where it is not whole characters, its bytes as OpenAI writes them:
    `bytes:\\xe2\\x82`."""
    content = token_bytes(tokenizer, token_id)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)


def chat_logprobs(tokenizer: Tokenizer, scores: Iterable[TokenLogprob | TokenScore]) -> dict[str, Any]:
    """`choices[].logprobs` of a chat completion."""

    def entry(token_id: int, logprob: float | None) -> dict[str, Any]:
        content = token_bytes(tokenizer, token_id)
        return {"token": token_name(tokenizer, token_id), "logprob": logprob, "bytes": list(content)}

    return {
        "content": [
            {
                **entry(score.token_id, score.logprob),
                "top_logprobs": [entry(token_id, logprob) for token_id, logprob in score.top],
            }
            for score in scores
        ],
        "refusal": None,
    }


class CompletionLogprobs:
    """`choices[].logprobs` of one choice of a raw completion, delta by delta.

    As in OpenAI's interface the alternatives include the token itself, the first token of an echoed prompt
    has no log-probability (nothing comes before it), and `text_offset` is the character at which a token
    begins.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._decoder = tokenizer.decode_stream()
        self._offset = 0

    def add(self, scores: Iterable[TokenLogprob | TokenScore]) -> dict[str, list[Any]]:
        """The next tokens in OpenAI's shape."""
        shape: dict[str, list[Any]] = {
            "tokens": [],
            "token_logprobs": [],
            "top_logprobs": [],
            "text_offset": [],
        }
        for score in scores:
            name = token_name(self._tokenizer, score.token_id)
            top = {token_name(self._tokenizer, token_id): logprob for token_id, logprob in score.top}
            shape["tokens"].append(name)
            shape["token_logprobs"].append(score.logprob)
            shape["top_logprobs"].append(None if score.logprob is None else {**top, name: score.logprob})
            shape["text_offset"].append(self._offset)
            self._offset += len(self._decoder.step(score.token_id))
        return shape
