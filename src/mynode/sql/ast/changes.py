"""Changes of rows: INSERT, UPDATE and DELETE."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mynode.sql.ast.expressions import Default, Expression, Identifier
from mynode.sql.ast.queries import CommonTable, NamedTable, Query, SelectItem, TableReference, Values


@dataclass(frozen=True, slots=True)
class DefaultValues:
    """`DEFAULT VALUES`: one row, each column its default."""

    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """`column = value` of an UPDATE."""

    column: Identifier
    value: Expression | Default


@dataclass(frozen=True, slots=True)
class RowAssignment:
    """`(columns) = (query)`: the values of the query's only row. (`(a, b) = (1, 2)` are two `Assignment`s.)"""

    columns: tuple[Identifier, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class ConflictUpdate:
    """`DO UPDATE SET assignments [WHERE where]`. The table `excluded` is the row that was to be inserted."""

    assignments: tuple[Assignment | RowAssignment, ...]
    where: Expression | None
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class OnConflict:
    """`ON CONFLICT [(columns) | ON CONSTRAINT constraint] DO NOTHING | DO UPDATE ...`.

    Attributes:
        columns: of the unique constraint that is meant. Without them and `constraint`: any; then DO NOTHING follows.
        update: None for DO NOTHING.
    """

    columns: tuple[Identifier, ...]
    constraint: Identifier | None
    update: ConflictUpdate | None
    position: int = field(compare=False)


class Overriding(Enum):
    """What becomes of values given for columns that count by themselves: they are taken, or passed over."""

    SYSTEM_VALUE = "SYSTEM VALUE"
    USER_VALUE = "USER VALUE"


@dataclass(frozen=True, slots=True)
class Insert:
    """`[WITH ...] INSERT INTO table [(columns)] [OVERRIDING ...] source [ON CONFLICT ...] [RETURNING returning]`.

    Attributes:
        columns: None when no list is given: all columns in their order.
        source: plain VALUES, or any other query, or DEFAULT VALUES.
    """

    table: NamedTable
    columns: tuple[Identifier, ...] | None
    overriding: Overriding | None
    source: Values | Query | DefaultValues
    on_conflict: OnConflict | None
    returning: tuple[SelectItem, ...]
    common_tables: tuple[CommonTable, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Update:
    """`[WITH common_tables] UPDATE table SET assignments [FROM sources] [WHERE where] [RETURNING returning]`."""

    table: NamedTable
    assignments: tuple[Assignment | RowAssignment, ...]
    sources: tuple[TableReference, ...]
    where: Expression | None
    returning: tuple[SelectItem, ...]
    common_tables: tuple[CommonTable, ...]
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """`[WITH common_tables] DELETE FROM table [USING sources] [WHERE where] [RETURNING returning]`."""

    table: NamedTable
    sources: tuple[TableReference, ...]
    where: Expression | None
    returning: tuple[SelectItem, ...]
    common_tables: tuple[CommonTable, ...]
    position: int = field(compare=False)
