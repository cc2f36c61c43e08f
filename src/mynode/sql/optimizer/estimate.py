"""About how many rows a node gives, from its shape alone: tables have no row counts yet."""

from __future__ import annotations

from typing import assert_never

from mynode.sql import plan
from mynode.sql.expressions import Constant

TABLE_ROWS = 10_000.0
"""Taken for any table."""
_FILTERED = 0.25
_RANGE = 0.1


def estimated_rows(node: plan.QueryNode) -> float:
    match node:
        case plan.ValueRows():
            return len(node.rows)
        case plan.Scan():
            return _scanned(node.access)
        case plan.Filter():
            return estimated_rows(node.input) * _FILTERED
        case plan.Project() | plan.Sort() | plan.Distinct() | plan.Apply():
            return estimated_rows(node.input)
        case plan.Limit():
            below = estimated_rows(node.input)
            most = node.limit.value if isinstance(node.limit, Constant) else None
            return min(below, most) if isinstance(most, int) else below
        case plan.Aggregation():
            return estimated_rows(node.input) * _RANGE if node.keys else 1
        case plan.Join():
            left, right = estimated_rows(node.left), estimated_rows(node.right)
            return max(left, right) if node.keys or node.condition is not None else left * right
        case plan.SetOperation():
            return estimated_rows(node.left) + estimated_rows(node.right)
        case plan.LookupJoin():
            return estimated_rows(node.left) * max(1, estimated_rows(node.right))
    assert_never(node)


def _scanned(access: plan.Access) -> float:
    match access:
        case plan.FullScan():
            return TABLE_ROWS
        case plan.KeyPoints(keys):
            return len(keys)
        case plan.KeyRange(prefix):
            return TABLE_ROWS * _RANGE ** (len(prefix) + 1)
    assert_never(access)
