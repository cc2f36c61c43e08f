"""A SQL value as text."""

from __future__ import annotations

from mynode.session.api import Value
from mynode.values.text import format_text


def value_text(value: Value) -> str:
    """The value as SQL writes it, floats with all digits that tell them apart; NULL as an empty string."""
    return "" if value is None else format_text(value)


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
