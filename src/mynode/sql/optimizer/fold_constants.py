"""Computes at once what depends on nothing: `1 + 1` becomes `2`.

A filter that is always TRUE goes; one that never is leaves no rows, and nothing is read for it. A part that fails
(`1 / 0`) stays as it is, and fails only if it is reached: `CASE WHEN false THEN 1 / 0 END` is NULL.
"""

from __future__ import annotations

from mynode.base.sql_errors import SqlError
from mynode.sql import plan
from mynode.sql.expressions import And, Call, Constant, Expression, Not, Or, rewrite
from mynode.sql.optimizer.rewriting import change_expressions
from mynode.values.types import BOOLEAN


def fold_constants(node: plan.QueryNode) -> plan.QueryNode:
    changed = change_expressions(node, folded)
    if isinstance(changed, plan.Filter) and isinstance(changed.condition, Constant):
        return changed.input if changed.condition.value is True else plan.ValueRows((), changed.columns)
    return changed


def folded(expression: Expression) -> Expression:
    """The expression with its constant parts computed."""
    return expression if isinstance(expression, Constant) else rewrite(expression, _fold)


def _fold(expression: Expression) -> Expression | None:
    match expression:
        case Call():
            return _folded_call(expression)
        case Not(Constant(value=value)):
            return Constant(None if value is None else not value, BOOLEAN)
        case And(operands) | Or(operands):
            return _folded_logical(expression, operands)
    return None


def _folded_call(call: Call) -> Expression | None:
    function = call.function
    values = [argument.value for argument in call.arguments if isinstance(argument, Constant)]
    if function.strict and None in values:
        return Constant(None, call.type)
    if function.takes_context or len(values) < len(call.arguments):
        return None
    try:
        return Constant(function.implementation(*values), call.type)
    except SqlError:
        return None


def _folded_logical(expression: And | Or, operands: tuple[Expression, ...]) -> Expression | None:
    """TRUE changes nothing in AND and decides OR, FALSE the other way round; what decides hides errors of the rest."""
    decisive = isinstance(expression, Or)
    if any(operand == Constant(decisive, BOOLEAN) for operand in operands):
        return Constant(decisive, BOOLEAN)
    left = tuple(operand for operand in operands if operand != Constant(not decisive, BOOLEAN))
    if not left:
        return Constant(not decisive, BOOLEAN)
    if len(left) == 1:
        return left[0]
    return None if len(left) == len(operands) else type(expression)(left)
