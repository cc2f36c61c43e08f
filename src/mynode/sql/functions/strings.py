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
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, None)
            if escaped is None:
                raise InvalidEscapeSequenceError("LIKE pattern must not end with escape character")
            parts.append(re.escape(escaped))
        elif character == "%":
            if parts[-1:] != [".*?"]:
                parts.append(".*?")
        else:
            parts.append("." if character == "_" else re.escape(character))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if case_insensitive else 0))


def substring_from(text: str, start: int) -> str:
    return text[max(start - 1, 0) :]


def substring(text: str, start: int, length: int) -> str:
    """As PostgreSQL: characters start … start + length - 1, of which those before 1 do not exist."""
    if length < 0:
        raise SubstringError("negative substring length not allowed")
    return text[max(start - 1, 0) : max(start - 1 + length, 0)]


def repeat(text: str, times: int) -> str:
    if times > 0 and len(text) * times > MAX_ROW_BYTES:
        raise ProgramLimitExceededError("requested length too large")
    return text * times


def left(text: str, length: int) -> str:
    """The first characters; a negative length counts off those that are not wanted at the end."""
    return text[:length]


def right(text: str, length: int) -> str:
    """The last characters; a negative length counts off those that are not wanted at the beginning."""
    return text[-length:] if length else ""


STRINGS: Final = (
    Function("||", (TEXT, TEXT), TEXT, str.__add__, "({0} + {1})", is_operator=True),
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
    Function("replace", (TEXT, TEXT, TEXT), TEXT, lambda text, old, new: text.replace(old, new) if old else text),
    Function("repeat", (TEXT, INTEGER), TEXT, repeat),
    Function("reverse", (TEXT,), TEXT, lambda text: text[::-1]),
    Function("strpos", (TEXT, TEXT), INTEGER, lambda text, part: text.find(part) + 1),
    Function("starts_with", (TEXT, TEXT), BOOLEAN, str.startswith),
)
