"""From INSERT, UPDATE and DELETE to plans."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from mynode.base.sql_errors import DuplicateColumnError, GeneratedAlwaysError, SqlSyntaxError
from mynode.relation.schema import Column, Identity, Table
from mynode.sql import ast, plan
from mynode.sql import foreign_keys as foreign_keys_of
from mynode.sql.binder import Binder, assignment_mismatch
from mynode.sql.coercion import coerce
from mynode.sql.conflicts import arbiters
from mynode.sql.expressions import ColumnValue, Expression, PlanColumn, is_nullable
from mynode.sql.from_clause import side_by_side
from mynode.sql.names import TableNames, find_column
from mynode.sql.parameters import ParameterTypes
from mynode.sql.query_planner import QueryPlanner
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.sql.select_list import outputs_of
from mynode.sql.stored_expressions import default_of, row_rules
from mynode.sql.subqueries import applied, per_row, value_rows
from mynode.values.casts import CastLevel
from mynode.values.types import TEXT


@dataclass(frozen=True, slots=True)
class _ChangedRows:
    """The rows that an UPDATE or DELETE changes.

    Attributes:
        node: the scan, joined to the other sources, with the condition on both.
        sources: what is in sight beside the table.
    """

    node: plan.QueryNode
    scan: plan.Scan
    scope: Scope
    sources: Scope

    @property
    def repeats(self) -> bool:
        """Whether a row can come more than once."""
        return bool(self.sources.sources)

    def source_columns(self, returning: Sequence[ast.SelectItem]) -> tuple[PlanColumn, ...]:
        """The columns of the other sources, if RETURNING could use them."""
        if not returning:
            return ()
        columns = [*self.sources.columns(), *(column for one in self.sources.sources for column in one.columns)]
        return tuple(dict.fromkeys(columns))


class ChangePlanner:
    """Plans one change of rows."""

    __slots__ = ("_ids", "_parameters", "_queries", "_tables")

    def __init__(self, tables: TableNames, parameters: ParameterTypes, ids: ColumnIds, queries: QueryPlanner) -> None:
        self._tables = tables
        self._parameters = parameters
        self._ids = ids
        self._queries = queries

    def change(self, statement: ast.Insert | ast.Update | ast.Delete) -> plan.Insert | plan.Update | plan.Delete:
        """Raises the `SqlError` of what the statement gets wrong."""
        self._queries = self._queries.after_with(statement.common_tables)
        match statement:
            case ast.Insert():
                return self._insert(statement)
            case ast.Update():
                return self._update(statement)
            case ast.Delete():
                return self._delete(statement)

    # --- INSERT -------------------------------------------------------------------------------------------------------

    def _insert(self, statement: ast.Insert) -> plan.Insert:
        table = self._tables.find(statement.table.table)
        name = statement.table.alias or table.name
        columns = self._ids.of_table(table, name)
        returning = self._returning(statement.returning, Scope((Source(name, columns),)), columns)
        rows = self._inserted_rows(table, columns, statement)
        on_conflict = None if statement.on_conflict is None else self._on_conflict(table, name, statement.on_conflict)
        foreign_keys = foreign_keys_of.of_insert(table, self._tables, self._ids)
        if statement.on_conflict is not None and statement.on_conflict.update is not None:
            targets = _assigned_names(statement.on_conflict.update.assignments)
            assigned = [table.position_of(target.name) for target in targets]
            positions = {position for position in assigned if position is not None}
            foreign_keys = foreign_keys_of.of_update(table, positions, self._tables, self._ids) or foreign_keys
        return plan.Insert(table, rows, row_rules(table, self._ids), on_conflict, foreign_keys, returning)

    def _inserted_rows(self, table: Table, columns: tuple[PlanColumn, ...], statement: ast.Insert) -> plan.QueryNode:
        source = statement.source
        if isinstance(source, ast.DefaultValues):
            return plan.ValueRows((tuple(default_of(column, self._ids) for column in table.columns),), columns)
        targets = _target_columns(table, statement.columns)
        passed_over = {
            position
            for position, column in enumerate(table.columns)
            if column.identity is not None and statement.overriding is ast.Overriding.USER_VALUE
        }
        if isinstance(source, ast.Query):
            source_plan = self._queries.query(source)
            _check_width(len(source_plan.columns), targets, statement)
            given: dict[int, Expression] = {
                target: self._assigned_column(table.columns[target], ColumnValue(column), source.position)
                for target, column in zip(targets, source_plan.columns, strict=False)
                if target not in passed_over
            }
            for target in given:
                _refuse_generated(table.columns[target], statement, source.position)
            full = tuple(
                given[position] if position in given else default_of(column, self._ids)
                for position, column in enumerate(table.columns)
            )
            return plan.Project(source_plan, full, columns)
        rows_given: list[dict[int, ast.Expression | ast.Default]] = []
        for values in source.rows:
            _check_width(len(values), targets, statement)
            cells: dict[int, ast.Expression | ast.Default] = {
                target: node
                for target, node in zip(targets, values, strict=False)
                if target not in passed_over and not isinstance(node, ast.Default)
            }
            for target, given_node in cells.items():
                _refuse_generated(table.columns[target], statement, given_node.position)
            rows_given.append(cells)
        binder = self._queries.binder(Scope(), "VALUES")
        rows = [(self._inserted_row(table, binder, cells), binder.take_pending()) for cells in rows_given]
        return value_rows(rows, columns, self._ids)

    def _inserted_row(
        self, table: Table, binder: Binder, given: dict[int, ast.Expression | ast.Default]
    ) -> tuple[Expression, ...]:
        return tuple(
            default_of(column, self._ids)
            if isinstance(node := given.get(position), ast.Default | None)
            else binder.assigned(node, column.type, column.name)
            for position, column in enumerate(table.columns)
        )

    def _assigned_column(self, column: Column, value: Expression, position: int) -> Expression:
        coerced = coerce(value, column.type, CastLevel.ASSIGNMENT, self._parameters, position)
        if coerced is None:
            raise assignment_mismatch(column.name, column.type, value.type, position)
        return coerced

    def _on_conflict(self, table: Table, name: str, clause: ast.OnConflict) -> plan.OnConflict:
        names = arbiters(table, clause)
        if clause.update is None:
            return plan.OnConflict(names, None)
        present, excluded = self._ids.of_table(table, name), self._ids.of_table(table, "excluded")
        scope = side_by_side(
            Scope((Source(name, present),)), Scope((Source("excluded", excluded),)), clause.update.position
        )
        binder = self._queries.binder(scope, "ON CONFLICT DO UPDATE")
        new_values = self._assignments(table, clause.update.assignments, binder)
        values = tuple(new_values.get(position, ColumnValue(column)) for position, column in enumerate(present))
        where = clause.update.where
        pending = binder.take_pending()
        condition = None if where is None else (binder.condition(where, "WHERE"), binder.take_pending())
        columns = (*present, *excluded)
        made = per_row(columns, condition, (values, pending), self._ids)
        return plan.OnConflict(names, plan.ConflictUpdate(columns, made))

    # --- UPDATE and DELETE --------------------------------------------------------------------------------------------

    def _update(self, statement: ast.Update) -> plan.Update:
        table = self._tables.find(statement.table.table)
        changed = self._changed_rows(table, statement.table, statement.sources, statement.where)
        binder = self._queries.binder(changed.scope, "UPDATE")
        new_values = self._assignments(table, statement.assignments, binder)
        name = statement.table.alias or table.name
        new_columns = self._ids.of_table(table, name)
        passed = (changed.scan.columns[-1], *changed.source_columns(statement.returning))
        old_columns = changed.scan.table_columns
        values = tuple(new_values.get(position, ColumnValue(column)) for position, column in enumerate(old_columns))
        rows = applied(changed.node, binder.take_pending())
        made = plan.Project(rows, (*values, *map(ColumnValue, passed)), (*new_columns, *passed))
        scope = side_by_side(Scope((Source(name, new_columns),)), changed.sources, statement.position)
        returning = self._returning(statement.returning, scope, made.columns)
        key_columns = table.primary_key.columns if table.primary_key else ()
        moves = any(position in new_values for position in key_columns)
        foreign_keys = foreign_keys_of.of_update(table, new_values.keys(), self._tables, self._ids)
        return plan.Update(table, made, row_rules(table, self._ids), moves, changed.repeats, foreign_keys, returning)

    def _assignments(
        self, table: Table, assignments: Sequence[ast.Assignment | ast.RowAssignment], binder: Binder
    ) -> dict[int, Expression]:
        """The new values, by the position of their columns."""
        values: dict[int, Expression] = {}
        for assignment in assignments:
            match assignment:
                case ast.Assignment(name, value):
                    to_default = isinstance(value, ast.Default)
                    target = _assignable(table, name, values, to_default=to_default)
                    column = table.columns[target]
                    values[target] = (
                        default_of(column, self._ids)
                        if isinstance(value, ast.Default)
                        else binder.assigned(value, column.type, column.name)
                    )
                case ast.RowAssignment(names, query):
                    given = binder.row_of(query)
                    if len(given) != len(names):
                        raise SqlSyntaxError(
                            "number of columns does not match number of values", position=query.position
                        )
                    for name, one in zip(names, given, strict=True):
                        target = _assignable(table, name, values, to_default=False)
                        column = table.columns[target]
                        values[target] = binder.assigned_value(one, column.type, column.name, name.position)
        return values

    def _delete(self, statement: ast.Delete) -> plan.Delete:
        table = self._tables.find(statement.table.table)
        changed = self._changed_rows(table, statement.table, statement.sources, statement.where)
        node = changed.node
        if changed.repeats:
            passed = (*changed.scan.columns, *changed.source_columns(statement.returning))
            node = plan.Project(node, tuple(map(ColumnValue, passed)), passed)
        returning = self._returning(statement.returning, changed.scope, node.columns)
        foreign_keys = foreign_keys_of.of_delete(table, self._tables, self._ids)
        return plan.Delete(table, node, changed.repeats, foreign_keys, returning)

    def _changed_rows(
        self,
        table: Table,
        named: ast.NamedTable,
        sources: Sequence[ast.TableReference],
        where: ast.Expression | None,
    ) -> _ChangedRows:
        name = named.alias or table.name
        columns = self._ids.of_table(table, name)
        scan = plan.Scan(table, columns, key=self._ids.column("(key)", TEXT, nullable=False))
        node: plan.QueryNode = scan
        scope, others = Scope((Source(name, columns),)), Scope()
        if sources:
            found = self._queries.rows(sources)
            others = found.scope
            scope = side_by_side(scope, others, named.position)
            node = plan.Join(plan.JoinKind.INNER, scan, found.node, None)
        if where is not None:
            binder = self._queries.binder(scope, "WHERE")
            condition = binder.condition(where, "WHERE")
            node = plan.Filter(applied(node, binder.take_pending()), condition)
        return _ChangedRows(node, scan, scope, others)

    # --- RETURNING ----------------------------------------------------------------------------------------------------

    def _returning(
        self, items: Sequence[ast.SelectItem], scope: Scope, row: Sequence[PlanColumn]
    ) -> plan.Returning | None:
        """`row`: the columns of the rows that are changed."""
        if not items:
            return None
        binder = self._queries.binder(scope, "RETURNING")
        outputs = [output for item in items for output in outputs_of(item, scope, binder)]
        columns = tuple(
            self._ids.column(output.name, output.value.type, nullable=is_nullable(output.value)) for output in outputs
        )
        values = tuple(output.value for output in outputs)
        return plan.Returning(per_row(row, None, (values, binder.take_pending()), self._ids), columns)


def _target_columns(table: Table, names: tuple[ast.Identifier, ...] | None) -> tuple[int, ...]:
    """The positions of the columns that an INSERT names, in its order."""
    if names is None:
        return tuple(range(len(table.columns)))
    targets: list[int] = []
    for name in names:
        target = find_column(table, name.name, name.position)
        if target in targets:
            raise DuplicateColumnError(f'column "{name.name}" specified more than once', position=name.position)
        targets.append(target)
    return tuple(targets)


def _assigned_names(assignments: Sequence[ast.Assignment | ast.RowAssignment]) -> Iterator[ast.Identifier]:
    for assignment in assignments:
        match assignment:
            case ast.Assignment(column):
                yield column
            case ast.RowAssignment(columns):
                yield from columns


def _assignable(table: Table, name: ast.Identifier, known: Container[int], *, to_default: bool) -> int:
    """The position of a column that an UPDATE assigns to, besides those known."""
    target = find_column(table, name.name, name.position)
    if target in known:
        raise SqlSyntaxError(f'multiple assignments to same column "{name.name}"', position=name.position)
    column = table.columns[target]
    if column.identity is Identity.ALWAYS and not to_default:
        raise GeneratedAlwaysError(
            f'column "{name.name}" can only be updated to DEFAULT',
            detail=_always(column),
            position=name.position,
        )
    return target


def _refuse_generated(column: Column, statement: ast.Insert, position: int) -> None:
    """Raises `GeneratedAlwaysError` for a value for a column that always counts by itself."""
    if column.identity is Identity.ALWAYS and statement.overriding is None:
        raise GeneratedAlwaysError(
            f'cannot insert a non-DEFAULT value into column "{column.name}"',
            detail=_always(column),
            hint="Use OVERRIDING SYSTEM VALUE to override.",
            position=position,
        )


def _always(column: Column) -> str:
    return f'Column "{column.name}" is an identity column defined as GENERATED ALWAYS.'


def _check_width(given: int, targets: Sequence[int], statement: ast.Insert) -> None:
    """Fewer values than columns are allowed only where no columns are named: the rest gets its default."""
    if given > len(targets):
        raise SqlSyntaxError("INSERT has more expressions than target columns", position=statement.source.position)
    if given < len(targets) and statement.columns is not None:
        raise SqlSyntaxError("INSERT has more target columns than expressions", position=statement.source.position)
