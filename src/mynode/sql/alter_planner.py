"""ALTER TABLE: from its actions, one after another, to the table as it shall be, and what its rows are checked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import assert_never

from mynode.base.limits import MAX_COLUMNS
from mynode.base.sql_errors import (
    DependentObjectsError,
    DuplicateColumnError,
    DuplicateObjectError,
    DuplicateTableError,
    FeatureNotSupportedError,
    InvalidTableDefinitionError,
    ProgramLimitExceededError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedObjectError,
)
from mynode.relation.references import unique_positions
from mynode.relation.schema import NO_ID, Column, ForeignKey, Index, PrimaryKey, Table, View
from mynode.sql import ast, plan
from mynode.sql.column_types import converted, is_widening, refuse_viewed, with_type
from mynode.sql.expressions import ColumnValue, Constant, Expression, columns_in, is_volatile
from mynode.sql.foreign_keys import define_foreign_key, incompatible
from mynode.sql.index_planner import unique_index
from mynode.sql.names import TableNames
from mynode.sql.parser import parse_stored_expression
from mynode.sql.renaming import rename_column, rename_table
from mynode.sql.scope import ColumnIds
from mynode.sql.stored_expressions import bind_check, bind_default, default_of, row_rules
from mynode.sql.table_definitions import define_check, define_column, key_positions
from mynode.sql.views import uses_column


def plan_alter_table(statement: ast.AlterTable, tables: TableNames, ids: ColumnIds) -> plan.AlterTable:
    """Raises the `SqlError` of what the statement gets wrong."""
    if statement.if_exists and tables.look_up(statement.table) is None:
        return plan.AlterTable(None, statement.table.name)
    planner = _Alteration(tables.find(statement.table), tables, ids)
    for alteration in statement.alterations:
        planner.apply(alteration)
    return planner.planned(is_alone=len(statement.alterations) == 1)


class _Alteration:
    """The table as the actions so far have made it.

    Attributes:
        others: other tables that change with it, by name.
        missing: by slot, what rows that are there have in new columns.
        not_null, checks, foreign_keys: names of columns and constraints that rows which are there may not satisfy.
        indexes: that must be built.
        values: by slot, what rows that are there have in columns whose type changes, over the columns before.
        rewrites: the rows cannot stay as they are.
    """

    def __init__(self, table: Table, tables: TableNames, ids: ColumnIds) -> None:
        self._before = table
        self._tables = tables
        self._ids = ids
        self._table = table
        self._others: dict[str, Table] = {}
        self._dropped_views: dict[str, View] = {}
        self._changed_views: list[View] = []
        self._missing: dict[int, Expression] = {}
        self._not_null: list[str] = []
        self._checks: list[str] = []
        self._foreign_keys: list[str] = []
        self._indexes: list[Index] = []
        self._columns_before = ids.of_table(table, table.name)
        self._values: dict[int, Expression] = {}
        self._rewrites = False

    def planned(self, *, is_alone: bool) -> plan.AlterTable:
        table = self._table
        rules = row_rules(table, self._ids)
        rewrite = self._rewrite() if self._rewrites else None
        return plan.AlterTable(
            self._before,
            table.name,
            plan.Alteration(
                table,
                tuple(self._others.values()),
                tuple(self._dropped_views.values()),
                tuple(self._changed_views),
                () if self._rewrites else tuple(self._missing.items()),
                tuple(self._not_null),
                replace(rules, checks=tuple(check for check in rules.checks if check.name in self._checks)),
                tuple(one for one in table.foreign_keys if one.name in self._foreign_keys),
                tuple(self._indexes),
                rewrite,
                is_alone,
            ),
        )

    def _rewrite(self) -> plan.Rewrite:
        slots = [column.slot for column in self._before.columns]
        values: dict[int, Expression] = dict(zip(slots, map(ColumnValue, self._columns_before), strict=True))
        values |= self._missing | self._values
        numbered = tuple(
            place for place, column in enumerate(self._table.columns) if column.identity and column.counter == NO_ID
        )
        return plan.Rewrite(
            self._columns_before,
            tuple(
                Constant(None, column.type) if place in numbered else values[column.slot]
                for place, column in enumerate(self._table.columns)
            ),
            numbered,
        )

    def apply(self, action: ast.TableAlteration) -> None:
        match action:
            case ast.AddColumn():
                self._add_column(action)
            case ast.DropColumn():
                self._drop_column(action)
            case ast.SetDefault():
                self._set_default(action)
            case ast.SetNotNull():
                self._set_not_null(action)
            case ast.SetType():
                self._set_type(action)
            case ast.AddConstraint():
                self._add_constraint(action.constraint)
            case ast.DropConstraint():
                self._drop_constraint(action)
            case ast.RenameColumn():
                self._rename_column(action)
            case ast.RenameConstraint():
                self._rename_constraint(action)
            case ast.RenameTable():
                self._rename_table(action)
            case _:
                assert_never(action)

    # --- columns ------------------------------------------------------------------------------------------------------

    def _add_column(self, action: ast.AddColumn) -> None:
        table, definition = self._table, action.column
        if table.position_of(definition.name) is not None:
            if action.if_not_exists:
                return
            raise DuplicateColumnError(
                f'column "{definition.name}" of relation "{table.name}" already exists', position=definition.position
            )
        if len(table.columns) >= MAX_COLUMNS:
            raise ProgramLimitExceededError(f"tables can have at most {MAX_COLUMNS} columns", position=action.position)
        column = define_column(definition, table.slots, in_key=False, ids=self._ids)
        value = default_of(column, self._ids)
        if is_volatile(value):
            self._rewrites = True
        self._table = replace(table, columns=(*table.columns, column), slots=table.slots + 1)
        self._missing[column.slot] = value
        if column.not_null:
            self._not_null.append(column.name)
        for constraint in action.constraints:
            self._add_constraint(constraint)

    def _drop_column(self, action: ast.DropColumn) -> None:
        table, name = self._table, action.column.name
        dropped = table.position_of(name)
        if dropped is None:
            if action.if_exists:
                return
            raise self._undefined_column(action.column)
        self._drop_views(table.columns[dropped], f"column {name} of table {table.name}", cascade=action.cascade)
        self._drop_references(
            lambda one: name in one.referenced, f"column {name} of table {table.name}", cascade=action.cascade
        )
        table = self._table

        def moved(position: int) -> int:
            return position - (position > dropped)

        columns = self._ids.of_table(table, table.name)
        kept_checks = []
        for check in table.checks:
            condition = bind_check(parse_stored_expression(check.condition), table.name, columns, self._ids)
            if columns[dropped] not in columns_in(condition):
                kept_checks.append(check)
        key = table.primary_key
        if key is not None and dropped in key.columns:
            key = None
            self._rewrites = True
        self._table = replace(
            table,
            columns=table.columns[:dropped] + table.columns[dropped + 1 :],
            primary_key=key and PrimaryKey(key.name, tuple(map(moved, key.columns))),
            checks=tuple(kept_checks),
            foreign_keys=tuple(
                replace(one, columns=tuple(map(moved, one.columns)))
                for one in table.foreign_keys
                if dropped not in one.columns
            ),
            indexes=tuple(
                replace(
                    index,
                    columns=tuple(replace(column, position=moved(column.position)) for column in index.columns),
                )
                for index in table.indexes
                if not index.has_column(dropped)
            ),
        )

    def _set_default(self, action: ast.SetDefault) -> None:
        position = self._position(action.column)
        column = self._table.columns[position]
        self._refuse_identity(column, action.column)
        text = None
        if action.default is not None:
            bind_default(action.default.expression, column.type, column.name, self._ids)
            text = action.default.text
        self._change_column(position, replace(column, default=text))

    def _set_not_null(self, action: ast.SetNotNull) -> None:
        position = self._position(action.column)
        column, key = self._table.columns[position], self._table.primary_key
        if not action.not_null and key is not None and position in key.columns:
            raise InvalidTableDefinitionError(
                f'column "{column.name}" is in a primary key', position=action.column.position
            )
        if not action.not_null:
            self._refuse_identity(column, action.column)
        self._change_column(position, replace(column, not_null=action.not_null))
        if action.not_null:
            self._not_null.append(column.name)

    def _set_type(self, action: ast.SetType) -> None:
        position = self._position(action.column)
        column = self._table.columns[position]
        refuse_viewed(column, self._before, self._tables.catalog, action.column.position)
        changed = with_type(column, action, self._ids)
        if action.using is None and is_widening(column.type, changed.type):
            self._change_column(position, changed)
            return
        before = [column.slot for column in self._before.columns]
        values = dict(zip(before, self._columns_before, strict=True))
        own = self._values.get(column.slot) or self._missing.get(column.slot) or ColumnValue(values[column.slot])
        self._values[column.slot] = converted(own, action, changed, self._before.name, self._columns_before, self._ids)
        self._foreign_keys += self._references_of(position, changed, action.column.position)
        self._checks += [check.name for check in self._table.checks]
        self._change_column(position, changed)
        self._rewrites = True

    def _references_of(self, position: int, changed: Column, at: int) -> Iterator[str]:
        """The foreign keys of the table that its rows are to be checked for when a column changes its type.

        Raises `DatatypeMismatchError` for one that cannot be, and `FeatureNotSupportedError` where other rows would
        have to be checked.
        """
        name = self._table.columns[position].name
        for one in self._table.foreign_keys:
            if position in one.columns:
                parent = self._table if one.table == self._table.name else self._tables.known(one.table)
                other = parent.position_of(one.referenced[one.columns.index(position)])
                if other is not None and parent.columns[other].type.base is not changed.type.base:
                    raise incompatible(one.name, changed, parent.columns[other], at)
                yield one.name
        for child in map(self._tables.known, self._before.referenced_by):
            for one in child.foreign_keys:
                if one.table == self._before.name and name in one.referenced:
                    referring = child.columns[one.columns[one.referenced.index(name)]]
                    if referring.type.base is not changed.type.base:
                        raise incompatible(one.name, referring, changed, at)
                    raise FeatureNotSupportedError(
                        f'column "{name}" cannot change its values: foreign key "{one.name}" of table "{child.name}" '
                        "refers to it",
                        position=at,
                        hint="Drop the foreign key, and add it again.",
                    )

    def _rename_column(self, action: ast.RenameColumn) -> None:
        table, old, new = self._table, action.column.name, action.new_name.name
        position = self._position(action.column)
        if table.position_of(new) is not None:
            raise DuplicateColumnError(
                f'column "{new}" of relation "{table.name}" already exists', position=action.new_name.position
            )

        def renamed(foreign_key: ForeignKey, _: Table) -> ForeignKey:
            if foreign_key.table != table.name:
                return foreign_key
            names = tuple(new if name == old else name for name in foreign_key.referenced)
            return replace(foreign_key, referenced=names)

        self._change_references(renamed)
        checks = tuple(
            replace(check, condition=rename_column(check.condition, old, new)) for check in self._table.checks
        )
        self._table = replace(self._table, checks=checks)
        self._change_column(position, replace(self._table.columns[position], name=new))

    def _rename_table(self, action: ast.RenameTable) -> None:
        old, new = self._table.name, action.new_name.name
        if self._tables.is_taken(new):
            raise DuplicateTableError(f'relation "{new}" already exists', position=action.new_name.position)
        for view in self._tables.catalog.views.values():
            if view.uses_any((old,)):
                uses = tuple(replace(use, name=new) if use.name == old else use for use in view.uses)
                self._changed_views.append(replace(view, uses=uses))
        self._change_references(lambda one, _: replace(one, table=new) if one.table == old else one)
        checks = tuple(
            replace(check, condition=rename_table(check.condition, old, new)) for check in self._table.checks
        )
        self._table = replace(self._table, name=new, checks=checks)

    # --- constraints --------------------------------------------------------------------------------------------------

    def _add_constraint(self, constraint: ast.TableConstraint) -> None:
        table = self._table
        taken = set(table.constraint_names()) | {index.name for index in self._indexes}
        if constraint.name in taken:
            raise DuplicateObjectError(
                f'constraint "{constraint.name}" for relation "{table.name}" already exists',
                position=constraint.position,
            )
        match constraint:
            case ast.Check():
                check = define_check(constraint, table, taken, self._ids)
                self._table = replace(table, checks=(*table.checks, check))
                self._checks.append(check.name)
            case ast.ForeignKey():
                parent = table if constraint.table.name == table.name else self._tables.find(constraint.table)
                foreign_key = define_foreign_key(constraint, table, parent, taken)
                self._table = replace(table, foreign_keys=(*table.foreign_keys, foreign_key))
                self._foreign_keys.append(foreign_key.name)
            case ast.Unique():
                self._indexes.append(unique_index(constraint, table, self._is_taken))
            case ast.PrimaryKey():
                self._add_primary_key(constraint)
            case _:
                assert_never(constraint)

    def _is_taken(self, name: str) -> bool:
        """Whether a new index or key cannot have the name.

        An index that is being built goes on, and what the actions before have dropped is in nobody's way.
        """
        index, key = self._before.index(name), self._before.primary_key
        if index is not None:
            return index.is_ready and self._table.index(name) is not None
        if key is not None and key.name == name:
            return self._table.primary_key is not None
        return self._tables.is_taken(name)

    def _add_primary_key(self, constraint: ast.PrimaryKey) -> None:
        table = self._table
        if table.primary_key is not None:
            raise InvalidTableDefinitionError(
                f'multiple primary keys for table "{table.name}" are not allowed', position=constraint.position
            )
        positions = key_positions(constraint, {column.name: place for place, column in enumerate(table.columns)})
        for position in positions:
            self._change_column(position, replace(self._table.columns[position], not_null=True))
            self._not_null.append(table.columns[position].name)
        name = constraint.name or f"{table.name}_pkey"
        if self._is_taken(name):
            raise DuplicateTableError(f'relation "{name}" already exists', position=constraint.position)
        self._table = replace(self._table, primary_key=PrimaryKey(name, positions))
        self._rewrites = True

    def _drop_constraint(self, action: ast.DropConstraint) -> None:
        table, name = self._table, action.constraint.name
        index = table.index(name)
        is_key = table.primary_key is not None and table.primary_key.name == name
        if is_key or (index is not None and index.is_constraint):

            def without(table: Table) -> Table:
                if is_key:
                    return replace(table, primary_key=None)
                return replace(table, indexes=tuple(one for one in table.indexes if one.name != name))

            left = [{table.columns[one].name for one in key} for key in unique_positions(without(table))]
            self._drop_references(
                lambda one: set(one.referenced) not in left,
                f"constraint {name} on table {table.name}",
                cascade=action.cascade,
            )
            self._table = without(self._table)
            self._rewrites |= is_key
            return
        checks = tuple(one for one in table.checks if one.name != name)
        foreign_keys = tuple(one for one in table.foreign_keys if one.name != name)
        if len(checks) == len(table.checks) and len(foreign_keys) == len(table.foreign_keys):
            if action.if_exists:
                return
            raise UndefinedObjectError(
                f'constraint "{name}" of relation "{table.name}" does not exist', position=action.constraint.position
            )
        self._table = replace(table, checks=checks, foreign_keys=foreign_keys)

    def _rename_constraint(self, action: ast.RenameConstraint) -> None:
        table, old, new = self._table, action.constraint.name, action.new_name.name
        if old not in table.constraint_names():
            raise UndefinedObjectError(
                f'constraint "{old}" for table "{table.name}" does not exist', position=action.constraint.position
            )
        if new in table.constraint_names():
            raise DuplicateObjectError(
                f'constraint "{new}" for relation "{table.name}" already exists', position=action.new_name.position
            )
        key, index = table.primary_key, table.index(old)
        is_relation = index is not None or (key is not None and key.name == old)
        if is_relation and self._tables.is_taken(new):
            raise DuplicateTableError(f'relation "{new}" already exists', position=action.new_name.position)

        def renamed(name: str) -> str:
            return new if name == old else name

        self._table = replace(
            table,
            primary_key=key and replace(key, name=renamed(key.name)),
            indexes=tuple(replace(one, name=renamed(one.name)) for one in table.indexes),
            checks=tuple(replace(one, name=renamed(one.name)) for one in table.checks),
            foreign_keys=tuple(replace(one, name=renamed(one.name)) for one in table.foreign_keys),
        )

    # --- shared parts -------------------------------------------------------------------------------------------------

    def _position(self, name: ast.Identifier) -> int:
        position = self._table.position_of(name.name)
        if position is None:
            raise self._undefined_column(name)
        return position

    def _undefined_column(self, name: ast.Identifier) -> UndefinedColumnError:
        return UndefinedColumnError(
            f'column "{name.name}" of relation "{self._table.name}" does not exist', position=name.position
        )

    def _refuse_identity(self, column: Column, name: ast.Identifier) -> None:
        if column.identity is not None:
            raise SqlSyntaxError(
                f'column "{column.name}" of relation "{self._table.name}" is an identity column', position=name.position
            )

    def _change_column(self, position: int, column: Column) -> None:
        columns = self._table.columns
        self._table = replace(self._table, columns=(*columns[:position], column, *columns[position + 1 :]))

    def _change_references(self, change: Callable[[ForeignKey, Table], ForeignKey | None]) -> None:
        """Change the foreign keys that lead to the table, in whatever table they are; None drops one."""
        for name in self._before.referenced_by:
            is_own = name == self._before.name
            child = self._table if is_own else self._others.get(name) or self._tables.known(name)
            changed = tuple(new for one in child.foreign_keys if (new := change(one, child)) is not None)
            if changed != child.foreign_keys and is_own:
                self._table = replace(child, foreign_keys=changed)
            elif changed != child.foreign_keys:
                self._others[name] = replace(child, foreign_keys=changed)

    def _drop_references(self, is_meant: Callable[[ForeignKey], bool], what: str, *, cascade: bool) -> None:
        """Drop the foreign keys that need what is dropped. Raises `DependentObjectsError` without `cascade`."""
        name = self._table.name
        found: list[str] = []

        def change(one: ForeignKey, child: Table) -> ForeignKey | None:
            if one.table != name or not is_meant(one):
                return one
            found.append(f"constraint {one.name} on table {child.name} depends on {what}")
            return None

        before = self._table, dict(self._others)
        self._change_references(change)
        if found and not cascade:
            self._table, self._others = before
            raise _needed(what, found)

    def _drop_views(self, column: Column, what: str, *, cascade: bool) -> None:
        """Drop the views that use a column. Raises `DependentObjectsError` without `cascade`."""
        catalog = self._tables.catalog
        using = [
            view
            for _, view in sorted(catalog.views.items())
            if view.uses_any((self._before.name,)) and uses_column(view, self._before, column, catalog)
        ]
        if using and not cascade:
            raise _needed(what, [f"view {view.name} depends on {what}" for view in using])
        for view in (*using, *catalog.views_on([view.name for view in using])):
            self._dropped_views[view.name] = view


def _needed(what: str, details: list[str]) -> DependentObjectsError:
    return DependentObjectsError(
        f"cannot drop {what} because other objects depend on it",
        detail="\n".join(details),
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
    )


def plan_truncate(statement: ast.Truncate, tables: TableNames) -> plan.Truncate:
    """With CASCADE also the tables that refer to those named. Raises `FeatureNotSupportedError` if one is left out."""
    found = {table.name: table for table in map(tables.find, statement.tables)}
    waiting = list(found.values())
    while waiting:
        table = waiting.pop()
        for name in table.referenced_by:
            if name in found:
                continue
            if not statement.cascade:
                raise FeatureNotSupportedError(
                    "cannot truncate a table referenced in a foreign key constraint",
                    detail=f'Table "{name}" references "{table.name}".',
                    hint=f'Truncate table "{name}" at the same time, or use TRUNCATE ... CASCADE.',
                )
            found[name] = tables.known(name)
            waiting.append(found[name])
    return plan.Truncate(tuple(found.values()), statement.restart_identity)
