"""Functions and operators on DATE and TIMESTAMP: their parts, their units, and how they are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from mynode.base.sql_errors import DatetimeOverflowError, FeatureNotSupportedError, InvalidParameterValueError
from mynode.sql.functions.function import Function
from mynode.sql.functions.numeric import add, divide
from mynode.values.datetimes import (
    EPOCH,
    date_plus_days,
    from_microseconds,
    microseconds_of,
    midnight,
    offset_in,
    shifted,
    zone_named,
)
from mynode.values.types import BOOLEAN, DATE, FLOAT, INTEGER, NUMERIC, TEXT, TIMESTAMP, TIMESTAMPTZ, SqlType

_SECONDS_PER_DAY: Final = 86_400
_MICROSECONDS: Final = 10**6
_JULIAN_DAY_OF_ORDINAL_ZERO: Final = 1_721_425


def days_between(left: date, right: date) -> int:
    return left.toordinal() - right.toordinal()


# --- parts ----------------------------------------------------------------------------------------------------------

_DATE_PARTS: Final[dict[str, Callable[[date], int]]] = {
    "millennium": lambda value: (value.year + 999) // 1000,
    "century": lambda value: (value.year + 99) // 100,
    "decade": lambda value: value.year // 10,
    "year": lambda value: value.year,
    "isoyear": lambda value: value.isocalendar().year,
    "quarter": lambda value: (value.month + 2) // 3,
    "month": lambda value: value.month,
    "week": lambda value: value.isocalendar().week,
    "day": lambda value: value.day,
    "doy": lambda value: value.timetuple().tm_yday,
    "dow": lambda value: value.isoweekday() % 7,
    "isodow": lambda value: value.isoweekday(),
}


def _microseconds_of_minute(value: datetime) -> int:
    return value.second * _MICROSECONDS + value.microsecond


def _julian_day(value: datetime) -> Decimal:
    day = Decimal(value.toordinal() + _JULIAN_DAY_OF_ORDINAL_ZERO)
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    part = divide(Decimal(seconds * _MICROSECONDS + value.microsecond), Decimal(_SECONDS_PER_DAY * _MICROSECONDS))
    return add(day, part)


_TIME_PARTS: Final[dict[str, Callable[[datetime], Decimal | int]]] = {
    "hour": lambda value: value.hour,
    "minute": lambda value: value.minute,
    "second": lambda value: Decimal(_microseconds_of_minute(value)).scaleb(-6),
    "milliseconds": lambda value: Decimal(_microseconds_of_minute(value)).scaleb(-3),
    "microseconds": _microseconds_of_minute,
    "epoch": lambda value: Decimal(microseconds_of(value)).scaleb(-6),
    "julian": _julian_day,
}
_ZONE_PARTS: Final = ("timezone", "timezone_hour", "timezone_minute")
_ALIASES: Final = {
    "years": "year",
    "months": "month",
    "weeks": "week",
    "days": "day",
    "hours": "hour",
    "minutes": "minute",
    "seconds": "second",
    "centuries": "century",
    "decades": "decade",
    "millisecond": "milliseconds",
    "microsecond": "microseconds",
}


def _unit(text: str) -> str:
    unit = text.strip().lower()
    return _ALIASES.get(unit, unit)


def extract_from_timestamp(field: str, value: datetime) -> Decimal:
    """A part of a time, those of the time zone (which is UTC) too if it has one."""
    unit = _unit(field)
    if unit in _DATE_PARTS:
        return Decimal(_DATE_PARTS[unit](value))
    if unit in _TIME_PARTS:
        return Decimal(_TIME_PARTS[unit](value))
    sql_type = TIMESTAMP if value.tzinfo is None else TIMESTAMPTZ
    if unit in _ZONE_PARTS:
        if sql_type is TIMESTAMPTZ:
            return Decimal(0)
        raise _unsupported(field, sql_type)
    raise _unrecognized(field, sql_type)


def extract_from_date(field: str, value: date) -> Decimal:
    unit = _unit(field)
    if unit in _DATE_PARTS:
        return Decimal(_DATE_PARTS[unit](value))
    if unit == "epoch":
        return Decimal(days_between(value, EPOCH) * _SECONDS_PER_DAY)
    if unit == "julian":
        return Decimal(value.toordinal() + _JULIAN_DAY_OF_ORDINAL_ZERO)
    if unit in _TIME_PARTS or unit in _ZONE_PARTS:
        raise _unsupported(field, DATE)
    raise _unrecognized(field, DATE)


def _unrecognized(unit: str, sql_type: SqlType) -> InvalidParameterValueError:
    return InvalidParameterValueError(f'unit "{unit}" not recognized for type {sql_type}')


def _unsupported(unit: str, sql_type: SqlType) -> FeatureNotSupportedError:
    return FeatureNotSupportedError(f'unit "{unit}" not supported for type {sql_type}')


def _part_as_float(field: str, value: datetime) -> float:
    return float(extract_from_timestamp(field, value))


# --- units ----------------------------------------------------------------------------------------------------------

_DAY_STARTS: Final[dict[str, Callable[[datetime], tuple[int, int, int]]]] = {
    "millennium": lambda value: ((value.year - 1) // 1000 * 1000 + 1, 1, 1),
    "century": lambda value: ((value.year - 1) // 100 * 100 + 1, 1, 1),
    "decade": lambda value: (value.year // 10 * 10, 1, 1),
    "year": lambda value: (value.year, 1, 1),
    "quarter": lambda value: (value.year, (value.month - 1) // 3 * 3 + 1, 1),
    "month": lambda value: (value.year, value.month, 1),
    "day": lambda value: (value.year, value.month, value.day),
}


def truncate(field: str, value: datetime) -> datetime:
    """The beginning of the unit of time (`day`, `week`, …) that the time lies in."""
    match _unit(field):
        case "microseconds":
            return value
        case "milliseconds":
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
        case "second":
            return value.replace(microsecond=0)
        case "minute":
            return value.replace(second=0, microsecond=0)
        case "hour":
            return value.replace(minute=0, second=0, microsecond=0)
        case "week":
            monday = midnight(date_plus_days(value, 1 - value.isoweekday()))
            return monday.replace(tzinfo=value.tzinfo)
        case unit if unit in _DAY_STARTS:
            year, month, day = _DAY_STARTS[unit](value)
            if year < 1:
                raise DatetimeOverflowError("timestamp out of range")
            return datetime(year, month, day, tzinfo=value.tzinfo)
    raise _unrecognized(field, TIMESTAMP if value.tzinfo is None else TIMESTAMPTZ)


# --- making times ---------------------------------------------------------------------------------------------------


def make_date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise DatetimeOverflowError(f"date field value out of range: {year}-{month:02d}-{day:02d}") from None


def make_timestamp(year: int, month: int, day: int, hour: int, minute: int, second: float) -> datetime:
    start = midnight(make_date(year, month, day))
    in_minute = 0 <= second <= 60 and 0 <= minute <= 59 and 0 <= hour <= 24
    if not in_minute or (hour == 24 and (minute or second)):
        raise DatetimeOverflowError(f"time field value out of range: {hour}:{minute:02d}:{second:02g}")
    microseconds = ((hour * 60 + minute) * 60) * _MICROSECONDS + round(second * _MICROSECONDS)
    return _from_microseconds(microseconds_of(start) + microseconds, aware=False)


def make_timestamptz(year: int, month: int, day: int, hour: int, minute: int, second: float) -> datetime:
    return make_timestamp(year, month, day, hour, minute, second).replace(tzinfo=UTC)


def to_timestamp(seconds: float) -> datetime:
    """The moment so many seconds after the beginning of 1970, UTC."""
    if not math.isfinite(seconds):
        raise DatetimeOverflowError("timestamp cannot be NaN" if seconds != seconds else "timestamp out of range")
    return _from_microseconds(round(seconds * _MICROSECONDS), aware=True)


def _from_microseconds(count: int, *, aware: bool) -> datetime:
    try:
        return from_microseconds(count, aware=aware)
    except OverflowError:
        raise DatetimeOverflowError("timestamp out of range") from None


def local_to_moment(zone: str, value: datetime) -> datetime:
    """`value AT TIME ZONE zone` of a time without a zone: the moment at which it is that time there."""
    found = zone_named(zone)
    return (value if found is None else shifted(value, -offset_in(found, value))).replace(tzinfo=UTC)


def moment_to_local(zone: str, value: datetime) -> datetime:
    """`value AT TIME ZONE zone` of a moment: the time that it is there."""
    found = zone_named(zone)
    try:
        local = value if found is None else value.astimezone(found)
    except OverflowError:
        raise DatetimeOverflowError("timestamp out of range") from None
    return local.replace(tzinfo=None, fold=0)


DATES: Final = (
    Function("+", (DATE, INTEGER), DATE, date_plus_days, is_operator=True),
    Function("+", (INTEGER, DATE), DATE, lambda days, value: date_plus_days(value, days), is_operator=True),
    Function("-", (DATE, INTEGER), DATE, lambda value, days: date_plus_days(value, -days), is_operator=True),
    Function("-", (DATE, DATE), INTEGER, days_between, is_operator=True),
    Function("extract", (TEXT, DATE), NUMERIC, extract_from_date),
    *(Function("extract", (TEXT, type_), NUMERIC, extract_from_timestamp) for type_ in (TIMESTAMP, TIMESTAMPTZ)),
    Function("date_part", (TEXT, DATE), FLOAT, lambda field, value: float(extract_from_date(field, value))),
    *(Function("date_part", (TEXT, type_), FLOAT, _part_as_float) for type_ in (TIMESTAMP, TIMESTAMPTZ)),
    *(Function("date_trunc", (TEXT, type_), type_, truncate) for type_ in (TIMESTAMP, TIMESTAMPTZ)),
    Function("make_date", (INTEGER, INTEGER, INTEGER), DATE, make_date),
    Function("make_timestamp", (*(INTEGER,) * 5, FLOAT), TIMESTAMP, make_timestamp),
    Function("make_timestamptz", (*(INTEGER,) * 5, FLOAT), TIMESTAMPTZ, make_timestamptz),
    Function("to_timestamp", (FLOAT,), TIMESTAMPTZ, to_timestamp),
    Function("timezone", (TEXT, TIMESTAMP), TIMESTAMPTZ, local_to_moment),
    Function("timezone", (TEXT, TIMESTAMPTZ), TIMESTAMP, moment_to_local),
    *(Function("isfinite", (type_,), BOOLEAN, lambda _: True) for type_ in (DATE, TIMESTAMP, TIMESTAMPTZ)),
)
