"""The order of inner joins: the smallest input first, then always one that a condition ties to those before it.

Greedy, so 64 tables are planned as quickly as three. What FROM gives first goes first where nothing tells inputs apart.
"""

from __future__ import annotations

from mynode.sql import plan
from mynode.sql.expressions import Expression, PlanColumn, columns_in, conjunction, conjuncts
from mynode.sql.optimizer.estimate import estimated_rows
from mynode.sql.optimizer.rewriting import change_inputs


def order_joins(node: plan.QueryNode) -> plan.QueryNode:
    """Orders the joins right below the node, all at once: above it there is no other join to add to them."""
    return node if _is_inner(node) else change_inputs(node, _ordered)


def _is_inner(node: plan.QueryNode) -> bool:
    return isinstance(node, plan.Join) and node.kind is plan.JoinKind.INNER


def _ordered(node: plan.QueryNode) -> plan.QueryNode:
    if not _is_inner(node):
        return node
    inputs: list[plan.QueryNode] = []
    conditions: list[Expression] = []
    _collect(node, inputs, conditions)
    if len(inputs) < 3:
        return node
    waiting = [(estimated_rows(one), place, one) for place, one in enumerate(inputs)]
    tests = [(condition, columns_in(condition)) for condition in conditions]
    first = min(waiting, key=lambda one: one[:2])
    waiting.remove(first)
    joined, known = first[2], set(first[2].columns)
    while waiting:
        chosen = min(waiting, key=lambda one: (not _tied(one[2], known, tests), *one[:2]))
        waiting.remove(chosen)
        known.update(chosen[2].columns)
        ready = tuple(condition for condition, used in tests if used <= known)
        tests = [test for test in tests if not test[1] <= known]
        joined = plan.Join(plan.JoinKind.INNER, joined, chosen[2], conjunction(ready))
    return joined


def _collect(node: plan.QueryNode, inputs: list[plan.QueryNode], conditions: list[Expression]) -> None:
    """The inputs of a tree of inner joins, from left to right, and all its conditions."""
    if not isinstance(node, plan.Join) or node.kind is not plan.JoinKind.INNER:
        inputs.append(node)
        return
    _collect(node.left, inputs, conditions)
    _collect(node.right, inputs, conditions)
    if node.condition is not None:
        conditions.extend(conjuncts(node.condition))


def _tied(node: plan.QueryNode, known: set[PlanColumn], tests: list[tuple[Expression, set[PlanColumn]]]) -> bool:
    """Whether a condition ties the input to what is joined already, and to nothing else."""
    own = set(node.columns)
    return any(used & known and used & own and used <= known | own for _, used in tests)
