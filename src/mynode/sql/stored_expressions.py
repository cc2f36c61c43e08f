"""Expressions that the schema keeps as SQL text: what they mean when a plan is made with them.

They were bound once when the schema took them in, so an error here is of a statement about the schema; its position is
in that statement. When a plan is made with them they have no place in the statement that is planned.
"""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.sql_errors import SqlError
from mynode.relation.schema import Column, Table
from mynode.sql import ast, plan
from mynode.sql.binder import Binder
from mynode.sql.expressions import Call, Constant, Expression, PlanColumn
from mynode.sql.functions.system import next_number
from mynode.sql.parameters import ParameterTypes
from mynode.sql.parser import parse_stored_expression
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.values.types import SqlType


def bind_default(node: ast.Expression, type_: SqlType, column_name: str, ids: ColumnIds) -> Expression:
    """A DEFAULT as a value for its column. Raises the `SqlError` of what is wrong with it."""
    return Binder(Scope(), ParameterTypes({}), ids, "DEFAULT expressions").assigned(node, type_, column_name)


def default_of(column: Column, ids: ColumnIds) -> Expression:
    """What a row gets in the column if no value is given."""
    if column.identity is not None:
        return Call(next_number(column.counter), ())
    if column.default is None:
        return Constant(None, column.type.base)
    try:
        return bind_default(parse_stored_expression(column.default), column.type, column.name, ids)
    except SqlError as error:
        error.position = None
        raise


def bind_check(node: ast.Expression, table_name: str, columns: Sequence[PlanColumn], ids: ColumnIds) -> Expression:
    """The condition of a CHECK over the table's columns. Raises the `SqlError` of what is wrong with it."""
    scope = Scope((Source(table_name, tuple(columns)),))
    return Binder(scope, ParameterTypes({}), ids, "check constraints").condition(node, "CHECK")


def row_rules(table: Table, ids: ColumnIds) -> plan.RowRules:
    """What new rows of the table must be."""
    columns = ids.of_table(table, table.name)
    checks: list[plan.CheckRule] = []
    for check in sorted(table.checks, key=lambda check: check.name):
        try:
            condition = bind_check(parse_stored_expression(check.condition), table.name, columns, ids)
        except SqlError as error:
            error.position = None
            raise
        checks.append(plan.CheckRule(check.name, condition))
    return plan.RowRules(table, columns, tuple(checks))
