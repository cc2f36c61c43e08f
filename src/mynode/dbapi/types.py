"""PEP 249's type objects, which equal the type codes in `Cursor.description`, and its constructors.

A type code is the SQL type's name. Values come as Python's `bool`, `int`, `Decimal`, `float`, `str`, `bytes`, `date`,
`datetime` (in UTC for a TIMESTAMP WITH TIME ZONE, else without a zone) and `uuid.UUID`, and parameters may be these.
There is no type for a time of day, so `Time` and `TimeFromTicks` are absent, as PEP 249 allows; `ROWID` equals no type
code.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final


class TypeObject:
    """Equal to each of its type names."""

    def __init__(self, name: str, *type_names: str) -> None:
        self._name = name
        self._type_names = frozenset(type_names)

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, str) and other in self._type_names)

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return self._name


STRING: Final = TypeObject("STRING", "TEXT", "BPCHAR")
BINARY: Final = TypeObject("BINARY", "BYTEA")
NUMBER: Final = TypeObject("NUMBER", "BOOLEAN", "INTEGER", "NUMERIC", "FLOAT")
DATETIME: Final = TypeObject("DATETIME", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
ROWID: Final = TypeObject("ROWID")

Binary = bytes
Date = date
Timestamp = datetime


def _date_from_ticks(ticks: float) -> date:
    """The day, in UTC, of a count of seconds since 1970."""
    return datetime.fromtimestamp(ticks, UTC).date()


def _timestamp_from_ticks(ticks: float) -> datetime:
    """The time, in UTC, of a count of seconds since 1970."""
    return datetime.fromtimestamp(ticks, UTC)


DateFromTicks = _date_from_ticks
TimestampFromTicks = _timestamp_from_ticks
