"""Leaves out what nobody looks at: columns that a join or a sort would carry along, aggregates, whole sub-queries.

From the top down: each node is told which of its columns are wanted. A table of which only the number of rows counts,
as in `SELECT count(*)`, is read without decoding its rows.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TypeAlias, assert_never

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, PlanColumn, columns_of
from mynode.sql.plan_parts import expressions, is_volatile_plan, outer_columns

Wanted: TypeAlias = Set[PlanColumn]


def prune_columns(node: plan.QueryNode) -> plan.QueryNode:
    """The whole plan, whose top gives what it gave before."""
    return _pruned(node, frozenset(node.columns))


def _pruned(node: plan.QueryNode, wanted: Wanted) -> plan.QueryNode:
    """The node with at least the wanted columns; with exactly the same ones if all are wanted."""
    match node:
        case plan.ValueRows() | plan.CatalogRows():
            return node
        case plan.Scan():
            return node if wanted or node.key is not None else replace(node, bare=True)
        case plan.Filter() | plan.Limit() | plan.TiedLimit() | plan.FirstOfEach():
            return replace(node, input=_pruned(node.input, wanted | columns_of(expressions(node))))
        case plan.Sort():
            return replace(node, input=_narrowed(node.input, wanted | columns_of(expressions(node))))
        case plan.Project():
            return _project(node, wanted)
        case plan.Aggregation():
            return _aggregation(node, wanted)
        case plan.Distinct():
            return replace(node, input=_pruned(node.input, frozenset(node.columns)))
        case plan.SetOperation():
            left, right = (_pruned(side, frozenset(side.columns)) for side in (node.left, node.right))
            return replace(node, left=left, right=right)
        case plan.Join():
            both = wanted | columns_of(expressions(node))
            return replace(node, left=_left(node, both), right=_narrowed(node.right, both))
        case plan.LookupJoin():
            left = _pruned(node.left, (wanted | outer_columns(node.right)) & frozenset(node.left.columns))
            return replace(node, left=left, right=_pruned(node.right, wanted & frozenset(node.right.columns)))
        case plan.Apply():
            return _apply(node, wanted)
    assert_never(node)


def _project(node: plan.Project, wanted: Wanted) -> plan.QueryNode:
    kept = [(value, column) for value, column in zip(node.values, node.columns, strict=True) if column in wanted]
    if not kept:
        return _pruned(node.input, frozenset())
    values = tuple(value for value, _ in kept)
    return plan.Project(_pruned(node.input, columns_of(values)), values, tuple(column for _, column in kept))


def _aggregation(node: plan.Aggregation, wanted: Wanted) -> plan.QueryNode:
    width = len(node.keys)
    kept = [
        (call, column) for call, column in zip(node.aggregates, node.columns[width:], strict=True) if column in wanted
    ]
    calls = tuple(call for call, _ in kept)
    return plan.Aggregation(
        _narrowed(node.input, columns_of((*node.keys, *calls))),
        node.keys,
        calls,
        (*node.columns[:width], *(column for _, column in kept)),
    )


def _apply(node: plan.Apply, wanted: Wanted) -> plan.QueryNode:
    if node.column not in wanted and not is_volatile_plan(node.subquery):
        return _pruned(node.input, wanted)
    needed = wanted | columns_of(expressions(node)) | outer_columns(node.subquery)
    asked = frozenset[PlanColumn]() if isinstance(node.question, plan.AnyRow) else frozenset(node.subquery.columns)
    source = _pruned(node.input, needed & frozenset(node.input.columns))
    return replace(node, input=source, subquery=_pruned(node.subquery, asked))


def _left(node: plan.Join, wanted: Wanted) -> plan.QueryNode:
    """The left side of a join: of an inner one its rows are only looked at, not kept."""
    if node.kind is plan.JoinKind.INNER and isinstance(node.left, plan.Scan | plan.Filter):
        return _pruned(node.left, wanted & frozenset(node.left.columns))
    return _narrowed(node.left, wanted)


def _narrowed(node: plan.QueryNode, wanted: Wanted) -> plan.QueryNode:
    """The input of a node that keeps rows or makes longer ones of them: without the other columns."""
    own = wanted & frozenset(node.columns)
    pruned = _pruned(node, own)
    kept = tuple(column for column in pruned.columns if column in own)
    if len(kept) == len(pruned.columns) or not isinstance(pruned, plan.Scan | plan.Filter | plan.Join):
        return pruned
    return plan.Project(pruned, tuple(map(ColumnValue, kept)), kept)
