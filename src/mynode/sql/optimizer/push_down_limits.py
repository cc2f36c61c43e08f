"""Tells what is below a LIMIT how few rows are wanted, where each row below makes at least one above.

So it is with projections and answers of sub-queries, with the left side of a left join, both sides of a product, and
the branches of UNION ALL, whose branches are then sorted each for itself if the whole is.
"""

from __future__ import annotations

from dataclasses import replace

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, Constant, Expression, substitute
from mynode.sql.optimizer.estimate import estimated_rows
from mynode.values.types import INTEGER


def push_down_limits(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Limit) or node.limit is None:
        return node
    below = node.input
    match below:
        case plan.Project() | plan.Apply():
            return replace(below, input=push_down_limits(replace(node, input=below.input)))
        case plan.Join() | plan.SetOperation() | plan.Sort():
            rows = _first_rows(node.limit, node.offset)
            return node if rows is None else replace(node, input=_with_limits(below, rows))
    return node


def _first_rows(limit: Expression, offset: Expression | None) -> Expression | None:
    """How many rows are wanted at most, counted from the first; None if it cannot be written."""
    if offset is None:
        return limit
    parts = [part.value for part in (limit, offset) if isinstance(part, Constant)]
    numbers = [part for part in parts if isinstance(part, int) and part >= 0]
    return Constant(sum(numbers), INTEGER) if len(numbers) == 2 else None


def _with_limits(node: plan.Join | plan.SetOperation | plan.Sort, rows: Expression) -> plan.QueryNode:
    match node:
        case plan.Join(kind=plan.JoinKind.LEFT):
            return replace(node, left=_limited(node.left, rows))
        case plan.Join(kind=plan.JoinKind.INNER, condition=None):
            return replace(node, left=_limited(node.left, rows), right=_limited(node.right, rows))
        case plan.SetOperation(operator=plan.SetOperator.UNION):
            return replace(node, left=_limited(node.left, rows), right=_limited(node.right, rows))
        case plan.Sort(input=plan.SetOperation(operator=plan.SetOperator.UNION) as union, first=None):
            left, right = (_limited(_sorted_like(node, union, side), rows) for side in (union.left, union.right))
            return replace(node, input=replace(union, left=left, right=right))
    return node


def _sorted_like(sort: plan.Sort, union: plan.SetOperation, side: plan.QueryNode) -> plan.Sort:
    """A branch in the order of the whole."""
    own = dict(zip(union.columns, side.columns, strict=True))

    def in_branch(expression: Expression) -> Expression | None:
        return ColumnValue(own[expression.column]) if isinstance(expression, ColumnValue) else None

    return plan.Sort(side, tuple(replace(key, value=substitute(key.value, in_branch)) for key in sort.keys))


def _limited(node: plan.QueryNode, rows: Expression) -> plan.QueryNode:
    few = rows.value if isinstance(rows, Constant) and isinstance(rows.value, int) else 1
    return node if estimated_rows(node) <= few else push_down_limits(plan.Limit(node, rows, None))
