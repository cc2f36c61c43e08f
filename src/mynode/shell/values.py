"""A SQL value as text."""

from __future__ import annotations

import math

from mynode.session.api import Value


def value_text(value: Value) -> str:
    """The value as PostgreSQL writes it; NULL as an empty string."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case bytes():
            return f"\\x{value.hex()}"
        case _:
            return str(value)


def float_text(value: float) -> str:
    """The shortest text that reads back as the same number."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value).removesuffix(".0")


def visible(text: str) -> str:
    """`text` with control characters, but for line ends, as `\\xNN`: data must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else _escape(character)
        for character in text.replace("\r\n", "\n")
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
