"""ON CONFLICT: which constraints it is about, and what it does with the row that is in the way."""

from __future__ import annotations

from mynode.base.sql_errors import InvalidColumnReferenceError, UndefinedObjectError
from mynode.relation.schema import Table
from mynode.sql import ast
from mynode.sql.names import find_column


def arbiters(table: Table, clause: ast.OnConflict) -> tuple[str, ...]:
    """The names of the unique indexes and of the primary key, as far as a conflict with them is meant.

    Raises `UndefinedObjectError`, `UndefinedColumnError`, or `InvalidColumnReferenceError` if the columns are not those
    of any.
    """
    unique = _unique_columns(table)
    if clause.constraint is not None:
        index = table.index(clause.constraint.name)
        if clause.constraint.name not in unique or (index is not None and not index.is_constraint):
            raise UndefinedObjectError(
                f'constraint "{clause.constraint.name}" for table "{table.name}" does not exist',
                position=clause.constraint.position,
            )
        return (clause.constraint.name,)
    if not clause.columns:
        return tuple(unique)
    wanted = {find_column(table, column.name, column.position) for column in clause.columns}
    found = tuple(name for name, columns in unique.items() if columns == wanted)
    if not found:
        raise InvalidColumnReferenceError(
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            position=clause.position,
        )
    return found


def _unique_columns(table: Table) -> dict[str, set[int]]:
    """The positions of the columns of the primary key and of each unique index, by its name."""
    primary_key = table.primary_key
    found = {} if primary_key is None else {primary_key.name: set(primary_key.columns)}
    for index in table.indexes:
        if index.is_unique and index.is_ready:
            found[index.name] = {column.position for column in index.columns}
    return found
