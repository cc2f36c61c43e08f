"""Reads only the part of a table that conditions on its primary key leave.

`id = 1`, `id IN (1, 2)` and, for a key of several columns, such conditions on all of them become look-ups of points;
equalities on the first columns and comparisons on the next become a range. What other conditions there are stays in
the filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Final

from mynode.sql import plan
from mynode.sql.expressions import (
    AggregateCall,
    Call,
    CaseValue,
    ColumnValue,
    Constant,
    Expression,
    InList,
    PlanColumn,
    conjunction,
    conjuncts,
    is_volatile,
    walk,
)

MAX_POINTS: Final = 10_000
"""IN lists whose combinations are more points than this stay in the filter."""

_MIRRORED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition that compares a column with something that needs no row.

    `operator` is one of `=`, `<`, `<=`, `>`, `>=` with one value, or `IN` with some. `source` is where it is written.
    """

    column: PlanColumn
    operator: str
    values: tuple[Expression, ...]
    source: Expression


def use_primary_key(node: plan.QueryNode) -> plan.QueryNode:
    match node:
        case plan.Filter(input=plan.Scan(access=plan.FullScan()) as scan, condition=condition):
            primary_key = scan.table.primary_key
            if primary_key is None:
                return node
            key_columns = [scan.table_columns[position] for position in primary_key.columns]
            conditions = [found for part in conjuncts(condition) for found in _conditions(part)]
            access, used = _points(key_columns, conditions) or _range(key_columns, conditions)
            if not used:
                return node
            rest = conjunction(tuple(part for part in conjuncts(condition) if not any(part is one for one in used)))
            found = replace(scan, access=access)
            return found if rest is None else plan.Filter(found, rest)
    return node


def _conditions(expression: Expression) -> Iterator[_Condition]:
    match expression:
        case Call(function, (left, right)) if function.is_operator and function.name in _MIRRORED:
            if isinstance(left, ColumnValue) and _needs_no_row(right):
                yield _Condition(left.column, function.name, (right,), expression)
            elif isinstance(right, ColumnValue) and _needs_no_row(left):
                yield _Condition(right.column, _MIRRORED[function.name], (left,), expression)
        case InList(ColumnValue(column), items) if all(map(_needs_no_row, items)):
            yield _Condition(column, "IN", items, expression)


def _needs_no_row(expression: Expression) -> bool:
    if isinstance(expression, Constant):
        return True
    rows = (ColumnValue, CaseValue, AggregateCall)
    return not is_volatile(expression) and not any(isinstance(node, rows) for node in walk(expression))


def _first(conditions: Sequence[_Condition], column: PlanColumn, operators: Sequence[str]) -> _Condition | None:
    return next((one for one in conditions if one.column == column and one.operator in operators), None)


def _points(
    key_columns: Sequence[PlanColumn], conditions: Sequence[_Condition]
) -> tuple[plan.Access, list[Expression]] | None:
    """Points, if each column of the key equals one of some values."""
    found = [_first(conditions, column, ("=",)) or _first(conditions, column, ("IN",)) for column in key_columns]
    chosen = [one for one in found if one is not None]
    if len(chosen) < len(key_columns) or prod(len(one.values) for one in chosen) > MAX_POINTS:
        return None
    keys = tuple(product(*(one.values for one in chosen)))
    return plan.KeyPoints(keys), [one.source for one in chosen]


def _range(key_columns: Sequence[PlanColumn], conditions: Sequence[_Condition]) -> tuple[plan.Access, list[Expression]]:
    """A range, if something is said of the first column; else everything."""
    used: list[Expression] = []
    prefix: list[Expression] = []
    low: _Condition | None = None
    high: _Condition | None = None
    for column in key_columns:
        equal = _first(conditions, column, ("=",))
        if equal is None:
            low, high = _first(conditions, column, (">", ">=")), _first(conditions, column, ("<", "<="))
            break
        prefix.append(equal.values[0])
        used.append(equal.source)
    used.extend(one.source for one in (low, high) if one is not None)
    if not used:
        return plan.FullScan(), used
    return plan.KeyRange(tuple(prefix), _bound(low), _bound(high)), used


def _bound(condition: _Condition | None) -> plan.Bound | None:
    if condition is None:
        return None
    return plan.Bound(condition.values[0], inclusive=condition.operator.endswith("="))
