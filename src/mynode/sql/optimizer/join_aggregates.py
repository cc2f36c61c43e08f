"""Makes a left join of a scalar sub-query that aggregates the rows equal to the outer one in something.

`(SELECT max(b) FROM u WHERE u.t_id = t.id)` becomes a join with `SELECT t_id, max(b) FROM u GROUP BY t_id`: one pass
over `u` instead of one for each row of `t`. Where there is no group, the answer is that of the aggregate over no rows:
0 for `count`. Left as it is: what is asked for one row only, and what an index answers.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from mynode.sql import plan
from mynode.sql.expressions import (
    Call,
    Case,
    ColumnValue,
    Constant,
    Expression,
    IsNull,
    Not,
    PlanColumn,
    columns_in,
    conjunction,
    is_nullable,
    substitute,
)
from mynode.sql.optimizer.estimate import estimated_rows
from mynode.sql.optimizer.fold_constants import folded
from mynode.sql.optimizer.rewriting import new_column
from mynode.sql.optimizer.uncorrelate import as_inner, uncorrelated, uses
from mynode.sql.plan_parts import is_volatile_plan


def join_aggregates(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Apply) or not isinstance(node.question, plan.OnlyValue) or node.column.deferred:
        return node
    value: Expression = ColumnValue(node.subquery.columns[0])
    source = node.subquery
    if isinstance(source, plan.Project):
        value, source = source.values[0], source.input
    if not isinstance(source, plan.Aggregation) or source.keys or estimated_rows(node.input) <= 1:
        return node
    return _joined(node, value, source) or node


def _joined(node: plan.Apply, value: Expression, source: plan.Aggregation) -> plan.Project | None:
    outer = frozenset(node.input.columns)
    if is_volatile_plan(node.subquery) or any(uses(call, outer) for call in source.aggregates):
        return None
    found = uncorrelated(source.input, outer, only_whether=False)
    pairs = [] if found is None else [_pair(one, outer) for one in found[1]]
    known = [pair for pair in pairs if pair is not None]
    if found is None or not known or len(known) < len(pairs):
        return None
    keys = tuple(dict.fromkeys(inner for _, inner, _ in known))
    key_columns = tuple(
        key.column if isinstance(key, ColumnValue) else new_column("?column?", key.type, nullable=is_nullable(key))
        for key in keys
    )
    grouped = plan.Aggregation(found[0], keys, source.aggregates, (*key_columns, *source.columns))
    columns = dict(zip(keys, key_columns, strict=True))
    condition = conjunction(
        tuple(replace(call, arguments=(side, ColumnValue(columns[inner]))) for side, inner, call in known)
    )
    joined = plan.Join(plan.JoinKind.LEFT, node.input, grouped, condition)
    answer = _answer(as_inner(value, outer), source, replace(key_columns[0], nullable=True))
    passed = node.input.columns
    return plan.Project(joined, (*map(ColumnValue, passed), answer), (*passed, node.column))


def _pair(condition: Expression, outer: Set[PlanColumn]) -> tuple[Expression, Expression, Call] | None:
    """The side of an equality over the outer row, the one over the sub-query's, and the equality."""
    match condition:
        case Call(function, (left, right)) if function.is_operator and function.name == "=":
            for side, other in ((left, right), (right, left)):
                used = columns_in(other)
                if columns_in(side) <= outer and used and not used & outer:
                    return side, other, condition
    return None


def _answer(value: Expression, source: plan.Aggregation, key: PlanColumn) -> Expression:
    """The value over a row of the join: its columns are NULL where there is no group."""
    empty = _replaced(
        value,
        source.columns,
        [Constant(call.aggregate.finish(call.aggregate.initial), call.type) for call in source.aggregates],
    )
    joined = _replaced(value, source.columns, [ColumnValue(replace(one, nullable=True)) for one in source.columns])
    otherwise = folded(empty)
    if isinstance(otherwise, Constant) and otherwise.value is None:
        return joined
    return Case(None, 0, ((Not(IsNull(ColumnValue(key))), joined),), otherwise, value.type)


def _replaced(value: Expression, columns: Sequence[PlanColumn], by: Sequence[Expression]) -> Expression:
    found = dict(zip(columns, by, strict=True))
    return substitute(value, lambda node: found.get(node.column) if isinstance(node, ColumnValue) else None)
