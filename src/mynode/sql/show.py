"""SHOW COLUMNS and SHOW INDEXES: what a table's schema or a view's query says, as a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mynode.relation.schema import KeyColumn, Table
from mynode.sql import plan
from mynode.sql.expressions import Constant, PlanColumn
from mynode.sql.information_schema import index_columns
from mynode.sql.scope import ColumnIds
from mynode.values.types import BOOLEAN, INTEGER, TEXT, SqlType


def show_columns(table: Table, ids: ColumnIds) -> plan.Select:
    """A row a column of the table; `key_position` counts from 1 and is NULL outside of the primary key."""
    key = table.primary_key.columns if table.primary_key else ()
    return _described(
        [
            (column.name, column.type, not column.not_null, key.index(place) + 1 if place in key else None)
            for place, column in enumerate(table.columns)
        ],
        ids,
    )


def show_indexes(table: Table | None, ids: ColumnIds) -> plan.Select:
    """A row for the primary key and each index: its name, what it is besides an index, its columns, if it is used.

    None is a view, which has none.
    """
    described = () if table is None else _indexes(table)
    rows = tuple(
        (Constant(name, TEXT), Constant(kind, TEXT), Constant(columns, TEXT), Constant(is_ready, BOOLEAN))
        for name, kind, columns, is_ready in described
    )
    output = (
        ids.column("index_name", TEXT, nullable=False),
        ids.column("kind", TEXT, nullable=True),
        ids.column("columns", TEXT, nullable=False),
        ids.column("is_ready", BOOLEAN, nullable=False),
    )
    return plan.Select(plan.ValueRows(rows, output))


def _indexes(table: Table) -> Iterator[tuple[str, str | None, str, bool]]:
    if table.primary_key is not None:
        columns = map(KeyColumn, table.primary_key.columns)
        yield table.primary_key.name, "PRIMARY KEY", index_columns(table, columns), True
    for index in table.indexes:
        unique = "UNIQUE" if index.is_unique else None
        kind = "UNIQUE CONSTRAINT" if index.is_constraint else unique
        yield index.name, kind, index_columns(table, index.columns), index.is_ready


def show_view_columns(columns: Sequence[PlanColumn], ids: ColumnIds) -> plan.Select:
    """The same for a view."""
    return _described([(column.name, column.type, column.nullable, None) for column in columns], ids)


def _described(described: Iterable[tuple[str, SqlType, bool, int | None]], ids: ColumnIds) -> plan.Select:
    """A row for each name, type, whether it can be NULL, and place in the key."""
    rows = tuple(
        (Constant(name, TEXT), Constant(type_.name, TEXT), Constant(nullable, BOOLEAN), Constant(key_position, INTEGER))
        for name, type_, nullable, key_position in described
    )
    columns = (
        ids.column("column_name", TEXT, nullable=False),
        ids.column("data_type", TEXT, nullable=False),
        ids.column("is_nullable", BOOLEAN, nullable=False),
        ids.column("key_position", INTEGER, nullable=True),
    )
    return plan.Select(plan.ValueRows(rows, columns))
