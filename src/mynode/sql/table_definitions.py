"""CREATE TABLE: from columns and constraints of the syntax tree to a table's schema."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mynode.base.limits import MAX_COLUMNS
from mynode.base.sql_errors import (
    DuplicateColumnError,
    DuplicateObjectError,
    InvalidParameterValueError,
    InvalidTableDefinitionError,
    ProgramLimitExceededError,
    SqlSyntaxError,
    UndefinedColumnError,
)
from mynode.relation.schema import Check, Column, Identity, PrimaryKey, Table, new_table
from mynode.sql import ast
from mynode.sql.constraint_names import default_name, numbered_names
from mynode.sql.expressions import PlanColumn, columns_in
from mynode.sql.names import resolve_type
from mynode.sql.scope import ColumnIds
from mynode.sql.stored_expressions import bind_check, bind_default
from mynode.values.types import INTEGER, STORED_TYPES

_SERIAL: Final = frozenset(("serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"))
"""Names of the type INTEGER for a column that counts by itself."""


def define_table(statement: ast.CreateTable, ids: ColumnIds) -> Table:
    """The table as a draft, which the catalog gives its id, without what UNIQUE and FOREIGN KEY add to it.

    Raises the `SqlError` of what is wrong with it.
    """
    name = statement.table.name
    if len(statement.columns) > MAX_COLUMNS:
        raise ProgramLimitExceededError(f"tables can have at most {MAX_COLUMNS} columns", position=statement.position)
    positions: dict[str, int] = {}
    for position, definition in enumerate(statement.columns):
        if positions.setdefault(definition.name, position) != position:
            raise DuplicateColumnError(
                f'column "{definition.name}" specified more than once', position=definition.position
            )
    _refuse_twice_named(statement)
    primary_key = _primary_key(statement, positions)
    in_key = primary_key.columns if primary_key else ()
    columns = tuple(
        define_column(definition, position, in_key=position in in_key, ids=ids)
        for position, definition in enumerate(statement.columns)
    )
    table = new_table(name, columns, primary_key)
    return replace(table, checks=_checks(statement, table, ids))


def table_of_query(statement: ast.CreateTableAs, columns: Sequence[PlanColumn]) -> Table:
    """The draft of a table for rows with these columns, which the statement may give other names.

    Raises `SqlSyntaxError`, `DuplicateColumnError`, `InvalidTableDefinitionError` or `ProgramLimitExceededError`.
    """
    if len(statement.columns) > len(columns):
        raise SqlSyntaxError("too many column names were specified", position=statement.columns[len(columns)].position)
    if len(columns) > MAX_COLUMNS:
        raise ProgramLimitExceededError(f"tables can have at most {MAX_COLUMNS} columns", position=statement.position)
    names = [given.name for given in statement.columns]
    names += [column.name for column in columns[len(names) :]]
    for name, column in zip(names, columns, strict=True):
        if names.count(name) > 1:
            raise DuplicateColumnError(f'column "{name}" specified more than once', position=statement.query.position)
        if column.type not in STORED_TYPES:
            raise InvalidTableDefinitionError(
                f'column "{name}" has pseudo-type {column.type}', position=statement.query.position
            )
    made = tuple(
        Column(name, column.type, False, slot) for slot, (name, column) in enumerate(zip(names, columns, strict=True))
    )
    return new_table(statement.table.name, made, None)


def _checks(statement: ast.CreateTable, table: Table, ids: ColumnIds) -> tuple[Check, ...]:
    """The CHECK constraints; those without a name get one that no constraint has."""
    found: list[Check] = []
    taken = {constraint.name for constraint in statement.constraints if constraint.name is not None}
    for constraint in statement.constraints:
        if isinstance(constraint, ast.Check):
            check = define_check(constraint, table, taken, ids)
            taken.add(check.name)
            found.append(check)
    return tuple(found)


def define_check(constraint: ast.Check, table: Table, taken: Container[str | None], ids: ColumnIds) -> Check:
    """A CHECK constraint of the table. Without a name it gets one that is not `taken`, after the column it is about."""
    columns = ids.of_table(table, table.name)
    condition = bind_check(constraint.condition.expression, table.name, columns, ids)
    name = constraint.name
    if name is None:
        used = {column.name for column in columns_in(condition)}
        about = [constraint.column] if constraint.column is not None else list(used) if len(used) == 1 else []
        names = numbered_names(default_name(table.name, about, "check"))
        name = next(name for name in names if name not in taken)
    return Check(name, constraint.condition.text)


def _refuse_twice_named(statement: ast.CreateTable) -> None:
    seen: set[str] = set()
    for constraint in statement.constraints:
        if constraint.name in seen:
            raise DuplicateObjectError(
                f'constraint "{constraint.name}" for relation "{statement.table.name}" already exists',
                position=constraint.position,
            )
        if constraint.name is not None:
            seen.add(constraint.name)


def define_column(definition: ast.ColumnDefinition, slot: int, *, in_key: bool, ids: ColumnIds) -> Column:
    """A column of a table. Raises the `SqlError` of what is wrong with its type or default."""
    is_serial = definition.type.name.lower() in _SERIAL and not definition.type.arguments
    type_ = INTEGER if is_serial else resolve_type(definition.type)
    identity = Identity.BY_DEFAULT if is_serial else definition.identity
    if is_serial and (definition.default is not None or definition.identity is not None):
        raise SqlSyntaxError(
            f'multiple default values specified for column "{definition.name}"', position=definition.position
        )
    if identity is not None and type_ is not INTEGER:
        raise InvalidParameterValueError(
            "identity column type must be smallint, integer, or bigint", position=definition.position
        )
    default = None
    if definition.default is not None:
        bind_default(definition.default.expression, type_, definition.name, ids)
        default = definition.default.text
    not_null = definition.not_null or in_key or identity is not None
    return Column(definition.name, type_, not_null, slot, default, identity)


def _primary_key(statement: ast.CreateTable, positions: dict[str, int]) -> PrimaryKey | None:
    found: PrimaryKey | None = None
    for constraint in statement.constraints:
        if not isinstance(constraint, ast.PrimaryKey):
            continue
        if found is not None:
            raise InvalidTableDefinitionError(
                f'multiple primary keys for table "{statement.table.name}" are not allowed',
                position=constraint.position,
            )
        found = PrimaryKey(constraint.name or f"{statement.table.name}_pkey", key_positions(constraint, positions))
    return found


def key_positions(constraint: ast.PrimaryKey, positions: Mapping[str, int]) -> tuple[int, ...]:
    """The columns of a primary key. Raises `UndefinedColumnError` or `DuplicateColumnError`."""
    key_columns: list[int] = []
    for column in constraint.columns:
        position = positions.get(column.name)
        if position is None:
            raise UndefinedColumnError(f'column "{column.name}" named in key does not exist', position=column.position)
        if position in key_columns:
            raise DuplicateColumnError(
                f'column "{column.name}" appears twice in primary key constraint', position=column.position
            )
        key_columns.append(position)
    return tuple(key_columns)
