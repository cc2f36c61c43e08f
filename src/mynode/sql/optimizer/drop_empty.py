"""Leaves out what no row can come from: the rest of an inner join with an empty side, a branch of a UNION, LIMIT 0.

Nothing is read then; an aggregate over no rows is still computed.
"""

from __future__ import annotations

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, Constant, Expression, PlanColumn


def drop_empty(node: plan.QueryNode) -> plan.QueryNode:
    return plan.ValueRows((), node.columns) if _makes_none(node) else _without_empty(node)


def _is_empty(node: plan.QueryNode) -> bool:
    return isinstance(node, plan.ValueRows) and not node.rows


def _makes_none(node: plan.QueryNode) -> bool:
    """Whether there can be no rows, as far as the inputs show, which the rule has made empty where they are."""
    match node:
        case plan.Limit(limit=Constant(value=0), offset=None):
            return True
        case plan.Filter() | plan.Project() | plan.Sort() | plan.Limit() | plan.Distinct() | plan.Apply():
            return _is_empty(node.input)
        case plan.Aggregation():
            return bool(node.keys) and _is_empty(node.input)
        case plan.Join(kind=plan.JoinKind.INNER | plan.JoinKind.SEMI):
            return _is_empty(node.left) or _is_empty(node.right)
        case plan.Join(kind=plan.JoinKind.LEFT | plan.JoinKind.ANTI):
            return _is_empty(node.left)
        case plan.SetOperation(operator=plan.SetOperator.INTERSECT):
            return _is_empty(node.left) or _is_empty(node.right)
        case plan.SetOperation(operator=plan.SetOperator.EXCEPT):
            return _is_empty(node.left)
    return False


def _without_empty(node: plan.QueryNode) -> plan.QueryNode:
    """The node without an input that has no rows, if it is the same as the other one then."""
    match node:
        case plan.Join(kind=plan.JoinKind.ANTI) if _is_empty(node.right):
            return node.left
        case plan.Join(kind=plan.JoinKind.LEFT) if _is_empty(node.right):
            values: tuple[Expression, ...] = tuple(map(ColumnValue, node.left.columns))
            return plan.Project(node.left, (*values, *map(_null, node.right.columns)), node.columns)
        case plan.SetOperation(operator=plan.SetOperator.UNION) if _is_empty(node.left):
            return plan.Project(node.right, tuple(map(ColumnValue, node.right.columns)), node.columns)
        case plan.SetOperation(operator=plan.SetOperator.UNION) if _is_empty(node.right):
            return plan.Project(node.left, tuple(map(ColumnValue, node.left.columns)), node.columns)
    return node


def _null(column: PlanColumn) -> Constant:
    return Constant(None, column.type)
