"""From statements to plans: the straightforward ones, which the optimizer then improves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from mynode.base.sql_errors import (
    DependentObjectsError,
    DuplicateTableError,
    FeatureNotSupportedError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from mynode.relation.schema import Table
from mynode.sql import ast, plan
from mynode.sql.alter_planner import plan_alter_table, plan_truncate
from mynode.sql.change_planner import ChangePlanner
from mynode.sql.foreign_keys import foreign_keys
from mynode.sql.index_planner import plan_create_index, plan_drop_index, unique_indexes
from mynode.sql.names import TableNames, check_schema
from mynode.sql.parameters import ParameterTypes
from mynode.sql.query_planner import QueryPlanner
from mynode.sql.scope import ColumnIds
from mynode.sql.show import show_columns, show_indexes, show_view_columns
from mynode.sql.table_definitions import define_table, table_of_query
from mynode.sql.views import create_view, drop_view, views_to_drop


class Planner:
    """Plans one statement against one state of the catalog; its parameters' types are found on the way."""

    __slots__ = ("_ids", "_parameters", "_tables")

    def __init__(self, tables: TableNames, parameters: ParameterTypes) -> None:
        self._tables = tables
        self._parameters = parameters
        self._ids = ColumnIds()

    def statement(self, statement: ast.Statement) -> plan.Plan:
        """Raises the `SqlError` of what the statement gets wrong."""
        match statement:
            case ast.Query() | ast.Insert() | ast.Update() | ast.Delete():
                return self._data_plan(statement)
            case ast.Explain():
                return plan.Explain(self._with_plan(statement.statement), statement.analyze)
            case ast.ShowTables():
                return plan.ShowTables()
            case ast.ShowColumns():
                return self._show_columns(statement.table)
            case ast.ShowIndexes():
                return self._show_indexes(statement.table)
        if isinstance(statement, ast.TransactionControl | ast.SessionControl):
            raise FeatureNotSupportedError(
                "this statement is its session's, and has no plan", position=statement.position
            )
        return self._schema_plan(statement)

    def _with_plan(self, statement: ast.DataStatement | ast.SchemaChange) -> plan.DataPlan | plan.SchemaPlan:
        match statement:
            case ast.Query() | ast.Insert() | ast.Update() | ast.Delete():
                return self._data_plan(statement)
        return self._schema_plan(statement)

    def _schema_plan(self, statement: ast.SchemaChange) -> plan.SchemaPlan:
        match statement:
            case ast.CreateTable():
                return self._create_table(statement)
            case ast.CreateTableAs():
                return self._create_table_as(statement)
            case ast.AlterTable():
                return plan_alter_table(statement, self._tables, self._ids)
            case ast.Truncate():
                return plan_truncate(statement, self._tables)
            case ast.DropTable():
                return self._drop_table(statement)
            case ast.CreateView():
                return create_view(statement, self._tables, self._ids)
            case ast.DropView():
                return drop_view(statement, self._tables)
            case ast.CreateIndex():
                return plan_create_index(statement, self._tables)
            case ast.DropIndex():
                return plan_drop_index(statement, self._tables)
        assert_never(statement)

    def _data_plan(self, statement: ast.DataStatement) -> plan.DataPlan:
        match statement:
            case ast.Query():
                return plan.Select(self._queries().query(statement))
            case ast.Insert() | ast.Update() | ast.Delete():
                changes = ChangePlanner(self._tables, self._parameters, self._ids, self._queries())
                return changes.change(statement)
        assert_never(statement)

    def _queries(self) -> QueryPlanner:
        return QueryPlanner(self._tables, self._parameters, self._ids)

    # --- changes of the schema ----------------------------------------------------------------------------------------

    def _refuse_taken(self, new: ast.TableName) -> None:
        """Raises `DuplicateTableError` for a name that an index has. That of a table or view may be passed over."""
        check_schema(new)
        is_other = self._tables.look_up(new) is None and self._tables.view(new) is None
        if is_other and self._tables.is_taken(new.name):
            raise DuplicateTableError(f'relation "{new.name}" already exists', position=new.position)

    def _create_table_as(self, statement: ast.CreateTableAs) -> plan.CreateTableAs:
        self._refuse_taken(statement.table)
        rows = self._queries().query(statement.query)
        table = table_of_query(statement, rows.columns)
        return plan.CreateTableAs(table, rows, statement.if_not_exists, statement.with_data)

    def _create_table(self, statement: ast.CreateTable) -> plan.CreateTable:
        self._refuse_taken(statement.table)
        table = define_table(statement, self._ids)
        table = replace(table, indexes=unique_indexes(statement, table, self._tables))
        named = {constraint.name for constraint in statement.constraints if constraint.name is not None}
        found = foreign_keys(statement, table, self._tables, named | set(table.constraint_names()))
        return plan.CreateTable(replace(table, foreign_keys=found), statement.if_not_exists)

    def _show_columns(self, name: ast.TableName) -> plan.Select:
        view = self._tables.view(name)
        if view is not None:
            return show_view_columns(self._queries().view(view, name).columns, self._ids)
        return show_columns(self._tables.find(name), self._ids)

    def _show_indexes(self, name: ast.TableName) -> plan.Select:
        return show_indexes(None if self._tables.view(name) is not None else self._tables.find(name), self._ids)

    def _drop_table(self, statement: ast.DropTable) -> plan.DropTable:
        found: dict[str, Table] = {}
        missing: list[str] = []
        for name in statement.tables:
            table = self._tables.look_up(name)
            if table is not None:
                found[table.name] = table
            elif self._tables.view(name) is not None:
                raise WrongObjectTypeError(
                    f'"{name.name}" is not a table', position=name.position, hint="Use DROP VIEW to remove a view."
                )
            elif statement.if_exists:
                missing.append(name.name)
            else:
                raise UndefinedTableError(f'table "{name.name}" does not exist', position=name.position)
        if not statement.cascade:
            _refuse_referenced(found, self._tables)
        views = views_to_drop(self._tables.catalog, found, "table", cascade=statement.cascade)
        return plan.DropTable(tuple(found.values()), tuple(missing), views)


def _refuse_referenced(dropped: Mapping[str, Table], tables: TableNames) -> None:
    """Raises `DependentObjectsError` for tables to which others refer that stay."""
    for table in dropped.values():
        staying = [tables.known(name) for name in table.referenced_by if name not in dropped]
        if staying:
            raise DependentObjectsError(
                f"cannot drop table {table.name} because other objects depend on it",
                detail="\n".join(
                    f"constraint {one.name} on table {child.name} depends on table {table.name}"
                    for child in staying
                    for one in child.foreign_keys
                    if one.table == table.name
                ),
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )
