"""Functions and operators on TEXT. Positions count characters (code points) from 1."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from mynode.base.errors import InvalidEscapeSequenceError, ProgramLimitExceededError, SubstringError
from mynode.base.limits import MAX_ROW_BYTES
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


STRINGS: Final = (
    Function("||", (TEXT, TEXT), TEXT, concatenate, is_operator=True),
    Function("like", (TEXT, TEXT, TEXT), BOOLEAN, like),
    Function("ilike", (TEXT, TEXT, TEXT), BOOLEAN, ilike),
    Function("length", (TEXT,), INTEGER, len, "len({0})"),
    Function("char_length", (TEXT,), INTEGER, len, "len({0})"),
    Function("lower", (TEXT,), TEXT, str.lower),
    Function("upper", (TEXT,), TEXT, str.upper),
    Function("substr", (TEXT, INTEGER), TEXT, substring_from),
    Function("substr", (TEXT, INTEGER, INTEGER), TEXT, substring),
    Function("substring", (TEXT, INTEGER), TEXT, substring_from),
    Function("substring", (TEXT, INTEGER, INTEGER), TEXT, substring),
    Function("left", (TEXT, INTEGER), TEXT, left),
    Function("right", (TEXT, INTEGER), TEXT, right),
    Function("trim", (TEXT,), TEXT, lambda text: text.strip(" ")),
    Function("btrim", (TEXT,), TEXT, lambda text: text.strip(" ")),
    Function("ltrim", (TEXT,), TEXT, lambda text: text.lstrip(" ")),
    Function("rtrim", (TEXT,), TEXT, lambda text: text.rstrip(" ")),
    Function("replace", (TEXT, TEXT, TEXT), TEXT, replace),
    Function("repeat", (TEXT, INTEGER), TEXT, repeat),
    Function("reverse", (TEXT,), TEXT, lambda text: text[::-1]),
    Function("strpos", (TEXT, TEXT), INTEGER, lambda text, part: text.find(part) + 1),
    Function("starts_with", (TEXT, TEXT), BOOLEAN, str.startswith),
)
