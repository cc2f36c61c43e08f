"""What the expressions of a SELECT with groups become above its aggregation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mynode.base.sql_errors import GroupingError
from mynode.sql.binder import Binder
from mynode.sql.expressions import (
    AggregateCall,
    ColumnValue,
    Expression,
    columns_in,
    is_nullable,
    substitute,
    walk,
)
from mynode.sql.plan_parts import outer_columns
from mynode.sql.scope import ColumnIds
from mynode.sql.subqueries import Pending


def aggregate_calls(expressions: Iterable[Expression]) -> tuple[AggregateCall, ...]:
    """The different aggregates in the expressions, in the order of their first use."""
    calls = (node for expression in expressions for node in walk(expression) if isinstance(node, AggregateCall))
    return tuple(dict.fromkeys(calls))


class Grouping:
    """The columns of an aggregation, and the way to them.

    A key that is a column stays this column; another key and each aggregate becomes a new one, except that sub-queries
    may have named an aggregate's column already.

    Attributes:
        columns: of the aggregation.
    """

    __slots__ = ("_bare_columns", "_known", "_values", "columns")

    def __init__(
        self,
        keys: Sequence[Expression],
        calls: Sequence[AggregateCall],
        ids: ColumnIds,
        binder: Binder,
    ) -> None:
        self._bare_columns = binder.bare_columns
        key_columns = [
            key.column if isinstance(key, ColumnValue) else ids.column("?column?", key.type, nullable=is_nullable(key))
            for key in keys
        ]
        results = [
            binder.outer_calls.get(call) or ids.column(call.aggregate.name, call.type, nullable=call.aggregate.nullable)
            for call in calls
        ]
        self.columns = (*key_columns, *results)
        self._known = frozenset(self.columns)
        self._values = {value: ColumnValue(column) for value, column in zip((*keys, *calls), self.columns, strict=True)}

    def of_group(self, expression: Expression) -> Expression:
        """The expression over a row of the aggregation. Raises `GroupingError` if it is not the group's alone."""
        found = substitute(expression, self._values.get)
        strange = columns_in(found) - self._known
        for column, position in self._bare_columns:
            if column in strange:
                raise GroupingError(
                    f'column "{column.source}.{column.name}" must appear in the GROUP BY clause '
                    "or be used in an aggregate function",
                    position=position,
                )
        return found

    def of_subquery(self, pending: Pending) -> Pending:
        """The sub-query for a row of the aggregation. Raises `GroupingError`."""
        strange = outer_columns(pending.subquery) - self._known
        for column, position in self._bare_columns:
            if column in strange:
                raise GroupingError(
                    f'subquery uses ungrouped column "{column.source}.{column.name}" from outer query',
                    position=position,
                )
        return pending.with_operands(self.of_group)
