"""The catalog as tables that can be queried: `information_schema`, as in the SQL standard, and some of `pg_catalog`.

They hold what is in the schema `public`. A query of one reads the whole catalog, which enters its read set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from mynode.base.invariant import invariant
from mynode.base.sql_errors import UndefinedTableError
from mynode.relation.catalog import Catalog
from mynode.relation.schema import ForeignKey, Identity, KeyColumn, Table
from mynode.sql import ast, plan
from mynode.sql.names import DEFAULT_SCHEMA, VIRTUAL_SCHEMAS, quoted
from mynode.sql.parser import parse_stored_expression
from mynode.sql.scope import ColumnIds
from mynode.sql.view_definition import view_definition
from mynode.values.types import (
    BOOLEAN,
    BPCHAR,
    DATE,
    FLOAT,
    INTEGER,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Row,
    SqlType,
    Value,
)

CATALOG_NAME: Final = "mynode"


@dataclass(frozen=True, slots=True)
class VirtualTable:
    """
    Attributes:
        columns: names and types.
        rows: all of them, from a catalog; a row may give less than all columns, then the last ones are NULL.
    """

    columns: tuple[tuple[str, SqlType], ...]
    rows: Callable[[Catalog], Iterator[Row]]


def virtual_table(name: ast.TableName, catalog: Catalog, ids: ColumnIds) -> plan.CatalogRows | None:
    """The rows of a table that tells of the catalog, if the name is that of one. Raises `UndefinedTableError`.

    Those of `pg_catalog` need no schema, unless there is a table of the same name.
    """
    if name.schema is None and catalog.table(name.name) is not None:
        return None
    full_name = f"{name.schema or 'pg_catalog'}.{name.name}"
    found = VIRTUAL_TABLES.get(full_name)
    if found is None:
        if name.schema not in VIRTUAL_SCHEMAS:
            return None
        near = get_close_matches(full_name, VIRTUAL_TABLES, 1)
        hint = f"Perhaps you meant {near[0]}." if near else None
        raise UndefinedTableError(f'relation "{full_name}" does not exist', position=name.position, hint=hint)
    columns = tuple(ids.column(column, type_, nullable=True) for column, type_ in found.columns)
    return plan.CatalogRows(full_name, catalog, columns)


def virtual_rows(name: str, catalog: Catalog) -> Iterator[Row]:
    """The rows of a table of `VIRTUAL_TABLES`."""
    table = VIRTUAL_TABLES[name]
    width = len(table.columns)
    for row in table.rows(catalog):
        invariant(len(row) <= width, f"a row of {name} has a value for each column at most")
        yield row + (None,) * (width - len(row))


def _of(name: str) -> Row:
    """What the standard calls a thing by: its catalog, schema and name."""
    return (CATALOG_NAME, DEFAULT_SCHEMA, name)


def _yes(condition: bool) -> Value:
    return "YES" if condition else "NO"


def _tables(catalog: Catalog) -> list[Table]:
    return [catalog.tables[name] for name in sorted(catalog.tables)]


# --- tables and columns ----------------------------------------------------------------------------------------------


def _schemata(_: Catalog) -> Iterator[Row]:
    for name in (*VIRTUAL_SCHEMAS, DEFAULT_SCHEMA):
        yield (CATALOG_NAME, name)


def _table_rows(catalog: Catalog) -> Iterator[Row]:
    for name in sorted({*catalog.tables, *catalog.views}):
        yield (*_of(name), "VIEW", "NO") if name in catalog.views else (*_of(name), "BASE TABLE", "YES")


def _view_use_rows(catalog: Catalog) -> Iterator[Row]:
    for name in sorted(catalog.views):
        for used in sorted({use.name for use in catalog.views[name].uses}):
            yield (*_of(name), *_of(used))


def _no_rows(_: Catalog) -> Iterator[Row]:
    yield from ()


def _pg_table_rows(catalog: Catalog) -> Iterator[Row]:
    for table in _tables(catalog):
        yield (DEFAULT_SCHEMA, table.name, None, None, bool(table.indexes or table.primary_key), False, False, False)


def _pg_view_rows(catalog: Catalog) -> Iterator[Row]:
    for name in sorted(catalog.views):
        yield (DEFAULT_SCHEMA, name, None, view_definition(catalog.views[name], catalog))


def _view_rows(catalog: Catalog) -> Iterator[Row]:
    for name in sorted(catalog.views):
        yield (*_of(name), view_definition(catalog.views[name], catalog), "NONE", "NO")


def _column_rows(catalog: Catalog) -> Iterator[Row]:
    for name in sorted({*catalog.tables, *catalog.views}):
        view = catalog.views.get(name)
        if view is not None:
            for place, shown in enumerate(view.columns, 1):
                described = (shown.name, place, None, "YES", *_type_columns(shown.type))
                yield (*_of(name), *described, "NO", None, "NEVER", "NO")
            continue
        for place, column in enumerate(catalog.tables[name].columns, 1):
            identity = None if column.identity is None else _IDENTITY[column.identity]
            yield (
                *(*_of(name), column.name, place, column.default, _yes(not column.not_null)),
                *(*_type_columns(column.type), _yes(identity is not None), identity, "NEVER", "YES"),
            )


_IDENTITY: Final = {Identity.ALWAYS: "ALWAYS", Identity.BY_DEFAULT: "BY DEFAULT"}
_PRECISIONS: Final[Mapping[SqlType, Row]] = {INTEGER: (64, 2, 0), NUMERIC: (None, 10, None), FLOAT: (53, 2, None)}
"""Digits, of what radix, and behind the point."""
_MICROSECONDS: Final = 6


def _type_columns(type_: SqlType) -> Row:
    """The type's name, a text's length, a number's precision, its radix and scale, and a time's digits."""
    kind, arguments = _type_parts(type_)
    length = arguments[0] if arguments and type_.base in (TEXT, BPCHAR) else None
    number = _PRECISIONS.get(type_.base, (None, None, None))
    if type_.base is NUMERIC and arguments:
        number = (arguments[0], 10, arguments[1])
    digits = {TIMESTAMP: _MICROSECONDS, TIMESTAMPTZ: _MICROSECONDS, DATE: 0}.get(type_.base)
    return (kind, length, *number, digits)


def _type_parts(type_: SqlType) -> tuple[str, tuple[int, ...]]:
    """The type's name as messages say it, and what stands in its parentheses."""
    name = type_.label.partition("(")[0] if type_.base in (TEXT, BPCHAR) else type_.base.label
    return name, type_.modifiers


# --- constraints -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Constraint:
    """
    Attributes:
        columns: positions, for a key.
        used: the table and columns that must be there for the constraint's sake.
    """

    table: Table
    name: str
    kind: str
    columns: tuple[int, ...]
    used: tuple[str, tuple[str, ...]]
    foreign_key: ForeignKey | None = None
    condition: str | None = None

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(self.table.columns[position].name for position in self.columns)


def _constraints(catalog: Catalog) -> Iterator[_Constraint]:
    for table in _tables(catalog):
        key = table.primary_key
        if key is not None:
            yield _key(table, key.name, "PRIMARY KEY", key.columns)
        for index in table.indexes:
            if index.is_constraint:
                yield _key(table, index.name, "UNIQUE", tuple(column.position for column in index.columns))
        for foreign in table.foreign_keys:
            used = (foreign.table, foreign.referenced)
            yield _Constraint(table, foreign.name, "FOREIGN KEY", foreign.columns, used, foreign_key=foreign)
        for check in table.checks:
            used = (table.name, _columns_in(check.condition, table))
            yield _Constraint(table, check.name, "CHECK", (), used, condition=check.condition)


def _key(table: Table, name: str, kind: str, columns: tuple[int, ...]) -> _Constraint:
    return _Constraint(
        table, name, kind, columns, (table.name, tuple(table.columns[position].name for position in columns))
    )


def _columns_in(condition: str, table: Table) -> tuple[str, ...]:
    """The table's columns that the condition names, in the table's order."""
    tree = parse_stored_expression(condition)
    named = {node.column for node in ast.walk(tree) if isinstance(node, ast.ColumnReference)}
    return tuple(column.name for column in table.columns if column.name in named)


def _table_constraint_rows(catalog: Catalog) -> Iterator[Row]:
    for constraint in _constraints(catalog):
        yield (*_of(constraint.name), *_of(constraint.table.name), constraint.kind, "NO", "NO")


def _key_column_rows(catalog: Catalog) -> Iterator[Row]:
    for constraint in _constraints(catalog):
        for position, column in enumerate(constraint.key_names, 1):
            referenced = None
            if constraint.foreign_key is not None:
                key = _referenced_key(catalog, constraint.foreign_key)
                name = constraint.foreign_key.referenced[position - 1]
                referenced = None if key is None else key.key_names.index(name) + 1
            yield (*_of(constraint.name), *_of(constraint.table.name), column, position, referenced)


def _constraint_column_rows(catalog: Catalog) -> Iterator[Row]:
    for constraint in _constraints(catalog):
        table, columns = constraint.used
        for column in columns:
            yield (*_of(table), column, *_of(constraint.name))


def _referential_rows(catalog: Catalog) -> Iterator[Row]:
    for constraint in _constraints(catalog):
        foreign = constraint.foreign_key
        if foreign is None:
            continue
        key = _referenced_key(catalog, foreign)
        unique: Row = (None, None, None) if key is None else _of(key.name)
        match = "FULL" if foreign.match_full else "NONE"
        yield (*_of(constraint.name), *unique, match, foreign.on_update.value, foreign.on_delete.value)


def _referenced_key(catalog: Catalog, foreign: ForeignKey) -> _Constraint | None:
    """The constraint that makes the referenced columns unique; a unique index alone is none."""
    table = catalog.table(foreign.table)
    if table is None:
        return None
    keys = _constraints(Catalog(0, {table.name: table}))
    wanted = set(foreign.referenced)
    return next((key for key in keys if key.kind in ("PRIMARY KEY", "UNIQUE") and set(key.key_names) == wanted), None)


def _check_rows(catalog: Catalog) -> Iterator[Row]:
    for constraint in _constraints(catalog):
        if constraint.condition is not None:
            yield (*_of(constraint.name), constraint.condition)


# --- indexes ---------------------------------------------------------------------------------------------------------


def _index_rows(catalog: Catalog) -> Iterator[Row]:
    for table in _tables(catalog):
        key = table.primary_key
        if key is not None:
            columns = ", ".join(quoted(table.columns[position].name) for position in key.columns)
            yield (DEFAULT_SCHEMA, table.name, key.name, None, _definition(table, key.name, columns, is_unique=True))
        for index in table.indexes:
            definition = _definition(table, index.name, index_columns(table, index.columns), is_unique=index.is_unique)
            yield (DEFAULT_SCHEMA, table.name, index.name, None, definition)


def _definition(table: Table, name: str, columns: str, *, is_unique: bool) -> str:
    unique = "UNIQUE " if is_unique else ""
    return f"CREATE {unique}INDEX {quoted(name)} ON {DEFAULT_SCHEMA}.{quoted(table.name)} ({columns})"


def index_columns(table: Table, columns: Iterable[KeyColumn]) -> str:
    """The columns of an index as CREATE INDEX lists them."""
    parts = []
    for column in columns:
        part = quoted(table.columns[column.position].name) + (" DESC" if column.descending else "")
        if column.nulls_first != column.descending:
            part += " NULLS FIRST" if column.nulls_first else " NULLS LAST"
        parts.append(part)
    return ", ".join(parts)


# --- all of them -----------------------------------------------------------------------------------------------------


def _texts(*names: str) -> tuple[tuple[str, SqlType], ...]:
    return tuple((name, TEXT) for name in names)


def _integers(*names: str) -> tuple[tuple[str, SqlType], ...]:
    return tuple((name, INTEGER) for name in names)


_TABLE: Final = _texts("table_catalog", "table_schema", "table_name")
_CONSTRAINT: Final = _texts("constraint_catalog", "constraint_schema", "constraint_name")

VIRTUAL_TABLES: Final[Mapping[str, VirtualTable]] = {
    "information_schema.schemata": VirtualTable(_texts("catalog_name", "schema_name", "schema_owner"), _schemata),
    "information_schema.tables": VirtualTable((*_TABLE, *_texts("table_type", "is_insertable_into")), _table_rows),
    "information_schema.views": VirtualTable(
        (*_TABLE, *_texts("view_definition", "check_option", "is_updatable")), _view_rows
    ),
    "information_schema.view_table_usage": VirtualTable(
        (*_texts("view_catalog", "view_schema", "view_name"), *_TABLE), _view_use_rows
    ),
    "information_schema.sequences": VirtualTable(
        _texts("sequence_catalog", "sequence_schema", "sequence_name", "data_type", "start_value", "increment"),
        _no_rows,
    ),
    "information_schema.columns": VirtualTable(
        (
            *(*_TABLE, *_texts("column_name"), *_integers("ordinal_position")),
            *_texts("column_default", "is_nullable", "data_type"),
            *_integers("character_maximum_length", "numeric_precision", "numeric_precision_radix", "numeric_scale"),
            *_integers("datetime_precision"),
            *_texts("is_identity", "identity_generation", "is_generated", "is_updatable"),
        ),
        _column_rows,
    ),
    "information_schema.table_constraints": VirtualTable(
        (*_CONSTRAINT, *_TABLE, *_texts("constraint_type", "is_deferrable", "initially_deferred")),
        _table_constraint_rows,
    ),
    "information_schema.key_column_usage": VirtualTable(
        (
            *(*_CONSTRAINT, *_TABLE, *_texts("column_name")),
            *_integers("ordinal_position", "position_in_unique_constraint"),
        ),
        _key_column_rows,
    ),
    "information_schema.constraint_column_usage": VirtualTable(
        (*_TABLE, *_texts("column_name"), *_CONSTRAINT), _constraint_column_rows
    ),
    "information_schema.referential_constraints": VirtualTable(
        (
            *_CONSTRAINT,
            *_texts("unique_constraint_catalog", "unique_constraint_schema", "unique_constraint_name"),
            *_texts("match_option", "update_rule", "delete_rule"),
        ),
        _referential_rows,
    ),
    "information_schema.check_constraints": VirtualTable((*_CONSTRAINT, *_texts("check_clause")), _check_rows),
    "pg_catalog.pg_tables": VirtualTable(
        (
            *_texts("schemaname", "tablename", "tableowner", "tablespace"),
            *((name, BOOLEAN) for name in ("hasindexes", "hasrules", "hastriggers", "rowsecurity")),
        ),
        _pg_table_rows,
    ),
    "pg_catalog.pg_views": VirtualTable(_texts("schemaname", "viewname", "viewowner", "definition"), _pg_view_rows),
    "pg_catalog.pg_indexes": VirtualTable(
        _texts("schemaname", "tablename", "indexname", "tablespace", "indexdef"), _index_rows
    ),
}
"""By schema and name."""
