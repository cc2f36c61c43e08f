"""EXPLAIN: a plan as lines of text, its nodes as a tree, in PostgreSQL's words. Projections are not shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from mynode.relation.schema import Table, View
from mynode.sql import plan
from mynode.sql.expression_text import describe, describe_list, describe_sort_key
from mynode.sql.expressions import ColumnValue, Expression


@dataclass(slots=True)
class Measure:
    """What one operator did in an execution: rows given out and time taken, both of all its runs together.

    The time is that of what stands below, too.
    """

    rows: int = 0
    loops: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"(actual time={self.seconds * 1000:.3f} rows={self.rows} loops={self.loops})"


Measures: TypeAlias = Mapping[int, Measure]
"""By the identity of the plan's node."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A node's first line, what is said of it below, and its inputs.

    Attributes:
        label: the name of a sub-query.
        analyzed: whether to say what the node did.
        measure: of the node with the filter and the projection above it; None if it was not run.
        examined: of the node below its filter, if it has one.
    """

    title: str
    details: tuple[str, ...] = ()
    inputs: tuple[_Shown, ...] = ()
    label: str | None = None
    analyzed: bool = False
    measure: Measure | None = None
    examined: Measure | None = None

    def lines(self) -> list[str]:
        """The node and all below it."""
        done = "" if not self.analyzed else " (never executed)" if self.measure is None else f" {self.measure}"
        lines = [self.title + done, *(f"  {detail}" for detail in self.details)]
        if self.measure is not None and self.examined is not None:
            lines.append(f"  Rows Removed by Filter: {self.examined.rows - self.measure.rows}")
        for shown in self.inputs:
            first, *rest = shown.lines()
            lines += [] if shown.label is None else [f"  {shown.label}"]
            lines += [f"  ->  {first}", *(f"      {line}" for line in rest)]
        return lines


def explain(node: plan.DataPlan | plan.SchemaPlan, measures: Measures | None = None) -> list[str]:
    """A line a node, its details indented below it, then its input behind an arrow.

    With measures each node says what it did, or that it was never run.
    """
    match node:
        case plan.Select():
            return _shown(node.input, measures).lines()
        case plan.Insert() | plan.Update() | plan.Delete():
            title = f"{type(node).__name__} on {node.table.name}"
            below = (_shown(node.input, measures), *_per_row(node, measures))
            return _measured(_Shown(title, inputs=below), node, measures).lines()
    return _measured(_schema_change(node, measures), node, measures).lines()


def _schema_change(node: plan.SchemaPlan, measures: Measures | None) -> _Shown:
    """What is changed, and what it costs to do so: the rows that it reads or writes."""
    match node:
        case plan.CreateTable():
            return _Shown(f"Create Table {node.table.name}")
        case plan.CreateTableAs():
            below = (_shown(node.input, measures),) if node.with_data else ()
            return _Shown(f"Create Table {node.table.name}", inputs=below)
        case plan.AlterTable():
            return _Shown(f"Alter Table {node.name}", tuple(_alteration(node.alteration)))
        case plan.Truncate():
            return _Shown(f"Truncate {_names(node.tables)}")
        case plan.DropTable():
            return _Shown(f"Drop Table {_names(node.tables)}".rstrip(), tuple(_dropped(node.views)))
        case plan.CreateIndex():
            if node.draft is None:
                return _Shown(f"Create Index on {node.table.name}", ("Skipped: it exists",))
            columns = node.table.columns
            key = [columns[one.position].name + (" DESC" if one.descending else "") for one in node.draft.columns]
            return _Shown(f"Create Index {node.draft.name} on {node.table.name}", (f"Key: {', '.join(key)}",))
        case plan.DropIndex():
            return _Shown(f"Drop Index on {', '.join(sorted({table for table, _ in node.indexes}))}")
        case plan.CreateView():
            return _Shown(f"{'Create' if node.replaced is None else 'Replace'} View {node.view.name}")
        case plan.DropView():
            return _Shown(f"Drop View {_names(node.views)}".rstrip())
    assert_never(node)


def _alteration(altered: plan.Alteration | None) -> Iterator[str]:
    if altered is None:
        yield "Skipped: it does not exist"
        return
    if altered.rewrite is not None:
        yield "Rewrite: all rows"
    checks = [check.name for check in altered.rules.checks]
    checks += [foreign_key.name for foreign_key in altered.foreign_keys]
    checks += [f"{column} NOT NULL" for column in altered.not_null]
    if checks:
        yield f"Check of all rows: {', '.join(checks)}"
    if altered.indexes:
        yield f"Index: {', '.join(index.name for index in altered.indexes)}"
    yield from _dropped(altered.dropped_views)


def _dropped(views: Sequence[View]) -> Iterator[str]:
    if views:
        yield f"Dropped with it: {_names(views)}"


def _names(relations: Sequence[Table | View]) -> str:
    return ", ".join(relation.name for relation in relations)


def _per_row(node: plan.Insert | plan.Update | plan.Delete, measures: Measures | None) -> Iterator[_Shown]:
    """The queries that are run for each row that is changed."""
    made: dict[str, plan.PerRow] = {}
    if isinstance(node, plan.Insert) and node.on_conflict is not None and node.on_conflict.update is not None:
        made["Do Update"] = node.on_conflict.update.made
    if node.returning is not None:
        made["Returning"] = node.returning.made
    for label, one in made.items():
        if one.query is not None:
            yield replace(_shown(one.query, measures), label=label)


def _shown(node: plan.QueryNode, measures: Measures | None) -> _Shown:
    return _measured(_described(node, measures), node, measures)


def _measured(
    shown: _Shown, node: plan.QueryNode | plan.DataPlan | plan.SchemaPlan, measures: Measures | None
) -> _Shown:
    return shown if measures is None else replace(shown, analyzed=True, measure=measures.get(id(node), shown.measure))


def _described(node: plan.QueryNode, measures: Measures | None) -> _Shown:
    match node:
        case plan.ValueRows():
            counted = f"{len(node.rows)} row{'' if len(node.rows) == 1 else 's'}"
            return _Shown("Result" if node.rows == ((),) else f"Values: {counted}")
        case plan.CatalogRows():
            return _Shown(f"Catalog Scan on {node.name}")
        case plan.Scan():
            return _scan(node)
        case plan.Filter():
            below = _shown(node.input, measures)
            details = (*below.details, f"Filter: {describe(node.condition)}")
            return replace(below, details=details, examined=below.examined or below.measure)
        case plan.Project():
            return _shown(node.input, measures)
        case plan.Sort():
            title = "Sort" if node.first is None else "Top-N Sort"
            keys = f"Sort Key: {', '.join(map(describe_sort_key, node.keys))}"
            return _Shown(title, (keys,), (_shown(node.input, measures),))
        case plan.Limit() | plan.TiedLimit():
            parts = (("Limit", node.limit), ("Offset", node.offset))
            said = [f"{word}: {describe(part)}" for word, part in parts if part is not None]
            if isinstance(node, plan.TiedLimit):
                said.append(f"Ties: {describe_list(node.keys)}")
            return _Shown("Limit", tuple(said), (_shown(node.input, measures),))
        case plan.Aggregation():
            lines = [f"Group Key: {describe_list(node.keys)}"] if node.keys else []
            if node.aggregates:
                lines.append(f"Output: {describe_list(node.aggregates)}")
            title = "Hash Aggregate" if node.keys else "Aggregate"
            return _Shown(title, tuple(lines), (_shown(node.input, measures),))
        case plan.Join():
            return _join(node, measures)
        case plan.LookupJoin():
            title = "Nested Loop" if node.kind is plan.JoinKind.INNER else f"Nested Loop{node.kind.value} Join"
            return _Shown(title, inputs=(_shown(node.left, measures), _shown(node.right, measures)))
        case plan.Apply():
            below = _shown(node.input, measures)
            subquery = replace(_shown(node.subquery, measures), label=node.column.source)
            return replace(below, inputs=(*below.inputs, subquery))
        case plan.SetOperation():
            return _Shown(node.operator.value, inputs=(_shown(node.left, measures), _shown(node.right, measures)))
        case plan.Distinct():
            return _Shown("Distinct", inputs=(_shown(node.input, measures),))
        case plan.FirstOfEach():
            return _Shown("First of Each", (f"Key: {describe_list(node.keys)}",), (_shown(node.input, measures),))
    assert_never(node)


def _join(node: plan.Join, measures: Measures | None) -> _Shown:
    method = "Hash" if node.keys else "Nested Loop"
    plain = not node.keys and node.kind is plan.JoinKind.INNER
    details: list[str] = []
    if node.keys:
        details.append(f"Hash Cond: ({' AND '.join(f'{_named(left)} = {_named(right)}' for left, right in node.keys)})")
    if node.condition is not None:
        details.append(f"Join Filter: {describe(node.condition)}")
    title = method if plain else f"{method}{node.kind.value} Join"
    return _Shown(title, tuple(details), (_shown(node.left, measures), _shown(node.right, measures)))


def _named(expression: Expression) -> str:
    """A column with the name of its table, anything else as it is."""
    if isinstance(expression, ColumnValue) and expression.column.source is not None:
        return f"{expression.column.source}.{expression.column.name}"
    return describe(expression)


def _scan(scan: plan.Scan) -> _Shown:
    table = scan.table
    alias = scan.table_columns[0].source if scan.table_columns else None
    name = table.name if alias in (None, table.name) else f"{table.name} {alias}"
    path = scan.path
    if path is None:
        return _Shown(f"Seq Scan on {name}")
    kind = "Index Only Scan" if scan.bare and not path.is_primary else "Index Scan"
    title = f"{kind}{' Backward' if scan.reverse else ''} using {path.name} on {name}"
    names = [table.columns[column.position].name for column in path.columns]
    match scan.access:
        case plan.FullScan():
            return _Shown(title)
        case plan.KeyPoints(keys):
            return _Shown(title, (f"Index Cond: {_points(names[: len(keys[0])], scan.access)}",))
        case plan.KeyRange():
            return _Shown(title, (f"Index Cond: {_range(names, scan.access)}",))
    assert_never(scan.access)


def _points(names: Sequence[str], points: plan.KeyPoints) -> str:
    keys, nulls = points.keys, points.null_places
    if len(keys) == 1:
        pairs = enumerate(zip(names, keys[0], strict=True))
        tests = (f"{name} {'IS NULL' if place in nulls else f'= {describe(value)}'}" for place, (name, value) in pairs)
        return f"({' AND '.join(tests)})"
    if len(names) == 1:
        return f"({names[0]} IN ({describe_list([key[0] for key in keys])}))"
    found = f"(({', '.join(names)}) IN ({', '.join(f'({describe_list(key)})' for key in keys)}))"
    return " AND ".join((found, *(f"({names[place]} IS NULL)" for place in nulls)))


def _range(names: Sequence[str], access: plan.KeyRange) -> str:
    conditions = [f"{name} = {describe(value)}" for name, value in zip(names, access.prefix, strict=False)]
    for bound, symbol in ((access.low, ">"), (access.high, "<")):
        if bound is not None:
            name = names[len(access.prefix)]
            conditions.append(f"{name} {symbol}{'=' if bound.inclusive else ''} {describe(bound.value)}")
    if access.low is None and access.high is None:
        conditions.append(f"{names[len(access.prefix)]} IS NOT NULL")
    return f"({' AND '.join(conditions)})"
