"""What a row must be by itself: NOT NULL and CHECK."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from mynode.base.sql_errors import CheckViolationError, NotNullViolationError
from mynode.relation.schema import Table
from mynode.sql import plan
from mynode.sql.compiler import Compiler, RowsFunction
from mynode.sql.executor.context import ExecutionContext
from mynode.sql.expressions import IsTruth, Or
from mynode.values.text import format_text
from mynode.values.types import Row, Value

RowCheck: TypeAlias = Callable[[Sequence[Row], ExecutionContext], None]
"""Takes rows that begin with a table's columns. Raises `NotNullViolationError`, `CheckViolationError`, or what else a
condition raises."""


def row_check(rules: plan.RowRules) -> RowCheck:
    """The check of new rows of the rules' table."""
    table = rules.table
    places = [place for place, column in enumerate(table.columns) if column.not_null]
    if not rules.checks:

        def check_nulls(rows: Sequence[Row], _: ExecutionContext) -> None:
            for row in rows:
                for place in places:
                    if row[place] is None:
                        raise _null_found(table, row, place)

        return check_nulls
    return _with_conditions(rules, places)


def _with_conditions(rules: plan.RowRules, places: Sequence[int]) -> RowCheck:
    table = rules.table
    are_false = [IsTruth(check.condition, False) for check in rules.checks]
    failing = Compiler(rules.columns).rows(are_false[0] if len(are_false) == 1 else Or(tuple(are_false)), None)
    each: list[tuple[str, RowsFunction]] = [
        (check.name, Compiler(rules.columns).rows(is_false, None))
        for check, is_false in zip(rules.checks, are_false, strict=True)
    ]

    def check(rows: Sequence[Row], context: ExecutionContext) -> None:
        for row in rows:
            for place in places:
                if row[place] is None:
                    raise _null_found(table, row, place)
        failed = failing(rows, context)
        if failed:
            first = failed[0]
            name = next(name for name, test in each if test([first], context))
            raise CheckViolationError(
                f'new row for relation "{table.name}" violates check constraint "{name}"',
                detail=failing_row(table, first),
            )

    return check


def failing_row(table: Table, row: Row) -> str:
    """The detail of an error that a row causes."""
    return f"Failing row contains ({', '.join(map(_shown, row[: len(table.columns)]))})."


def _null_found(table: Table, row: Row, place: int) -> NotNullViolationError:
    return NotNullViolationError(
        f'null value in column "{table.columns[place].name}" of relation "{table.name}" violates not-null constraint',
        detail=failing_row(table, row),
    )


def _shown(value: Value) -> str:
    return "null" if value is None else format_text(value)
