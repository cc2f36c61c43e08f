"""How each join is done: by looking up keys for each row of a small side, else by hashing what must be equal."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mynode.sql import plan
from mynode.sql.expressions import (
    Call,
    Expression,
    PlanColumn,
    as_outer,
    columns_in,
    conjunction,
    conjuncts,
    is_volatile,
)
from mynode.sql.optimizer.estimate import estimated_rows
from mynode.sql.optimizer.use_index import use_index

MOST_LOOKUPS: Final = 200
"""Rows of the left side up to which its partners are looked up one by one."""


def choose_joins(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Join) or node.condition is None:
        return node
    lookup = _lookup(node, node.condition)
    if lookup is None and node.kind is plan.JoinKind.INNER:
        lookup = _lookup(replace(node, left=node.right, right=node.left), node.condition)
    return lookup or _hashed(node, node.condition)


def _lookup(node: plan.Join, condition: Expression) -> plan.LookupJoin | None:
    """The join by a path of the right side."""
    if node.kind is plan.JoinKind.FULL or is_volatile(condition) or estimated_rows(node.left) > MOST_LOOKUPS:
        return None
    right: plan.QueryNode = node.right
    conditions = conjuncts(condition)
    if isinstance(right, plan.Filter):
        conditions = (*conditions, *conjuncts(right.condition))
        right = right.input
    if not isinstance(right, plan.Scan) or not isinstance(right.access, plan.FullScan):
        return None
    left_columns = frozenset(node.left.columns)
    test = conjunction(tuple(as_outer(one, left_columns) for one in conditions))
    if test is None:
        return None
    found = use_index(plan.Filter(right, test))
    scan = found.input if isinstance(found, plan.Filter) else found
    if not isinstance(scan, plan.Scan) or isinstance(scan.access, plan.FullScan):
        return None
    if isinstance(scan.access, plan.KeyRange) and not scan.access.prefix:
        return None
    return plan.LookupJoin(node.kind, node.left, found)


def _hashed(node: plan.Join, condition: Expression) -> plan.Join:
    left, right = frozenset(node.left.columns), frozenset(node.right.columns)
    keys: list[tuple[Expression, Expression]] = []
    rest: list[Expression] = []
    for one in conjuncts(condition):
        pair = _pair(one, left, right)
        if pair is None:
            rest.append(one)
        else:
            keys.append(pair)
    return replace(node, keys=tuple(keys), condition=conjunction(tuple(rest)))


def _pair(
    condition: Expression, left: frozenset[PlanColumn], right: frozenset[PlanColumn]
) -> tuple[Expression, Expression] | None:
    """The two sides of an equality, the one over the left input first, if each is over one input alone."""
    match condition:
        case Call(function, (one, other)) if (
            function.is_operator and function.name == "=" and not is_volatile(condition)
        ):
            used = columns_in(one), columns_in(other)
            if used[0] and used[1] and used[0] <= left and used[1] <= right:
                return one, other
            if used[0] and used[1] and used[1] <= left and used[0] <= right:
                return other, one
    return None
