"""Makes an inner join of a left one, or a left one of a full one, whose rows with made-up NULLs a WHERE throws away.

`t LEFT JOIN u ON ... WHERE u.b > 5` cannot give a row of `t` without a partner. An inner join may be reordered, and
conditions go down on both its sides.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from mynode.sql import plan
from mynode.sql.expressions import (
    And,
    Call,
    ColumnValue,
    Constant,
    Expression,
    InList,
    IsNull,
    IsTruth,
    Not,
    Or,
    PlanColumn,
    conjuncts,
)


def outer_to_inner(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Filter):
        return node
    below = _stronger(node.input, conjuncts(node.condition))
    return node if below is node.input else replace(node, input=below)


def _stronger(node: plan.QueryNode, conditions: tuple[Expression, ...]) -> plan.QueryNode:
    """The node, whose rows must pass the conditions, with stronger joins."""
    match node:
        case plan.Join(kind=plan.JoinKind.FULL) if _rejected(conditions, node.left):
            return _stronger(replace(node, kind=plan.JoinKind.LEFT), conditions)
        case plan.Join(kind=plan.JoinKind.LEFT) if _rejected(conditions, node.right):
            return _stronger(replace(node, kind=plan.JoinKind.INNER), conditions)
        case plan.Join(kind=plan.JoinKind.INNER):
            if node.condition is not None:
                conditions = (*conditions, *conjuncts(node.condition))
            left_side, right_side = _stronger(node.left, conditions), _stronger(node.right, conditions)
            is_same = left_side is node.left and right_side is node.right
            return node if is_same else replace(node, left=left_side, right=right_side)
        case plan.Join(kind=plan.JoinKind.LEFT | plan.JoinKind.SEMI | plan.JoinKind.ANTI):
            left_side = _stronger(node.left, conditions)
            return node if left_side is node.left else replace(node, left=left_side)
        case plan.Apply():
            source = _stronger(node.input, conditions)
            return node if source is node.input else replace(node, input=source)
    return node


def _rejected(conditions: tuple[Expression, ...], side: plan.QueryNode) -> bool:
    """Whether no row passes in which all columns of this side are NULL."""
    columns = frozenset(side.columns)
    return any(_never_true(condition, columns) for condition in conditions)


def _never_true(condition: Expression, columns: Set[PlanColumn]) -> bool:
    """Whether the condition is FALSE or NULL if all these columns are NULL; False also if that is not plain."""
    match condition:
        case And(operands):
            return any(_never_true(operand, columns) for operand in operands)
        case Or(operands):
            return all(_never_true(operand, columns) for operand in operands)
        case IsTruth(operand):
            return _is_null(operand, columns)
        case Not(IsNull(operand)):
            return _is_null(operand, columns)
    return _is_null(condition, columns)


def _is_null(expression: Expression, columns: Set[PlanColumn]) -> bool:
    """Whether the value is NULL if all these columns are; False also if that is not plain."""
    match expression:
        case Constant(value=value):
            return value is None
        case ColumnValue(column):
            return column in columns
        case Call(function, arguments):
            return function.strict and any(_is_null(argument, columns) for argument in arguments)
        case Not(operand) | InList(operand=operand):
            return _is_null(operand, columns)
        case And(operands) | Or(operands):
            return all(_is_null(operand, columns) for operand in operands)
    return False
