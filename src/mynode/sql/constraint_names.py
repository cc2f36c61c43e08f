"""The names that constraints get if the statement gives them none, as PostgreSQL makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from mynode.base.limits import MAX_IDENTIFIER_BYTES


def default_name(table_name: str, column_names: Sequence[str], ending: str) -> str:
    """`table_columns_ending`, the longer of its first two parts cut until it is short enough for a name."""
    parts = [table_name, "_".join(column_names)] if column_names else [table_name]
    room = MAX_IDENTIFIER_BYTES - len(ending) - len(parts)
    while sum(len(part.encode()) for part in parts) > room:
        longest = max(range(len(parts)), key=lambda place: len(parts[place].encode()))
        parts[longest] = parts[longest][:-1]
    return "_".join([*parts, ending])


def numbered_names(name: str) -> Iterator[str]:
    """The name, and then others for what cannot have it."""
    yield name
    for number in count(1):
        ending = str(number)
        while len(name.encode()) + len(ending) > MAX_IDENTIFIER_BYTES:
            name = name[:-1]
        yield name + ending
