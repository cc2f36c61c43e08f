"""Tests rows as early as it can be done: below joins, sorts, groups and derived tables, best at the scan itself.

A condition of a join that one side alone decides is tested on that side, where that changes nothing: not on the side
whose rows an outer join keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mynode.sql import plan
from mynode.sql.expressions import (
    ColumnValue,
    Expression,
    PlanColumn,
    columns_in,
    conjunction,
    conjuncts,
    is_volatile,
    substitute,
)


def push_down_filters(node: plan.QueryNode) -> plan.QueryNode:
    match node:
        case plan.Filter(input=below, condition=condition):
            return _sunk(below, conjuncts(condition))
        case plan.Join(condition=condition) if condition is not None:
            return _sunk_join(replace(node, condition=None), conjuncts(condition), ())
    return node


def _sunk(node: plan.QueryNode, conditions: Sequence[Expression]) -> plan.QueryNode:
    """The node with the conditions tested above it, or as far below its top as they can be."""
    moving = [one for one in conditions if not is_volatile(one)]
    staying = [one for one in conditions if is_volatile(one)]
    match node:
        case plan.Filter():
            return _sunk(node.input, (*conjuncts(node.condition), *conditions))
        case plan.Join():
            return _filtered(_sunk_join(node, (), moving), staying)
        case plan.Sort() | plan.Distinct():
            return _filtered(replace(node, input=_sunk(node.input, moving)), staying)
        case plan.Apply():
            above = [one for one in moving if node.column in columns_in(one)]
            below = [one for one in moving if node.column not in columns_in(one)]
            sunk = replace(node, input=_sunk(node.input, below)) if below else node
            return _filtered(sunk, (*above, *staying))
        case plan.Project():
            values = dict(zip(node.columns, node.values, strict=True))
            return _below(node, values, moving, staying)
        case plan.Aggregation() if node.keys:
            return _below(node, dict(zip(node.columns, node.keys, strict=False)), moving, staying)
    return _filtered(node, conditions)


def _below(
    node: plan.Project | plan.Aggregation,
    values: Mapping[PlanColumn, Expression],
    moving: Sequence[Expression],
    staying: list[Expression],
) -> plan.QueryNode:
    """Moves the conditions below the node that rest only on these columns of it."""

    def value_of(expression: Expression) -> Expression | None:
        return values[expression.column] if isinstance(expression, ColumnValue) else None

    sinking: list[Expression] = []
    for one in moving:
        changed = substitute(one, value_of) if columns_in(one) <= values.keys() else None
        if changed is None or is_volatile(changed):
            staying.append(one)
        else:
            sinking.append(changed)
    if not sinking:
        return _filtered(node, staying)
    return _filtered(replace(node, input=_sunk(node.input, sinking)), staying)


def _sunk_join(node: plan.Join, on: Sequence[Expression], above: Sequence[Expression]) -> plan.QueryNode:
    """The join with more conditions of its own (`on`) and some above it, each where it belongs."""
    is_inner = node.kind is plan.JoinKind.INNER
    if is_inner:
        on, above = (*on, *above), ()
    sides = (frozenset(node.left.columns), frozenset(node.right.columns))
    to_side: tuple[list[Expression], list[Expression]] = ([], [])
    staying: list[Expression] = []
    for one in on:
        used = columns_in(one)
        movable = not is_volatile(one)
        if movable and (is_inner or node.kind is plan.JoinKind.SEMI) and used <= sides[0]:
            to_side[0].append(one)
        elif movable and node.kind is not plan.JoinKind.FULL and used <= sides[1]:
            to_side[1].append(one)
        else:
            staying.append(one)
    remaining: list[Expression] = []
    for one in above:
        is_left = node.kind in (plan.JoinKind.LEFT, *plan.ONE_SIDED) and columns_in(one) <= sides[0]
        (to_side[0] if is_left else remaining).append(one)
    left, right = (
        _sunk(side, tuple(own)) if own else side for side, own in zip((node.left, node.right), to_side, strict=True)
    )
    condition = conjunction((*(conjuncts(node.condition) if node.condition is not None else ()), *staying))
    return _filtered(replace(node, left=left, right=right, condition=condition), remaining)


def _filtered(node: plan.QueryNode, conditions: Sequence[Expression]) -> plan.QueryNode:
    condition = conjunction(tuple(conditions))
    return node if condition is None else plan.Filter(node, condition)
