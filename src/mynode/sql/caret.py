"""A statement's line with a caret below the place that an error speaks of."""

from __future__ import annotations

from typing import Final

_WIDTH: Final = 80
"""Characters of the line that are shown; a longer line is cut around the caret."""


def caret(text: str, position: int) -> str:
    """Two lines, as psql prints them: `LINE n: ` with the line of `text`, and a caret below the character.

    Args:
        position: 1-based character offset in `text`; one beyond its end is the end of the statement.
    """
    offset = min(max(position - 1, 0), len(text))
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    line = text[start:].splitlines()[0] if text[start:].strip() else ""
    column = min(offset - start, len(line))
    label = f"LINE {len(text[:start].splitlines()) + 1}: "
    cut_left = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    shown = line[cut_left : cut_left + _WIDTH]
    before = "..." if cut_left else ""
    after = "..." if cut_left + _WIDTH < len(line) else ""
    shown = "".join(character if character.isprintable() else " " for character in shown)
    return f"{label}{before}{shown}{after}\n{' ' * (len(label) + len(before) + column - cut_left)}^"
