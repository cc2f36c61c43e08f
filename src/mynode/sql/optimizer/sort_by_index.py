"""Leaves out a sort by columns in whose order a path gives the rows anyway, or in reverse.

The path by which the table is read already, else the primary key, else an index: if that saves a sort of the whole
table, or only the first rows are wanted. Columns that the scan holds at one value (`WHERE a = 1 ORDER BY b` with the
key `(a, b)`) do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mynode.relation.paths import AccessPath, access_paths
from mynode.relation.schema import KeyColumn
from mynode.sql import plan
from mynode.sql.expressions import ColumnValue, PlanColumn


def sort_by_index(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Sort):
        return node
    match node.input:
        case plan.Scan() as scan:
            return ordered_scan(scan, node.keys, any_index=True) or node
        case plan.Filter(input=plan.Scan() as scan) as below:
            ordered = ordered_scan(scan, node.keys, any_index=node.first is not None)
            return node if ordered is None else replace(below, input=ordered)
    return node


def ordered_scan(scan: plan.Scan, keys: Sequence[plan.SortKey], *, any_index: bool) -> plan.Scan | None:
    """The scan in the order of the keys, if there is a path that gives it.

    Args:
        any_index: whether it is worth to read the whole table by an index.
    """
    if scan.path is not None:
        return _ordered_by(scan, scan.path, keys)
    for path in access_paths(scan.table):
        if path.is_primary or any_index:
            found = _ordered_by(scan, path, keys)
            if found is not None:
                lies_so = path.is_primary and not found.reverse
                return scan if lies_so else replace(found, path=path)
    return None


def _ordered_by(scan: plan.Scan, path: AccessPath, keys: Sequence[plan.SortKey]) -> plan.Scan | None:
    """The scan by the path, in its order or in reverse, if that is the order of the keys."""
    held, not_null = _known(scan, path)
    order = [(scan.table_columns[one.position], one) for one in path.columns[held:]]
    constant = {scan.table_columns[one.position] for one in path.columns[:held]}
    wanted = [key for key in keys if _column(key) not in constant]
    if path.is_unique and not any(column.nullable for column, _ in order):
        wanted = wanted[: _deciding(wanted, [column for column, _ in order])]
    if len(wanted) > len(order):
        return None
    for reverse in (False, True):
        fits = [
            _column(key) == column and _same_order(key, one, column.nullable and place >= not_null, reverse=reverse)
            for place, (key, (column, one)) in enumerate(zip(wanted, order, strict=False))
        ]
        if all(fits):
            return replace(scan, reverse=reverse)
    return None


def _known(scan: plan.Scan, path: AccessPath) -> tuple[int, int]:
    """How many columns of the path have one value in all rows of the scan, and how many after these are not NULL."""
    match scan.access:
        case plan.KeyRange(prefix):
            return len(prefix), 1
        case plan.KeyPoints(keys) if len(keys) == 1:
            return len(keys[0]), 0
        case plan.KeyPoints(keys, null_places):
            return 0, min(null_places, default=len(keys[0]))
    return 0, 0


def _same_order(key: plan.SortKey, column: KeyColumn, nullable: bool, *, reverse: bool) -> bool:
    if key.descending != (column.descending != reverse):
        return False
    return not nullable or key.nulls_first == (column.nulls_first != reverse)


def _column(key: plan.SortKey) -> PlanColumn | None:
    return key.value.column if isinstance(key.value, ColumnValue) else None


def _deciding(wanted: Sequence[plan.SortKey], order: Sequence[PlanColumn]) -> int:
    """How many of the keys decide: once all columns of a unique path are in, no two rows are equal any more."""
    seen: set[PlanColumn | None] = set()
    for count, key in enumerate(wanted, 1):
        seen.add(_column(key))
        if seen.issuperset(order):
            return count
    return len(wanted)
