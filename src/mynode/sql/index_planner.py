"""CREATE INDEX, DROP INDEX and UNIQUE: what indexes they mean, and their names as PostgreSQL gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mynode.base.limits import MAX_INDEX_COLUMNS
from mynode.base.sql_errors import (
    DependentObjectsError,
    DuplicateColumnError,
    DuplicateTableError,
    ProgramLimitExceededError,
    UndefinedColumnError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from mynode.relation.index_build import unfinished
from mynode.relation.references import unique_positions
from mynode.relation.schema import NO_ID, Index, KeyColumn, Table
from mynode.sql import ast, plan
from mynode.sql.constraint_names import default_name, numbered_names
from mynode.sql.names import TableNames, check_schema

_INDEX: Final = "idx"
_CONSTRAINT: Final = "key"


def plan_create_index(statement: ast.CreateIndex, tables: TableNames) -> plan.CreateIndex:
    """Raises `DuplicateTableError` for a name that is taken.

    An index that is still being built as the statement wants it is not in its way: the statement goes on with it.
    """
    table = tables.find(statement.table)
    columns = tuple(_key_column(table, one) for one in statement.columns)
    _check_count(len(columns), statement.position)
    if statement.name is None:
        base = default_name(table.name, [table.columns[column.position].name for column in columns], _INDEX)
        drafts = (Index(NO_ID, name, columns, statement.unique) for name in numbered_names(base))
        free = (draft for draft in drafts if not tables.is_taken(draft.name) or unfinished(table, draft) is not None)
        return plan.CreateIndex(table, next(free))
    draft = Index(NO_ID, statement.name.name, columns, statement.unique)
    if not tables.is_taken(draft.name) or unfinished(table, draft) is not None:
        return plan.CreateIndex(table, draft)
    if statement.if_not_exists:
        return plan.CreateIndex(table, None)
    raise DuplicateTableError(f'relation "{draft.name}" already exists', position=statement.name.position)


def _key_column(table: Table, column: ast.IndexColumn) -> KeyColumn:
    position = table.position_of(column.column.name)
    if position is None:
        raise UndefinedColumnError(f'column "{column.column.name}" does not exist', position=column.column.position)
    nulls_first = column.descending if column.nulls_first is None else column.nulls_first
    return KeyColumn(position, column.descending, nulls_first)


def plan_drop_index(statement: ast.DropIndex, tables: TableNames) -> plan.DropIndex:
    """Raises `UndefinedObjectError`, and `DependentObjectsError` for what belongs to a constraint."""
    found: list[tuple[str, int]] = []
    altered: dict[str, Table] = {}
    for name in statement.indexes:
        check_schema(name)
        index = tables.index(name.name)
        if index is not None:
            table, dropped = index
            if dropped.is_constraint:
                raise _required(name, table)
            found.append((table.name, dropped.id))
            altered |= _without_references(table, found, statement, altered, tables)
            continue
        key_of = tables.primary_key(name.name)
        if key_of is not None:
            raise _required(name, key_of)
        if tables.is_taken(name.name):
            raise WrongObjectTypeError(f'"{name.name}" is not an index', position=name.position)
        if not statement.if_exists:
            raise UndefinedObjectError(f'index "{name.name}" does not exist', position=name.position)
    return plan.DropIndex(tuple(dict.fromkeys(found)), tuple(altered.values()))


def _without_references(
    table: Table,
    dropped: Sequence[tuple[str, int]],
    statement: ast.DropIndex,
    altered: Mapping[str, Table],
    tables: TableNames,
) -> dict[str, Table]:
    """The tables without their foreign keys that need one of the dropped indexes of a table.

    Raises `DependentObjectsError` without CASCADE.
    """
    ids = {index for name, index in dropped if name == table.name}
    left = [
        {table.columns[position].name for position in key}
        for key in unique_positions(replace(table, indexes=tuple(one for one in table.indexes if one.id not in ids)))
    ]
    changed: dict[str, Table] = {}
    for child in (altered.get(name) or tables.known(name) for name in table.referenced_by):
        kept = tuple(one for one in child.foreign_keys if one.table != table.name or set(one.referenced) in left)
        if kept == child.foreign_keys:
            continue
        if not statement.cascade:
            index = next(one.name for one in table.indexes if one.id in ids)
            gone = ", ".join(one.name for one in child.foreign_keys if one not in kept)
            raise DependentObjectsError(
                f"cannot drop index {index} because other objects depend on it",
                detail=f"constraint {gone} on table {child.name} depends on index {index}",
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )
        changed[child.name] = replace(child, foreign_keys=kept)
    return changed


def _required(name: ast.TableName, table: Table) -> DependentObjectsError:
    return DependentObjectsError(
        f'cannot drop index "{name.name}" because constraint "{name.name}" on table "{table.name}" requires it',
        position=name.position,
        hint=f'You can drop constraint "{name.name}" on table "{table.name}" instead.',
    )


def unique_indexes(statement: ast.CreateTable, table: Table, tables: TableNames) -> tuple[Index, ...]:
    """Those of the UNIQUE constraints of a table that is to be created.

    A constraint without a name that says what another one of the table, or its primary key, says already is none.
    """
    primary_key = table.primary_key
    taken = {table.name} if primary_key is None else {table.name, primary_key.name}
    said = set() if primary_key is None else {primary_key.columns}
    found: list[Index] = []
    for constraint in statement.constraints:
        if not isinstance(constraint, ast.Unique):
            continue
        index = unique_index(constraint, table, lambda name: name in taken or tables.is_taken(name))
        columns = tuple(column.position for column in index.columns)
        if constraint.name is not None or columns not in said:
            found.append(index)
            taken.add(index.name)
            said.add(columns)
    return tuple(found)


def unique_index(constraint: ast.Unique, table: Table, is_taken: Callable[[str], bool]) -> Index:
    """The index of a UNIQUE constraint on the table, with a name of its own if it has none.

    Args:
        is_taken: whether it cannot have a name.
    """
    positions: list[int] = []
    for one in constraint.columns:
        position = table.position_of(one.name)
        if position is None:
            raise UndefinedColumnError(f'column "{one.name}" named in key does not exist', position=one.position)
        if position in positions:
            raise DuplicateColumnError(f'column "{one.name}" appears twice in unique constraint', position=one.position)
        positions.append(position)
    _check_count(len(positions), constraint.position)
    columns = tuple(map(KeyColumn, positions))
    base = constraint.name or default_name(table.name, [table.columns[one].name for one in positions], _CONSTRAINT)
    names = numbered_names(base) if constraint.name is None else (base,)
    for name in names:
        draft = Index(NO_ID, name, columns, is_unique=True, is_constraint=True)
        if not is_taken(name) or unfinished(table, draft) is not None:
            return draft
    raise DuplicateTableError(f'relation "{base}" already exists', position=constraint.position)


def _check_count(columns: int, position: int) -> None:
    if columns > MAX_INDEX_COLUMNS:
        raise ProgramLimitExceededError(f"an index can have at most {MAX_INDEX_COLUMNS} columns", position=position)
