"""How each join is done: by looking up keys for each row of one side, else by hashing what must be equal.

Look-ups are taken where they cost less, and for a few rows anyway: they leave little in the read set. A hash table is
made of the smaller side, where both may be.
"""

from __future__ import annotations

from collections.abc import Set
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
from mynode.sql.optimizer.costs import cost_of, lookups_cost
from mynode.sql.optimizer.estimate import estimated_rows
from mynode.sql.optimizer.unite_indexes import unite_indexes
from mynode.sql.optimizer.use_index import use_index
from mynode.sql.plan_parts import nodes, outer_columns

FEW_LOOKUPS: Final = 200
"""Rows of the left side up to which its partners are looked up one by one, whatever it costs."""
_MUCH_SMALLER: Final = 0.5
"""Sides are turned only if it is worth it: else rows come in the order of FROM."""


def choose_joins(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Join):
        return node
    node = replace(node, rows=estimated_rows(node))
    if node.condition is None:
        return _smaller_right(node)
    turned = replace(node, left=node.right, right=node.left) if node.kind is plan.JoinKind.INNER else None
    found = [_lookup(one, node.condition) for one in (node, turned) if one is not None]
    lookups = [(_lookup_cost(one), place, one) for place, one in enumerate(found) if one is not None]
    hashed = _smaller_right(_hashed(node, node.condition))
    if not lookups:
        return hashed
    cost, _, best = min(lookups)
    return best if estimated_rows(best.left) <= FEW_LOOKUPS or cost < cost_of(hashed) else hashed


def _lookup_cost(node: plan.LookupJoin) -> float:
    return cost_of(node.left) + lookups_cost(estimated_rows(node.left), cost_of(node.right))


def _smaller_right(node: plan.Join) -> plan.Join:
    """The join with its sides turned, if it is an inner one and that makes the hash table much smaller."""
    is_fine = node.kind is not plan.JoinKind.INNER
    if is_fine or estimated_rows(node.left) >= estimated_rows(node.right) * _MUCH_SMALLER:
        return node
    keys = tuple((other, one) for one, other in node.keys)
    return replace(node, left=node.right, right=node.left, keys=keys)


def _lookup(node: plan.Join, condition: Expression) -> plan.LookupJoin | None:
    """The join by a path of the right side, or by several."""
    if node.kind is plan.JoinKind.FULL or is_volatile(condition):
        return None
    right: plan.QueryNode = node.right
    conditions = conjuncts(condition)
    if isinstance(right, plan.Filter):
        conditions = (*conditions, *conjuncts(right.condition))
        right = right.input
    if not isinstance(right, plan.Scan):
        return None
    table = replace(right, path=None, access=plan.FullScan(), settled=())
    left_columns = frozenset(node.left.columns)
    conditions = (*(as_outer(one, left_columns) for one in conditions), *right.settled)
    found = unite_indexes(use_index(plan.Filter(table, conjunction(conditions) or condition)))
    scans = (one for one in nodes(found) if isinstance(one, plan.Scan))
    if not all(_is_by_key(scan, left_columns) for scan in scans):
        return None
    return plan.LookupJoin(node.kind, node.left, found, node.rows)


def _is_by_key(scan: plan.Scan, left: Set[PlanColumn]) -> bool:
    """Whether each row of the left side has a part of the table, that its own values tell, to itself."""
    if isinstance(scan.access, plan.KeyRange) and not scan.access.prefix:
        return False
    return bool(outer_columns(scan) & left)


def _hashed(node: plan.Join, condition: Expression) -> plan.Join:
    left, right = frozenset(node.left.columns), frozenset(node.right.columns)
    keys: list[tuple[Expression, Expression]] = []
    rest: list[Expression] = []
    for one in conjuncts(condition):
        pair = equated_sides(one, left, right)
        if pair is None:
            rest.append(one)
        else:
            keys.append(pair)
    return replace(node, keys=tuple(keys), condition=conjunction(tuple(rest)))


def equated_sides(
    condition: Expression, left: Set[PlanColumn], right: Set[PlanColumn]
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
