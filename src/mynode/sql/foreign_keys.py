"""Foreign keys: from the syntax tree to the schema, and which of them a change of rows has to do with."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence

from mynode.base.sql_errors import (
    DatatypeMismatchError,
    DuplicateColumnError,
    InvalidForeignKeyError,
    UndefinedColumnError,
    UndefinedObjectError,
)
from mynode.relation.references import unique_positions
from mynode.relation.schema import Column, ForeignKey, ReferentialAction, Table
from mynode.sql import ast, plan
from mynode.sql.constraint_names import default_name, numbered_names
from mynode.sql.names import TableNames
from mynode.sql.scope import ColumnIds
from mynode.sql.stored_expressions import default_of, row_rules

_CHANGES_ROWS = frozenset((ReferentialAction.CASCADE, ReferentialAction.SET_NULL, ReferentialAction.SET_DEFAULT))

# --- definition -------------------------------------------------------------------------------------------------------


def foreign_keys(
    statement: ast.CreateTable, table: Table, tables: TableNames, taken: Iterable[str]
) -> tuple[ForeignKey, ...]:
    """Those of a table that is to be created, which is complete but for them; it can refer to itself."""
    found: list[ForeignKey] = []
    for constraint in statement.constraints:
        if isinstance(constraint, ast.ForeignKey):
            is_own = constraint.table.name == table.name
            parent = table if is_own else tables.find(constraint.table)
            found.append(define_foreign_key(constraint, table, parent, {*taken, *(one.name for one in found)}))
    return tuple(found)


def define_foreign_key(
    constraint: ast.ForeignKey, table: Table, parent: Table, taken: Container[str | None]
) -> ForeignKey:
    """A foreign key of `table` that refers to `parent`. Without a name it gets one that is not `taken`.

    Raises `InvalidForeignKeyError`, `UndefinedColumnError`, `UndefinedObjectError`, `DatatypeMismatchError` or
    `DuplicateColumnError`.
    """
    columns = _positions(table, constraint.columns)
    referenced = _referenced(constraint, parent)
    if len(columns) != len(referenced):
        raise InvalidForeignKeyError(
            "number of referencing and referenced columns for foreign key disagree", position=constraint.position
        )
    if not any(sorted(unique) == sorted(referenced) for unique in unique_positions(parent)):
        raise InvalidForeignKeyError(
            f'there is no unique constraint matching given keys for referenced table "{parent.name}"',
            position=constraint.position,
        )
    names = [table.columns[position].name for position in columns]
    defaults = numbered_names(default_name(table.name, names, "fkey"))
    name = constraint.name or next(name for name in defaults if name not in taken)
    for own, other in zip(columns, referenced, strict=True):
        left, right = table.columns[own], parent.columns[other]
        if left.type.base != right.type.base:
            raise incompatible(name, left, right, constraint.position)
    referenced_names = tuple(parent.columns[position].name for position in referenced)
    actions = constraint.on_delete, constraint.on_update
    return ForeignKey(name, columns, parent.name, referenced_names, *actions, match_full=constraint.match_full)


def incompatible(name: str, referring: Column, referenced: Column, position: int) -> DatatypeMismatchError:
    """The error that a foreign key's columns have different types."""
    return DatatypeMismatchError(
        f'foreign key constraint "{name}" cannot be implemented',
        detail=f'Key columns "{referring.name}" and "{referenced.name}" are of incompatible types: '
        f"{referring.type} and {referenced.type}.",
        position=position,
    )


def _referenced(constraint: ast.ForeignKey, parent: Table) -> tuple[int, ...]:
    if constraint.referenced:
        return _positions(parent, constraint.referenced)
    if parent.primary_key is None:
        raise UndefinedObjectError(
            f'there is no primary key for referenced table "{parent.name}"', position=constraint.table.position
        )
    return parent.primary_key.columns


def _positions(table: Table, columns: Sequence[ast.Identifier]) -> tuple[int, ...]:
    found: list[int] = []
    for column in columns:
        position = table.position_of(column.name)
        if position is None:
            raise UndefinedColumnError(
                f'column "{column.name}" referenced in foreign key constraint does not exist', position=column.position
            )
        if position in found:
            raise DuplicateColumnError(
                f'column "{column.name}" appears twice in foreign key constraint', position=column.position
            )
        found.append(position)
    return tuple(found)


# --- what a change of rows has to do with -----------------------------------------------------------------------------


def of_insert(table: Table, tables: TableNames, ids: ColumnIds) -> plan.ForeignKeys | None:
    """What inserting rows has to do with: the tables that they refer to."""
    if not table.foreign_keys:
        return None
    for foreign_key in table.foreign_keys:
        tables.known(foreign_key.table)
    return plan.ForeignKeys(())


def of_update(table: Table, assigned: Collection[int], tables: TableNames, ids: ColumnIds) -> plan.ForeignKeys | None:
    """What an update of some columns (positions) has to do with; None if none of them is part of a foreign key."""
    refers = any(position in assigned for one in table.foreign_keys for position in one.columns)
    names = {table.columns[position].name for position in assigned}
    children = [tables.known(name) for name in table.referenced_by]
    is_referred_to = any(
        one.table == table.name and not names.isdisjoint(one.referenced)
        for child in children
        for one in child.foreign_keys
    )
    if not refers and not is_referred_to:
        return None
    return _reach(table, tables, ids)


def of_delete(table: Table, tables: TableNames, ids: ColumnIds) -> plan.ForeignKeys | None:
    """What deleting rows has to do with: the tables that refer to them, and what their actions reach."""
    return _reach(table, tables, ids) if table.referenced_by else None


def _reach(table: Table, tables: TableNames, ids: ColumnIds) -> plan.ForeignKeys:
    """All tables that refer to those whose rows may change, or that these refer to, become used by the statement."""
    changed = [table]
    for one in changed:
        for foreign_key in one.foreign_keys:
            tables.known(foreign_key.table)
        for name in one.referenced_by:
            child = tables.known(name)
            if child not in changed and any(_changes(foreign_key, one) for foreign_key in child.foreign_keys):
                changed.append(child)
    return plan.ForeignKeys(
        tuple(
            plan.CascadedTable(row_rules(one, ids), tuple(default_of(column, ids) for column in one.columns))
            for one in changed
            if any(_changes(foreign_key, parent) for foreign_key in one.foreign_keys for parent in changed)
        )
    )


def _changes(foreign_key: ForeignKey, parent: Table) -> bool:
    return foreign_key.table == parent.name and bool({foreign_key.on_delete, foreign_key.on_update} & _CHANGES_ROWS)
