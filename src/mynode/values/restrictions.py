"""What the modifiers of a type do to a value that is stored in a column, or cast.

| type              | stored                                     | cast          |
|-------------------|--------------------------------------------|---------------|
| NUMERIC(p, s)     | rounded to the scale; 22003 if it is too large | the same  |
| VARCHAR(n)        | spaces beyond n go, another text is 22001  | cut off       |
| CHAR(n)           | the same; spaces at the end are not kept   | the same, cut off |
| TIMESTAMP(p)      | rounded                                    | the same      |
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from mynode.base.sql_errors import NumericOutOfRangeError, StringTooLongError
from mynode.values.datetimes import rounded_to
from mynode.values.numeric import with_scale
from mynode.values.types import BPCHAR, NUMERIC, TEXT, SqlType, Value

Restrict: TypeAlias = Callable[..., Value]
"""Takes one value of the base type that is not NULL."""


def restriction(target: SqlType, *, explicit: bool) -> Restrict | None:
    """The function that makes a value of `target.base` one of `target`; None for a type without modifiers."""
    if target.unmodified is None:
        return None
    if target.base is NUMERIC:
        precision, scale = target.modifiers
        return partial(_numeric, precision=precision, scale=scale)
    if target.base in (TEXT, BPCHAR):
        return partial(
            _cut if explicit else _text,
            length=target.modifiers[0],
            pads=target.base is BPCHAR,
            label=target.label,
        )
    return partial(_timestamp, digits=target.modifiers[0])


def _numeric(value: Decimal, precision: int, scale: int) -> Decimal:
    rounded = with_scale(value, scale)
    if rounded.is_infinite():
        raise NumericOutOfRangeError(
            "numeric field overflow",
            detail=f"A field with precision {precision}, scale {scale} cannot hold an infinite value.",
        )
    if rounded and rounded == rounded and rounded.adjusted() >= precision - scale:
        bound = f"10^{precision - scale}" if precision != scale else "1"
        raise NumericOutOfRangeError(
            "numeric field overflow",
            detail=f"A field with precision {precision}, scale {scale} must round to an absolute value less than "
            f"{bound}.",
        )
    return rounded


def _text(value: str, length: int, pads: bool, label: str) -> str:
    if len(value) > length and value[length:].strip(" "):
        raise StringTooLongError(f"value too long for type {label}")
    return _cut(value, length, pads, label)


def _cut(value: str, length: int, pads: bool, label: str) -> str:
    kept = value[:length]
    return kept.rstrip(" ") if pads else kept


def _timestamp(value: datetime, digits: int) -> datetime:
    return rounded_to(value, digits)
