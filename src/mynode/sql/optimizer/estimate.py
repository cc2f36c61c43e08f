"""About how many rows a node gives: from the row counts of tables (`count_tables`) and the shape of the plan."""

from __future__ import annotations

from typing import assert_never

from mynode.sql import plan
from mynode.sql.expressions import Constant

CATALOG_ROWS = 100.0
_FILTERED = 0.25
_RANGE = 0.1
_EQUAL = 0.02
_MATCHED = 0.5


def estimated_rows(node: plan.QueryNode) -> float:
    match node:
        case plan.ValueRows():
            return len(node.rows)
        case plan.CatalogRows():
            return CATALOG_ROWS
        case plan.Scan():
            return _scanned(node)
        case plan.Filter():
            return estimated_rows(node.input) * _FILTERED
        case plan.Project() | plan.Sort() | plan.Distinct() | plan.Apply():
            return estimated_rows(node.input)
        case plan.Limit(limit=Constant(value=int() as most)):
            return min(estimated_rows(node.input), most)
        case plan.Limit():
            return estimated_rows(node.input)
        case plan.Aggregation():
            return estimated_rows(node.input) * _RANGE if node.keys else 1
        case plan.Join():
            left, right = estimated_rows(node.left), estimated_rows(node.right)
            if node.kind in plan.ONE_SIDED:
                return left * _MATCHED
            return max(left, right) if node.keys or node.condition is not None else left * right
        case plan.SetOperation():
            return estimated_rows(node.left) + estimated_rows(node.right)
        case plan.LookupJoin() if node.kind in plan.ONE_SIDED:
            return estimated_rows(node.left) * _MATCHED
        case plan.LookupJoin():
            return estimated_rows(node.left) * max(1, estimated_rows(node.right))
    assert_never(node)


def _scanned(scan: plan.Scan) -> float:
    match scan.access:
        case plan.FullScan():
            return scan.table_rows
        case plan.KeyPoints(keys):
            path = scan.path
            is_whole = path is not None and path.is_unique and len(path.columns) == len(keys[0])
            return len(keys) * (1 if is_whole else scan.table_rows * _EQUAL ** len(keys[0]))
        case plan.KeyRange(prefix, low, high):
            narrowed = _RANGE if low is None or high is None else _RANGE * _RANGE
            return scan.table_rows * _EQUAL ** len(prefix) * narrowed
    assert_never(scan.access)
