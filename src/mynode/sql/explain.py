"""EXPLAIN: a plan as lines of text, its nodes as a tree, in PostgreSQL's words. Projections are not shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from mynode.relation.schema import Table
from mynode.sql import plan
from mynode.sql.expression_text import describe, describe_list
from mynode.sql.expressions import Expression


def explain(node: plan.DataPlan) -> list[str]:
    """A line a node, its details indented below it, then its input behind an arrow."""
    match node:
        case plan.Select():
            return _lines(node.input)
        case plan.Insert() | plan.Update() | plan.Delete():
            return [f"{type(node).__name__} on {node.table.name}", *_input(node.input)]
    assert_never(node)


def _lines(node: plan.QueryNode) -> list[str]:
    match node:
        case plan.ValueRows():
            return [f"Values: {len(node.rows)} rows" if node.columns else "Result"]
        case plan.Scan():
            return _scan(node)
        case plan.Filter():
            first, *rest = _lines(node.input)
            return [first, f"  Filter: {describe(node.condition)}", *rest]
        case plan.Project():
            return _lines(node.input)
        case plan.Sort():
            return ["Sort", f"  Sort Key: {', '.join(map(_sort_key, node.keys))}", *_input(node.input)]
        case plan.Limit():
            limit = [] if node.limit is None else [f"  Limit: {describe(node.limit)}"]
            offset = [] if node.offset is None else [f"  Offset: {describe(node.offset)}"]
            return ["Limit", *limit, *offset, *_input(node.input)]
        case plan.Aggregation():
            return ["Aggregate", f"  Output: {describe_list(node.aggregates)}", *_input(node.input)]
    assert_never(node)


def _input(node: plan.QueryNode) -> list[str]:
    first, *rest = _lines(node)
    return [f"  ->  {first}", *(f"      {line}" for line in rest)]


def _sort_key(key: plan.SortKey) -> str:
    direction = " DESC" if key.descending else ""
    nulls = "" if key.nulls_first == key.descending else f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
    return f"{describe(key.value)}{direction}{nulls}"


def _scan(scan: plan.Scan) -> list[str]:
    table = scan.table
    alias = scan.table_columns[0].source if scan.table_columns else None
    name = table.name if alias in (None, table.name) else f"{table.name} {alias}"
    if isinstance(scan.access, plan.FullScan) and not scan.reverse:
        return [f"Seq Scan on {name}"]
    backward = " Backward" if scan.reverse else ""
    first = f"Index Scan{backward} using {table.primary_key.name if table.primary_key else ''} on {name}"
    match scan.access:
        case plan.FullScan():
            return [first]
        case plan.KeyPoints(keys):
            return [first, f"  Index Cond: {_points(_key_names(table), keys)}"]
        case plan.KeyRange():
            return [first, f"  Index Cond: {_range(_key_names(table), scan.access)}"]
    assert_never(scan.access)


def _key_names(table: Table) -> list[str]:
    return [table.columns[position].name for position in table.primary_key.columns] if table.primary_key else []


def _points(names: Sequence[str], keys: Sequence[Sequence[Expression]]) -> str:
    if len(keys) == 1:
        return f"({' AND '.join(f'{name} = {describe(value)}' for name, value in zip(names, keys[0], strict=True))})"
    if len(names) == 1:
        return f"({names[0]} IN ({describe_list([key[0] for key in keys])}))"
    return f"(({', '.join(names)}) IN ({', '.join(f'({describe_list(key)})' for key in keys)}))"


def _range(names: Sequence[str], access: plan.KeyRange) -> str:
    conditions = [f"{name} = {describe(value)}" for name, value in zip(names, access.prefix, strict=False)]
    for bound, symbol in ((access.low, ">"), (access.high, "<")):
        if bound is not None:
            name = names[len(access.prefix)]
            conditions.append(f"{name} {symbol}{'=' if bound.inclusive else ''} {describe(bound.value)}")
    return f"({' AND '.join(conditions)})"
