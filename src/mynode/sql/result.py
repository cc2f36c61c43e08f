"""What a statement answers besides its rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of a result: its name and its SQL type's name, as `INTEGER`."""

    name: str
    type_name: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A statement is done: PostgreSQL's command tag (`INSERT 0 1`), and the rows affected, -1 where none can be."""

    tag: str
    rows_affected: int
