"""From a query of the syntax tree to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mynode.base.errors import (
    AmbiguousColumnError,
    FeatureNotSupportedError,
    GroupingError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
)
from mynode.sql import ast, plan
from mynode.sql.binder import Binder
from mynode.sql.coercion import coerce, common_type
from mynode.sql.expressions import (
    AggregateCall,
    ColumnValue,
    Expression,
    PlanColumn,
    is_nullable,
    is_volatile,
    rewrite,
    walk,
)
from mynode.sql.names import TableNames
from mynode.sql.not_yet import not_yet
from mynode.sql.parameters import ParameterTypes
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.values.casts import CastLevel
from mynode.values.types import INTEGER


@dataclass(frozen=True, slots=True)
class _Output:
    """One column of a select list."""

    name: str
    value: Expression


class QueryPlanner:
    """Plans the queries of one statement.

    A SELECT becomes, from the input up: Scan, Filter (WHERE), Aggregation, Sort (ORDER BY), Limit, Project (the select
    list). The projection stands on top so that ORDER BY can use what is not selected and LIMIT spares computing it.
    """

    __slots__ = ("_ids", "_parameters", "_tables")

    def __init__(self, tables: TableNames, parameters: ParameterTypes, ids: ColumnIds) -> None:
        self._tables = tables
        self._parameters = parameters
        self._ids = ids

    def query(self, query: ast.Query) -> plan.QueryNode:
        """Raises the `SqlError` of what the query gets wrong."""
        if isinstance(query.body, ast.Select):
            return self._select(query.body, query)
        if not isinstance(query.body, ast.Values):
            raise not_yet(query.body)
        node = self._values(query.body)
        binder = self._binder(Scope((Source("*VALUES*", node.columns),)), "ORDER BY")
        outputs = [_Output(column.name, ColumnValue(column)) for column in node.columns]
        keys = self._sort_keys(query.order_by, outputs, binder)
        return self._limited(plan.Sort(node, keys) if keys else node, query)

    def _select(self, select: ast.Select, query: ast.Query) -> plan.QueryNode:
        node, scope = self._source(select.sources)
        if select.where is not None:
            condition = self._binder(scope, "WHERE").condition(select.where, "WHERE")
            node = plan.Filter(node, condition)
        binder = self._binder(scope, None)
        outputs = [output for item in select.items for output in _outputs(item, scope, binder)]
        keys = self._sort_keys(query.order_by, outputs, binder)
        calls = _aggregate_calls([*(output.value for output in outputs), *(key.value for key in keys)])
        if calls:
            if binder.bare_columns:
                raise _not_grouped(*binder.bare_columns[0])
            node, outputs, keys = self._aggregated(node, calls, outputs, keys)
        if any(is_volatile(key.value) for key in keys):
            return self._sorted_output(node, outputs, keys, query)
        if keys:
            node = plan.Sort(node, keys)
        return self._projected(self._limited(node, query), outputs)

    def _binder(self, scope: Scope, aggregates_in: str | None) -> Binder:
        return Binder(scope, self._parameters, self._ids, aggregates_in)

    # --- FROM and VALUES ----------------------------------------------------------------------------------------------

    def _source(self, references: Sequence[ast.TableReference]) -> tuple[plan.QueryNode, Scope]:
        if not references:
            return plan.ValueRows(((),), ()), Scope()
        if len(references) > 1:
            raise FeatureNotSupportedError("joins are not supported yet", position=references[1].position)
        reference = references[0]
        if not isinstance(reference, ast.NamedTable):
            raise not_yet(reference)
        table = self._tables.find(reference.table)
        name = reference.alias or table.name
        columns = self._ids.of_table(table, name)
        return plan.Scan(table, columns), Scope((Source(name, columns),))

    def _values(self, values: ast.Values) -> plan.ValueRows:
        binder = self._binder(Scope(), "VALUES")
        if len({len(row) for row in values.rows}) > 1:
            raise SqlSyntaxError("VALUES lists must all be the same length", position=values.position)
        for node in (node for row in values.rows for node in row):
            if isinstance(node, ast.Default):
                raise SqlSyntaxError("DEFAULT is not allowed in this context", position=node.position)
        columns: list[PlanColumn] = []
        typed: list[tuple[Expression, ...]] = []
        for number, nodes in enumerate(zip(*values.rows, strict=True), 1):
            cells = [binder.bind(node) for node in nodes if not isinstance(node, ast.Default)]
            common = common_type(cells, "VALUES", values.position)
            typed.append(
                tuple(
                    coerce(cell, common, CastLevel.IMPLICIT, self._parameters, node.position) or cell
                    for cell, node in zip(cells, nodes, strict=True)
                )
            )
            nullable = any(map(is_nullable, cells))
            columns.append(self._ids.column(f"column{number}", common, nullable=nullable))
        return plan.ValueRows(tuple(zip(*typed, strict=True)), tuple(columns))

    # --- ORDER BY, LIMIT and the select list --------------------------------------------------------------------------

    def _sort_keys(
        self, items: Iterable[ast.OrderItem], outputs: Sequence[_Output], binder: Binder
    ) -> tuple[plan.SortKey, ...]:
        return tuple(
            plan.SortKey(
                _ordered_by(item.expression, outputs, binder),
                item.descending,
                item.descending if item.nulls_first is None else item.nulls_first,
            )
            for item in items
        )

    def _limited(self, node: plan.QueryNode, query: ast.Query) -> plan.QueryNode:
        if query.limit is None and query.offset is None:
            return node
        limit, offset = (
            None if part is None else self._binder(Scope(), word).of_type(part, INTEGER, word)
            for part, word in ((query.limit, "LIMIT"), (query.offset, "OFFSET"))
        )
        return plan.Limit(node, limit, offset)

    def _projected(self, node: plan.QueryNode, outputs: Sequence[_Output]) -> plan.Project:
        columns = tuple(
            self._ids.column(output.name, output.value.type, nullable=is_nullable(output.value)) for output in outputs
        )
        return plan.Project(node, tuple(output.value for output in outputs), columns)

    def _sorted_output(
        self, node: plan.QueryNode, outputs: Sequence[_Output], keys: Sequence[plan.SortKey], query: ast.Query
    ) -> plan.QueryNode:
        """Projects before sorting, the keys as columns too: what is volatile must be computed only once a row."""
        extra = [key.value for key in keys if not any(key.value is output.value for output in outputs)]
        computed = self._projected(node, [*outputs, *(_Output("?column?", value) for value in extra)])
        places = list(zip(computed.values, computed.columns, strict=True))
        sorted_keys = tuple(
            replace(key, value=next(ColumnValue(column) for value, column in places if value is key.value))
            for key in keys
        )
        limited = self._limited(plan.Sort(computed, sorted_keys), query)
        kept = computed.columns[: len(outputs)]
        return plan.Project(limited, tuple(map(ColumnValue, kept)), kept)

    # --- aggregates ---------------------------------------------------------------------------------------------------

    def _aggregated(
        self,
        node: plan.QueryNode,
        calls: Sequence[AggregateCall],
        outputs: Sequence[_Output],
        keys: Sequence[plan.SortKey],
    ) -> tuple[plan.Aggregation, list[_Output], tuple[plan.SortKey, ...]]:
        """Puts an aggregation on the input and its columns in the places of the calls."""
        columns = tuple(
            self._ids.column(call.aggregate.name, call.type, nullable=call.aggregate.nullable) for call in calls
        )
        by_call = dict(zip(calls, columns, strict=True))

        def computed(expression: Expression) -> Expression | None:
            return ColumnValue(by_call[expression]) if isinstance(expression, AggregateCall) else None

        return (
            plan.Aggregation(node, tuple(calls), columns),
            [_Output(output.name, rewrite(output.value, computed)) for output in outputs],
            tuple(replace(key, value=rewrite(key.value, computed)) for key in keys),
        )


def _outputs(item: ast.SelectItem, scope: Scope, binder: Binder) -> list[_Output]:
    if isinstance(item, ast.Star):
        if item.table is None and not scope.sources:
            raise SqlSyntaxError("SELECT * with no tables specified is not valid", position=item.position)
        sources = scope.sources if item.table is None else (scope.source(item.table, item.position),)
        found = [column for source in sources for column in source.columns]
        binder.bare_columns.extend((column, item.position) for column in found)
        return [_Output(column.name, ColumnValue(column)) for column in found]
    return [_Output(item.alias or _implied_name(item.expression), binder.value(item.expression))]


def _implied_name(expression: ast.Expression) -> str:
    match expression:
        case ast.ColumnReference():
            return expression.column
        case ast.FunctionCall():
            return expression.name
        case ast.Cast():
            name = _implied_name(expression.operand)
            return expression.type.name if name == "?column?" else name
        case ast.Case():
            return "case"
    return "?column?"


def _ordered_by(node: ast.Expression, outputs: Sequence[_Output], binder: Binder) -> Expression:
    """What an item of ORDER BY means: a place in the select list, the name of an output, else an expression."""
    match node:
        case ast.IntegerLiteral():
            if not 1 <= node.value <= len(outputs):
                raise InvalidColumnReferenceError(
                    f"ORDER BY position {node.value} is not in select list", position=node.position
                )
            return outputs[node.value - 1].value
        case ast.NullLiteral() | ast.BooleanLiteral() | ast.DecimalLiteral() | ast.StringLiteral() | ast.BytesLiteral():
            raise SqlSyntaxError("non-integer constant in ORDER BY", position=node.position)
        case ast.ColumnReference(table=None):
            named = [output.value for output in outputs if output.name == node.column]
            if named:
                if any(value != named[0] for value in named):
                    raise AmbiguousColumnError(f'ORDER BY "{node.column}" is ambiguous', position=node.position)
                return named[0]
    return binder.value(node)


def _aggregate_calls(expressions: Iterable[Expression]) -> list[AggregateCall]:
    """The different aggregates in the expressions, in the order of their first use."""
    calls = (node for expression in expressions for node in walk(expression) if isinstance(node, AggregateCall))
    return list(dict.fromkeys(calls))


def _not_grouped(column: PlanColumn, position: int) -> GroupingError:
    return GroupingError(
        f'column "{column.source}.{column.name}" must appear in the GROUP BY clause '
        "or be used in an aggregate function",
        position=position,
    )
