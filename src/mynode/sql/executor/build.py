"""From an optimized plan to something that runs: a function that takes a context and executes the statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final, assert_never

from mynode.relation.catalog import table_names
from mynode.relation.rows import TableRows
from mynode.relation.schema import Table
from mynode.sql import plan
from mynode.sql.compiler import Compiler, RowsFunction
from mynode.sql.executor import alter_table, changes, grouping, operators, schema_changes, set_operations, subqueries
from mynode.sql.executor.analyze import analyzed, measured
from mynode.sql.executor.context import Batches, Execute, Execution, ExecutionContext, RowsOf
from mynode.sql.executor.foreign_keys import CascadedTable, ForeignKeys
from mynode.sql.executor.insert_or import insert_or
from mynode.sql.executor.joins import JoinSide, hash_joined, inner_joined, lookup_joined
from mynode.sql.executor.output import Returning, select, select_at_once, text_places
from mynode.sql.executor.per_row import PerRow, computed, queried
from mynode.sql.executor.row_checks import row_check
from mynode.sql.executor.scan import Given, key_points, key_range, row_at, scan, whole
from mynode.sql.executor.sort import SortPass, sorted_rows
from mynode.sql.explain import explain
from mynode.sql.expressions import AggregateCall, ColumnValue, Constant, Expression, PlanColumn, SortKey, conjunction
from mynode.sql.information_schema import virtual_rows
from mynode.sql.plan_parts import is_volatile_plan, outer_columns
from mynode.values.types import BOOLEAN, BPCHAR, INTEGER, TEXT, Row

_EXACT: Final = (INTEGER, TEXT, BPCHAR, BOOLEAN)
"""Types whose equal values are the same."""
_NO_ROW_COUNT: Final = Constant(None, INTEGER)
_COUNTED: Final = Constant(True, BOOLEAN)


class Builder:
    """Builds the operators of one plan.

    Attributes:
        tables: access to each table that the plan rests on, by name.
    """

    __slots__ = ("_measures", "tables")

    def __init__(self, tables: Iterable[Table]) -> None:
        self.tables = {table.name: TableRows(table) for table in tables}
        self._measures = False

    def statement(self, node: plan.Plan) -> Execute:
        match node:
            case plan.Select():
                at_once = self._at_once(node.input)
                if at_once is not None:
                    return select_at_once(at_once)
                return select(self.query(node.input), text_places(node.input.columns))
            case plan.Insert():
                return self._insert(node)
            case plan.Update():
                target, source, returning = self._target(node), self._changed(node), self._returning(node)
                return _looking_back(node, changes.update(target, source, returning, moves=node.moves))
            case plan.Delete():
                rows, foreign_keys = self.tables[node.table.name], self._foreign_keys(node.foreign_keys)
                deleted = changes.delete(rows, foreign_keys, self._changed(node), self._returning(node))
                return _looking_back(node, deleted)
            case plan.CreateTable():
                return schema_changes.create_table(node)
            case plan.CreateTableAs():
                return schema_changes.create_table_as(node, self.query(node.input))
            case plan.AlterTable():
                return alter_table.alter_table(node)
            case plan.Truncate():
                return alter_table.truncate(node)
            case plan.DropTable():
                return schema_changes.drop_tables(node)
            case plan.CreateIndex():
                return schema_changes.create_index(node)
            case plan.DropIndex():
                return schema_changes.drop_indexes(node)
            case plan.CreateView():
                return schema_changes.create_view(node)
            case plan.DropView():
                return schema_changes.drop_views(node)
            case plan.ShowTables():
                return select(
                    operators.value_rows(lambda context: [(name,) for name in table_names(context.transaction)]),
                    [0],
                    tag="SHOW",
                )
            case plan.Explain(analyze=True):
                self._measures = True
                return analyzed(self.statement(node.plan), node.plan)
            case plan.Explain():
                lines: list[Row] = [(line,) for line in explain(node.plan)]
                return select(operators.value_rows(lambda _: lines), [0], tag="EXPLAIN")
        assert_never(node)

    def _insert(self, node: plan.Insert) -> Execute:
        target, source, returning = self._target(node), self._found(node.input), self._returning(node)
        if node.on_conflict is None:
            return _looking_back(node, changes.insert(target, source, returning))
        update = node.on_conflict.update
        made = None if update is None else self._per_row(update.made, update.columns)
        return _looking_back(node, insert_or(target, source, node.on_conflict.constraints, made, returning))

    def _returning(self, node: plan.Insert | plan.Update | plan.Delete) -> Returning | None:
        if node.returning is None:
            return None
        return Returning(self._per_row(node.returning.made, node.input.columns), node.returning.columns)

    def _per_row(self, made: plan.PerRow, columns: Sequence[PlanColumn]) -> PerRow:
        if made.query is not None:
            return queried(self.query(made.query), columns)
        return computed(Compiler(columns).rows(made.condition, made.values))

    def _target(self, node: plan.Insert | plan.Update) -> changes.Target:
        rows = self.tables[node.table.name]
        return changes.Target(rows, row_check(node.rules), self._foreign_keys(node.foreign_keys))

    def _foreign_keys(self, found: plan.ForeignKeys | None) -> ForeignKeys | None:
        if found is None:
            return None
        cascaded = {
            one.rules.table.name: CascadedTable(
                self.tables[one.rules.table.name], row_check(one.rules), Compiler().values(one.defaults)
            )
            for one in found.cascaded
        }
        return ForeignKeys(self.tables, cascaded)

    def _changed(self, node: plan.Update | plan.Delete) -> Batches:
        found = self._found(node.input)
        return changes.once_each(found, len(node.table.columns)) if node.repeats else found

    def _found(self, node: plan.QueryNode) -> Batches:
        """The rows of a statement that changes what it may read: none of them may come from its own writes."""
        return self.query(node) if _reads_at_once(node) else operators.gathered(self.query(node))

    def _at_once(self, node: plan.QueryNode) -> RowsOf | None:
        """One row by its key, computed from or tested: what most statements of programs ask for. None for the rest."""
        match node:
            case plan.Scan(path=path, access=plan.KeyPoints((key,), ())) if path is not None and not self._measures:
                if path.is_unique and len(key) == len(path.columns) and not node.bare:
                    values = Compiler().value_rows((key,))
                    return row_at(self.tables[node.table.name], path, values, _given(node))
            case plan.Filter() | plan.Project():
                source = self._at_once(node.input)
                if source is not None:
                    return operators.computed_at_once(source, _computed(node))
        return None

    def query(self, node: plan.QueryNode) -> Batches:
        made = self._operator(node)
        return measured(made, node) if self._measures else made

    def _operator(self, node: plan.QueryNode) -> Batches:
        match node:
            case plan.ValueRows():
                return operators.value_rows(Compiler().value_rows(node.rows))
            case plan.CatalogRows(name, catalog):
                return operators.catalog_rows(lambda: virtual_rows(name, catalog))
            case plan.Scan():
                return self._scan(node)
            case plan.Filter():
                return operators.computed(self.query(node.input), _computed(node))
            case plan.Project():
                return self._project(node)
            case plan.Sort():
                return self._sort(node)
            case plan.Limit():
                parts = (node.limit or _NO_ROW_COUNT, node.offset or _NO_ROW_COUNT)
                return operators.limited(self.query(node.input), Compiler().values(parts))
            case plan.TiedLimit():
                parts = (node.limit or _NO_ROW_COUNT, node.offset or _NO_ROW_COUNT)
                key_of = Compiler(node.columns).keys(node.keys)
                return operators.limited_with_ties(self.query(node.input), Compiler().values(parts), key_of)
            case plan.Aggregation():
                return self._aggregation(node)
            case plan.Join():
                return self._join(node)
            case plan.LookupJoin():
                return lookup_joined(
                    self.query(node.left),
                    self.query(node.right),
                    [(column.id, place) for place, column in enumerate(node.left.columns)],
                    len(node.right.columns),
                    node.kind,
                )
            case plan.Apply():
                return self._apply(node)
            case plan.SetOperation():
                return self._set_operation(node)
            case plan.Distinct():
                key_of = Compiler(node.columns).keys(tuple(map(ColumnValue, node.columns)))
                return grouping.distinct(self.query(node.input), key_of)
            case plan.FirstOfEach():
                return grouping.distinct(self.query(node.input), Compiler(node.columns).keys(node.keys))
        assert_never(node)

    def _scan(self, node: plan.Scan) -> Batches:
        rows, path = self.tables[node.table.name], node.path
        if node.bare:
            rows = rows.without_values()
        give = _given(node)
        if path is None:
            return scan(rows, None, whole((rows.low, rows.high)), give)
        match node.access:
            case plan.FullScan():
                return scan(rows, path, whole(path.limits), give)
            case plan.KeyPoints(keys, null_places):
                return key_points(rows, path, Compiler().value_rows(keys), len(keys[0]), null_places, give)
            case plan.KeyRange(prefix, low, high):
                bounds = [bound.value for bound in (low, high) if bound is not None]
                limits = key_range(
                    path,
                    Compiler().values([*prefix, *bounds]),
                    len(prefix),
                    None if low is None else low.inclusive,
                    None if high is None else high.inclusive,
                )
                return scan(rows, path, limits, give)
        assert_never(node.access)

    def _project(self, node: plan.Project) -> Batches:
        """Together with a filter right below it."""
        source: plan.QueryNode = node.input
        condition: Expression | None = None
        if isinstance(source, plan.Filter):
            condition = source.condition
            source = source.input
        if isinstance(source, plan.Join) and source.kind is plan.JoinKind.INNER and not self._measures:
            return self._inner_join(source, condition, node.values)
        compiler = Compiler(source.columns)
        if condition is None and compiler.is_identity(node.values):
            return self.query(source)
        return operators.computed(self.query(source), compiler.rows(condition, node.values))

    def _sort(self, node: plan.Sort) -> Batches:
        first = None
        if node.first is not None:
            limit, offset = node.first
            first = Compiler().values((limit, offset or _NO_ROW_COUNT))
        return sorted_rows(self.query(node.input), _sort_passes(node.keys, node.input.columns), first)

    def _join(self, node: plan.Join) -> Batches:
        if node.kind is plan.JoinKind.INNER:
            return self._inner_join(node, None, None)
        left, right = self._sides(node)
        pairs = (*node.left.columns, *node.right.columns) if node.kind in plan.ONE_SIDED else node.columns
        test = None if node.condition is None else Compiler(pairs).rows(node.condition, None)
        return hash_joined(left, right, node.kind, test)

    def _inner_join(
        self, node: plan.Join, condition: Expression | None, values: Sequence[Expression] | None
    ) -> Batches:
        """Together with a filter and a projection right above it, which see the pairs before they are made rows."""
        conditions = [one for one in (node.condition, condition) if one is not None]
        make = Compiler(node.left.columns, node.right.columns).pairs(conjunction(tuple(conditions)), values)
        return inner_joined(*self._sides(node), make)

    def _sides(self, node: plan.Join) -> tuple[JoinSide, JoinSide]:
        left, right = (
            JoinSide(
                self.query(side),
                len(side.columns),
                Compiler(side.columns).join_keys([pair[place] for pair in node.keys]) if node.keys else None,
            )
            for place, side in enumerate((node.left, node.right))
        )
        return left, right

    def _apply(self, node: plan.Apply) -> Batches:
        match node.question:
            case plan.OnlyValue():
                asking = subqueries.only_value()
            case plan.OnlyRow():
                asking = subqueries.only_row()
            case plan.AnyRow():
                asking = subqueries.any_row()
            case plan.AnyMatch(operands, compare):
                operands_of = Compiler(node.input.columns).rows(None, operands)
                if len(operands) > 1:
                    asking = subqueries.member_row(operands_of)
                elif compare[0].name == "=":
                    asking = subqueries.member(operands_of)
                else:
                    asking = subqueries.any_match(operands_of, compare[0].implementation)
        used = outer_columns(node.subquery)
        places = {column: place for place, column in enumerate(node.input.columns)}
        bindings = subqueries.Bindings(
            tuple((column.id, places[column]) for column in sorted(used & places.keys(), key=_id)),
            tuple(column.id for column in sorted(used - places.keys(), key=_id)),
            repeatable=_is_repeatable(node.subquery, used),
        )
        source, subquery = self.query(node.input), self.query(node.subquery)
        return subqueries.applied(source, subquery, asking, bindings, deferred=node.column.deferred)

    def _set_operation(self, node: plan.SetOperation) -> Batches:
        left, right = self.query(node.left), self.query(node.right)
        if node.operator is plan.SetOperator.UNION:
            return set_operations.appended(left, right)
        keys = [Compiler(side.columns).keys(tuple(map(ColumnValue, side.columns))) for side in (node.left, node.right)]
        is_intersect = node.operator is plan.SetOperator.INTERSECT
        return set_operations.matched(left, right, keys[0], keys[1], keep=is_intersect)

    def _aggregation(self, node: plan.Aggregation) -> Batches:
        def values_of(call: AggregateCall) -> grouping.ValuesFunction | None:
            if call.argument is None and call.filter is None:
                return None
            return Compiler(node.input.columns).known_values(call.argument or _COUNTED, call.filter, call.second)

        steps = [
            grouping.AggregateStep(
                call.aggregate, values_of(call), call.distinct, _sort_passes(call.order, node.input.columns)
            )
            for call in node.aggregates
        ]
        key = None
        if node.keys:
            columns = node.input.columns
            accumulate = Compiler(columns).accumulate(node.keys, node.aggregates)
            key = grouping.GroupKey(Compiler(columns).groups(node.keys), accumulate)
        return grouping.grouped(self.query(node.input), key, steps)


def _sort_passes(keys: Sequence[SortKey], columns: Sequence[PlanColumn]) -> list[SortPass]:
    """One a key, the last key first."""

    def sort_pass(key: SortKey) -> SortPass:
        nulls_are = 1 if key.nulls_first == key.descending else -1
        return SortPass(Compiler(columns).sort_key(key.value, nulls_are), key.descending)

    return [sort_pass(key) for key in reversed(keys)]


def _looking_back(node: plan.Insert | plan.Update | plan.Delete, execute: Execute) -> Execute:
    """The execution of a statement whose sub-queries for changed rows see what was before it."""
    made = [] if node.returning is None else [node.returning.made]
    if isinstance(node, plan.Insert) and node.on_conflict is not None and node.on_conflict.update is not None:
        made.append(node.on_conflict.update.made)
    if all(one.query is None for one in made):
        return execute

    def run(context: ExecutionContext) -> Execution:
        context.before = context.transaction.at_present()
        return execute(context)

    return run


def _given(node: plan.Scan) -> Given:
    return Given(reverse=node.reverse, with_key=node.key is not None, bare=node.bare)


def _computed(node: plan.Filter | plan.Project) -> RowsFunction:
    compiler = Compiler(node.input.columns)
    return compiler.rows(node.condition, None) if isinstance(node, plan.Filter) else compiler.rows(None, node.values)


def _reads_at_once(node: plan.QueryNode) -> bool:
    """Whether all that is read is of the moment in which the first row is asked for: one scan sees no later write."""
    match node:
        case plan.Filter() | plan.Project() | plan.Limit():
            return _reads_at_once(node.input)
        case plan.Scan(path=path) if path is not None and not path.is_primary:
            return False  # each row is looked up when its entry is come by
        case plan.Scan(access=plan.KeyPoints(keys)):
            return len(keys) == 1
        case plan.Scan() | plan.ValueRows() | plan.CatalogRows():
            return True
    return False


def _id(column: PlanColumn) -> int:
    return column.id


def _is_repeatable(subquery: plan.QueryNode, used: Set[PlanColumn]) -> bool:
    """Whether what was found for some outer values holds for equal ones: 0.0 and -0.0 are equal and differ."""
    if not used:
        return True
    return all(column.type in _EXACT for column in used) and not is_volatile_plan(subquery)
