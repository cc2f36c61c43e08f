"""CREATE TABLE: from columns and constraints of the syntax tree to a table's schema."""

from __future__ import annotations

from mynode.base.errors import (
    DuplicateColumnError,
    InvalidTableDefinitionError,
    ProgramLimitExceededError,
    UndefinedColumnError,
)
from mynode.base.limits import MAX_COLUMNS
from mynode.relation.schema import Column, PrimaryKey, Table, new_table
from mynode.sql import ast
from mynode.sql.binder import resolve_type
from mynode.sql.not_yet import not_yet
from mynode.sql.scope import ColumnIds
from mynode.sql.stored_expressions import bind_default


def define_table(statement: ast.CreateTable, ids: ColumnIds) -> Table:
    """The table as a draft, which the catalog gives its id. Raises the `SqlError` of what is wrong with it."""
    name = statement.table.name
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
        _column(definition, position, in_key=position in in_key, ids=ids)
        for position, definition in enumerate(statement.columns)
    )
    return new_table(name, columns, primary_key)


def _column(definition: ast.ColumnDefinition, slot: int, *, in_key: bool, ids: ColumnIds) -> Column:
    type_ = resolve_type(definition.type)
    default = None
    if definition.default is not None:
        bind_default(definition.default.expression, type_, definition.name, ids)
        default = definition.default.text
    return Column(definition.name, type_, definition.not_null or in_key, slot, default)


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
