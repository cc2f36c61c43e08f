"""SHOW COLUMNS: what a table's schema says, as a query."""

from __future__ import annotations

from mynode.relation.schema import Table
from mynode.sql import plan
from mynode.sql.expressions import Constant, Expression
from mynode.sql.scope import ColumnIds
from mynode.values.types import BOOLEAN, INTEGER, TEXT


def show_columns(table: Table, ids: ColumnIds) -> plan.Select:
    """A row a column of the table; `key_position` counts from 1 and is NULL outside of the primary key."""
    key = table.primary_key.columns if table.primary_key else ()
    rows: list[tuple[Expression, ...]] = []
    for place, column in enumerate(table.columns):
        key_position = key.index(place) + 1 if place in key else None
        rows.append(
            (
                Constant(column.name, TEXT),
                Constant(column.type.name, TEXT),
                Constant(not column.not_null, BOOLEAN),
                Constant(key_position, INTEGER),
            )
        )
    columns = (
        ids.column("column_name", TEXT, nullable=False),
        ids.column("data_type", TEXT, nullable=False),
        ids.column("is_nullable", BOOLEAN, nullable=False),
        ids.column("key_position", INTEGER, nullable=True),
    )
    return plan.Select(plan.ValueRows(tuple(rows), columns))
