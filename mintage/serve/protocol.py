"""The requests of the HTTP interface: OpenAI's fields that this server honours, and the sampling fields that
vLLM adds.

A field that is not listed here is refused rather than ignored, and types are strict. `user` and `metadata`
are the two fields that are accepted and change nothing. Source: the OpenAI API reference for chat completions
and completions.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mintage.corpus import document
from mintage.generate.sampling import Sampling

COMPLETION_MAX_TOKENS = 16  # OpenAI's default for /v1/completions
MAX_CHOICES = 8
MAX_PROMPTS = 64
MAX_TOP_LOGPROBS = 20


def check_unicode(text: str) -> str:
    """JSON can write half of a surrogate pair, which is no character."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("the text holds half of a surrogate pair, which is not valid Unicode")
    return text


def check_temperature(temperature: float) -> float:
    """A logit divided by almost nothing is no number in single precision."""
    if 0 < temperature < 1e-4:
        raise ValueError("a temperature is 0, which is greedy, or at least 0.0001")
    return temperature


Text = Annotated[str, AfterValidator(check_unicode)]
StopString = Annotated[Text, StringConstraints(min_length=1)]
TokenId = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """A JSON object in which every key is known and every value has the right type."""

    model_config = ConfigDict(extra="forbid", strict=True)


def contradiction(field: str, message: str) -> PydanticCustomError:
    """A refusal because of several fields of an object; `field` is the one to mend."""
    return PydanticCustomError("contradiction", "{message}", {"message": message, "param": field})


class TextPart(Strict):
    """One part of a message's content; only text is understood."""

    type: Literal["text"]
    text: Text


class Message(Strict):
    """One turn of a chat. `developer` is OpenAI's newer name of `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]

    def as_chat(self) -> document.Message:
        """The turn as the tokenizer takes it; text parts are joined by newlines."""
        content = self.content
        text = content if isinstance(content, str) else "\n".join(part.text for part in content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(Strict):
    """What a stream carries besides the answer."""

    include_usage: bool = False


class GenerationRequest(Strict):
    """The fields that chats and raw completions share. None stands for the default, as in OpenAI's own
    interface."""

    model: str
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2), AfterValidator(check_temperature)] | None = None
    top_p: float | None = Field(None, ge=1e-6, le=1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: StopString | Annotated[list[StopString], Field(max_length=16)] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    # vLLM's additions
    top_k: int | None = Field(None, ge=-1)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=0.01, le=10)
    no_repeat_ngram_size: int | None = Field(None, ge=0)
    stop_token_ids: list[TokenId] | None = None

    @model_validator(mode="after")
    def check_stream_options(self) -> GenerationRequest:
        """`stream_options` says nothing about an answer that is not streamed."""
        if self.stream_options is not None and not self.stream:
            raise contradiction(
                "stream_options", "'stream_options' is only allowed together with 'stream': true"
            )
        return self

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with a chunk of token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(
        self, max_tokens: int, logprobs: int | None, choice: int, ends: tuple[int, ...] = ()
    ) -> Sampling:
        """The engine's settings for choice number `choice`, which `ends` end too. OpenAI's defaults:
        temperature 1, no filter, no penalty. Each choice has its own seed, so that choices differ and the
        whole answer is repeatable."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return Sampling(
            max_tokens=max_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_k=max(self.top_k or 0, 0),  # vLLM writes "no limit" as 0 or -1
            top_p=1.0 if self.top_p is None else self.top_p,
            min_p=self.min_p or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            repetition_penalty=self.repetition_penalty or 1.0,
            no_repeat_ngram_size=self.no_repeat_ngram_size or 0,
            stop=stop,
            stop_token_ids=(*ends, *(self.stop_token_ids or ())),
            seed=None if self.seed is None else (self.seed + choice) % 2**63,
            logprobs=logprobs,
        )


class ChatRequest(GenerationRequest):
    """POST /v1/chat/completions. `max_tokens` defaults to what is left of the context; an answer
    that reaches the context's end is cut there (`finish_reason` "length")."""

    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)
    trim: bool | None = None  # Mintage's own: drop the oldest turns of a chat that is longer than the context

    @field_validator("messages")
    @classmethod
    def check_last_turn(cls, messages: list[Message]) -> list[Message]:
        """The answer follows something that was said to the model."""
        if messages[-1].role == "assistant":
            raise ValueError("the last message must not be the assistant's")
        return messages

    @model_validator(mode="after")
    def check_pairs(self) -> ChatRequest:
        """Fields that only make sense together, or only apart."""
        if self.top_logprobs is not None and not self.logprobs:
            raise contradiction(
                "top_logprobs", "'top_logprobs' is only allowed together with 'logprobs': true"
            )
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise contradiction("max_tokens", "give 'max_tokens' or 'max_completion_tokens', not both")
        return self


class CompletionRequest(GenerationRequest):
    """POST /v1/completions. With `echo` the answer begins with the prompt, and `logprobs` covers the prompt's
    tokens too; `max_tokens` may then be 0, which scores the prompt (what lm-eval's `local-completions`
    needs)."""

    prompt: (
        Text
        | Annotated[list[TokenId], Field(min_length=1)]
        | Annotated[list[Text], Field(min_length=1, max_length=MAX_PROMPTS)]
        | Annotated[
            list[Annotated[list[TokenId], Field(min_length=1)]], Field(min_length=1, max_length=MAX_PROMPTS)
        ]
    )
    max_tokens: int | None = Field(None, ge=0)
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)

    @model_validator(mode="after")
    def check_something_is_asked(self) -> CompletionRequest:
        """Zero tokens without the prompt would be an empty answer."""
        if self.max_tokens == 0 and not self.echo:
            raise contradiction("max_tokens", "'max_tokens': 0 needs 'echo': true")
        return self

    def prompts(self) -> list[str | list[int]]:
        """One or several prompts, as a list."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        if isinstance(prompt[0], int):
            return [[token for token in prompt if isinstance(token, int)]]
        return [item for item in prompt if not isinstance(item, int)]


FIELD_NAMES = frozenset(
    name
    for model in (ChatRequest, CompletionRequest, Message, TextPart, StreamOptions)
    for name in model.model_fields
)
