"""NUMERIC values: exact decimal numbers with a scale of their own, as PostgreSQL's, and their text form.

A value is a `Decimal` whose exponent is not above zero (minus its scale: 1.50 has the scale 2), or NaN, Infinity or
-Infinity. There is no minus zero. Values are equal whatever their scales.
"""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, Overflow
from functools import lru_cache
from typing import Final

from mynode.base.sql_errors import NumericOutOfRangeError

MAX_WHOLE_DIGITS: Final = 16_384
"""Before the point: an eighth of PostgreSQL's, so that no operation on two numbers takes long."""
MAX_SCALE: Final = 16_383
"""Behind the point, as PostgreSQL's."""
MAX_TEXT_LENGTH: Final = MAX_WHOLE_DIGITS + MAX_SCALE + 2

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
NAN: Final = Decimal("NaN")
INFINITY: Final = Decimal("Infinity")
NEGATIVE_INFINITY: Final = Decimal("-Infinity")
_WORDS: Final = {"nan": NAN, "inf": INFINITY, "infinity": INFINITY}
_FORM: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_SPACES: Final = " \t\n\r\f\v"
_MAX_EXPONENT_DIGITS: Final = 9

EXACT: Final = Context(prec=MAX_TEXT_LENGTH, Emax=999_999_999, Emin=-999_999_999, traps=[Overflow])
"""Room for the exact result of adding and multiplying any two numbers within the limits, cut off behind `MAX_SCALE`.
What is no number (Infinity - Infinity) is NaN."""


@lru_cache(256)
def with_digits(precision: int, rounding: str = ROUND_DOWN) -> Context:
    """A context of so many significant digits; shared, not to be changed."""
    return Context(prec=max(precision, 1), Emax=999_999_999, Emin=-999_999_999, rounding=rounding, traps=[Overflow])


def scale_of(value: Decimal) -> int:
    """Digits behind the point; 0 for NaN and infinities."""
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def with_scale(value: Decimal, scale: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    """The value rounded, or filled up with zeros, to `scale` digits behind the point (halves away from zero).

    With a negative scale it is rounded before the point. NaN and infinities stay. Raises `NumericOutOfRangeError`.
    """
    if not value.is_finite():
        return value
    if value and value.adjusted() >= MAX_WHOLE_DIGITS:
        raise overflow()
    rounded = (value or _ZERO).quantize(_ONE.scaleb(-scale, EXACT), rounding, EXACT)
    return checked(rounded if scale >= 0 else rounded.quantize(_ONE, context=EXACT))


def checked(value: Decimal) -> Decimal:
    """A result as a value: no minus zero, within the limits.

    Its exponent is not above zero. Raises `NumericOutOfRangeError`.
    """
    if not value:
        return value.copy_abs()
    if value.adjusted() >= MAX_WHOLE_DIGITS:
        raise overflow()
    return value


def overflow() -> NumericOutOfRangeError:
    return NumericOutOfRangeError("value overflows numeric format")


def parse_numeric(text: str) -> Decimal | None:
    """The value that the text means, None if it is none. Raises `NumericOutOfRangeError`."""
    stripped = text.strip(_SPACES)
    word = stripped.lower().lstrip("+-")
    if word in _WORDS and len(stripped) - len(word) <= 1:
        if word != "nan":
            return _WORDS[word].copy_negate() if stripped.startswith("-") else _WORDS[word]
        return NAN if stripped.lower() == "nan" else None
    if not _FORM.fullmatch(stripped):
        return None
    mantissa, _, exponent = stripped.lower().partition("e")
    if len(mantissa) > MAX_TEXT_LENGTH or len(exponent.lstrip("+-0")) > _MAX_EXPONENT_DIGITS:
        raise overflow()
    return as_numeric(Decimal(stripped))


def as_numeric(value: Decimal) -> Decimal:
    """Any Decimal as a value: with an exponent not above zero and the one NaN. Raises `NumericOutOfRangeError`."""
    if value.is_nan():
        return NAN
    scale = scale_of(value)
    return checked(value) if 0 <= scale <= MAX_SCALE else with_scale(value, min(max(scale, 0), MAX_SCALE))


def format_numeric(value: Decimal) -> str:
    """All digits, with the zeros that its scale asks for and no exponent."""
    return format(value, "f")


def from_float(value: float) -> Decimal:
    """The 15 significant digits that every float keeps, without zeros at the end, as PostgreSQL converts."""
    if value != value:
        return NAN
    rounded = Decimal(f"{value:.15g}")
    return with_scale(rounded, max(scale_of(rounded), 0))


def round_to_integer(value: Decimal) -> int:
    """A finite value's nearest integer, halves away from zero."""
    return int(value.to_integral_value(ROUND_HALF_UP))
