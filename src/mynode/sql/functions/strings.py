"""Functions and operators on TEXT. Positions count characters (code points) from 1."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from mynode.base.limits import MAX_ROW_BYTES
from mynode.base.sql_errors import (
    InvalidEscapeSequenceError,
    InvalidParameterValueError,
    ProgramLimitExceededError,
    SubstringError,
)
from mynode.sql.functions.function import Function
from mynode.values.types import BOOLEAN, INTEGER, TEXT

_PATTERN_CACHE_ENTRIES: Final = 256


def like(text: str, pattern: str, escape: str) -> bool:
    """`%` stands for any text, `_` for one character, after `escape` (may be empty: none) each for itself."""
    return _like_pattern(pattern, escape, False).fullmatch(text) is not None


def ilike(text: str, pattern: str, escape: str) -> bool:
    """`like`, upper and lower case taken as one."""
    return _like_pattern(pattern, escape, True).fullmatch(text) is not None


@lru_cache(_PATTERN_CACHE_ENTRIES)
def _like_pattern(pattern: str, escape: str, case_insensitive: bool) -> re.Pattern[str]:
    if len(escape) > 1:
        raise InvalidEscapeSequenceError("invalid escape string", hint="Escape string must be empty or one character.")
    segments: list[list[str]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, None)
            if escaped is None:
                raise InvalidEscapeSequenceError("LIKE pattern must not end with escape character")
            segments[-1].append(re.escape(escaped))
        elif character == "%":
            segments.append([])
        else:
            segments[-1].append("." if character == "_" else re.escape(character))
    flags = re.DOTALL | (re.IGNORECASE if case_insensitive else 0)
    return re.compile(_joined(["".join(segment) for segment in segments]), flags)


def _joined(segments: list[str]) -> str:
    """One expression for segments with `%` between them.

    What lies between the first and the last takes the first place it fits, for good (an atomic group): no later place
    could help, and going back to try them takes time that grows with the text's length to the power of the segments.
    """
    if len(segments) == 1:
        return segments[0]
    middle = "".join(f"(?>.*?{segment})" for segment in segments[1:-1] if segment)
    return f"{segments[0]}{middle}.*{segments[-1]}"


def substring_from(text: str, start: int) -> str:
    return text[max(start - 1, 0) :]


def substring(text: str, start: int, length: int) -> str:
    """As PostgreSQL: characters start … start + length - 1, of which those before 1 do not exist."""
    if length < 0:
        raise SubstringError("negative substring length not allowed")
    return text[max(start - 1, 0) : max(start - 1 + length, 0)]


def concatenate(left: str, right: str) -> str:
    return left + right if len(left) + len(right) <= MAX_ROW_BYTES else text_too_long()


def text_too_long() -> str:
    """No text is longer than a row may be, so that a statement cannot fill the memory. Raises always."""
    raise ProgramLimitExceededError("requested length too large")


def repeat(text: str, times: int) -> str:
    return text * times if len(text) * times <= MAX_ROW_BYTES else text_too_long()


def replace(text: str, old: str, new: str) -> str:
    if not old:
        return text
    grown = len(text) + text.count(old) * (len(new) - len(old))
    return text.replace(old, new) if grown <= MAX_ROW_BYTES else text_too_long()


def left(text: str, length: int) -> str:
    """The first characters; a negative length counts off those that are not wanted at the end."""
    return text[:length]


def right(text: str, length: int) -> str:
    """The last characters; a negative length counts off those that are not wanted at the beginning."""
    return text[-length:] if length else ""


def pad_left(text: str, length: int, fill: str = " ") -> str:
    return _padding(text, length, fill) + text[: max(length, 0)]


def pad_right(text: str, length: int, fill: str = " ") -> str:
    return text[: max(length, 0)] + _padding(text, length, fill)


def _padding(text: str, length: int, fill: str) -> str:
    missing = max(length - len(text), 0)
    if length > MAX_ROW_BYTES:
        text_too_long()
    return (fill * (missing // len(fill) + 1))[:missing] if fill else ""


def overlay(text: str, part: str, start: int, length: int | None = None) -> str:
    """`part` in the place of the `length` characters from `start` on, as many as it has if that is not said."""
    if start <= 0:
        raise SubstringError("negative substring length not allowed")
    behind = start - 1 + (len(part) if length is None else length)
    return concatenate(text[: start - 1] + part, text[max(behind, 0) :])


def translate(text: str, old: str, new: str) -> str:
    """Each character of `old` becomes the one at its place in `new`, or goes if there is none."""
    table: dict[int, str | None] = {}
    for place, character in enumerate(old):
        table.setdefault(ord(character), new[place] if place < len(new) else None)
    return text.translate(table)


def split_part(text: str, separator: str, number: int) -> str:
    """The part with this number, from 1, or from -1 at the end; "" if there is none."""
    if number == 0:
        raise InvalidParameterValueError("field position must not be zero")
    parts = text.split(separator) if separator else [text]
    place = number - 1 if number > 0 else len(parts) + number
    return parts[place] if 0 <= place < len(parts) else ""


def capitalize(text: str) -> str:
    """The first letter of each word, which letters and digits make, as a capital."""
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


_TRIMS: Final[dict[str, Callable[[str, str], str]]] = {
    "trim": str.strip,
    "btrim": str.strip,
    "ltrim": str.lstrip,
    "rtrim": str.rstrip,
}


def _trimmed(strip: Callable[[str, str], str], text: str, characters: str = " ") -> str:
    return strip(text, characters)


_WORD: Final = re.compile(r"[^\W_]+")

STRINGS: Final = (
    Function("||", (TEXT, TEXT), TEXT, concatenate, is_operator=True),
    Function("like", (TEXT, TEXT, TEXT), BOOLEAN, like),
    Function("ilike", (TEXT, TEXT, TEXT), BOOLEAN, ilike),
    Function("length", (TEXT,), INTEGER, len, "len({0})"),
    Function("char_length", (TEXT,), INTEGER, len, "len({0})"),
    Function("character_length", (TEXT,), INTEGER, len, "len({0})"),
    Function("octet_length", (TEXT,), INTEGER, lambda text: len(text.encode())),
    Function("bit_length", (TEXT,), INTEGER, lambda text: 8 * len(text.encode())),
    Function("lower", (TEXT,), TEXT, str.lower),
    Function("upper", (TEXT,), TEXT, str.upper),
    Function("substr", (TEXT, INTEGER), TEXT, substring_from),
    Function("substr", (TEXT, INTEGER, INTEGER), TEXT, substring),
    Function("substring", (TEXT, INTEGER), TEXT, substring_from),
    Function("substring", (TEXT, INTEGER, INTEGER), TEXT, substring),
    Function("left", (TEXT, INTEGER), TEXT, left),
    Function("right", (TEXT, INTEGER), TEXT, right),
    *(Function(name, (TEXT,), TEXT, partial(_trimmed, strip)) for name, strip in _TRIMS.items()),
    *(Function(name, (TEXT, TEXT), TEXT, partial(_trimmed, strip)) for name, strip in _TRIMS.items()),
    Function("lpad", (TEXT, INTEGER), TEXT, pad_left),
    Function("lpad", (TEXT, INTEGER, TEXT), TEXT, pad_left),
    Function("rpad", (TEXT, INTEGER), TEXT, pad_right),
    Function("rpad", (TEXT, INTEGER, TEXT), TEXT, pad_right),
    Function("overlay", (TEXT, TEXT, INTEGER), TEXT, overlay),
    Function("overlay", (TEXT, TEXT, INTEGER, INTEGER), TEXT, overlay),
    Function("translate", (TEXT, TEXT, TEXT), TEXT, translate),
    Function("split_part", (TEXT, TEXT, INTEGER), TEXT, split_part),
    Function("initcap", (TEXT,), TEXT, capitalize),
    Function("position", (TEXT, TEXT), INTEGER, lambda text, part: text.find(part) + 1),
    Function("replace", (TEXT, TEXT, TEXT), TEXT, replace),
    Function("repeat", (TEXT, INTEGER), TEXT, repeat),
    Function("reverse", (TEXT,), TEXT, lambda text: text[::-1]),
    Function("strpos", (TEXT, TEXT), INTEGER, lambda text, part: text.find(part) + 1),
    Function("starts_with", (TEXT, TEXT), BOOLEAN, str.startswith),
)
