"""Makes joins of the sub-queries of a WHERE: EXISTS and IN become semi joins, NOT EXISTS and NOT IN anti joins.

A join is hashed, or looks up by an index, where a sub-query is run once a row. Left as they are: a sub-query that is
run only once anyway; NOT IN, where NULLs can occur, of rows that are the same for all, because the set of its values is
a hash table already; and what stands below an OR or a CASE.
"""

from __future__ import annotations

from collections.abc import Sequence

from mynode.sql import plan
from mynode.sql.expressions import (
    Call,
    ColumnValue,
    Constant,
    Expression,
    IsNull,
    Not,
    Or,
    PlanColumn,
    columns_of,
    conjunction,
    conjuncts,
    is_nullable,
)
from mynode.sql.optimizer.uncorrelate import as_inner, uncorrelated
from mynode.sql.plan_parts import is_volatile_plan, outer_columns


def join_subqueries(node: plan.QueryNode) -> plan.QueryNode:
    if not isinstance(node, plan.Filter) or not isinstance(node.input, plan.Apply):
        return node
    conditions: list[Expression] = []
    for condition in conjuncts(node.condition):  # a query that stands twice has one answer, asked for twice
        answer = condition.operand if isinstance(condition, Not) else condition
        if condition not in conditions or not isinstance(answer, ColumnValue):
            conditions.append(condition)
    joined = _joined(node.input, conditions, set())
    rest = conjunction(tuple(conditions))
    return joined if rest is None else plan.Filter(joined, rest)


def _joined(node: plan.QueryNode, conditions: list[Expression], used_above: set[PlanColumn]) -> plan.QueryNode:
    """The chain of sub-queries with those made joins that can be; their conditions are taken out of the list."""
    if not isinstance(node, plan.Apply):
        return node
    compared = columns_of(node.question.operands) if isinstance(node.question, plan.AnyMatch) else set()
    needs = compared | outer_columns(node.subquery)
    below = _joined(node.input, conditions, used_above | needs)
    node = plan.Apply(below, node.subquery, node.question, node.column)
    answer = ColumnValue(node.column)
    for condition in conditions:
        others = [one for one in conditions if one is not condition]
        if condition in (answer, Not(answer)) and node.column not in used_above | columns_of(others):
            joined = _join(node, negated=isinstance(condition, Not))
            if joined is not None:
                conditions.remove(condition)
                return joined
    return node


def _join(node: plan.Apply, *, negated: bool) -> plan.Join | None:
    if node.column.deferred or is_volatile_plan(node.subquery):
        return None
    outer = frozenset(node.input.columns)
    is_correlated = bool(outer_columns(node.subquery) & outer)
    tests: tuple[Expression, ...] = ()
    source = _without_shape(node.subquery)
    if isinstance(node.question, plan.AnyMatch):
        values: tuple[Expression, ...] = tuple(map(ColumnValue, node.subquery.columns))
        source = node.subquery
        if isinstance(source, plan.Project):
            values, source = tuple(as_inner(value, outer) for value in source.values), source.input
        tests = _tests(node.question, values, negated=negated)
        if not is_correlated and not all(isinstance(test, Call) and test.function.name == "=" for test in tests):
            return None
    elif not is_correlated or not isinstance(node.question, plan.AnyRow):
        return None
    found = uncorrelated(source, outer, only_whether=True)
    if found is None:
        return None
    condition = conjunction((*tests, *found[1]))
    return plan.Join(plan.JoinKind.ANTI if negated else plan.JoinKind.SEMI, node.input, found[0], condition)


def _tests(question: plan.AnyMatch, values: Sequence[Expression], *, negated: bool) -> tuple[Expression, ...]:
    """What all makes a row a match: for NOT IN also what could be one."""
    return tuple(
        _test(Call(compare, (operand, value)), negated=negated)
        for operand, value, compare in zip(question.operands, values, question.compare, strict=True)
    )


def _test(test: Call, *, negated: bool) -> Expression:
    nullable = [side for side in test.arguments if is_nullable(side)]
    return Or((test, *map(IsNull, nullable))) if negated and nullable else test


def _without_shape(node: plan.QueryNode) -> plan.QueryNode:
    """The node without what changes nothing about whether it has rows."""
    match node:
        case plan.Project() | plan.Sort() | plan.Distinct():
            return _without_shape(node.input)
        case plan.Limit(limit=Constant(value=int() as limit), offset=None) if limit > 0:
            return _without_shape(node.input)
    return node
