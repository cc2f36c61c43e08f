"""Looks up the tables and columns that a statement names, with PostgreSQL's errors and a hint at near names."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from mynode.base.errors import InvalidSchemaNameError, UndefinedColumnError, UndefinedTableError
from mynode.relation.catalog import Catalog
from mynode.relation.schema import Index, Table
from mynode.sql import ast

DEFAULT_SCHEMA: Final = "public"
"""The schema of all tables."""


class TableNames:
    """Finds the tables of one statement.

    Attributes:
        used: those found, by name; the plan rests on their schemas, even if rules leave a table out of it.
    """

    __slots__ = ("_catalog", "used")

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.used: dict[str, Table] = {}

    def find(self, name: ast.TableName) -> Table:
        """Raises `UndefinedTableError` or `InvalidSchemaNameError`."""
        table = self.look_up(name)
        if table is not None:
            return table
        near = get_close_matches(name.name, self._catalog.tables, 1)
        hint = f'Perhaps you meant the table "{near[0]}".' if near else None
        raise UndefinedTableError(f'relation "{name.name}" does not exist', position=name.position, hint=hint)

    def look_up(self, name: ast.TableName) -> Table | None:
        """The table, if there is one. Raises `InvalidSchemaNameError`."""
        check_schema(name)
        table = self._catalog.table(name.name)
        if table is not None:
            self.used[table.name] = table
        return table

    def index(self, name: str) -> tuple[Table, Index] | None:
        """The index of this name, which is not that of a primary key, and its table."""
        return self._catalog.index(name)

    def primary_key(self, name: str) -> Table | None:
        """The table whose primary key has this name."""
        return self._catalog.primary_key(name)

    def is_taken(self, name: str) -> bool:
        """Whether a new relation cannot have this name."""
        return self._catalog.has_relation(name)


def check_schema(name: ast.TableName) -> None:
    """Raises `InvalidSchemaNameError` for a schema other than `DEFAULT_SCHEMA`."""
    if name.schema not in (None, DEFAULT_SCHEMA):
        raise InvalidSchemaNameError(f'schema "{name.schema}" does not exist', position=name.position)


def find_column(table: Table, name: str, position: int) -> int:
    """The position in the table of the column that an INSERT or UPDATE writes. Raises `UndefinedColumnError`."""
    found = table.position_of(name)
    if found is not None:
        return found
    near = get_close_matches(name, [column.name for column in table.columns], 1, cutoff=0.5)
    hint = f'Perhaps you meant to reference the column "{table.name}.{near[0]}".' if near else None
    raise UndefinedColumnError(
        f'column "{name}" of relation "{table.name}" does not exist', position=position, hint=hint
    )
