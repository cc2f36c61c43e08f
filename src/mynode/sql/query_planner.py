"""From a query of the syntax tree to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, count

from mynode.base.limits import MAX_WITH_USES
from mynode.base.sql_errors import (
    DuplicateAliasError,
    InvalidColumnReferenceError,
    SqlError,
    SqlSyntaxError,
    StatementTooComplexError,
)
from mynode.relation.schema import View
from mynode.sql import ast, plan
from mynode.sql.binder import Binder
from mynode.sql.coercion import coerce, common_type
from mynode.sql.expressions import (
    ColumnValue,
    Constant,
    Expression,
    PlanColumn,
    children,
    columns_of,
    is_nullable,
    is_volatile,
)
from mynode.sql.from_clause import FromPlanner, Rows, called
from mynode.sql.grouping import Grouping, aggregate_calls
from mynode.sql.names import TableNames
from mynode.sql.parameters import ParameterTypes
from mynode.sql.parser import parse_stored_query
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.sql.select_list import Output, grouped_by, ordered_by, outputs_of
from mynode.sql.subqueries import Pending, applied, limited, operands, parted, value_rows
from mynode.values.casts import CastLevel
from mynode.values.types import INTEGER, UNKNOWN, SqlType


class QueryPlanner:
    """Plans the queries of one statement.

    A SELECT becomes, from the input up: Scan, Filter (WHERE), Aggregation, Filter (HAVING), Sort (ORDER BY), Limit,
    Project (the select list). The projection stands on top so that ORDER BY can use what is not selected and LIMIT
    spares computing it. With DISTINCT it stands below: Project, Distinct, Sort, Limit.

    Attributes:
        stars: what each `*` of the select lists stands for, by its position.
    """

    __slots__ = ("_common", "_ids", "_outer", "_parameters", "_tables", "_uses", "stars")

    def __init__(
        self, tables: TableNames, parameters: ParameterTypes, ids: ColumnIds, outer: Binder | None = None
    ) -> None:
        self._tables = tables
        self._parameters = parameters
        self._ids = ids
        self._outer = outer
        self.stars: dict[int, list[PlanColumn]] = {}
        self._common: dict[str, tuple[ast.CommonTable, QueryPlanner]] = {}
        self._uses = count(1)

    def query(self, query: ast.Query) -> plan.QueryNode:
        """Raises the `SqlError` of what the query gets wrong."""
        return self.after_with(query.common_tables)._body(query)

    def binder(self, scope: Scope, aggregates_in: str | None) -> Binder:
        """For the expressions of one place; `aggregates_in` as `Binder` has it."""
        return Binder(scope, self._parameters, self._ids, aggregates_in, self._subquery, self._outer)

    def _subquery(self, query: ast.Query, outer: Binder) -> plan.QueryNode:
        inner = self._beside(outer)
        inner._common = self._common
        return inner.query(query)

    def _beside(self, outer: Binder | None) -> QueryPlanner:
        """A planner of another query of the same statement."""
        made = QueryPlanner(self._tables, self._parameters, self._ids, outer)
        made._uses, made.stars = self._uses, self.stars
        return made

    def _body(self, query: ast.Query) -> plan.QueryNode:
        match query.body:
            case ast.Select():
                return self._select(query.body, query)
            case ast.Values():
                return self._ordered(self._values(query.body), "*VALUES*", query)
            case ast.SetOperation():
                return self._ordered(self._set_operation(query.body), "*RESULT*", query)

    def _ordered(self, node: plan.QueryNode, name: str, query: ast.Query) -> plan.QueryNode:
        binder = self.binder(Scope((Source(name, node.columns),)), "ORDER BY")
        outputs = [Output(column.name, ColumnValue(column)) for column in node.columns]
        keys = self._sort_keys(query.order_by, outputs, binder)
        pending = binder.take_pending()
        ordered = self._limited(plan.Sort(applied(node, pending), keys) if keys else node, query, keys)
        return self._projected(ordered, outputs) if pending else ordered

    # --- WITH ---------------------------------------------------------------------------------------------------------

    def after_with(self, tables: Sequence[ast.CommonTable]) -> QueryPlanner:
        """The planner of what stands after WITH, if there is one. Each use of a common table is planned where it is."""
        names: set[str] = set()
        inner: QueryPlanner = self
        for table in tables:
            if table.name in names:
                raise DuplicateAliasError(
                    f'WITH query name "{table.name}" specified more than once', position=table.position
                )
            names.add(table.name)
            outer, inner = inner, self._beside(self._outer)
            inner._common = {**outer._common, table.name: (table, outer)}
            inner._common_table(ast.TableName(None, table.name, table.position))  # its errors, though nobody uses it
        return inner

    def _common_table(self, name: ast.TableName) -> plan.QueryNode | None:
        """The plan of the common table that is meant, if one is."""
        if name.schema is not None or name.name not in self._common:
            return None
        self._count_use(name)
        table, planner = self._common[name.name]
        node = planner.query(table.query)
        renamed = called(node.columns, table.name, table.columns)
        return plan.Project(node, tuple(map(ColumnValue, renamed)), renamed)

    # --- views --------------------------------------------------------------------------------------------------------

    def _named_query(self, name: ast.TableName) -> plan.QueryNode | None:
        """The plan of the common table or view that is meant, if one is."""
        found = self._common_table(name)
        if found is not None:
            return found
        view = self._tables.view(name)
        if view is None:
            return None
        node, bound = self.view(view, name), self._tables.bound(name)
        if bound is None or len(bound.columns) == len(node.columns):
            return node
        columns = node.columns[: len(bound.columns)]
        return plan.Project(node, tuple(map(ColumnValue, columns)), columns)

    def view(self, view: View, name: ast.TableName) -> plan.QueryNode:
        """The plan of a view's query, as it is used under the name."""
        self._count_use(name)
        inner = QueryPlanner(self._tables.in_view(view), self._parameters, self._ids)
        inner._uses = self._uses
        try:
            node = inner.query(parse_stored_query(view.query))
        except SqlError as error:
            error.position = None
            raise
        columns = tuple(
            replace(column, name=known.name, source=view.name)
            for column, known in zip(node.columns, view.columns, strict=True)
        )
        return plan.Project(node, tuple(map(ColumnValue, columns)), columns)

    def _count_use(self, name: ast.TableName) -> None:
        if next(self._uses) > MAX_WITH_USES:
            raise StatementTooComplexError(
                "the queries of views and of WITH use each other too often", position=name.position
            )

    # --- SELECT -------------------------------------------------------------------------------------------------------

    def _select(self, select: ast.Select, query: ast.Query) -> plan.QueryNode:
        rows = self.rows(select.sources)
        node, scope = rows.node, rows.scope
        if select.where is not None:
            binder = self.binder(scope, "WHERE")
            condition = binder.condition(select.where, "WHERE")
            node = plan.Filter(applied(node, binder.take_pending()), condition)
        binder = self.binder(scope, None)
        outputs: list[Output] = []
        for item in select.items:
            found = outputs_of(item, scope, binder)
            if isinstance(item, ast.Star):
                self.stars[item.position] = [one.value.column for one in found if isinstance(one.value, ColumnValue)]
            outputs += found
        waiting = binder.take_pending()
        group_binder = self.binder(scope, "GROUP BY").with_answers_of(binder)
        group_keys = tuple(dict.fromkeys(grouped_by(item, outputs, scope, group_binder) for item in select.group_by))
        waiting += group_binder.take_pending()
        having = None
        if select.having is not None:
            binder.keep_answers(group_keys)
            having = binder.condition(select.having, "HAVING")
            binder.keep_answers(group_keys)
        keys = self._sort_keys(query.order_by, outputs, binder)
        first_of = [ordered_by(item, outputs, binder, "DISTINCT ON") for item in select.distinct_on]
        waiting += binder.take_pending()
        used = [*(output.value for output in outputs), *(key.value for key in keys), *first_of, *operands(waiting)]
        calls = aggregate_calls(used if having is None else [*used, having])
        calls = tuple(dict.fromkeys((*calls, *aggregate_calls(binder.outer_calls))))
        if calls or select.group_by or having is not None:
            first, waiting = parted(waiting, columns_of(chain(group_keys, *map(children, calls))))
            node = applied(node, first)
            grouping = Grouping(group_keys, calls, self._ids, binder)
            node = plan.Aggregation(node, group_keys, calls, grouping.columns)
            waiting = [grouping.of_subquery(one) for one in waiting]
            if having is not None:
                having = grouping.of_group(having)
                first, waiting = parted(waiting, columns_of([having]))
                node = plan.Filter(applied(node, first), having)
            outputs = [Output(output.name, grouping.of_group(output.value)) for output in outputs]
            keys = tuple(replace(key, value=grouping.of_group(key.value)) for key in keys)
            first_of = list(map(grouping.of_group, first_of))
        return self._selected(node, outputs, keys, waiting, first_of, select, query)

    def _selected(
        self,
        node: plan.QueryNode,
        outputs: Sequence[Output],
        keys: Sequence[plan.SortKey],
        waiting: Sequence[Pending],
        first_of: Sequence[Expression],
        select: ast.Select,
        query: ast.Query,
    ) -> plan.QueryNode:
        """The outputs in order. Sub-queries that the order does not need are answered only for rows within LIMIT.

        Args:
            first_of: the expressions of DISTINCT ON.
        """
        if select.distinct and not first_of:
            return self._distinct(applied(node, waiting), outputs, keys, query)
        if not first_of and any(is_volatile(key.value) for key in keys):
            return self._sorted_output(applied(node, waiting), outputs, keys, query)
        if keys:
            first, waiting = parted(waiting, columns_of(key.value for key in keys))
            node = plan.Sort(applied(node, first), tuple(keys))
        if first_of:
            _check_order(first_of, keys, query)
            needed, waiting = parted(waiting, columns_of(first_of))
            node = plan.FirstOfEach(applied(node, needed), tuple(first_of))
        return self._projected(applied(self._limited(node, query, keys), waiting), outputs)

    def _distinct(
        self, node: plan.QueryNode, outputs: Sequence[Output], keys: Sequence[plan.SortKey], query: ast.Query
    ) -> plan.QueryNode:
        """Sorts after the duplicates are gone, so by what is selected only."""
        computed = self._projected(node, outputs)
        columns = dict(reversed(list(zip(computed.values, computed.columns, strict=True))))
        sorted_keys: list[plan.SortKey] = []
        for key, item in zip(keys, query.order_by, strict=True):
            if key.value not in columns:
                raise InvalidColumnReferenceError(
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list", position=item.position
                )
            sorted_keys.append(replace(key, value=ColumnValue(columns[key.value])))
        distinct = plan.Distinct(computed)
        ordered = plan.Sort(distinct, tuple(sorted_keys)) if sorted_keys else distinct
        return self._limited(ordered, query, sorted_keys)

    # --- FROM and VALUES ----------------------------------------------------------------------------------------------

    def rows(self, references: Sequence[ast.TableReference]) -> Rows:
        """What FROM gives. Raises the `SqlError` of what it gets wrong."""
        return FromPlanner(self._tables, self._ids, self._named_query, self.query, self.binder).rows(references)

    def _values(self, values: ast.Values) -> plan.QueryNode:
        binder = self.binder(Scope(), "VALUES")
        if len({len(row) for row in values.rows}) > 1:
            raise SqlSyntaxError("VALUES lists must all be the same length", position=values.position)
        for node in (node for row in values.rows for node in row):
            if isinstance(node, ast.Default):
                raise SqlSyntaxError("DEFAULT is not allowed in this context", position=node.position)
        columns: list[PlanColumn] = []
        typed: list[tuple[Expression, ...]] = []
        pending: list[list[Pending]] = [[] for _ in values.rows]
        for number, nodes in enumerate(zip(*values.rows, strict=True), 1):
            cells: list[Expression] = []
            for row, node in enumerate(nodes):
                if not isinstance(node, ast.Default):
                    cells.append(binder.bind(node))
                    pending[row] += binder.take_pending()
            common = common_type(cells, "VALUES", values.position)
            typed.append(
                tuple(
                    coerce(cell, common, CastLevel.IMPLICIT, self._parameters, node.position) or cell
                    for cell, node in zip(cells, nodes, strict=True)
                )
            )
            nullable = any(map(is_nullable, cells))
            columns.append(self._ids.column(f"column{number}", common, nullable=nullable))
        rows = list(zip(zip(*typed, strict=True), pending, strict=True))
        return value_rows(rows, tuple(columns), self._ids)

    def _set_operation(self, operation: ast.SetOperation) -> plan.QueryNode:
        word = operation.operator.value
        left, right = (self._operand(side) for side in (operation.left, operation.right))
        if len(left.columns) != len(right.columns):
            raise SqlSyntaxError(
                f"each {word} query must have the same number of columns", position=operation.right.position
            )
        columns_of = [_free_columns(left, operation.left), _free_columns(right, operation.right)]
        types = [common_type(pair, word, operation.right.position) for pair in zip(*columns_of, strict=True)]
        sides = [
            self._as_types(side, values, types, operation.position)
            for side, values in zip((left, right), columns_of, strict=True)
        ]
        columns = tuple(
            self._ids.column(one.name, type_, nullable=one.nullable or other.nullable)
            for one, other, type_ in zip(sides[0].columns, sides[1].columns, types, strict=True)
        )
        made = plan.SetOperation(plan.SetOperator[operation.operator.name], sides[0], sides[1], columns)
        if not operation.distinct:
            return made
        if operation.operator is ast.SetOperator.EXCEPT:
            made = replace(made, left=plan.Distinct(sides[0]))
        return plan.Distinct(made)

    def _operand(self, side: ast.QueryBody | ast.Query) -> plan.QueryNode:
        if isinstance(side, ast.Query):
            return self.query(side)
        return self._body(ast.Query(side, (), None, None, (), side.position))

    def _as_types(
        self, node: plan.QueryNode, free: Sequence[Expression], types: Sequence[SqlType], position: int
    ) -> plan.QueryNode:
        if [column.type for column in node.columns] == list(types):
            return node
        values = tuple(
            coerce(value, type_, CastLevel.IMPLICIT, self._parameters, position) or value
            for value, type_ in zip(free, types, strict=True)
        )
        columns = tuple(
            self._ids.column(column.name, type_, nullable=column.nullable)
            for column, type_ in zip(node.columns, types, strict=True)
        )
        return plan.Project(node, values, columns)

    # --- ORDER BY, LIMIT and the select list --------------------------------------------------------------------------

    def _sort_keys(
        self, items: Iterable[ast.OrderItem], outputs: Sequence[Output], binder: Binder
    ) -> tuple[plan.SortKey, ...]:
        return tuple(
            plan.SortKey(
                ordered_by(item.expression, outputs, binder),
                item.descending,
                item.descending if item.nulls_first is None else item.nulls_first,
            )
            for item in items
        )

    def _limited(self, node: plan.QueryNode, query: ast.Query, keys: Sequence[plan.SortKey]) -> plan.QueryNode:
        """`keys`: what the node is sorted by."""
        if query.limit is None and query.offset is None:
            return node
        pending: list[Pending] = []
        parts: list[Expression | None] = []
        for part, word in ((query.limit, "LIMIT"), (query.offset, "OFFSET")):
            binder = self.binder(Scope(), word)
            parts.append(None if part is None else binder.of_type(part, INTEGER, word, CastLevel.ASSIGNMENT))
            pending += binder.take_pending()
        ties = [key.value for key in keys] if query.with_ties else []
        return limited(node, parts[0], parts[1], pending, ties)

    def _projected(self, node: plan.QueryNode, outputs: Sequence[Output]) -> plan.Project:
        columns = tuple(
            self._ids.column(output.name, output.value.type, nullable=is_nullable(output.value)) for output in outputs
        )
        return plan.Project(node, tuple(output.value for output in outputs), columns)

    def _sorted_output(
        self, node: plan.QueryNode, outputs: Sequence[Output], keys: Sequence[plan.SortKey], query: ast.Query
    ) -> plan.QueryNode:
        """Projects before sorting, the keys as columns too: what is volatile must be computed only once a row."""
        extra = [key.value for key in keys if not any(key.value is output.value for output in outputs)]
        computed = self._projected(node, [*outputs, *(Output("?column?", value) for value in extra)])
        places = list(zip(computed.values, computed.columns, strict=True))
        sorted_keys = tuple(
            replace(key, value=next(ColumnValue(column) for value, column in places if value is key.value))
            for key in keys
        )
        limited = self._limited(plan.Sort(computed, sorted_keys), query, sorted_keys)
        kept = computed.columns[: len(outputs)]
        return plan.Project(limited, tuple(map(ColumnValue, kept)), kept)


def _check_order(first_of: Sequence[Expression], keys: Sequence[plan.SortKey], query: ast.Query) -> None:
    """What DISTINCT ON tells rows apart by must be what they are ordered by first."""
    wanted = set(first_of)
    for key, item in zip(keys, query.order_by, strict=True):
        if not wanted:
            return
        if key.value not in first_of:
            raise InvalidColumnReferenceError(
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions", position=item.position
            )
        wanted.discard(key.value)


def _free_columns(node: plan.QueryNode, side: ast.QueryBody | ast.Query) -> list[Expression]:
    """The columns of a side of a set operation; a bare NULL or quoted constant takes the type of the other side."""
    while isinstance(side, ast.Query):
        side = side.body
    columns: list[Expression] = [ColumnValue(column) for column in node.columns]
    if not isinstance(side, ast.Select) or any(isinstance(item, ast.Star) for item in side.items):
        return columns
    for place, item in enumerate(side.items):
        match item:
            case ast.SelectExpression(expression=ast.NullLiteral()):
                columns[place] = Constant(None, UNKNOWN)
            case ast.SelectExpression(expression=ast.StringLiteral(value=text)):
                columns[place] = Constant(text, UNKNOWN)
    return columns
