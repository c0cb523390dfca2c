"""From a request's prompt to token ids that fit the model's context."""

from __future__ import annotations

from mintage.generate.engine import Engine, PromptTooLong
from mintage.generate.sampling import Sampling
from mintage.serve.errors import ApiError
from mintage.serve.protocol import ChatRequest


def chat_prompt(engine: Engine, body: ChatRequest, max_tokens: int) -> list[int]:
    """The tokens of a chat, up to the place where the assistant begins to speak.

    Raises:
        ApiError: they leave no room for an answer.
    """
    messages = [message.as_chat() for message in body.messages]
    try:
        return engine.encode_prompt(messages, Sampling(max_tokens=max_tokens), trim=bool(body.trim))
    except PromptTooLong as error:
        raise too_long("messages", str(error)) from error


def raw_prompt(engine: Engine, prompt: str | list[int], max_tokens: int) -> list[int]:
    """The tokens of a raw prompt; an empty text stands for the beginning of a document.

    Raises:
        ApiError: they leave no room for an answer (with `max_tokens` 0 they may fill the context), or an id
        is unknown.
    """
    tokenizer = engine.tokenizer
    if isinstance(prompt, str):
        tokens = tokenizer.encode(prompt) or [tokenizer.end_of_text_id]
    else:
        tokens = prompt
    largest = tokenizer.vocab_size - 1
    if max(tokens) > largest:
        message = f"'prompt': token id {max(tokens)} is unknown; this model's ids go from 0 to {largest}"
        raise ApiError(400, message, param="prompt", code="invalid_value")
    if len(tokens) > engine.context - min(max_tokens, 1):
        limits = f"this model's context is {engine.context}, prompt and answer together"
        raise too_long("prompt", f"the prompt has {len(tokens)} tokens; {limits}. Shorten the prompt")
    return tokens


def too_long(param: str, message: str) -> ApiError:
    """OpenAI's refusal of a prompt that does not fit."""
    return ApiError(400, message, param=param, code="context_length_exceeded")
