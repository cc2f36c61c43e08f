"""What a table is: columns with types and constraints. Immutable; a change of the schema makes new objects."""

from __future__ import annotations

from dataclasses import dataclass

from mynode.values.types import SqlType


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `not_null` is also set for the columns of the primary key."""

    name: str
    type: SqlType
    not_null: bool


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """`columns` are positions in the table's columns, in the order of the key."""

    name: str
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `id` is never used again after the table is dropped.

    Without a primary key rows have a hidden row id, which no statement can see.
    """

    id: int
    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None

    def position_of(self, column_name: str) -> int | None:
        """The position of the column with this name, if there is one."""
        for position, column in enumerate(self.columns):
            if column.name == column_name:
                return position
        return None
