"""How an expression of one type becomes one of another: at once for constants, by a cast for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.sql_errors import DatatypeMismatchError, SqlError
from mynode.sql.expressions import Call, Constant, Expression, ParameterValue
from mynode.sql.functions.conversions import cast_function, restricting_function
from mynode.sql.functions.function import Function
from mynode.sql.parameters import ParameterTypes
from mynode.values.casts import CastLevel, find_cast
from mynode.values.text import parse_text
from mynode.values.types import TEXT, UNKNOWN, SqlType


def coerce(
    expression: Expression, target: SqlType, level: CastLevel, parameters: ParameterTypes, position: int
) -> Expression | None:
    """The expression as one of type `target`, its modifiers applied; None if no cast that `level` allows leads there.

    An unknown parameter gets the type. Raises the `SqlError` of a constant that cannot be converted.
    """
    try:
        converted = _converted(expression, target.base, level, parameters)
        restrict = restricting_function(target, explicit=level is CastLevel.EXPLICIT)
        return converted if converted is None or restrict is None else _applied(restrict, converted)
    except SqlError as error:
        error.position = error.position or position
        raise


def _converted(
    expression: Expression, target: SqlType, level: CastLevel, parameters: ParameterTypes
) -> Expression | None:
    if expression.type is UNKNOWN and isinstance(expression, ParameterValue):
        expression = ParameterValue(expression.number, parameters.infer(expression.number, target))
    if expression.type is target:
        return expression
    if isinstance(expression, Constant) and expression.type is UNKNOWN and expression.value is not None:
        return Constant(parse_text(str(expression.value), target), target)
    if isinstance(expression, Constant) and expression.value is None:
        return Constant(None, target)
    cast = find_cast(expression.type, target, level)
    return None if cast is None else _applied(cast_function(cast), expression)


def _applied(function: Function, expression: Expression) -> Expression:
    """The call, at once if it is of a constant."""
    if not isinstance(expression, Constant):
        return Call(function, (expression,))
    value = expression.value
    return Constant(None if value is None else function.implementation(value), function.result)


def common_type(expressions: Sequence[Expression], construct: str, position: int) -> SqlType:
    """The type that all the expressions have or are implicitly cast to; TEXT if none says one.

    Raises `DatatypeMismatchError`, naming the `construct` (as "CASE").
    """
    common = UNKNOWN
    for found in (expression.type for expression in expressions):
        if common is UNKNOWN or (not common.preferred and _is_wider(found, common)):
            common = found
        elif found not in (common, UNKNOWN) and not _is_wider(common, found):
            raise DatatypeMismatchError(f"{construct} types {common} and {found} cannot be matched", position=position)
    return TEXT if common is UNKNOWN else common


def _is_wider(wide: SqlType, narrow: SqlType) -> bool:
    return find_cast(narrow, wide, CastLevel.IMPLICIT) is not None
