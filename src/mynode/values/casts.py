"""Casts between SQL types: which there are, when they happen by themselves, and how they convert a value.

| from → to                                        | happens         | how                                    |
|--------------------------------------------------|-----------------|----------------------------------------|
| UNKNOWN → any                                    | by itself       | the text form is read                  |
| INTEGER → NUMERIC, FLOAT                         | by itself       | exact; the nearest float               |
| NUMERIC → FLOAT                                  | by itself       | the nearest float, 22003 if there is none |
| DATE → TIMESTAMP, TIMESTAMPTZ                    | by itself       | midnight                               |
| TIMESTAMP → TIMESTAMPTZ                          | by itself       | taken for UTC                          |
| FLOAT → NUMERIC                                  | on assignment   | 15 significant digits                  |
| FLOAT → INTEGER                                  | on assignment   | rounded half to even, 22003 beyond 64 bits |
| NUMERIC → INTEGER                                | on assignment   | rounded half away from zero, 22003     |
| TIMESTAMP → DATE; TIMESTAMPTZ → DATE, TIMESTAMP  | on assignment   | the day, the time in UTC               |
| BPCHAR → TEXT                                    | by itself       | the same                               |
| any → TEXT, BPCHAR                               | on assignment   | the text form; spaces at its end go in BPCHAR |
| BOOLEAN ↔ INTEGER                                | only if asked   | false is 0, true is 1; every other number true |
| TEXT, BPCHAR → any                               | only if asked   | the text form is read                  |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from functools import partial
from typing import Final, TypeAlias

from mynode.base.sql_errors import NumericOutOfRangeError
from mynode.values.datetimes import midnight
from mynode.values.numeric import from_float, round_to_integer
from mynode.values.text import format_text, parse_text, shortened
from mynode.values.types import (
    BOOLEAN,
    BPCHAR,
    DATE,
    FLOAT,
    INTEGER,
    MAX_INTEGER,
    MIN_INTEGER,
    NUMERIC,
    STORED_TYPES,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    SqlType,
    Value,
)

Converter: TypeAlias = Callable[..., Value]
"""Takes one value that is not NULL."""


class CastLevel(IntEnum):
    """When a cast happens; each level allows the levels below it too."""

    IMPLICIT = 0
    ASSIGNMENT = 1
    EXPLICIT = 2


@dataclass(frozen=True, slots=True)
class Cast:
    source: SqlType
    target: SqlType
    level: CastLevel
    convert: Converter


def float_to_integer(value: float) -> int:
    """Raises `NumericOutOfRangeError` for NaN, infinities and what is beyond 64 bits."""
    if not float(MIN_INTEGER) <= value < float(2**63):
        raise NumericOutOfRangeError(f"{INTEGER} out of range")
    return round(value)


def check_integer(value: int) -> int:
    """`value` itself if it has 64 bits; raises `NumericOutOfRangeError`."""
    if MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    raise NumericOutOfRangeError(f"{INTEGER} out of range")


_MOST_INTEGER_DIGITS: Final = 20


def numeric_to_integer(value: Decimal) -> int:
    """Raises `NumericOutOfRangeError`."""
    if not value.is_finite():
        raise NumericOutOfRangeError(f"cannot convert {'NaN' if value != value else 'infinity'} to {INTEGER}")
    if value.adjusted() > _MOST_INTEGER_DIGITS:
        raise NumericOutOfRangeError(f"{INTEGER} out of range")
    return check_integer(round_to_integer(value))


def numeric_to_float(value: Decimal) -> float:
    """Raises `NumericOutOfRangeError`."""
    nearest = float(value)
    if value.is_finite() and (nearest in (math.inf, -math.inf) or (nearest == 0 and value)):
        raise NumericOutOfRangeError(f'"{shortened(format_text(value))}" is out of range for type {FLOAT}')
    return nearest


def _midnight_utc(value: date) -> datetime:
    return midnight(value).replace(tzinfo=UTC)


def _without_spaces(value: Value) -> str:
    return format_text(value).rstrip(" ")


_TEXTS: Final = (TEXT, BPCHAR)
_NOT_TEXTS: Final = tuple(type_ for type_ in STORED_TYPES if type_ not in _TEXTS)

_CASTS: Final = (
    Cast(INTEGER, NUMERIC, CastLevel.IMPLICIT, Decimal),
    Cast(INTEGER, FLOAT, CastLevel.IMPLICIT, float),
    Cast(NUMERIC, FLOAT, CastLevel.IMPLICIT, numeric_to_float),
    Cast(FLOAT, NUMERIC, CastLevel.ASSIGNMENT, from_float),
    Cast(FLOAT, INTEGER, CastLevel.ASSIGNMENT, float_to_integer),
    Cast(NUMERIC, INTEGER, CastLevel.ASSIGNMENT, numeric_to_integer),
    Cast(BOOLEAN, INTEGER, CastLevel.EXPLICIT, int),
    Cast(INTEGER, BOOLEAN, CastLevel.EXPLICIT, bool),
    Cast(DATE, TIMESTAMP, CastLevel.IMPLICIT, midnight),
    Cast(DATE, TIMESTAMPTZ, CastLevel.IMPLICIT, _midnight_utc),
    Cast(TIMESTAMP, TIMESTAMPTZ, CastLevel.IMPLICIT, lambda value: value.replace(tzinfo=UTC)),
    Cast(TIMESTAMPTZ, TIMESTAMP, CastLevel.ASSIGNMENT, lambda value: value.replace(tzinfo=None)),
    Cast(TIMESTAMP, DATE, CastLevel.ASSIGNMENT, datetime.date),
    Cast(TIMESTAMPTZ, DATE, CastLevel.ASSIGNMENT, datetime.date),
    Cast(BPCHAR, TEXT, CastLevel.IMPLICIT, str),
    Cast(TEXT, BPCHAR, CastLevel.ASSIGNMENT, _without_spaces),
    *(Cast(source, TEXT, CastLevel.ASSIGNMENT, format_text) for source in _NOT_TEXTS),
    *(Cast(source, BPCHAR, CastLevel.ASSIGNMENT, _without_spaces) for source in _NOT_TEXTS),
    *(
        Cast(source, target, CastLevel.EXPLICIT, partial(parse_text, target=target))
        for source in _TEXTS
        for target in _NOT_TEXTS
    ),
)

_BY_TYPES: Final = {(cast.source, cast.target): cast for cast in _CASTS}


def find_cast(source: SqlType, target: SqlType, level: CastLevel) -> Cast | None:
    """The cast between two different, known types, if there is one that `level` allows."""
    cast = _BY_TYPES.get((source, target))
    return cast if cast is not None and cast.level <= level else None
