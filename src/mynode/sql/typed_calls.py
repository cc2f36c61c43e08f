"""Calls of the operators and functions that fit the types of bound operands."""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.sql_errors import DatatypeMismatchError, SqlSyntaxError
from mynode.sql.coercion import coerce, common_type
from mynode.sql.expressions import Call, Expression, ParameterValue
from mynode.sql.functions.function import Function
from mynode.sql.functions.registry import resolve_function, resolve_operator
from mynode.sql.parameters import ParameterTypes
from mynode.values.casts import CastLevel
from mynode.values.types import ANY, TEXT, UNKNOWN, SqlType


class TypedCalls:
    """Makes the calls of one statement; what has no type yet, and the parameters, get those that the calls want.

    The positions are those that errors point at, 0 being none. All raise `UndefinedFunctionError`,
    `AmbiguousFunctionError` or `DatatypeMismatchError`.
    """

    __slots__ = ("_parameters",)

    def __init__(self, parameters: ParameterTypes) -> None:
        self._parameters = parameters

    def operator(self, symbol: str, operands: Sequence[Expression], positions: Sequence[int], position: int) -> Call:
        """One or two operands with an operator."""
        types = [operand.type for operand in operands]
        function = resolve_operator(symbol, types, position, untyped_parameter=_has_untyped_parameter(operands))
        return self.applied(function, operands, positions)

    def function(self, name: str, arguments: Sequence[Expression], positions: Sequence[int], position: int) -> Call:
        types = [argument.type for argument in arguments]
        function = resolve_function(name, types, position, untyped_parameter=_has_untyped_parameter(arguments))
        return self.applied(function, arguments, positions)

    def applied(self, function: Function, operands: Sequence[Expression], positions: Sequence[int]) -> Call:
        """A call of a function that takes the operands; fewer positions than operands are enough."""
        padded = [*positions, *[0] * (len(operands) - len(positions))]
        parameters = function.parameters_for(len(operands))
        return Call(
            function,
            tuple(
                self.coerced(operand, wanted, CastLevel.IMPLICIT, position)
                for operand, wanted, position in zip(operands, parameters, padded, strict=True)
            ),
        )

    def compared(
        self, symbol: str, left: Expression, right: Expression, position: int
    ) -> tuple[Expression, Expression, Function]:
        """Both sides as a comparison takes them, and the comparison."""
        function = resolve_operator(symbol, [left.type, right.type], position)
        sides = [
            self.coerced(side, wanted, CastLevel.IMPLICIT, position)
            for side, wanted in zip((left, right), function.parameters, strict=True)
        ]
        return sides[0], sides[1], function

    def comparison(self, symbol: str, left: Expression, right: Expression, position: int) -> Call:
        left, right, function = self.compared(symbol, left, right, position)
        return Call(function, (left, right))

    def same_type(
        self, operands: Sequence[Expression], positions: Sequence[int], construct: str, position: int
    ) -> tuple[tuple[Expression, ...], SqlType]:
        """The operands as what is the common type of all of them. `construct`: what errors call it (as "CASE")."""
        if not operands:
            raise SqlSyntaxError(f"{construct} takes at least one argument", position=position)
        common = common_type(operands, construct, position)
        return tuple(
            self.coerced(operand, common, CastLevel.IMPLICIT, place)
            for operand, place in zip(operands, positions, strict=True)
        ), common

    def coerced(self, expression: Expression, wanted: SqlType, level: CastLevel, position: int) -> Expression:
        """A cast that the choice of a function has made sure of, except that a parameter may have another type."""
        if wanted is ANY:
            wanted = TEXT if expression.type is UNKNOWN else expression.type
        found = coerce(expression, wanted, level, self._parameters, position)
        if found is None:
            number = expression.number if isinstance(expression, ParameterValue) else 0
            raise DatatypeMismatchError(
                f"inconsistent types deduced for parameter ${number}", position=position or None
            )
        return found


def _has_untyped_parameter(expressions: Sequence[Expression]) -> bool:
    return any(isinstance(one, ParameterValue) and one.type is UNKNOWN for one in expressions)
