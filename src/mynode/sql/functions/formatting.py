"""Functions that put values of any type into one text."""

from __future__ import annotations

import re
from typing import Final

from mynode.base.limits import MAX_ROW_BYTES
from mynode.base.sql_errors import InvalidParameterValueError, NullValueNotAllowedError
from mynode.sql.functions.function import Function
from mynode.sql.functions.strings import pad_left, pad_right, text_too_long
from mynode.sql.keywords import FUNCTION_ONLY, RESERVED
from mynode.values.text import format_text
from mynode.values.types import ANY, TEXT, Value

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_QUOTED_WORDS: Final = RESERVED | FUNCTION_ONLY
_SPECIFIER: Final = re.compile(r"%(?:(?P<place>\d{1,9})\$)?(?P<left>-*)(?P<width>\d{0,9})(?P<kind>.?)", re.DOTALL)


def shown(value: Value) -> str:
    """A value that is not NULL as a part of a text: booleans as one letter, as PostgreSQL puts them out."""
    if isinstance(value, bool):
        return "t" if value else "f"
    return format_text(value)


def concat(*values: Value) -> str:
    return _joined("", values)


def concat_ws(separator: str | None, *values: Value) -> str | None:
    """The values that are not NULL, with the separator between them."""
    return None if separator is None else _joined(separator, values)


def _joined(separator: str, values: tuple[Value, ...]) -> str:
    text = separator.join([shown(value) for value in values if value is not None])
    return text if len(text) <= MAX_ROW_BYTES else text_too_long()


def quote_identifier(name: str) -> str:
    """In double quotes if it needs them."""
    if _NAME.fullmatch(name) and name.upper() not in _QUOTED_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: Value) -> str:
    text = shown(value).replace("'", "''")
    return "E'" + text.replace("\\", "\\\\") + "'" if "\\" in text else f"'{text}'"


def quote_nullable(value: Value) -> str:
    return "NULL" if value is None else quote_literal(value)


def formatted(template: str | None, *values: Value) -> str | None:
    """`%s` becomes a value as text, `%I` one as a name, `%L` one as a literal, `%%` is `%`.

    `%2$s` takes the second value; `%10s` fills up to a width, `%-10s` on the right.
    """
    if template is None:
        return None
    parts: list[str] = []
    next_place, end = 1, 0
    for found in _SPECIFIER.finditer(template):
        parts.append(template[end : found.start()])
        end = found.end()
        kind = found["kind"]
        if kind == "%":
            parts.append("%")
            continue
        if kind not in ("s", "I", "L"):
            raise _bad_specifier(kind)
        place = next_place if found["place"] is None else int(found["place"])
        if place == 0:
            raise InvalidParameterValueError("format specifies argument 0, but arguments are numbered from 1")
        if place > len(values):
            raise InvalidParameterValueError("too few arguments for format()")
        next_place = place + 1
        width = int(found["width"] or 0)
        text = _converted(kind, values[place - 1])
        pad = pad_right if found["left"] else pad_left
        parts.append(pad(text, width) if width > len(text) else text)
    parts.append(template[end:])
    return _joined("", tuple(parts))


def _converted(kind: str, value: Value) -> str:
    if kind == "L":
        return quote_nullable(value)
    if kind == "s":
        return "" if value is None else shown(value)
    if value is None:
        raise NullValueNotAllowedError("null values cannot be formatted as an SQL identifier")
    return quote_identifier(shown(value))


def _bad_specifier(kind: str) -> InvalidParameterValueError:
    if not kind:
        return InvalidParameterValueError("unterminated format() type specifier")
    return InvalidParameterValueError(
        f'unrecognized format() type specifier "{kind}"', hint='For a single "%" use "%%".'
    )


FORMATTING: Final = (
    Function("concat", (ANY,), TEXT, concat, strict=False, variadic=True),
    Function("concat_ws", (TEXT, ANY), TEXT, concat_ws, strict=False, nullable=True, variadic=True),
    Function("format", (TEXT,), TEXT, formatted, strict=False, nullable=True),
    Function("format", (TEXT, ANY), TEXT, formatted, strict=False, nullable=True, variadic=True),
    Function("quote_ident", (TEXT,), TEXT, quote_identifier),
    Function("quote_literal", (ANY,), TEXT, quote_literal),
    Function("quote_nullable", (ANY,), TEXT, quote_nullable, strict=False),
)
