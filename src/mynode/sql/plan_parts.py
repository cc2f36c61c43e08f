"""What a plan node is made of, whatever its kind: its inputs, its expressions, and what it needs from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from mynode.sql import plan
from mynode.sql.expressions import Expression, OuterValue, PlanColumn, is_volatile, walk


def inputs(node: plan.QueryNode) -> tuple[plan.QueryNode, ...]:
    """The nodes right below; of an `Apply` its sub-query too."""
    match node:
        case plan.ValueRows() | plan.CatalogRows() | plan.Scan():
            return ()
        case plan.Join() | plan.LookupJoin() | plan.SetOperation():
            return node.left, node.right
        case plan.Apply():
            return node.input, node.subquery
        case plan.Filter() | plan.Project() | plan.Sort() | plan.Limit() | plan.TiedLimit() | plan.Aggregation():
            return (node.input,)
        case plan.Distinct() | plan.FirstOfEach():
            return (node.input,)
    assert_never(node)


def expressions(node: plan.QueryNode) -> Iterator[Expression]:
    """The node's own expressions, those of its inputs not."""
    match node:
        case plan.ValueRows(rows):
            for row in rows:
                yield from row
        case plan.Scan(access=access):
            yield from _expressions_of_access(access)
        case plan.Filter(condition=condition):
            yield condition
        case plan.Project(values=values):
            yield from values
        case plan.Sort(keys=keys, first=first):
            yield from (key.value for key in keys)
            yield from (part for part in first or () if part is not None)
        case plan.Limit(limit=limit, offset=offset):
            yield from (part for part in (limit, offset) if part is not None)
        case plan.TiedLimit(limit=limit, offset=offset, keys=keys):
            yield from (part for part in (limit, offset, *keys) if part is not None)
        case plan.FirstOfEach(keys=keys):
            yield from keys
        case plan.Aggregation(keys=keys, aggregates=aggregates):
            yield from keys
            yield from aggregates
        case plan.Join(condition=condition, keys=pairs):
            yield from (part for pair in pairs for part in pair)
            if condition is not None:
                yield condition
        case plan.Apply(question=plan.AnyMatch(operands)):
            yield from operands
        case plan.CatalogRows() | plan.Apply() | plan.LookupJoin() | plan.SetOperation() | plan.Distinct():
            return


def _expressions_of_access(access: plan.Access) -> Iterator[Expression]:
    match access:
        case plan.FullScan():
            return
        case plan.KeyPoints(keys):
            for key in keys:
                yield from key
        case plan.KeyRange(prefix, low, high):
            yield from prefix
            yield from (bound.value for bound in (low, high) if bound is not None)


def nodes(node: plan.QueryNode) -> Iterator[plan.QueryNode]:
    """The node and all below it."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(inputs(found))


def outer_columns(node: plan.QueryNode) -> set[PlanColumn]:
    """The columns of rows outside of the plan that something in it uses."""
    used: set[PlanColumn] = set()
    bound: set[PlanColumn] = set()
    for part in nodes(node):
        for expression in expressions(part):
            used.update(one.column for one in walk(expression) if isinstance(one, OuterValue))
        if isinstance(part, plan.Apply):
            bound.update(part.input.columns)
        elif isinstance(part, plan.LookupJoin):
            bound.update(part.left.columns)
    return used - bound


def is_volatile_plan(node: plan.QueryNode) -> bool:
    """Whether two runs with the same outer row can differ."""
    return any(is_volatile(expression) for part in nodes(node) for expression in expressions(part))
