"""The predicates that SQL writes in words, from their bound operands."""

from __future__ import annotations

from collections.abc import Sequence

from mynode.base.sql_errors import UndefinedFunctionError
from mynode.sql import ast
from mynode.sql.expressions import And, Call, Constant, Expression, InList, IsDistinct, Not, Or
from mynode.sql.functions.registry import resolve_function
from mynode.sql.typed_calls import TypedCalls
from mynode.values.types import BPCHAR, TEXT, UNKNOWN, WITH_NAN


def negated(expression: Expression, is_negated: bool) -> Expression:
    return Not(expression) if is_negated else expression


def is_distinct(calls: TypedCalls, left: Expression, right: Expression, position: int) -> Expression:
    """`left IS DISTINCT FROM right`."""
    return IsDistinct(*calls.compared("=", left, right, position))


def between(calls: TypedCalls, node: ast.Between, operand: Expression, low: Expression, high: Expression) -> Expression:
    """`low <= operand AND operand <= high`; as in PostgreSQL the operand is evaluated for each."""

    def within(low: Expression, high: Expression) -> Expression:
        bounds = ((">=", low), ("<=", high))
        return And(tuple(calls.comparison(symbol, operand, bound, node.position) for symbol, bound in bounds))

    test = Or((within(low, high), within(high, low))) if node.symmetric else within(low, high)
    return negated(test, node.negated)


def in_list(calls: TypedCalls, node: ast.InList, operand: Expression, items: Sequence[Expression]) -> Expression:
    """Membership by Python's equality where that is SQL's, else one comparison an item."""
    compared = [
        calls.compared("=", operand, item, source.position) for item, source in zip(items, node.items, strict=True)
    ]
    common, right_sides = compared[0][0].type, tuple(right for _, right, _ in compared)
    as_python = common not in WITH_NAN or all(
        isinstance(one, Constant) and one.value == one.value for one in right_sides
    )
    if as_python and all(left.type is common for left, _, _ in compared):
        test: Expression = InList(compared[0][0], right_sides)
    else:
        tests = tuple(Call(equal, (left, right)) for left, right, equal in compared)
        test = Or(tests) if len(tests) > 1 else tests[0]
    return negated(test, node.negated)


def like(calls: TypedCalls, node: ast.Like, parts: Sequence[Expression], positions: Sequence[int]) -> Expression:
    """LIKE or ILIKE of the operand, the pattern and the escape character, if that is said."""
    escape = [Constant("\\", TEXT)] if node.escape is None else []
    name, symbol = ("ilike", "~~*") if node.case_insensitive else ("like", "~~")
    if any(part.type not in (TEXT, BPCHAR, UNKNOWN) for part in parts):
        raise UndefinedFunctionError(
            f"operator does not exist: {parts[0].type} {symbol} {parts[1].type}", position=node.position
        )
    function = resolve_function(name, [TEXT, TEXT, TEXT], node.position)
    return negated(calls.applied(function, [*parts, *escape], positions), node.negated)
