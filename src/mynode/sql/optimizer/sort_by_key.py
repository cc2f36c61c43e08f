"""Leaves out a sort by the primary key: a scan gives its rows in that order anyway, or in reverse.

Columns that the scan holds at one value (`WHERE a = 1 ORDER BY b` with the key `(a, b)`) do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, PlanColumn


def sort_by_key(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Sort):
        return node
    match node.input:
        case plan.Scan() as scan:
            ordered = _ordered_scan(scan, node.keys)
            return ordered or node
        case plan.Filter(input=plan.Scan() as scan) as below:
            ordered = _ordered_scan(scan, node.keys)
            return node if ordered is None else replace(below, input=ordered)
    return node


def _ordered_scan(scan: plan.Scan, keys: Sequence[plan.SortKey]) -> plan.Scan | None:
    """The scan in the order of the keys, if it can give it. Columns of a primary key hold no NULLs to be placed."""
    if scan.table.primary_key is None:
        return None
    order = [scan.table_columns[position] for position in scan.table.primary_key.columns]
    held = order[: len(scan.access.prefix)] if isinstance(scan.access, plan.KeyRange) else []
    wanted = [(_column(key), key.descending) for key in keys]
    wanted = [(column, descending) for column, descending in wanted if column not in held]
    order = order[len(held) :]
    wanted = wanted[: _unique_after(wanted, order)]
    if [column for column, _ in wanted] != order[: len(wanted)]:
        return None
    directions = {descending for _, descending in wanted}
    if len(directions) > 1:
        return None
    return replace(scan, reverse=True in directions)


def _column(key: plan.SortKey) -> PlanColumn | None:
    return key.value.column if isinstance(key.value, ColumnValue) else None


def _unique_after(wanted: Sequence[tuple[PlanColumn | None, bool]], order: Sequence[PlanColumn]) -> int:
    """How many of the wanted columns decide: once the whole key is in, no two rows are equal any more."""
    seen: set[PlanColumn | None] = set()
    for count, (column, _) in enumerate(wanted, 1):
        seen.add(column)
        if seen.issuperset(order):
            return count
    return len(wanted)
