"""The order of inner joins: of few inputs the cheapest of all, of many what looks best at each step.

Exactly: the cheapest way to join each set of inputs, from the smallest sets to all of them, by the cheapest ways of
both its parts (Moerkotte and Neumann, "Analysis of Two Existing and One New Dynamic Programming Algorithm for the
Generation of Optimal Bushy Join Trees without Cross Products", VLDB 2006, section 2.2: DPsub; products may be made).
Greedily: the smallest input first, then always the one that leaves the fewest rows, of those that a condition ties to
what is joined already; so 64 tables are planned in some ms. Where nothing tells inputs apart, the order is that of
FROM.
"""

from __future__ import annotations

from math import inf
from typing import Final, TypeAlias

from mynode.sql import plan
from mynode.sql.expressions import Expression, conjunction, conjuncts
from mynode.sql.optimizer.join_graph import JoinGraph, Tie
from mynode.sql.optimizer.rewriting import change_inputs

MOST_EXACT: Final = 7
"""Inputs that are ordered exactly: 3 ** 7 / 2 pairs of sets are weighed, in some ms."""

_BETTER: Final = 1 - 1e-9
"""Costs that differ by less are the same, summed in another order."""

_Tree: TypeAlias = "int | tuple[_Tree, _Tree]"
"""An input, or what is joined with what."""


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
    graph = JoinGraph(inputs, conditions)
    tree = _cheapest(graph) if len(inputs) <= MOST_EXACT else _greedy(graph)
    return _built(tree, inputs, list(graph.ties), graph)[0]


def _collect(node: plan.QueryNode, inputs: list[plan.QueryNode], conditions: list[Expression]) -> None:
    """The inputs of a tree of inner joins, from left to right, and all its conditions."""
    if not isinstance(node, plan.Join) or node.kind is not plan.JoinKind.INNER:
        inputs.append(node)
        return
    _collect(node.left, inputs, conditions)
    _collect(node.right, inputs, conditions)
    if node.condition is not None:
        conditions.extend(conjuncts(node.condition))


def _cheapest(graph: JoinGraph) -> _Tree:
    count = len(graph.rows)
    best: dict[int, tuple[float, _Tree]] = {1 << place: (cost, place) for place, cost in enumerate(graph.costs)}
    rows = {some: graph.rows_of(some) for some in range(1, 1 << count)}
    for some in range(1, 1 << count):
        if some in best:
            continue
        found: tuple[float, _Tree] = inf, 0
        for left in _parts(some):
            cost, tree = _joined(graph, best, rows, left, some ^ left)
            if cost < found[0] * _BETTER:
                found = cost, tree
        best[some] = found
    return best[(1 << count) - 1][1]


def _parts(some: int) -> list[int]:
    """The sets that can be the left side, those first that leave FROM as it is."""
    parts: list[int] = []
    part = some
    while part := (part - 1) & some:
        parts.append(part)
    return sorted(parts, key=lambda left: (-left.bit_count(), left))


def _joined(
    graph: JoinGraph, best: dict[int, tuple[float, _Tree]], rows: dict[int, float], left: int, right: int
) -> tuple[float, _Tree]:
    """The cost of joining two sets, and how."""
    (left_cost, left_tree), (right_cost, right_tree) = best[left], best[right]
    cost = right_cost + graph.joining_cost(left, right, rows[left], rows[right], rows[left | right])
    if isinstance(right_tree, int):
        lookups = graph.lookups_cost(left, right_tree, rows[left], rows[left | right])
        cost = cost if lookups is None else min(cost, lookups)
    return left_cost + cost, (left_tree, right_tree)


def _greedy(graph: JoinGraph) -> _Tree:
    waiting = list(range(len(graph.rows)))
    first = min(waiting, key=lambda place: (graph.rows[place], place))
    waiting.remove(first)
    tree: _Tree = first
    joined, rows = 1 << first, graph.rows[first]
    while waiting:
        _, rows, place = min(
            (not graph.is_tied(joined, one), graph.rows_with(rows, joined, one), one) for one in waiting
        )
        waiting.remove(place)
        tree = tree, place
        joined |= 1 << place
    return tree


def _built(
    tree: _Tree, inputs: list[plan.QueryNode], waiting: list[Tie], graph: JoinGraph
) -> tuple[plan.QueryNode, int]:
    """The joins, and which inputs they join. A condition stands where all its columns are there, and waits no more."""
    if isinstance(tree, int):
        return inputs[tree], 1 << tree
    left, left_inputs = _built(tree[0], inputs, waiting, graph)
    right, right_inputs = _built(tree[1], inputs, waiting, graph)
    both = left_inputs | right_inputs
    ready = [tie for tie in waiting if not tie.inputs & ~both]
    waiting[:] = [tie for tie in waiting if tie.inputs & ~both]
    condition = conjunction(tuple(tie.condition for tie in ready))
    return plan.Join(plan.JoinKind.INNER, left, right, condition, rows=max(1, graph.rows_of(both))), both
