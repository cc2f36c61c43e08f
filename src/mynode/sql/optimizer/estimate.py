"""About how many rows a node gives: from the row counts of tables (`count_tables`) and the shape of the plan.

Nothing is known of values, so what a condition leaves is a guess by its form. How many different values a column has
follows from the unique paths of its table. (Selinger et al., "Access Path Selection in a Relational Database Management
System", SIGMOD 1979, section 4.)
"""

from __future__ import annotations

from math import prod
from typing import Final, assert_never

from mynode.relation.paths import access_paths
from mynode.sql import plan
from mynode.sql.expressions import Call, ColumnValue, Constant, Expression, InList, conjuncts

CATALOG_ROWS: Final = 100.0
_FILTERED: Final = 0.25
_RANGE: Final = 0.1
_EQUAL: Final = 0.02
_MATCHED: Final = 0.5
_ROWS_PER_VALUE: Final = 10
"""Rows that share a value of a column that is not unique, in a table large enough."""
_FEWEST_VALUES: Final = 1 / _EQUAL


def estimated_rows(node: plan.QueryNode) -> float:
    match node:
        case plan.ValueRows():
            return len(node.rows)
        case plan.CatalogRows():
            return CATALOG_ROWS
        case plan.Scan():
            return _scanned(node)
        case plan.Filter():
            return estimated_rows(node.input) * prod(map(_passed, conjuncts(node.condition)))
        case plan.Project() | plan.Distinct() | plan.FirstOfEach() | plan.TiedLimit() | plan.Apply():
            return estimated_rows(node.input)
        case plan.Sort(first=(Constant(value=int() as most), None)) | plan.Limit(limit=Constant(value=int() as most)):
            return min(estimated_rows(node.input), most)
        case plan.Sort() | plan.Limit():
            return estimated_rows(node.input)
        case plan.Aggregation():
            return max(1, estimated_rows(node.input) * _RANGE) if node.keys else 1
        case plan.Join() | plan.LookupJoin() if node.rows is not None:
            return node.rows
        case plan.Join():
            return _joined(node)
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
        case plan.KeyPoints(keys, null_places):
            path = scan.path
            is_whole = path is not None and path.is_unique and len(path.columns) == len(keys[0]) and not null_places
            return len(keys) * (1 if is_whole else max(1, scan.table_rows * _EQUAL ** len(keys[0])))
        case plan.KeyRange(prefix, low, high):
            narrowed = _RANGE if low is None or high is None else _RANGE * _RANGE
            return max(1, scan.table_rows * _EQUAL ** len(prefix) * narrowed)
    assert_never(scan.access)


def _passed(condition: Expression) -> float:
    """Which part of some rows passes a condition on them."""
    return _RANGE if _is_equality(condition) or isinstance(condition, InList) else _FILTERED


def _is_equality(condition: Expression) -> bool:
    return isinstance(condition, Call) and condition.function.is_operator and condition.function.name == "="


def _joined(node: plan.Join) -> float:
    left, right = estimated_rows(node.left), estimated_rows(node.right)
    if node.kind in plan.ONE_SIDED:
        return left * _MATCHED
    pairs = left * right
    for one, other in node.keys:
        pairs /= max(different_values(one, node), different_values(other, node))
    for condition in () if node.condition is None else conjuncts(node.condition):
        pairs *= matching_part(condition, node)
    return max(pairs, 1) if node.kind is plan.JoinKind.INNER else max(pairs, left)


def matching_part(condition: Expression, *nodes: plan.QueryNode) -> float:
    """Which part of the pairs of rows of some inputs passes a condition of their join."""
    if isinstance(condition, Call) and _is_equality(condition):
        return 1 / max(different_values(one, *nodes) for one in condition.arguments)
    return _FILTERED


def different_values(expression: Expression, *nodes: plan.QueryNode) -> float:
    """How many different values an expression over rows of some nodes has, if none of them are left out."""
    if not isinstance(expression, ColumnValue):
        return _FEWEST_VALUES
    column, waiting = expression.column, list(nodes)
    while waiting:
        node = waiting.pop()
        match node:
            case plan.Scan():
                if column in node.table_columns:
                    return max(1, _values_in_table(node.table_columns.index(column), node))
            case plan.Project():
                if column in node.columns:
                    return different_values(node.values[node.columns.index(column)], node.input)
            case plan.Aggregation(keys=(_,)) if column == node.columns[0]:
                return estimated_rows(node)
            case plan.Filter() | plan.Sort() | plan.Limit() | plan.Distinct() | plan.Apply():
                waiting.append(node.input)
            case plan.Join() | plan.LookupJoin():
                waiting += (node.left, node.right)
    return _FEWEST_VALUES


def _values_in_table(position: int, scan: plan.Scan) -> float:
    rows = scan.table_rows
    unique = (
        path.columns[0].position for path in access_paths(scan.table) if path.is_unique and len(path.columns) == 1
    )
    return rows if position in unique else min(rows, max(rows / _ROWS_PER_VALUE, _FEWEST_VALUES))
