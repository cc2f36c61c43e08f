"""`to_char` of dates and times, and `to_date` and `to_timestamp` that read them, by PostgreSQL's template patterns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from mynode.base.sql_errors import DatetimeOverflowError, FeatureNotSupportedError, InvalidDatetimeError
from mynode.sql.functions.function import Function
from mynode.values.datetimes import DAYS, MONTHS, date_plus_days, midnight, shifted
from mynode.values.types import DATE, TEXT, TIMESTAMP, TIMESTAMPTZ


def _fraction_of(digits: int) -> Callable[[datetime], int]:
    return lambda value: value.microsecond // int(10 ** (6 - digits))


_NUMBERS: Final[dict[str, tuple[int, Callable[[datetime], int]]]] = {
    "YYYY": (4, lambda value: value.year),
    "YYY": (3, lambda value: value.year % 1000),
    "YY": (2, lambda value: value.year % 100),
    "Y": (1, lambda value: value.year % 10),
    "IYYY": (4, lambda value: value.isocalendar().year),
    "IYY": (3, lambda value: value.isocalendar().year % 1000),
    "IY": (2, lambda value: value.isocalendar().year % 100),
    "MM": (2, lambda value: value.month),
    "DDD": (3, lambda value: value.timetuple().tm_yday),
    "DD": (2, lambda value: value.day),
    "D": (1, lambda value: value.isoweekday() % 7 + 1),
    "ID": (1, lambda value: value.isoweekday()),
    "WW": (2, lambda value: (value.timetuple().tm_yday - 1) // 7 + 1),
    "W": (1, lambda value: (value.day - 1) // 7 + 1),
    "IW": (2, lambda value: value.isocalendar().week),
    "CC": (2, lambda value: (value.year + 99) // 100),
    "J": (1, lambda value: value.toordinal() + 1_721_425),
    "Q": (1, lambda value: (value.month + 2) // 3),
    "HH24": (2, lambda value: value.hour),
    "HH12": (2, lambda value: (value.hour - 1) % 12 + 1),
    "HH": (2, lambda value: (value.hour - 1) % 12 + 1),
    "MI": (2, lambda value: value.minute),
    "SSSSS": (1, lambda value: value.hour * 3600 + value.minute * 60 + value.second),
    "SSSS": (1, lambda value: value.hour * 3600 + value.minute * 60 + value.second),
    "SS": (2, lambda value: value.second),
    "MS": (3, lambda value: value.microsecond // 1000),
    "US": (6, lambda value: value.microsecond),
    **{f"FF{digits}": (digits, _fraction_of(digits)) for digits in range(1, 7)},
}
"""Patterns of numbers, with the width to which zeros fill them up."""

_TEXTS: Final[dict[str, tuple[int, Callable[[datetime], str]]]] = {
    "MONTH": (9, lambda value: MONTHS[value.month - 1]),
    "MON": (0, lambda value: MONTHS[value.month - 1][:3]),
    "DAY": (9, lambda value: DAYS[value.weekday()]),
    "DY": (0, lambda value: DAYS[value.weekday()][:3]),
    "A.M.": (0, lambda value: "A.M." if value.hour < 12 else "P.M."),
    "P.M.": (0, lambda value: "A.M." if value.hour < 12 else "P.M."),
    "AM": (0, lambda value: "AM" if value.hour < 12 else "PM"),
    "PM": (0, lambda value: "AM" if value.hour < 12 else "PM"),
    "A.D.": (0, lambda _: "A.D."),
    "B.C.": (0, lambda _: "A.D."),
    "AD": (0, lambda _: "AD"),
    "BC": (0, lambda _: "AD"),
    "TZH": (0, lambda _: "+00"),
    "TZM": (0, lambda _: "00"),
    "TZ": (0, lambda value: "" if value.tzinfo is None else "UTC"),
    "OF": (0, lambda _: "+00"),
}
"""Patterns of words, with the width to which spaces fill them up."""

_PATTERNS: Final = "|".join(re.escape(name) for name in sorted((*_NUMBERS, *_TEXTS), key=len, reverse=True))
_ITEM: Final = re.compile(
    rf'"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<fill>FM)?(?P<pattern>{_PATTERNS})(?P<ordinal>TH)?|(?P<text>.)',
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Item:
    """A pattern, in upper case, or a text that stands for itself (`pattern` is "").

    Attributes:
        text: as written.
        fill: numbers and words are filled up to their width.
        ordinal: `th` or `TH` after a number, or "".
    """

    pattern: str
    text: str
    fill: bool
    ordinal: str


@lru_cache(256)
def _items(template: str) -> tuple[_Item, ...]:
    return tuple(
        _Item(
            (found["pattern"] or "").upper(),
            found["pattern"] or (found["quoted"] or "").replace("\\", "") or found["text"] or "",
            not found["fill"],
            found["ordinal"] or "",
        )
        for found in _ITEM.finditer(template)
    )


# --- writing --------------------------------------------------------------------------------------------------------


def time_to_text(value: datetime, template: str) -> str:
    return "".join(_written(item, value) for item in _items(template))


def date_to_text(value: date, template: str) -> str:
    return time_to_text(midnight(value), template)


def _is_fraction(pattern: str) -> bool:
    """Whether it is digits behind the point of the seconds, which stand for nothing without the zeros before them."""
    return pattern in ("MS", "US") or pattern.startswith("FF")


def _written(item: _Item, value: datetime) -> str:
    if item.pattern in _NUMBERS:
        width, number_of = _NUMBERS[item.pattern]
        number = number_of(value)
        digits = f"{number:0{width}d}" if item.fill or _is_fraction(item.pattern) else str(number)
        return digits + ordinal_suffix(number, item.ordinal)
    if item.pattern in _TEXTS:
        width, text_of = _TEXTS[item.pattern]
        text = _in_case_of(item.text, text_of(value))
        return text.ljust(width) if item.fill else text
    return item.text


def _in_case_of(pattern: str, text: str) -> str:
    """`Month` as it is, `MONTH` and `month` in capitals and in small letters."""
    if pattern[0].islower():
        return text.lower()
    return text.upper() if pattern[1:2].isupper() or "." in pattern else text


def ordinal_suffix(number: int, pattern: str) -> str:
    """`st`, `nd`, `rd` or `th`, in capitals for the pattern `TH`; nothing for no pattern."""
    if not pattern:
        return ""
    suffix = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return suffix.upper() if pattern == "TH" else suffix


# --- reading --------------------------------------------------------------------------------------------------------

_WHITE: Final = " \t\n\r\f\v"
_BOUNDS: Final = {
    "MM": (1, 12),
    "DD": (1, 31),
    "DDD": (1, 366),
    "HH24": (0, 23),
    "HH12": (1, 12),
    "HH": (1, 12),
    "MI": (0, 59),
    "SS": (0, 59),
}
_READ_NUMBERS: Final = frozenset(
    (*_BOUNDS, "YYYY", "YYY", "YY", "Y", "J", "MS", "US", *(f"FF{n}" for n in range(1, 7)))
)
_HALVES: Final = frozenset(("AM", "PM", "A.M.", "P.M."))
_FIRST_CENTURY_YEARS: Final = 70
"""A year of two digits below this is of the years 2000 on, another one of those 1900 on."""


def text_to_time(text: str, template: str) -> datetime:
    """The time in UTC. Raises `InvalidDatetimeError` or `DatetimeOverflowError`."""
    fields = dict(_read(text, template))
    return _time_of(fields, text).replace(tzinfo=UTC)


def text_to_date(text: str, template: str) -> date:
    return text_to_time(text, template).date()


def _read(text: str, template: str) -> Iterator[tuple[str, int]]:
    """The fields of the template with the numbers that the text has for them."""
    place = 0
    items = _items(template)
    for number, item in enumerate(items):
        while place < len(text) and text[place] in _WHITE:
            place += 1
        if not item.pattern:
            is_separator = not item.text.isalnum()
            if item.text not in _WHITE and place < len(text) and (not is_separator or not text[place].isalnum()):
                place += len(item.text)
            continue
        if place >= len(text):
            return
        if item.pattern in _READ_NUMBERS:
            ends = number + 1 == len(items) or not items[number + 1].pattern
            value, place = _read_number(text, place, item, ends)
            yield item.pattern, value
        else:
            name, value, place = _read_word(text, place, item)
            yield name, value


def _read_number(text: str, place: int, item: _Item, ends: bool) -> tuple[int, int]:
    width = 7 if item.pattern == "J" else _NUMBERS[item.pattern][0]
    limit = 9 if ends and item.fill and item.pattern.startswith("Y") else width
    digits = re.compile(rf"[0-9]{{1,{limit}}}").match(text, place)
    if digits is None:
        raise InvalidDatetimeError(
            f'invalid value "{text[place : place + width]}" for "{item.text}"', detail="Value must be an integer."
        )
    value = int(digits.group())
    low, high = _BOUNDS.get(item.pattern, (0, value))
    if not low <= value <= high:
        raise DatetimeOverflowError(f'date/time field value out of range: "{text}"')
    if _is_fraction(item.pattern):
        value = int(digits.group().ljust(6, "0")[:6])
    if item.pattern in ("YY", "Y", "YYY") and value < 100:
        value += 2000 if value < _FIRST_CENTURY_YEARS else 1900
    return value, digits.end() + len(item.ordinal)


def _read_word(text: str, place: int, item: _Item) -> tuple[str, int, int]:
    if item.pattern in _HALVES:
        length = len(item.pattern)
        word = text[place : place + length].upper().replace(".", "")
        if word not in ("AM", "PM"):
            raise InvalidDatetimeError(f'invalid value "{text[place : place + length]}" for "{item.text}"')
        return "half", int(word == "PM"), place + length
    names = {"MONTH": MONTHS, "MON": tuple(name[:3] for name in MONTHS), "DAY": DAYS}.get(item.pattern)
    if item.pattern == "DY":
        names = tuple(name[:3] for name in DAYS)
    if names is None:
        raise FeatureNotSupportedError(f'formatting field "{item.text}" is only supported in to_char')
    for number, name in enumerate(names, 1):
        if text[place : place + len(name)].lower() == name.lower():
            return "MM" if item.pattern.startswith("MON") else "day name", number, place + len(name)
    raise InvalidDatetimeError(
        f'invalid value "{text[place : place + 9]}" for "{item.text}"',
        detail="The given value did not match any of the allowed values for this field.",
    )


def _time_of(fields: dict[str, int], text: str) -> datetime:
    year = next((fields[name] for name in ("YYYY", "YYY", "YY", "Y") if name in fields), 1)
    hour = fields.get("HH24", 0)
    for name in ("HH12", "HH"):
        if name in fields:
            hour = fields[name] % 12 + 12 * fields.get("half", 0)
    try:
        if "J" in fields:
            start = midnight(date.fromordinal(fields["J"] - 1_721_425))
        else:
            start = datetime(year, fields.get("MM", 1), fields.get("DD", 1))
    except (ValueError, OverflowError):
        raise DatetimeOverflowError(f'date/time field value out of range: "{text}"') from None
    if "DDD" in fields and "MM" not in fields:
        start = midnight(date_plus_days(start.date(), fields["DDD"] - 1))
    microseconds = sum(value for name, value in fields.items() if _is_fraction(name))
    return shifted(
        start,
        timedelta(hours=hour, minutes=fields.get("MI", 0), seconds=fields.get("SS", 0), microseconds=microseconds),
    )


DATE_TEMPLATES: Final = (
    *(Function("to_char", (type_, TEXT), TEXT, time_to_text) for type_ in (TIMESTAMP, TIMESTAMPTZ)),
    Function("to_char", (DATE, TEXT), TEXT, date_to_text),
    Function("to_date", (TEXT, TEXT), DATE, text_to_date),
    Function("to_timestamp", (TEXT, TEXT), TIMESTAMPTZ, text_to_time),
)
