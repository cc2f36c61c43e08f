"""How an expression of one type becomes one of another: at once for constants, by a cast for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.errors import DatatypeMismatchError, SqlError
from mynode.sql.expressions import Call, Constant, Expression, ParameterValue
from mynode.sql.functions.conversions import cast_function
from mynode.sql.parameters import ParameterTypes
from mynode.values.casts import CastLevel, find_cast
from mynode.values.text import parse_text
from mynode.values.types import FLOAT, INTEGER, TEXT, UNKNOWN, SqlType


def coerce(
    expression: Expression, target: SqlType, level: CastLevel, parameters: ParameterTypes, position: int
) -> Expression | None:
    """The expression as one of type `target`; None if no cast that `level` allows leads there.

    An unknown parameter gets the type. Raises the `SqlError` of a constant that cannot be converted.
    """
    if expression.type is UNKNOWN and isinstance(expression, ParameterValue):
        expression = ParameterValue(expression.number, parameters.infer(expression.number, target))
    if expression.type is target:
        return expression
    try:
        if isinstance(expression, Constant) and expression.value is None:
            return Constant(None, target)
        if isinstance(expression, Constant) and expression.type is UNKNOWN:
            return Constant(parse_text(str(expression.value), target), target)
        cast = find_cast(expression.type, target, level)
        if cast is None:
            return None
        if isinstance(expression, Constant):
            return Constant(cast.convert(expression.value), target)
    except SqlError as error:
        error.position = error.position or position
        raise
    return Call(cast_function(cast), (expression,))


def common_type(expressions: Sequence[Expression], construct: str, position: int) -> SqlType:
    """The type that all the expressions have or are implicitly cast to; TEXT if none says one.

    Raises `DatatypeMismatchError`, naming the `construct` (as "CASE").
    """
    common = UNKNOWN
    for expression in expressions:
        found = expression.type
        if common is UNKNOWN or (common is INTEGER and found is FLOAT):
            common = found
        elif found not in (common, UNKNOWN) and not (common is FLOAT and found is INTEGER):
            raise DatatypeMismatchError(f"{construct} types {common} and {found} cannot be matched", position=position)
    return TEXT if common is UNKNOWN else common
