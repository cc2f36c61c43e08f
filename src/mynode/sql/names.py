"""Looks up the tables, columns and types that a statement names, with PostgreSQL's errors and a hint at near names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from mynode.base.sql_errors import (
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    SqlError,
    UndefinedColumnError,
    UndefinedTableError,
    UndefinedTypeError,
    WrongObjectTypeError,
)
from mynode.relation.catalog import Catalog
from mynode.relation.schema import Index, Table, View, ViewUse
from mynode.sql import ast
from mynode.sql.keywords import RESERVED
from mynode.sql.other_databases import hint_for_type
from mynode.values.types import TYPE_NAMES, SqlType, type_named

DEFAULT_SCHEMA: Final = "public"
"""The schema of all tables."""
VIRTUAL_SCHEMAS: Final = ("information_schema", "pg_catalog")
"""The schemas whose tables tell of the catalog."""
_PLAIN: Final = re.compile("[a-z_][a-z0-9_]*")


class TableNames:
    """Finds the tables of one statement.

    Attributes:
        used: those found, by name; the plan rests on their schemas, even if rules leave a table out of it.
        used_views: the views found, by name.
        named: the tables and views that the statement names itself, those in the queries of views not.
    """

    __slots__ = ("_bound", "catalog", "named", "used", "used_views")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.used: dict[str, Table] = {}
        self.used_views: dict[str, View] = {}
        self.named: dict[str, Table | View] = {}
        self._bound: Mapping[str, ViewUse] = {}

    def in_view(self, view: View) -> TableNames:
        """The same for the query of a view, in which names mean what they did when it was made."""
        inner = TableNames(self.catalog)
        inner.used, inner.used_views = self.used, self.used_views
        inner._bound = {use.written: use for use in view.uses}
        return inner

    def bound(self, name: ast.TableName) -> ViewUse | None:
        """In the query of a view: what the name of a table or view means there."""
        return self._bound.get(name.name)

    def find(self, name: ast.TableName) -> Table:
        """Raises `UndefinedTableError` or `InvalidSchemaNameError`."""
        table = self.look_up(name)
        if table is not None:
            return table
        if self.view(name) is not None:
            raise WrongObjectTypeError(f'"{name.name}" is not a table', position=name.position)
        near = get_close_matches(name.name, [*self.catalog.tables, *self.catalog.views], 1)
        hint = f'Perhaps you meant the table "{near[0]}".' if near else None
        raise UndefinedTableError(f'relation "{name.name}" does not exist', position=name.position, hint=hint)

    def look_up(self, name: ast.TableName) -> Table | None:
        """The table, if there is one. Raises `InvalidSchemaNameError`."""
        check_schema(name)
        table = self.catalog.table(self._name_now(name))
        if table is not None:
            self.used[table.name] = self.named[table.name] = table
        return table

    def _name_now(self, name: ast.TableName) -> str:
        bound = self.bound(name)
        return name.name if bound is None else bound.name

    def known(self, name: str) -> Table:
        """A table that another one's schema names, so that there is one."""
        table = self.used[name] = self.catalog.tables[name]
        return table

    def index(self, name: str) -> tuple[Table, Index] | None:
        """The index of this name, which is not that of a primary key, and its table."""
        return self.catalog.index(name)

    def primary_key(self, name: str) -> Table | None:
        """The table whose primary key has this name."""
        return self.catalog.primary_key(name)

    def is_taken(self, name: str) -> bool:
        """Whether a new relation cannot have this name."""
        return self.catalog.has_relation(name)

    def view(self, name: ast.TableName) -> View | None:
        """The view, if there is one. Raises `InvalidSchemaNameError`."""
        check_schema(name)
        view = self.catalog.views.get(self._name_now(name))
        if view is not None:
            self.used_views[view.name] = self.named[view.name] = view
        return view


def quoted(name: str) -> str:
    """The name as SQL writes it: in double quotes unless it is plain."""
    is_plain = _PLAIN.fullmatch(name) is not None and name.upper() not in RESERVED
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def check_schema(name: ast.TableName) -> None:
    """Raises `InvalidSchemaNameError` or `FeatureNotSupportedError` for a schema other than `DEFAULT_SCHEMA`."""
    if name.schema in VIRTUAL_SCHEMAS:
        raise FeatureNotSupportedError(f"{name.schema} can only be queried", position=name.position)
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


def undefined_type(name: str, position: int) -> UndefinedTypeError:
    """The error for a name of a type that there is none of."""
    near = get_close_matches(name.upper(), sorted(TYPE_NAMES), 1, cutoff=0.7)
    hint = hint_for_type(name) or (f"Perhaps you meant {near[0]}." if near else None)
    return UndefinedTypeError(f'type "{name}" does not exist', position=position, hint=hint)


def resolve_type(name: ast.TypeName) -> SqlType:
    """The type that is meant. Raises `UndefinedTypeError`, `InvalidParameterValueError` or `SqlSyntaxError`."""
    try:
        found = type_named(name.name.upper(), name.arguments)
    except SqlError as error:
        error.position = name.position
        raise
    if found is None:
        raise undefined_type(name.name, name.position)
    return found
