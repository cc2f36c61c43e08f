"""From statements to plans: the straightforward ones, which the optimizer then improves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from mynode.base.errors import (
    DuplicateColumnError,
    FeatureNotSupportedError,
    InvalidTableDefinitionError,
    ProgramLimitExceededError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedTableError,
)
from mynode.base.limits import MAX_COLUMNS
from mynode.relation.schema import Column, PrimaryKey, Table, new_table
from mynode.sql import ast, plan
from mynode.sql.binder import Binder, assignment_mismatch, resolve_type
from mynode.sql.coercion import coerce
from mynode.sql.expressions import ColumnValue, Constant, Expression
from mynode.sql.names import TableNames, check_schema, find_column
from mynode.sql.not_yet import not_yet, refuse_not_yet
from mynode.sql.parameters import ParameterTypes
from mynode.sql.query_planner import QueryPlanner
from mynode.sql.scope import ColumnIds, Scope, Source
from mynode.sql.show import show_columns
from mynode.values.casts import CastLevel
from mynode.values.types import TEXT


class Planner:
    """Plans one statement against one state of the catalog; its parameters' types are found on the way."""

    __slots__ = ("_ids", "_parameters", "_tables")

    def __init__(self, tables: TableNames, parameters: ParameterTypes) -> None:
        self._tables = tables
        self._parameters = parameters
        self._ids = ColumnIds()

    def statement(self, statement: ast.Statement) -> plan.Plan:
        """Raises the `SqlError` of what the statement gets wrong."""
        refuse_not_yet(statement)
        match statement:
            case ast.Query() | ast.Insert() | ast.Update() | ast.Delete():
                return self._data_plan(statement)
            case ast.Explain():
                return plan.Explain(self._data_plan(statement.statement))
            case ast.CreateTable():
                return _create_table(statement)
            case ast.DropTable():
                return self._drop_table(statement)
            case ast.ShowTables():
                return plan.ShowTables()
            case ast.ShowColumns():
                return show_columns(self._tables.find(statement.table), self._ids)
            case ast.Begin() | ast.Commit() | ast.Rollback() | ast.Savepoint() | ast.RollbackTo() | ast.Release():
                raise FeatureNotSupportedError(
                    "a transaction control statement has no plan", position=statement.position
                )
        raise not_yet(statement)

    def _data_plan(self, statement: ast.DataStatement) -> plan.DataPlan:
        match statement:
            case ast.Query():
                return plan.Select(self._queries().query(statement))
            case ast.Insert():
                return self._insert(statement)
            case ast.Update():
                return self._update(statement)
            case ast.Delete():
                return self._delete(statement)
        assert_never(statement)

    def _queries(self) -> QueryPlanner:
        return QueryPlanner(self._tables, self._parameters, self._ids)

    # --- changes of rows ----------------------------------------------------------------------------------------------

    def _insert(self, statement: ast.Insert) -> plan.Insert:
        table = self._tables.find(statement.table.table)
        targets = _target_columns(table, statement.columns)
        source = statement.source
        if isinstance(source, ast.DefaultValues):
            raise not_yet(source)
        if isinstance(source, ast.Query):
            source_plan = self._queries().query(source)
            _check_width(len(source_plan.columns), targets, statement)
            values: dict[int, Expression] = {
                target: self._assigned_column(table.columns[target], ColumnValue(column), source.position)
                for target, column in zip(targets, source_plan.columns, strict=False)
            }
            return plan.Insert(table, self._full_width(table, source_plan, values))
        for row in source.rows:
            _check_width(len(row), targets, statement)
        binder = Binder(Scope(), self._parameters, self._ids, "VALUES")
        rows = tuple(self._inserted_row(table, binder, dict(zip(targets, row, strict=False))) for row in source.rows)
        columns = self._ids.of_table(table, table.name)
        return plan.Insert(table, plan.ValueRows(rows, columns))

    def _inserted_row(
        self, table: Table, binder: Binder, given: dict[int, ast.Expression | ast.Default]
    ) -> tuple[Expression, ...]:
        return tuple(
            _default(column)
            if isinstance(node := given.get(position), ast.Default | None)
            else binder.assigned(node, column.type, column.name)
            for position, column in enumerate(table.columns)
        )

    def _assigned_column(self, column: Column, value: Expression, position: int) -> Expression:
        coerced = coerce(value, column.type, CastLevel.ASSIGNMENT, self._parameters, position)
        if coerced is None:
            raise assignment_mismatch(column.name, column.type, value.type, position)
        return coerced

    def _full_width(self, table: Table, source: plan.QueryNode, values: dict[int, Expression]) -> plan.QueryNode:
        full = tuple(values.get(position, _default(column)) for position, column in enumerate(table.columns))
        return plan.Project(source, full, self._ids.of_table(table, table.name))

    def _update(self, statement: ast.Update) -> plan.Update:
        table = self._tables.find(statement.table.table)
        scan, matching, scope = self._changed_rows(table, statement.table, statement.where)
        binder = Binder(scope, self._parameters, self._ids, "UPDATE")
        new_values: dict[int, Expression] = {}
        for assignment in statement.assignments:
            name, where = assignment.column.name, assignment.column.position
            target = find_column(table, name, where)
            if target in new_values:
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"', position=where)
            column = table.columns[target]
            if isinstance(assignment.value, ast.Default):
                new_values[target] = _default(column)
            else:
                new_values[target] = binder.assigned(assignment.value, column.type, column.name)
        values = tuple(new_values.get(position, ColumnValue(column)) for position, column in enumerate(scan.columns))
        columns = (*self._ids.of_table(table, table.name), *scan.columns[-1:])
        key_columns = table.primary_key.columns if table.primary_key else ()
        return plan.Update(
            table, plan.Project(matching, values, columns), any(map(new_values.__contains__, key_columns))
        )

    def _delete(self, statement: ast.Delete) -> plan.Delete:
        table = self._tables.find(statement.table.table)
        _, matching, _ = self._changed_rows(table, statement.table, statement.where)
        return plan.Delete(table, matching)

    def _changed_rows(
        self, table: Table, named: ast.NamedTable, where: ast.Expression | None
    ) -> tuple[plan.Scan, plan.QueryNode, Scope]:
        """The scan of a table whose rows are to be changed, the same with the condition on it, and its scope."""
        name = named.alias or table.name
        columns = self._ids.of_table(table, name)
        scan = plan.Scan(table, columns, key=self._ids.column("(key)", TEXT, nullable=False))
        scope = Scope((Source(name, columns),))
        if where is None:
            return scan, scan, scope
        condition = Binder(scope, self._parameters, self._ids, "WHERE").condition(where, "WHERE")
        return scan, plan.Filter(scan, condition), scope

    # --- changes of the schema ----------------------------------------------------------------------------------------

    def _drop_table(self, statement: ast.DropTable) -> plan.DropTable:
        found: dict[str, Table] = {}
        missing: list[str] = []
        for name in statement.tables:
            table = self._tables.look_up(name)
            if table is not None:
                found[table.name] = table
            elif statement.if_exists:
                missing.append(name.name)
            else:
                raise UndefinedTableError(f'table "{name.name}" does not exist', position=name.position)
        return plan.DropTable(tuple(found.values()), tuple(missing))


def _create_table(statement: ast.CreateTable) -> plan.CreateTable:
    check_schema(statement.table)
    table_name = statement.table.name
    if len(statement.columns) > MAX_COLUMNS:
        raise ProgramLimitExceededError(f"tables can have at most {MAX_COLUMNS} columns", position=statement.position)
    positions: dict[str, int] = {}
    for position, definition in enumerate(statement.columns):
        if positions.setdefault(definition.name, position) != position:
            raise DuplicateColumnError(
                f'column "{definition.name}" specified more than once', position=definition.position
            )
    primary_key = _primary_key(statement, positions)
    in_key = primary_key.columns if primary_key else ()
    columns = tuple(
        Column(definition.name, resolve_type(definition.type), definition.not_null or position in in_key, position)
        for position, definition in enumerate(statement.columns)
    )
    return plan.CreateTable(new_table(table_name, columns, primary_key), statement.if_not_exists)


def _primary_key(statement: ast.CreateTable, positions: dict[str, int]) -> PrimaryKey | None:
    found: PrimaryKey | None = None
    for constraint in statement.constraints:
        if not isinstance(constraint, ast.PrimaryKey):
            raise not_yet(constraint)
        if found is not None:
            raise InvalidTableDefinitionError(
                f'multiple primary keys for table "{statement.table.name}" are not allowed',
                position=constraint.position,
            )
        key_columns: list[int] = []
        for column in constraint.columns:
            position = positions.get(column.name)
            if position is None:
                raise UndefinedColumnError(
                    f'column "{column.name}" named in key does not exist', position=column.position
                )
            if position in key_columns:
                raise DuplicateColumnError(
                    f'column "{column.name}" appears twice in primary key constraint', position=column.position
                )
            key_columns.append(position)
        found = PrimaryKey(constraint.name or f"{statement.table.name}_pkey", tuple(key_columns))
    return found


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


def _check_width(given: int, targets: Sequence[int], statement: ast.Insert) -> None:
    """Fewer values than columns are allowed only where no columns are named: the rest gets its default."""
    if given > len(targets):
        raise SqlSyntaxError("INSERT has more expressions than target columns", position=statement.source.position)
    if given < len(targets) and statement.columns is not None:
        raise SqlSyntaxError("INSERT has more target columns than expressions", position=statement.source.position)


def _default(column: Column) -> Expression:
    """A column's default: NULL until columns can have another."""
    return Constant(None, column.type)
