"""EXECUTE: the values that it gives the parameters of a prepared statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mynode.base.sql_errors import DatatypeMismatchError, SqlSyntaxError
from mynode.sql import ast
from mynode.sql.binder import Binder
from mynode.sql.coercion import coerce
from mynode.sql.compiler import Compiler
from mynode.sql.executor.context import ExecutionContext
from mynode.sql.expressions import Expression
from mynode.sql.names import resolve_type
from mynode.sql.parameters import ParameterTypes, ValueTypes, check_count, converter
from mynode.sql.scope import ColumnIds, Scope
from mynode.values.casts import CastLevel
from mynode.values.types import TEXT, UNKNOWN, Row, SqlType


def declared_types(statement: ast.Prepare) -> dict[int, SqlType]:
    """The types that PREPARE gives, by parameter number."""
    return {number: resolve_type(name).base for number, name in enumerate(statement.types, 1)}


def called_with(
    call: ast.Execute, types: Sequence[SqlType], value_types: ValueTypes
) -> Callable[[ExecutionContext], Row]:
    """A function that computes the arguments as values of the parameters' types.

    Args:
        value_types: of the parameters that EXECUTE itself has.

    Raises `SqlSyntaxError` (their number), `DatatypeMismatchError`, or what binding them raises.
    """
    if len(call.arguments) != len(types):
        raise SqlSyntaxError(
            f'wrong number of parameters for prepared statement "{call.name}"',
            position=call.position,
            detail=f"Expected {len(types)} parameters but got {len(call.arguments)}.",
        )
    own = ParameterTypes({})
    binder = Binder(Scope(), own, ColumnIds(), "EXECUTE parameters")
    values = [
        _argument(binder, own, argument, TEXT if type_ is UNKNOWN else type_, number)
        for number, (argument, type_) in enumerate(zip(call.arguments, types, strict=True), 1)
    ]
    check_count(len(own.types()), len(value_types))
    convert, compute = converter(own.types(), value_types), Compiler().values(values)

    def arguments(context: ExecutionContext) -> Row:
        context.parameters = convert(context.parameters)
        return compute(context)

    return arguments


def _argument(
    binder: Binder, parameters: ParameterTypes, node: ast.Expression, type_: SqlType, number: int
) -> Expression:
    bound = binder.bind(node)
    coerced = coerce(bound, type_, CastLevel.ASSIGNMENT, parameters, node.position)
    if coerced is None:
        raise DatatypeMismatchError(
            f"parameter ${number} of type {bound.type} cannot be coerced to the expected type {type_}",
            position=node.position,
            hint="You will need to rewrite or cast the expression.",
        )
    return coerced
