"""Finds `min(a)` and `max(a)` as the first or last value of a path, instead of looking at all rows.

Each becomes the aggregate of no more than one row; several are put side by side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mynode.relation.paths import access_paths
from mynode.sql import plan
from mynode.sql.expressions import AggregateCall, ColumnValue, Constant, PlanColumn, is_volatile
from mynode.values.types import INTEGER

_NAMES: Final = ("min", "max")
_NOWHERE: Final = 1_000_000
"""A place that no path has."""
_ONE: Final = Constant(1, INTEGER)


def min_max_by_index(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Aggregation) or node.keys or not node.aggregates:
        return node
    found: plan.QueryNode | None = None
    for call, column in zip(node.aggregates, node.columns, strict=True):
        first = _first_row(node.input, call)
        if first is None:
            return node
        one = plan.Aggregation(first, (), (call,), (column,))
        found = one if found is None else plan.Join(plan.JoinKind.INNER, found, one, None)
    return found or node


def _first_row(node: plan.QueryNode, call: AggregateCall) -> plan.Limit | None:
    """The row that has the value, alone; no row if all are NULL."""
    if call.aggregate.name not in _NAMES or call.filter is not None or not isinstance(call.argument, ColumnValue):
        return None
    descending = call.aggregate.name == "max"
    match node:
        case plan.Scan() as scan:
            ordered = _ordered(scan, call.argument.column, descending=descending)
            return None if ordered is None else plan.Limit(ordered, _ONE, None)
        case plan.Filter(input=plan.Scan() as scan, condition=condition) as below if not is_volatile(condition):
            ordered = _ordered(scan, call.argument.column, descending=descending)
            return None if ordered is None else plan.Limit(replace(below, input=ordered), _ONE, None)
    return None


def _ordered(scan: plan.Scan, column: PlanColumn, *, descending: bool) -> plan.Scan | None:
    """The rows of the scan in which the column is not NULL, in its order."""
    for path in (scan.path,) if scan.path is not None else access_paths(scan.table):
        access, place = _not_null(scan.access)
        if place < len(path.columns) and scan.table_columns[path.columns[place].position] == column:
            whole = isinstance(scan.access, plan.FullScan) and not column.nullable
            reverse = path.columns[place].descending != descending
            return replace(scan, path=path, access=plan.FullScan() if whole else access, reverse=reverse)
    return None


def _not_null(access: plan.Access) -> tuple[plan.Access, int]:
    """The same access without rows where the first column of the path that varies is NULL, and that column's place."""
    match access:
        case plan.FullScan():
            return plan.KeyRange((), None, None), 0
        case plan.KeyRange(prefix):
            return access, len(prefix)
        case plan.KeyPoints((key,), ()):
            return plan.KeyRange(key, None, None), len(key)
    return access, _NOWHERE
