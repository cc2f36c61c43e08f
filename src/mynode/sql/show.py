"""SHOW COLUMNS: what a table's schema or a view's query says, as a query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mynode.relation.schema import Table
from mynode.sql import plan
from mynode.sql.expressions import Constant, PlanColumn
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
