"""Expressions that the schema keeps as SQL text: what they mean when a plan is made with them.

They were bound once when the schema took them in, so an error here is of a statement about the schema; its position is
in that statement. When a plan is made with them they have no place in the statement that is planned.
"""

from __future__ import annotations

from mynode.base.errors import SqlError
from mynode.relation.schema import Column
from mynode.sql import ast
from mynode.sql.binder import Binder
from mynode.sql.expressions import Constant, Expression
from mynode.sql.parameters import ParameterTypes
from mynode.sql.parser import parse_stored_expression
from mynode.sql.scope import ColumnIds, Scope
from mynode.values.types import SqlType


def bind_default(node: ast.Expression, type_: SqlType, column_name: str, ids: ColumnIds) -> Expression:
    """A DEFAULT as a value for its column. Raises the `SqlError` of what is wrong with it."""
    return Binder(Scope(), ParameterTypes({}), ids, "DEFAULT expressions").assigned(node, type_, column_name)


def default_of(column: Column, ids: ColumnIds) -> Expression:
    """What a row gets in the column if no value is given."""
    if column.default is None:
        return Constant(None, column.type)
    try:
        return bind_default(parse_stored_expression(column.default), column.type, column.name, ids)
    except SqlError as error:
        error.position = None
        raise
