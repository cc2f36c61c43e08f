"""`to_char` of numbers, by PostgreSQL's template patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from mynode.base.sql_errors import FeatureNotSupportedError, SqlSyntaxError
from mynode.sql.functions.date_templates import ordinal_suffix
from mynode.sql.functions.function import Function
from mynode.values.numeric import format_numeric, from_float, with_scale
from mynode.values.types import FLOAT, INTEGER, NUMERIC, TEXT

_ITEM: Final = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<pattern>FM|MI|PL|SG|PR|TH|EEEE|RN|[09.,DGSVL])|(?P<text>.)',
    re.IGNORECASE | re.DOTALL,
)
_POINTS: Final = frozenset(".D")
_DIGITS: Final = frozenset("09")
_UNSUPPORTED: Final = frozenset(("EEEE", "RN", "V", "L"))


@dataclass(frozen=True, slots=True)
class _Template:
    """The items of a template: patterns in upper case, texts that stand for themselves with a leading `"`.

    Attributes:
        places: digits before the point.
        decimals: digits behind it.
        first_zero: the digit, counted from the left, from which on zeros are written; `places` if there is none.
        kept_decimals: digits behind the point that FM does not take away.
    """

    items: tuple[str, ...]
    fill: bool
    places: int
    decimals: int
    first_zero: int
    kept_decimals: int


@lru_cache(256)
def _template(text: str) -> _Template:
    items: list[str] = []
    for found in _ITEM.finditer(text):
        pattern = (found["pattern"] or "").upper()
        if pattern == "TH":
            pattern = found["pattern"]
        items.append(pattern or '"' + (found["quoted"] or found["text"] or "").replace("\\", ""))
        if pattern in _UNSUPPORTED:
            raise FeatureNotSupportedError(f'"{pattern}" in a number\'s template is not supported yet')
    points = [place for place, item in enumerate(items) if item in _POINTS]
    if len(points) > 1:
        raise SqlSyntaxError("multiple decimal points")
    end = points[0] if points else len(items)
    before = [item for item in items[:end] if item in _DIGITS]
    behind = [item for item in items[end:] if item in _DIGITS]
    first_zero = before.index("0") if "0" in before else len(before)
    kept = max((place + 1 for place, item in enumerate(behind) if item == "0"), default=0)
    return _Template(tuple(items), "FM" not in items, len(before), len(behind), first_zero, kept)


def number_to_text(value: Decimal, text: str) -> str:
    """The number as the template says; `#` in the place of each digit if it has too few places."""
    template = _template(text)
    rounded = with_scale(value, template.decimals)
    whole, _, decimals = format_numeric(abs(rounded)).partition(".") if rounded.is_finite() else ("", "", "")
    whole = whole.lstrip("0")
    if not rounded.is_finite() or len(whole) > template.places:
        whole, decimals = "#" * template.places, "#" * template.decimals
    elif not whole and not template.decimals and template.places:
        whole = "0"
    if not template.fill and "#" not in decimals:
        decimals = decimals.rstrip("0").ljust(template.kept_decimals, "0")
        if not whole and not decimals and template.places:
            whole = "0"
    return _laid_out(template, whole, decimals, is_negative=rounded == rounded and rounded < 0)


def _laid_out(template: _Template, whole: str, decimals: str, *, is_negative: bool) -> str:
    blank = " " if template.fill else ""
    first_digit = min(template.places - len(whole), template.first_zero)
    signed = any(item in ("S", "MI", "SG", "PR") for item in template.items)
    minus = "-" if is_negative else "+" if "S" in template.items else blank
    sign_comes_first = not signed or (
        "S" in template.items and _place_of_sign(template) == 0 and template.places + template.decimals > 0
    )
    sign = minus if sign_comes_first else "<" if is_negative and "PR" in template.items else ""
    if "PR" in template.items and not is_negative:
        sign = blank
    parts: list[str] = []
    digit, decimal, has_begun = 0, 0, False
    in_decimals = False
    for item in template.items:
        if item in _POINTS:
            in_decimals = True
        if not has_begun and ((item in _DIGITS and digit >= first_digit) or item in _POINTS):
            parts.append(sign)
            has_begun = True
        match item:
            case "0" | "9" if in_decimals:
                parts.append(decimals[decimal : decimal + 1])
                decimal += 1
            case "0" | "9":
                parts.append(_digit(template, whole, digit) if digit >= first_digit else blank)
                digit += 1
            case "." | "D":
                parts.append(".")
            case "," | "G":
                parts.append("," if has_begun else blank)
            case "S":
                parts.append("" if sign_comes_first else minus)
            case "MI":
                parts.append("-" if is_negative else blank)
            case "PL":
                parts.append(blank if is_negative else "+")
            case "SG":
                parts.append("-" if is_negative else "+")
            case "PR":
                parts.append(">" if is_negative else blank)
            case "FM":
                pass
            case "TH" | "Th" | "tH" | "th":
                is_counted = whole.isdigit() and not is_negative and not template.decimals
                parts.append(ordinal_suffix(int(whole), item) if is_counted else "")
            case _:
                parts.append(item[1:])
    return "".join(parts)


def _digit(template: _Template, whole: str, place: int) -> str:
    index = place - (template.places - len(whole))
    return whole[index] if index >= 0 else "0"


def _place_of_sign(template: _Template) -> int:
    """How many digits come before the S."""
    return sum(item in _DIGITS for item in template.items[: template.items.index("S")])


NUMBER_TEMPLATES: Final = (
    Function("to_char", (NUMERIC, TEXT), TEXT, number_to_text),
    Function("to_char", (INTEGER, TEXT), TEXT, lambda value, text: number_to_text(Decimal(value), text)),
    Function("to_char", (FLOAT, TEXT), TEXT, lambda value, text: number_to_text(from_float(value), text)),
)
