"""DATE and TIMESTAMP values and their text form.

They are the dates of Python: years 1 to 9999 of the Gregorian calendar, and microseconds. What PostgreSQL has beyond
(years before Christ and after 9999, infinite times) is refused as out of range. A timestamp with a time zone is kept,
and shown, in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from mynode.base.sql_errors import (
    DatetimeOverflowError,
    InvalidDatetimeError,
    InvalidParameterValueError,
    InvalidTimeZoneOffsetError,
)

EPOCH: Final = datetime(1970, 1, 1)
EPOCH_UTC: Final = EPOCH.replace(tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MICROSECOND_DIGITS: Final = 6

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_MONTH_NUMBERS: Final = {
    **{name.lower(): number for number, name in enumerate(MONTHS, 1)},
    **{name[:3].lower(): number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}
_MONTH: Final = r"(?P<name>[a-z]{3,9})\.?"
_DATE_FORMS: Final = (
    r"(?P<year>\d{4,6})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})",
    rf"(?P<year>\d{{4}})-{_MONTH}-(?P<day>\d{{1,2}})",
    rf"(?P<day>\d{{1,2}})[ -]{_MONTH}[ -](?P<year>\d{{4}})",
    rf"{_MONTH}\ +(?P<day>\d{{1,2}}),?\ +(?P<year>\d{{4}})",
)
_TIME_FORM: Final = (
    r"(?:(?:\ +|T)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d*))?)?"
    r"(?:\ *(?P<half>[ap]m))?)?"
)
_ZONE_FORM: Final = (
    r"(?:\ *(?P<zone>z|utc|gmt)|\ +(?P<region>[a-z_]+(?:/[a-z0-9_+-]+)+)"
    r"|\ *(?P<sign>[+-])(?P<zh>\d{1,2})(?::?(?P<zm>\d\d)(?::?(?P<zs>\d\d))?)?)?"
)
_FORMS: Final = tuple(re.compile(f"{form}{_TIME_FORM}{_ZONE_FORM}", re.ASCII | re.IGNORECASE) for form in _DATE_FORMS)
_SPACES: Final = " \t\n\r\f\v"
_UNBOUNDED: Final = frozenset(("infinity", "-infinity", "+infinity"))
_MAX_ZONE_HOURS: Final = 15


def parse_date(text: str) -> date:
    """The date; a time after it is read and left out.

    Raises `InvalidDatetimeError`, `DatetimeOverflowError` or `InvalidTimeZoneOffsetError`.
    """
    return _parsed(text, "date")[0].date()


def parse_timestamp(text: str) -> datetime:
    """The time as written; a time zone after it is read and left out. Raises as `parse_date` does."""
    return _parsed(text, "timestamp")[0]


def parse_timestamptz(text: str) -> datetime:
    """The time in UTC; without a time zone it is taken for one. Raises as `parse_date` does."""
    local, offset = _parsed(text, "timestamp with time zone")
    return shifted(local, -offset).replace(tzinfo=UTC)


def _parsed(text: str, type_name: str) -> tuple[datetime, timedelta]:
    """The time as written, and how far its zone is east of UTC."""
    stripped = text.strip(_SPACES)
    if stripped.lower() == "epoch":
        return EPOCH, timedelta()
    if stripped.lower() in _UNBOUNDED:
        raise DatetimeOverflowError(f'{type_name} out of range: "{text}"', hint="Infinite times are not supported.")
    for form in _FORMS:
        found = form.fullmatch(stripped)
        if found is not None:
            parts = found.groupdict()
            month = parts.get("month") or _MONTH_NUMBERS.get((parts.get("name") or "").lower())
            if month is None:
                break
            local = _time_of(parts, int(month), text)
            return local, _offset(parts, local, text)
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    raise InvalidDatetimeError(f'invalid input syntax for type {type_name}: "{shown}"')


def _time_of(parts: dict[str, str | None], month: int, text: str) -> datetime:
    year, day, hour, minute, second = (int(parts[name] or 0) for name in ("year", "day", "hour", "minute", "second"))
    half = (parts["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise _field_error(text)
        hour = hour % 12 + 12 * (half == "pm")
    fraction = (parts["fraction"] or "").ljust(MICROSECOND_DIGITS + 1, "0")
    microseconds = int(fraction[:MICROSECOND_DIGITS]) + (fraction[MICROSECOND_DIGITS] >= "5")
    past_midnight = hour == 24 and minute == second == microseconds == 0
    if minute > 59 or second > 60 or (hour > 23 and not past_midnight):
        raise _field_error(text)
    try:
        midnight = datetime(year, month, day)
    except ValueError:
        raise _field_error(text) from None
    return shifted(midnight, timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microseconds))


def _offset(parts: dict[str, str | None], local: datetime, text: str) -> timedelta:
    region = zone_named(parts["region"]) if parts["region"] else None
    if region is not None:
        return offset_in(region, local)
    hours, minutes, seconds = (int(parts[name] or 0) for name in ("zh", "zm", "zs"))
    if hours > _MAX_ZONE_HOURS or minutes > 59 or seconds > 59:
        raise InvalidTimeZoneOffsetError(f'time zone displacement out of range: "{text}"')
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -offset if parts["sign"] == "-" else offset


def offset_in(zone: ZoneInfo, local: datetime) -> timedelta:
    """How far the zone is east of UTC at a local time; of one that comes twice, or never, by the standard time."""
    offsets = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return min(offset for offset in offsets if offset is not None)


def _field_error(text: str) -> DatetimeOverflowError:
    return DatetimeOverflowError(f'date/time field value out of range: "{text}"')


def shifted(value: datetime, by: timedelta) -> datetime:
    """The sum. Raises `DatetimeOverflowError`."""
    try:
        return value + by
    except OverflowError:
        raise DatetimeOverflowError("timestamp out of range") from None


def date_plus_days(value: date, days: int) -> date:
    """Raises `DatetimeOverflowError`."""
    try:
        return date.fromordinal(value.toordinal() + days)
    except (ValueError, OverflowError):
        raise DatetimeOverflowError("date out of range") from None


def in_utc(value: datetime) -> datetime:
    """A time with a zone, in UTC. Raises `DatetimeOverflowError`."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise DatetimeOverflowError("timestamp out of range") from None


def microseconds_of(value: datetime) -> int:
    """Since the beginning of 1970, of a time without a zone or in UTC."""
    return (value - (EPOCH if value.tzinfo is None else EPOCH_UTC)) // MICROSECOND


def from_microseconds(count: int, *, aware: bool) -> datetime:
    """The inverse of `microseconds_of`. Raises `OverflowError` for what is no datetime."""
    return (EPOCH_UTC if aware else EPOCH) + timedelta(microseconds=count)


def rounded_to(value: datetime, digits: int) -> datetime:
    """To so many digits of the second's fraction, halves up. Raises `DatetimeOverflowError`."""
    unit = 10 ** (MICROSECOND_DIGITS - digits)
    rest = value.microsecond % unit
    return shifted(value, timedelta(microseconds=(unit - rest) if 2 * rest >= unit > 1 else -rest))


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of this name, in any case, as the machine's database has it; None for UTC.

    Raises `InvalidParameterValueError`.
    """
    if name.upper() in ("UTC", "Z", "GMT"):
        return None
    try:
        return ZoneInfo(_zone_names().get(name.lower(), name))
    except (ValueError, OSError, KeyError):  # no name of a file, a directory, not found
        raise InvalidParameterValueError(f'time zone "{name}" not recognized') from None


@cache
def _zone_names() -> dict[str, str]:
    """The names of all time zones, by themselves in lower case."""
    return {name.lower(): name for name in available_timezones()}


def format_datetime(value: date) -> str:
    """As PostgreSQL's ISO style: `2026-01-02`, `2026-01-02 03:04:05.5`, with a zone `2026-01-02 03:04:05+00`."""
    if not isinstance(value, datetime):
        return value.isoformat()
    text = datetime.combine(value.date(), value.time()).isoformat(" ")
    text = text.rstrip("0") if value.microsecond else text
    return text if value.tzinfo is None else f"{text}+00"


def midnight(value: date) -> datetime:
    """The beginning of a day, without a zone."""
    return datetime.combine(value, time())
