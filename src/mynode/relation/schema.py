"""What a table is: columns with types and constraints. Immutable; a change of the schema makes new objects.

Expressions are kept as SQL text and bound again by whoever plans with them. What lies in the same table is named by its
position among the columns, what lies in another table by its name; a view keeps what the names in its text mean.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import Enum

from mynode.values.types import SqlType, Value


class Identity(Enum):
    """Whether an INSERT may give a column that counts by itself a value: no, or yes."""

    ALWAYS = "ALWAYS"
    BY_DEFAULT = "BY DEFAULT"


class ReferentialAction(Enum):
    """What becomes of the rows that refer to one that is deleted or gets another key."""

    NO_ACTION = "NO ACTION"
    RESTRICT = "RESTRICT"
    CASCADE = "CASCADE"
    SET_NULL = "SET NULL"
    SET_DEFAULT = "SET DEFAULT"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        not_null: also set for the columns of the primary key and for those that count by themselves.
        slot: the place of its value in a row's record; no other column of the table has or gets it.
        default: SQL text of the expression that a row gets where none is given; None is NULL.
        identity: for a column that counts by itself where no value is given.
        counter: of such a column, where it counts, see `counters`; 0 while the catalog does not know the table.
        missing: its value in rows written before the column was added, whose records are too short to have it.
    """

    name: str
    type: SqlType
    not_null: bool
    slot: int
    default: str | None = None
    identity: Identity | None = None
    counter: int = 0
    missing: Value = None


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """`columns` are positions in the table's columns, in the order of the key."""

    name: str
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column, by its position in the table, of an order in which rows can be read."""

    position: int
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """An index: an entry for each row, in the order of the columns.

    Attributes:
        id: says, with the table's id, where the entries lie; never used again after the index is dropped.
        is_unique: no two rows have the same values, unless one of them is NULL.
        is_constraint: it is there for a UNIQUE constraint, which has its name.
        is_ready: False while it is built: every change of a row maintains it, and nothing reads it yet.
    """

    id: int
    name: str
    columns: tuple[KeyColumn, ...]
    is_unique: bool = False
    is_constraint: bool = False
    is_ready: bool = True

    def has_column(self, position: int) -> bool:
        """Whether the table's column at this position is one of the index."""
        return any(column.position == position for column in self.columns)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that must not be FALSE for any row, as SQL text over the table's columns."""

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """The values of `columns` (positions), unless one is NULL, are those of a row of `table` in `referenced` (names).

    The referenced columns are those of the other table's primary key or of a unique index, in any order.

    Attributes:
        match_full: of several columns all are NULL or none.
    """

    name: str
    columns: tuple[int, ...]
    table: str
    referenced: tuple[str, ...]
    on_delete: ReferentialAction = ReferentialAction.NO_ACTION
    on_update: ReferentialAction = ReferentialAction.NO_ACTION
    match_full: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `id` says where the rows lie and is never used again after the table is dropped.

    Without a primary key rows have a hidden row id, which no statement can see.

    Attributes:
        slots: how many slots have been given out, those of dropped columns too: the length of a new record.
        shortest_record: how many slots the record of any row has at least.
        referenced_by: names of the tables whose foreign keys lead here, in code-point order; can be its own.
        indexes: in the order of their creation, those of UNIQUE constraints too.

    Invariants: columns have different names, and different slots below `slots`.
    """

    id: int
    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey | None
    slots: int
    shortest_record: int
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    referenced_by: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()

    def position_of(self, column_name: str) -> int | None:
        """The position of the column with this name, if there is one."""
        for position, column in enumerate(self.columns):
            if column.name == column_name:
                return position
        return None

    def constraint_names(self) -> Iterator[str]:
        """The names of all constraints, which differ."""
        if self.primary_key is not None:
            yield self.primary_key.name
        yield from (index.name for index in self.indexes if index.is_constraint)
        yield from (check.name for check in self.checks)
        yield from (foreign_key.name for foreign_key in self.foreign_keys)

    def index(self, name: str) -> Index | None:
        """The index of this name, if it is one of the table's."""
        return next((index for index in self.indexes if index.name == name), None)


@dataclass(frozen=True, slots=True)
class ViewColumn:
    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class ViewUse:
    """A table or view that a view's query names, as it was when the view was made.

    Attributes:
        written: its name in the query's text.
        name: its name now.
        columns: its columns by the names that the text has for them, with their slots, or places in a view. The query
            sees no others, whatever the table gets later or calls them.
    """

    written: str
    name: str
    columns: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class View:
    """A query under a name, which it shares a namespace for with tables.

    Attributes:
        query: SQL text, in which `uses` says what the names of tables and columns mean.
        uses: the tables and views that the query itself names, by `written` in code-point order.
    """

    name: str
    columns: tuple[ViewColumn, ...]
    query: str
    uses: tuple[ViewUse, ...]

    def uses_any(self, names: Container[str]) -> bool:
        """Whether the query itself names a table or view that has one of these names now."""
        return any(use.name in names for use in self.uses)


NO_ID = 0
"""The id of a table or index that the catalog does not know yet."""


def new_table(name: str, columns: tuple[Column, ...], primary_key: PrimaryKey | None) -> Table:
    """A table that is still to be created, without further constraints; its columns' slots are their positions."""
    return Table(NO_ID, name, columns, primary_key, slots=len(columns), shortest_record=len(columns))
