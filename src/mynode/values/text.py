"""The text form of values: how a value is written in a quoted literal or a text parameter, and how it is shown."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

from mynode.base.invariant import invariant
from mynode.base.sql_errors import CharacterNotInRepertoireError, InvalidTextRepresentationError, NumericOutOfRangeError
from mynode.values.binary import format_bytes, parse_bytes
from mynode.values.datetimes import format_datetime, parse_date, parse_timestamp, parse_timestamptz
from mynode.values.numeric import format_numeric, parse_numeric
from mynode.values.types import (
    BOOLEAN,
    BPCHAR,
    BYTEA,
    DATE,
    FLOAT,
    INTEGER,
    MAX_INTEGER,
    MIN_INTEGER,
    NUMERIC,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    SqlType,
    Value,
)

_INTEGER_FORM: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT_FORM: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_UUID_FORM: Final = re.compile(r"\{(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}\}|(?:[0-9a-f]{4}-?){7}[0-9a-f]{4}", re.IGNORECASE)
_FLOAT_WORDS: Final = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
_BOOLEAN_WORDS: Final = {
    **dict.fromkeys(("t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"), True),
    **dict.fromkeys(("f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"), False),
}
_SPACES: Final = " \t\n\r\f\v"
_MAX_INTEGER_DIGITS: Final = 4_000
"""Python refuses to convert longer digit strings; none of them fits 64 bits unless it is padded with zeros."""
_SHORTEST_FIXED_EXPONENT: Final = -4
_LONGEST_FIXED_EXPONENT: Final = 14


def check_text(text: str) -> str:
    """`text` itself, if it can be stored: UTF-8 and without NUL; raises `CharacterNotInRepertoireError`."""
    if "\0" in text:
        raise CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00')
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            code = ord(text[error.start])
            raise CharacterNotInRepertoireError(f"text holds a lone surrogate, U+{code:04X}") from None
    return text


def parse_text(text: str, target: SqlType) -> Value:
    """The value of type `target` that `text` means.

    Raises `InvalidTextRepresentationError`, `NumericOutOfRangeError`, `CharacterNotInRepertoireError`,
    `InvalidDatetimeError`, `DatetimeOverflowError` or `InvalidParameterValueError`.
    """
    check_text(text)
    parse = _PARSERS.get(target)
    if parse is None:
        return text
    value = parse(text)
    if value is None:
        raise _bad_text(text, target)
    return value


def format_text(value: Value) -> str:
    """The text form of a value other than NULL, as a cast to TEXT makes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format_float(value)
        case str():
            return value
        case Decimal():
            return format_numeric(value)
        case bytes():
            return format_bytes(value)
        case date():
            return format_datetime(value)
        case uuid.UUID():
            return str(value)
    invariant(False, f"no text form of {type(value).__name__}")
    return ""


def format_float(value: float) -> str:
    """The shortest digits that read back as the same number: fixed below 1e15, else with an exponent."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent_text = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = int(exponent_text or 0) + len(whole) - 1
    if whole == "0":
        exponent -= len(fraction) + 1 - len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0"
    if exponent < _SHORTEST_FIXED_EXPONENT or exponent > _LONGEST_FIXED_EXPONENT:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _parse_boolean(text: str) -> bool | None:
    return _BOOLEAN_WORDS.get(text.strip(_SPACES).lower())


def _parse_integer(text: str) -> int | None:
    stripped = text.strip(_SPACES)
    if not _INTEGER_FORM.fullmatch(stripped):
        return None
    if len(stripped) <= _MAX_INTEGER_DIGITS:
        value = int(stripped)
        if MIN_INTEGER <= value <= MAX_INTEGER:
            return value
    raise NumericOutOfRangeError(f'value "{shortened(text)}" is out of range for type {INTEGER}')


def _parse_float(text: str) -> float | None:
    stripped = text.strip(_SPACES)
    word = stripped.lower().lstrip("+-")
    if word in _FLOAT_WORDS and len(stripped) - len(word) <= 1:
        return -_FLOAT_WORDS[word] if stripped.startswith("-") else _FLOAT_WORDS[word]
    if not _FLOAT_FORM.fullmatch(stripped):
        return None
    value = float(stripped)
    underflows = value == 0 and any(digit in "123456789" for digit in stripped.lower().partition("e")[0])
    if math.isinf(value) or underflows:
        raise NumericOutOfRangeError(f'"{shortened(text)}" is out of range for type {FLOAT}')
    return value


def _parse_uuid(text: str) -> uuid.UUID | None:
    if not _UUID_FORM.fullmatch(text):
        return None
    return uuid.UUID(hex=text.strip("{}").replace("-", ""))


_PARSERS: Final[dict[SqlType, Callable[[str], Value]]] = {
    BOOLEAN: _parse_boolean,
    INTEGER: _parse_integer,
    NUMERIC: parse_numeric,
    FLOAT: _parse_float,
    BYTEA: parse_bytes,
    DATE: parse_date,
    TIMESTAMP: parse_timestamp,
    TIMESTAMPTZ: parse_timestamptz,
    UUID: _parse_uuid,
    BPCHAR: lambda text: text.rstrip(" "),
}
"""Each gives None for what has not the form of its type. TEXT and UNKNOWN are the text itself."""


def _bad_text(text: str, target: SqlType) -> InvalidTextRepresentationError:
    return InvalidTextRepresentationError(f'invalid input syntax for type {target}: "{shortened(text)}"')


def shortened(text: str, length: int = 60) -> str:
    """A text for a message."""
    return text if len(text) <= length else text[: length - 1] + "…"
