"""What the rules about sub-queries share: how a sub-query becomes one that uses nothing of the rows it is asked for."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TypeAlias

from mynode.sql import plan
from mynode.sql.expressions import (
    ColumnValue,
    Expression,
    OuterValue,
    PlanColumn,
    columns_of,
    conjunction,
    conjuncts,
    substitute,
    walk,
)
from mynode.sql.plan_parts import outer_columns

Uncorrelated: TypeAlias = tuple[plan.QueryNode, list[Expression]]


def uses(expression: Expression, outer: Set[PlanColumn]) -> bool:
    """Whether the expression has one of the columns as an `OuterValue`."""
    return any(isinstance(node, OuterValue) and node.column in outer for node in walk(expression))


def as_inner(expression: Expression, outer: Set[PlanColumn]) -> Expression:
    """The expression for a place that has these outer columns beside its own."""

    def change(node: Expression) -> Expression | None:
        return ColumnValue(node.column) if isinstance(node, OuterValue) and node.column in outer else None

    return substitute(expression, change)


def uncorrelated(node: plan.QueryNode, outer: Set[PlanColumn], *, only_whether: bool) -> Uncorrelated | None:
    """The plan without its use of some outer columns, and the conditions between its rows and the outer ones instead.

    Args:
        only_whether: only whether there are rows is asked, not how many, nor in which order.

    Returns: None if it cannot be done.
    """
    if not outer_columns(node) & outer:
        return node, []
    match node:
        case plan.Filter():
            return _filter(node, outer, only_whether)
        case plan.Project():
            return _project(node, outer, only_whether)
        case plan.Join():
            return _join(node, outer, only_whether)
        case plan.Apply(input=source, subquery=subquery, question=question):
            is_free = not outer_columns(subquery) & outer
            compared = question.operands if isinstance(question, plan.AnyMatch) else ()
            if is_free and not any(uses(one, outer) for one in compared):
                below = uncorrelated(source, outer, only_whether=only_whether)
                return below and (replace(node, input=below[0]), below[1])
        case plan.Distinct() | plan.Sort(first=None) if only_whether:
            return uncorrelated(node.input, outer, only_whether=True)
    return None


def _parted(condition: Expression | None, outer: Set[PlanColumn]) -> tuple[Expression | None, list[Expression]]:
    """What can stay of a condition, and what cannot, made for the new place."""
    parts = () if condition is None else conjuncts(condition)
    staying = tuple(one for one in parts if not uses(one, outer))
    return conjunction(staying), [as_inner(one, outer) for one in parts if uses(one, outer)]


def _filter(node: plan.Filter, outer: Set[PlanColumn], only_whether: bool) -> Uncorrelated | None:
    below = uncorrelated(node.input, outer, only_whether=only_whether)
    if below is None:
        return None
    staying, moving = _parted(node.condition, outer)
    return (below[0] if staying is None else plan.Filter(below[0], staying)), [*below[1], *moving]


def _project(node: plan.Project, outer: Set[PlanColumn], only_whether: bool) -> Uncorrelated | None:
    """Gives out besides what the conditions need."""
    below = uncorrelated(node.input, outer, only_whether=only_whether)
    if below is None or any(uses(value, outer) for value in node.values):
        return None
    source, conditions = below
    needed = columns_of(conditions)
    passed = tuple(column for column in source.columns if column in needed and column not in node.columns)
    values = (*node.values, *map(ColumnValue, passed))
    return plan.Project(source, values, (*node.columns, *passed)), conditions


def _join(node: plan.Join, outer: Set[PlanColumn], only_whether: bool) -> Uncorrelated | None:
    left = uncorrelated(node.left, outer, only_whether=only_whether)
    if left is None or node.kind is plan.JoinKind.FULL:
        return None
    staying, moving = _parted(node.condition, outer)
    if node.kind is plan.JoinKind.INNER:
        right = uncorrelated(node.right, outer, only_whether=only_whether)
        if right is None:
            return None
        return replace(node, left=left[0], right=right[0], condition=staying), [*left[1], *right[1], *moving]
    if moving or outer_columns(node.right) & outer:
        return None
    return replace(node, left=left[0]), left[1]
