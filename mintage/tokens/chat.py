"""Chats as segments of text, by the Jinja template that transformers uses too.

Contents never go through the template's text. The template is rendered with a numbered placeholder for each
content, and the result is cut at the placeholders; so whatever a content holds, the tokens of control come
from the template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import jinja2
import jinja2.ext
import jinja2.sandbox

from mintage.corpus.document import ROLES, Message
from mintage.errors import MintageError

CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message['role'] not in ['system', 'user', 'assistant'] -%}
        {{- raise_exception('unknown role ' ~ message['role']) -}}
    {%- endif -%}
    {{- '<|' ~ message['role'] ~ '|>' -}}
    {%- if message['role'] == 'assistant' -%}
        {%- generation -%}{{- message['content'] ~ '<|end|>' -}}{%- endgeneration -%}
    {%- else -%}
        {{- message['content'] ~ '<|end|>' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>' -}}
{%- endif -%}
"""

# For a tokenizer without <|system|> and <|end|>: the end of the text ends the assistant's turn.
SHORT_CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message['role'] not in ['user', 'assistant'] -%}
        {{- raise_exception('unknown role ' ~ message['role']) -}}
    {%- endif -%}
    {{- '<|' ~ message['role'] ~ '|>' -}}
    {%- if message['role'] == 'assistant' -%}
        {%- generation -%}{{- message['content'] ~ '<|endoftext|>' -}}{%- endgeneration -%}
    {%- else -%}
        {{- message['content'] -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>' -}}
{%- endif -%}
"""

# Private-use characters: they stand in the rendered template only, where contents are numbers, so they cannot
# clash.
CONTENT_OPEN, CONTENT_CLOSE, GENERATION_OPEN, GENERATION_CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
MARKERS = re.compile(f"{CONTENT_OPEN}([0-9]+){CONTENT_CLOSE}|({GENERATION_OPEN})|({GENERATION_CLOSE})")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a rendered chat. `is_content`: written by a participant, so it holds no control tokens.
    `is_generated`: the assistant's words and its end of turn, which the loss counts."""

    text: str
    is_content: bool
    is_generated: bool


class GenerationTag(jinja2.ext.Extension):
    """The tag `{% generation %}` of transformers' templates, here marking where the assistant's words begin
    and end."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Any) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Callable[[], str]) -> str:
        return f"{GENERATION_OPEN}{caller()}{GENERATION_CLOSE}"


class Template(Protocol):
    """A compiled template."""

    def render(self, **values: Any) -> str: ...


def _raise_exception(message: str) -> None:
    raise MintageError(f"chat: {message}; use one of {', '.join(ROLES)}")


@cache
def _compile(template: str) -> Template:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag]
    )
    environment.globals["raise_exception"] = _raise_exception
    return environment.from_string(template)


def segments(template: str, messages: Sequence[Message], add_generation_prompt: bool) -> list[Segment]:
    """A chat as the template writes it, in pieces.

    Raises:
        MintageError: a message has an unknown role.
    """
    numbered = [
        {"role": message["role"], "content": f"{CONTENT_OPEN}{number}{CONTENT_CLOSE}"}
        for number, message in enumerate(messages)
    ]
    rendered = _compile(template).render(messages=numbered, add_generation_prompt=add_generation_prompt)
    pieces: list[Segment] = []
    generated = False
    position = 0
    for marker in MARKERS.finditer(rendered):
        if marker.start() > position:
            pieces.append(Segment(rendered[position : marker.start()], False, generated))
        position = marker.end()
        if marker[1]:
            pieces.append(Segment(messages[int(marker[1])]["content"], True, generated))
        else:
            generated = marker[2] is not None
    if position < len(rendered):
        pieces.append(Segment(rendered[position:], False, generated))
    return pieces
