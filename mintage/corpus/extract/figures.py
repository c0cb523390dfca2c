"""Figures as text, exactly: thousands separators, a scale only where no digit is lost, the unit in words.

Every figure that `quantity` writes, `read` reads back to the same value, unit and scale, so that a text can
be checked against its source digit by digit. Values are Decimals (or integers); no float comes near them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Literal, NamedTuple, TypeVar, get_args

Form = Literal["table", "key_value", "prose"]
FORMS: tuple[Form, ...] = get_args(Form)

SCALES = {"": 1, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALE_NAMES = {scale: name for name, scale in SCALES.items()}

# Enough digits for any figure of a source; the default 28 would round silently.
EXACT = Context(prec=120)

# Code: one of it, several of it. Currencies by ISO 4217; a code that is not here is written as it is.
UNITS = {
    "pure": ("", ""),
    "percent": ("percent", "percent"),
    "percentage_points": ("percentage point", "percentage points"),
    "basis_points": ("basis point", "basis points"),
    "shares": ("share", "shares"),
    "USD": ("US dollar", "US dollars"),
    "EUR": ("euro", "euros"),
    "GBP": ("pound sterling", "pounds sterling"),
    "JPY": ("Japanese yen", "Japanese yen"),
    "CNY": ("Chinese yuan", "Chinese yuan"),
    "CHF": ("Swiss franc", "Swiss francs"),
    "CAD": ("Canadian dollar", "Canadian dollars"),
    "AUD": ("Australian dollar", "Australian dollars"),
    "NZD": ("New Zealand dollar", "New Zealand dollars"),
    "HKD": ("Hong Kong dollar", "Hong Kong dollars"),
    "SGD": ("Singapore dollar", "Singapore dollars"),
    "TWD": ("New Taiwan dollar", "New Taiwan dollars"),
    "INR": ("Indian rupee", "Indian rupees"),
    "KRW": ("South Korean won", "South Korean won"),
    "BRL": ("Brazilian real", "Brazilian reais"),
    "MXN": ("Mexican peso", "Mexican pesos"),
    "ZAR": ("South African rand", "South African rand"),
    "ILS": ("Israeli shekel", "Israeli shekels"),
    "SEK": ("Swedish krona", "Swedish kronor"),
    "NOK": ("Norwegian krone", "Norwegian kroner"),
    "DKK": ("Danish krone", "Danish kroner"),
    "PLN": ("Polish zloty", "Polish zloty"),
}

_Choice = TypeVar("_Choice")
_NUMBER = r"-?(?:\d{1,3}(?:,\d{3})+|\d{1,3})(?:\.\d+)?"
_QUANTITY = re.compile(rf"({_NUMBER})(?: (thousand|million|billion|trillion)\b)?(?: (.+))?")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\s]+")


class Quantity(NamedTuple):
    """A figure: its full value (the scale is already applied), its unit, and the scale it is written in."""

    value: Decimal
    unit: str
    scale: int


def number(value: Decimal | int, places: int | None = None) -> str:
    """A number with thousands separators and a plain minus, never in scientific notation; a zero has no sign.

    All digits are kept, trailing zeros too, unless `places` rounds them (half to even).
    """
    exact = Decimal(value)
    if places is not None:
        exact = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN, context=EXACT)
    return format(exact if exact else exact.copy_abs(), ",f")


def quantity(value: Decimal | int, unit: str, scale: int | None = None) -> str:
    """A figure with its scale and unit in words: `391,035 million US dollars`, `5.30 US dollars per share`.

    `value` is the full value in `unit` (of "percent": 32 for 32 percent), and `scale` one of the values of
    `SCALES`; without one it is `prose_scale`'s. No digit is lost whatever the scale.
    """
    scale = prose_scale(value) if scale is None else scale
    shown = number(divided(value, scale))
    words = unit_words(unit, one=value in (1, -1) and scale == 1)
    return " ".join(part for part in (shown, SCALE_NAMES[scale], words) if part)


def divided(value: Decimal | int, scale: int) -> Decimal:
    """The value in a scale (a power of ten), without loss and without superfluous zeros after the point."""
    if scale == 1:
        return Decimal(value)
    return EXACT.divide(Decimal(value), Decimal(scale)).normalize(EXACT)


def prose_scale(value: Decimal | int) -> int:
    """The scale for a figure in a sentence: the largest up to billions that needs at most one digit after the
    point, thousands only where they are whole, and none below them."""
    for scale, step in ((10**9, 10**8), (10**6, 10**5), (10**3, 10**3)):
        if not -scale < value < scale and whole(value, step):
            return scale
    return 1


def column_scale(values: Iterable[Decimal | int]) -> int:
    """The scale for a column of figures: millions or thousands where all of them are whole in it, or none."""
    column = [value for value in values if value]
    for scale in (10**6, 10**3):
        if column and all(whole(value, scale) for value in column):
            return scale
    return 1


def whole(value: Decimal | int, step: int) -> bool:
    """Whether a value is a whole multiple of a step."""
    return EXACT.remainder(Decimal(value), Decimal(step)) == 0


@cache
def unit_words(unit: str, one: bool = False) -> str:
    """A unit in words, of one or of several: "USD/shares" is "US dollars per share", "pure" is nothing.

    Codes in capitals that have no name here (currencies, coins) stay; other words get a plural.
    """
    upper, _, lower = unit.partition("/")
    if lower:
        return f"{unit_words(upper, one)} per {unit_words(lower, True)}"
    if unit in UNITS:
        return UNITS[unit][0 if one else 1]
    if unit.isupper():
        return unit
    words = _CAMEL.sub(" ", unit).strip().lower()
    return words if one else plural(words)


def plural(words: str) -> str:
    """The plural of an English noun (phrase) by the regular rules; a noun that ends in s stays as it is."""
    if words.endswith("s"):
        return words
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "ch", "sh")) else "s")


def read(text: str, units: Iterable[str] = ()) -> Quantity:
    """Read back a figure that `quantity` wrote. `units` are codes beyond `UNITS` that may occur.

    Raises:
        ValueError: the text is not a figure, or its unit is not in `UNITS` or `units` nor a code in capitals.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a figure with thousands separators")
    scale = SCALES[match[2] or ""]
    value = EXACT.multiply(Decimal(match[1].replace(",", "")), Decimal(scale))
    return Quantity(value, unit_of(match[3] or "", units), scale)


def unit_of(words: str, units: Iterable[str] = ()) -> str:
    """The code of a unit in words; the inverse of `unit_words`.

    Raises:
        ValueError: no known unit is written so.
    """
    for unit in (*UNITS, *units):
        if words in (unit_words(unit), unit_words(unit, True)):
            return unit
    upper, per, lower = words.partition(" per ")
    if per:
        return f"{unit_of(upper, units)}/{unit_of(lower, units)}"
    if words.isupper():
        return words
    raise ValueError(f"{words!r} is not a known unit")


def period_words(start: date | None, end: date, fiscal_year: bool = False) -> str:
    """A period in words: "2019-09-28" for an instant, "the three months ended 2019-06-29" for a quarter.

    Spans within a week of 1, 3, 6, 9 or 12 months are named so (years of 52 and 53 weeks too), others are
    "the period from 2015-01-01 to 2015-02-10". `fiscal_year` calls twelve months "the fiscal year ended".
    """
    if start is None:
        return end.isoformat()
    days = (end - start).days + 1
    months = (days * 48 + 730) // 1461
    named = {1: "month", 3: "three months", 6: "six months", 9: "nine months", 12: "twelve months"}.get(
        months
    )
    if named is None or abs(days * 48 - months * 1461) > 7 * 48:
        return f"the period from {start.isoformat()} to {end.isoformat()}"
    if fiscal_year and months == 12:
        named = "fiscal year"
    return f"the {named} ended {end.isoformat()}"


def chosen(identity: str, options: Sequence[_Choice]) -> _Choice:
    """One of the options by the hash of an identity: the same on every machine and in every run."""
    digest = hashlib.blake2b(identity.encode(), digest_size=8).digest()
    return options[int.from_bytes(digest, "big") % len(options)]


def form_of(identity: str) -> Form:
    """The one of the three text forms in which a document of this identity is written."""
    return chosen(f"form {identity}", FORMS)
