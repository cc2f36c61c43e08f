"""Sorts rows before they are joined, projected or given the answers of sub-queries, where that keeps their order.

There an index may give the order, and a LIMIT that follows the sort down saves the rest of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, columns_of, is_volatile


def push_down_sorts(node: plan.QueryNode) -> plan.QueryNode:
    if isinstance(node, plan.Sort) and node.first is None and not any(is_volatile(key.value) for key in node.keys):
        return _sorted(node.input, node.keys)
    return node


def _sorted(node: plan.QueryNode, keys: Sequence[plan.SortKey]) -> plan.QueryNode:
    """The rows of the node in the order of the keys, equal ones in theirs."""
    used = columns_of(key.value for key in keys)
    match node:
        case plan.Project() if not any(map(is_volatile, node.values)):
            values = dict(zip(node.columns, node.values, strict=True))
            inner = [values[key.value.column] for key in keys if isinstance(key.value, ColumnValue)]
            if len(inner) == len(keys) and all(isinstance(value, ColumnValue) for value in inner):
                below = [replace(key, value=value) for key, value in zip(keys, inner, strict=True)]
                return replace(node, input=_sorted(node.input, below))
        case plan.Apply() if node.column not in used:
            return replace(node, input=_sorted(node.input, keys))
        case plan.Join(kind=plan.JoinKind.LEFT) if used <= frozenset(node.left.columns):
            return replace(node, left=_sorted(node.left, keys))
    return plan.Sort(node, tuple(keys))
