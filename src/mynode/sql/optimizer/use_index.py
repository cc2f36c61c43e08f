"""Reads only the part of a table that conditions on the columns of its primary key or of an index leave.

`id = 1` and `id IN (1, 2)` become look-ups of points, so do such conditions on the first of several columns (their
combinations), an OR of them, and `a IS NULL`. Equalities on the first columns and comparisons on the next become a
range. Of all paths the one is taken that leaves the fewest rows, as far as the shape of the conditions tells; the
primary key if it is no worse, because its rows need no second look-up. What other conditions there are stays in the
filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Final

from mynode.relation.paths import AccessPath, access_paths
from mynode.sql import plan
from mynode.sql.expressions import (
    AggregateCall,
    Call,
    CaseValue,
    ColumnValue,
    Constant,
    Expression,
    InList,
    IsNull,
    Or,
    PlanColumn,
    conjunction,
    conjuncts,
    is_volatile,
    walk,
)
from mynode.sql.optimizer.estimate import estimated_rows

MAX_POINTS: Final = 10_000
"""Combinations of IN lists that are more points than this stay in the filter."""

_MIRRORED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EQUALITIES: Final = ("=", "IN")
_IS_NULL: Final = "IS NULL"


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition that compares a column with something that needs no row.

    `operator` is one of `=`, `<`, `<=`, `>`, `>=` with one value, `IN` with some, or `IS NULL` with NULL. `source` is
    where it is written.
    """

    column: PlanColumn
    operator: str
    values: tuple[Expression, ...]
    source: Expression


@dataclass(frozen=True, slots=True)
class _Use:
    """A way to read the table, and the conditions of which nothing is left to test then."""

    scan: plan.Scan
    settled: tuple[Expression, ...]


def use_index(node: plan.QueryNode) -> plan.QueryNode:
    match node:
        case plan.Filter(input=plan.Scan(path=None) as scan, condition=condition):
            parts = conjuncts(condition)
            uses = [use for path in access_paths(scan.table) for use in _uses(scan, path, parts)]
            if not uses:
                return node
            best = min(uses, key=lambda use: estimated_rows(use.scan))  # the first of those that are equal
            rest = conjunction(tuple(part for part in parts if not any(part is one for one in best.settled)))
            used = replace(best.scan, settled=best.settled)
            return used if rest is None else plan.Filter(used, rest)
    return node


def _uses(scan: plan.Scan, path: AccessPath, parts: Sequence[Expression]) -> Iterator[_Use]:
    columns = [scan.table_columns[column.position] for column in path.columns]
    conditions = [found for part in parts for found in _conditions(part)]
    for access, settled in (_points(columns, conditions), _range(columns, conditions), _alternatives(columns, parts)):
        if access is not None:
            yield _Use(replace(scan, path=path, access=access), tuple(settled))


def _conditions(expression: Expression) -> Iterator[_Condition]:
    match expression:
        case Call(function, (left, right)) if function.is_operator and function.name in _MIRRORED:
            if isinstance(left, ColumnValue) and _needs_no_row(right):
                yield _Condition(left.column, function.name, (right,), expression)
            elif isinstance(right, ColumnValue) and _needs_no_row(left):
                yield _Condition(right.column, _MIRRORED[function.name], (left,), expression)
        case InList(ColumnValue(column), items) if all(map(_needs_no_row, items)):
            yield _Condition(column, "IN", items, expression)
        case IsNull(ColumnValue(column)):
            yield _Condition(column, _IS_NULL, (Constant(None, column.type),), expression)
        case Or(operands):
            yield from _one_of(operands, expression)


def _one_of(operands: Sequence[Expression], source: Expression) -> Iterator[_Condition]:
    """`a = 1 OR a = 2 OR a IN (3, 4)` as `a IN (1, 2, 3, 4)`."""
    found = [list(_conditions(operand)) for operand in operands]
    if all(len(one) == 1 and one[0].operator in _EQUALITIES for one in found):
        columns = {one[0].column for one in found}
        if len(columns) == 1:
            yield _Condition(columns.pop(), "IN", tuple(value for one in found for value in one[0].values), source)


def _needs_no_row(expression: Expression) -> bool:
    if isinstance(expression, Constant):
        return True
    rows = (ColumnValue, CaseValue, AggregateCall)
    return not is_volatile(expression) and not any(isinstance(node, rows) for node in walk(expression))


def _first(conditions: Sequence[_Condition], column: PlanColumn, operators: Sequence[str]) -> _Condition | None:
    return next((one for one in conditions if one.column == column and one.operator in operators), None)


def _equalities(columns: Sequence[PlanColumn], conditions: Sequence[_Condition]) -> list[_Condition]:
    """Of each of the first columns that equals one of some values, the condition that says so."""
    found: list[_Condition] = []
    for column in columns:
        operators = ("=", _IS_NULL, "IN") if column.nullable else _EQUALITIES
        one = next(filter(None, (_first(conditions, column, (operator,)) for operator in operators)), None)
        if one is None or prod(len(each.values) for each in (*found, one)) > MAX_POINTS:
            break
        found.append(one)
    return found


def _points(
    columns: Sequence[PlanColumn], conditions: Sequence[_Condition]
) -> tuple[plan.KeyPoints | None, list[Expression]]:
    """Points, if the first columns each equal one of some values."""
    chosen = _equalities(columns, conditions)
    if not chosen:
        return None, []
    nulls = tuple(place for place, one in enumerate(chosen) if one.operator == _IS_NULL)
    return plan.KeyPoints(tuple(product(*(one.values for one in chosen))), nulls), [one.source for one in chosen]


def _range(
    columns: Sequence[PlanColumn], conditions: Sequence[_Condition]
) -> tuple[plan.KeyRange | None, list[Expression]]:
    """A range, if the first columns each equal a value and the next one is compared with one."""
    prefix: list[_Condition] = []
    for column in columns:
        equal = _first(conditions, column, ("=",))
        if equal is None:
            break
        prefix.append(equal)
    next_column = columns[len(prefix)] if len(prefix) < len(columns) else None
    if next_column is None:
        return None, []
    low, high = (_first(conditions, next_column, operators) for operators in ((">", ">="), ("<", "<=")))
    used = [one.source for one in (*prefix, low, high) if one is not None]
    if low is None and high is None:
        return None, []
    return plan.KeyRange(tuple(one.values[0] for one in prefix), _bound(low), _bound(high)), used


def _bound(condition: _Condition | None) -> plan.Bound | None:
    if condition is None:
        return None
    return plan.Bound(condition.values[0], inclusive=condition.operator.endswith("="))


def _alternatives(
    columns: Sequence[PlanColumn], parts: Sequence[Expression]
) -> tuple[plan.KeyPoints | None, list[Expression]]:
    """Points, if an OR has them in each of its operands: `a = 1 AND b = 2 OR a = 3 AND b > 4`. Nothing is settled."""
    for part in parts:
        if not isinstance(part, Or):
            continue
        found = [
            _equalities(
                columns, [one for each in conjuncts(operand) for one in _conditions(each) if one.operator != _IS_NULL]
            )
            for operand in part.operands
        ]
        width = min(map(len, found))
        points = dict.fromkeys(key for chosen in found for key in product(*(one.values for one in chosen[:width])))
        if width and len(points) <= MAX_POINTS:
            return plan.KeyPoints(tuple(points)), []
    return None, []
