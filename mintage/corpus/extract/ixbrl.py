"""Inline XBRL: the numeric facts of a filing, each with its period, unit, scale and the text that shows it.

Follows "Inline XBRL Part 1: Specification 1.1" (XBRL International, 2013): the value is the displayed text
read by its transformation `format`, times ten to the power `scale`, negated where `sign` is "-".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from lxml import etree

from mintage.corpus.extract.tree import clean, parse, text_of


@dataclass(frozen=True)
class InlineFact:
    """One `ix:nonFraction`. `start` is None for an instant; `dimensions` maps axis to member (both with
    prefix). `value` is None where the fact is nil or its text is not a number in digits ("four")."""

    name: str
    context: str
    start: date | None
    end: date | None
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    scale: int
    decimals: str
    text: str
    value: Decimal | None


@dataclass(frozen=True)
class _Context:
    start: date | None
    end: date | None
    dimensions: tuple[tuple[str, str], ...]


def facts(html: bytes | str) -> list[InlineFact]:
    """The numeric facts of an inline XBRL document in document order, hidden ones included; an empty list
    for a page without them."""
    root = parse(html)
    return [] if root is None else [fact for _, fact in facts_of(root)]


def facts_of(root: etree._Element) -> list[tuple[etree._Element, InlineFact]]:
    """Each numeric fact of a parsed page with its element."""
    contexts: dict[str, _Context] = {}
    units: dict[str, str] = {}
    for element in root.iter():
        name = _local(element)
        if name == "context":
            contexts[element.get("id", "")] = _context(element)
        elif name == "unit":
            units[element.get("id", "")] = _unit(element)
    return [(element, _fact(element, contexts, units)) for element in root.iter("ix:nonfraction")]


def _fact(element: etree._Element, contexts: dict[str, _Context], units: dict[str, str]) -> InlineFact:
    reference = element.get("contextref", "")
    context = contexts.get(reference, _Context(None, None, ()))
    text = clean(text_of(element))
    scale = int(raw) if (raw := element.get("scale", "0").strip()).lstrip("+-").isdecimal() else 0
    value = None
    if element.get("xsi:nil") != "true":
        value = _number(text, element.get("format", ""))
    if value is not None:
        value = value.scaleb(scale) * (-1 if element.get("sign") == "-" else 1)
    return InlineFact(
        name=element.get("name", ""),
        context=reference,
        start=context.start,
        end=context.end,
        dimensions=context.dimensions,
        unit=units.get(element.get("unitref", ""), ""),
        scale=scale,
        decimals=element.get("decimals", ""),
        text=text,
        value=value,
    )


def _number(text: str, transformation: str) -> Decimal | None:
    """The displayed digits as a number by the transformation registry's rules, without scale and sign."""
    kind = transformation.rpartition(":")[2].replace("-", "").lower()
    if kind in ("fixedzero", "zerodash", "numdash"):
        return Decimal(0)
    if "comma" in kind and "commadot" not in kind:
        text = text.replace(".", "").replace(",", ".")
    digits = text.replace(",", "").replace(" ", "")
    try:
        value = Decimal(digits)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _context(element: etree._Element) -> _Context:
    dates: dict[str, date | None] = {}
    dimensions = []
    for child in element.iter():
        name = _local(child)
        if name in ("instant", "startdate", "enddate"):
            dates[name] = _date(child.text or "")
        elif name in ("explicitmember", "typedmember"):
            dimensions.append((child.get("dimension", ""), clean(text_of(child))))
    return _Context(dates.get("startdate"), dates.get("enddate", dates.get("instant")), tuple(dimensions))


def _unit(element: etree._Element) -> str:
    """`USD`, `shares`, or `USD/shares` for a division."""
    return "/".join(
        clean(child.text or "").rpartition(":")[2] for child in element.iter() if _local(child) == "measure"
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition(":")[2]
