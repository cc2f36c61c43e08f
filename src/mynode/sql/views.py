"""CREATE VIEW and DROP VIEW: what views are kept as, and what rests on them.

A view is kept as its query's text, in which each `*` is written out, and what the names of tables and columns in it
mean (`ViewUse`). So it means the same when a table gets more columns or other names; `view_definition` is text of that
meaning in the names that things have now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mynode.base.sql_errors import (
    DependentObjectsError,
    DuplicateColumnError,
    DuplicateTableError,
    InvalidTableDefinitionError,
    SqlSyntaxError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from mynode.relation.catalog import Catalog
from mynode.relation.schema import Column, Table, View, ViewColumn, ViewUse
from mynode.sql import ast, plan
from mynode.sql.expressions import ColumnValue, OuterValue, PlanColumn, walk
from mynode.sql.names import TableNames, check_schema, quoted
from mynode.sql.parameters import ParameterTypes
from mynode.sql.parser import parse_stored_query
from mynode.sql.plan_parts import expressions, nodes
from mynode.sql.query_planner import QueryPlanner
from mynode.sql.scope import ColumnIds

_STAR: Final = re.compile(r'(?:(?:"(?:[^"]|"")*"|\w+)\s*\.\s*)?\*')


def create_view(statement: ast.CreateView, tables: TableNames, ids: ColumnIds) -> plan.CreateView:
    """Raises the `SqlError` of what the statement gets wrong."""
    check_schema(statement.view)
    name, position = statement.view.name, statement.view.position
    replaced = tables.view(statement.view) if statement.or_replace else None
    if replaced is None and statement.or_replace and tables.look_up(statement.view) is not None:
        raise WrongObjectTypeError(f'"{name}" is not a view', position=position)
    if replaced is None and tables.is_taken(name):
        raise DuplicateTableError(f'relation "{name}" already exists', position=position)
    tables.named.clear()
    QueryPlanner(tables, ParameterTypes({}), ids).query(
        statement.query
    )  # its errors, with their places in the statement
    planner = QueryPlanner(tables, ParameterTypes({}), ids)
    columns = planner.query(parse_stored_query(statement.text)).columns
    names = _column_names(statement, columns)
    made = tuple(ViewColumn(given, column.type) for given, column in zip(names, columns, strict=True))
    uses = tuple(_use(known, tables.named[known]) for known in sorted(tables.named))
    view = View(name, made, _written_out(statement.text, planner.stars), uses)
    if replaced is not None:
        if name in tables.used_views and name in _reached(view, tables.catalog):
            raise InvalidTableDefinitionError(f'view "{name}" would rest on itself', position=position)
        _check_replacement(replaced.columns, made, position)
    return plan.CreateView(view, replaced)


def _use(name: str, used: Table | View) -> ViewUse:
    if isinstance(used, Table):
        return ViewUse(name, name, tuple((column.name, column.slot) for column in used.columns))
    return ViewUse(name, name, tuple((column.name, place) for place, column in enumerate(used.columns)))


def _column_names(statement: ast.CreateView, columns: Sequence[PlanColumn]) -> tuple[str, ...]:
    given = [identifier.name for identifier in statement.columns]
    if len(given) > len(columns):
        raise SqlSyntaxError(
            "CREATE VIEW specifies more column names than columns", position=statement.columns[len(columns)].position
        )
    names = (*given, *(column.name for column in columns[len(given) :]))
    for name in names:
        if names.count(name) > 1:
            raise DuplicateColumnError(f'column "{name}" specified more than once', position=statement.position)
    return names


def _written_out(text: str, stars: Mapping[int, Sequence[PlanColumn]]) -> str:
    """The query with each `*`, and TABLE, as the columns that it stands for."""
    for position in sorted(stars, reverse=True):
        if not stars[position]:
            continue  # There is no text for no columns; the view sees none of those to come.
        columns = ", ".join(
            quoted(column.name) if column.source is None else f"{quoted(column.source)}.{quoted(column.name)}"
            for column in stars[position]
        )
        found = _STAR.match(text, position - 1)
        start, end = (position - 1, position - 1 + len("TABLE")) if found is None else found.span()
        written = f"SELECT {columns} FROM" if found is None else columns
        text = text[:start] + written + text[end:]
    return text


def uses_column(view: View, table: Table, column: Column, catalog: Catalog) -> bool:
    """Whether the view's query, or that of a view in it, uses the column of the table."""
    tables = TableNames(catalog)
    query = QueryPlanner(tables.in_view(view), ParameterTypes({}), ColumnIds()).query(parse_stored_query(view.query))
    place = table.columns.index(column)
    scanned = {node.columns[place] for node in nodes(query) if isinstance(node, plan.Scan) and node.table == table}
    return any(
        isinstance(one, ColumnValue | OuterValue) and one.column in scanned
        for node in nodes(query)
        for expression in expressions(node)
        for one in walk(expression)
    )


def _reached(view: View, catalog: Catalog) -> set[str]:
    """All that the view rests on, directly or through other views."""
    found: set[str] = set()
    waiting = [use.name for use in view.uses]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [use.name for use in catalog.views[name].uses] if name in catalog.views else ()
    return found


def _check_replacement(before: Sequence[ViewColumn], columns: Sequence[ViewColumn], position: int) -> None:
    """A view that takes another's place has its columns, and perhaps more."""
    if len(columns) < len(before):
        raise InvalidTableDefinitionError("cannot drop columns from view", position=position)
    for old, new in zip(before, columns, strict=False):
        if old.name != new.name:
            raise InvalidTableDefinitionError(
                f'cannot change name of view column "{old.name}" to "{new.name}"', position=position
            )
        if old.type != new.type:
            raise InvalidTableDefinitionError(
                f'cannot change data type of view column "{old.name}" from {old.type} to {new.type}', position=position
            )


def drop_view(statement: ast.DropView, tables: TableNames) -> plan.DropView:
    """Raises the `SqlError` of what the statement gets wrong."""
    found: dict[str, View] = {}
    missing: list[str] = []
    for name in statement.views:
        view = tables.view(name)
        if view is not None:
            found[view.name] = view
        elif tables.look_up(name) is not None:
            raise WrongObjectTypeError(
                f'"{name.name}" is not a view', position=name.position, hint="Use DROP TABLE to remove a table."
            )
        elif statement.if_exists:
            missing.append(name.name)
        else:
            raise UndefinedTableError(f'view "{name.name}" does not exist', position=name.position)
    found.update((view.name, view) for view in views_to_drop(tables.catalog, found, "view", cascade=statement.cascade))
    return plan.DropView(tuple(found.values()), tuple(missing))


def views_to_drop(catalog: Catalog, names: Iterable[str], kind: str, *, cascade: bool) -> tuple[View, ...]:
    """The views that rest on what is dropped, to be dropped with it.

    Raises `DependentObjectsError` without `cascade`.
    """
    dropped = tuple(names)
    found = tuple(view for view in catalog.views_on(dropped) if view.name not in dropped)
    if found and not cascade:
        by_name = {view.name: view for view in found}
        used = next(name for name in dropped if any(view.uses_any((name,)) for view in by_name.values()))
        details = [
            f"view {view.name} depends on {'view' if name in catalog.views else 'table'} {name}"
            for view in found
            for name in (use.name for use in view.uses)
            if name in dropped or name in by_name
        ]
        raise DependentObjectsError(
            f"cannot drop {kind} {used} because other objects depend on it",
            detail="\n".join(details),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    return found
