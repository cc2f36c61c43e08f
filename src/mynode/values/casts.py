"""Casts between SQL types: which there are, when they happen by themselves, and how they convert a value.

| from → to          | happens               | how                                            |
|--------------------|-----------------------|------------------------------------------------|
| UNKNOWN → any      | by itself             | the text form is read                          |
| INTEGER → FLOAT    | by itself             | the nearest float                              |
| FLOAT → INTEGER    | on assignment         | rounded half to even, 22003 beyond 64 bits     |
| any → TEXT         | on assignment         | the text form                                  |
| BOOLEAN ↔ INTEGER  | only if asked for     | false is 0, true is 1; every other number true |
| TEXT → any         | only if asked for     | the text form is read                          |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Final, TypeAlias

from mynode.base.errors import NumericOutOfRangeError
from mynode.values.text import format_text, parse_text
from mynode.values.types import BOOLEAN, FLOAT, INTEGER, MAX_INTEGER, MIN_INTEGER, TEXT, SqlType, Value

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


_CASTS: Final = (
    Cast(INTEGER, FLOAT, CastLevel.IMPLICIT, float),
    Cast(FLOAT, INTEGER, CastLevel.ASSIGNMENT, float_to_integer),
    Cast(BOOLEAN, INTEGER, CastLevel.EXPLICIT, int),
    Cast(INTEGER, BOOLEAN, CastLevel.EXPLICIT, bool),
    *(Cast(source, TEXT, CastLevel.ASSIGNMENT, format_text) for source in (BOOLEAN, INTEGER, FLOAT)),
    *(
        Cast(TEXT, target, CastLevel.EXPLICIT, partial(parse_text, target=target))
        for target in (BOOLEAN, INTEGER, FLOAT)
    ),
)

_BY_TYPES: Final = {(cast.source, cast.target): cast for cast in _CASTS}


def find_cast(source: SqlType, target: SqlType, level: CastLevel) -> Cast | None:
    """The cast between two different, known types, if there is one that `level` allows."""
    cast = _BY_TYPES.get((source, target))
    return cast if cast is not None and cast.level <= level else None
