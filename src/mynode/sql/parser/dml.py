"""INSERT, UPDATE and DELETE."""

from __future__ import annotations

from mynode.base.sql_errors import SqlSyntaxError
from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import at_query, parse_expression
from mynode.sql.parser.names import parse_changed_table, parse_column, parse_columns, parse_table
from mynode.sql.parser.queries import QUERY_STARTS, parse_insert_values, parse_query, parse_select_list
from mynode.sql.parser.sources import parse_sources

# --- INSERT ---------------------------------------------------------------------------------------------------------


def parse_insert(cursor: Cursor) -> ast.Insert:
    """`INSERT INTO table [AS alias] [(columns)] source [ON CONFLICT ...] [RETURNING ...]`."""
    position = cursor.advance().position
    cursor.expect("INTO")
    name = parse_table(cursor)
    alias = cursor.name("an alias").value if cursor.accept("AS") else None
    columns = None
    if cursor.symbol == "(" and cursor.following.symbol not in QUERY_STARTS - {"VALUES"}:
        columns = parse_columns(cursor)
    overriding = _parse_overriding(cursor) if cursor.accept("OVERRIDING") else None
    source = _parse_insert_source(cursor)
    conflict_position = cursor.token.position
    on_conflict = _parse_on_conflict(cursor, conflict_position) if cursor.accept_words("ON", "CONFLICT") else None
    table = ast.NamedTable(name, alias, (), name.position)
    return ast.Insert(table, columns, overriding, source, on_conflict, _parse_returning(cursor), (), position)


def _parse_overriding(cursor: Cursor) -> ast.Overriding:
    """`SYSTEM | USER VALUE` after OVERRIDING."""
    word = cursor.token.value
    if word not in ("system", "user"):
        raise cursor.error("SYSTEM VALUE", "USER VALUE")
    cursor.advance()
    if cursor.token.value != "value":
        raise cursor.error("VALUE")
    cursor.advance()
    return ast.Overriding.SYSTEM_VALUE if word == "system" else ast.Overriding.USER_VALUE


def _parse_insert_source(cursor: Cursor) -> ast.Values | ast.Query | ast.DefaultValues:
    position = cursor.token.position
    if cursor.accept_words("DEFAULT", "VALUES"):
        return ast.DefaultValues(position)
    return parse_insert_values(cursor) if cursor.symbol == "VALUES" else parse_query(cursor)


def _parse_on_conflict(cursor: Cursor, position: int) -> ast.OnConflict:
    """`[(columns) | ON CONSTRAINT name] DO NOTHING | DO UPDATE SET ...`."""
    columns: tuple[ast.Identifier, ...] = ()
    constraint = None
    if cursor.symbol == "(":
        columns = parse_columns(cursor)
        if cursor.symbol == "WHERE":
            raise cursor.unsupported("a condition of ON CONFLICT's columns is")
    elif cursor.accept_words("ON", "CONSTRAINT"):
        name = cursor.name("a constraint name")
        constraint = ast.Identifier(name.value, name.position)
    cursor.expect("DO")
    action_position = cursor.token.position
    if cursor.accept("NOTHING"):
        return ast.OnConflict(columns, constraint, None, position)
    cursor.expect("UPDATE")
    if not columns and constraint is None:
        raise SqlSyntaxError(
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            position=action_position,
            hint="For example, ON CONFLICT (column_name).",
        )
    assignments = _parse_set(cursor)
    update = ast.ConflictUpdate(assignments, _parse_where(cursor), action_position)
    return ast.OnConflict(columns, constraint, update, position)


# --- UPDATE and DELETE ----------------------------------------------------------------------------------------------


def parse_update(cursor: Cursor) -> ast.Update:
    """`UPDATE table [[AS] alias] SET column = value, ... [FROM ...] [WHERE ...] [RETURNING ...]`."""
    position = cursor.advance().position
    table = parse_changed_table(cursor)
    assignments = _parse_set(cursor)
    sources = parse_sources(cursor) if cursor.accept("FROM") else ()
    where = _parse_where(cursor)
    return ast.Update(table, assignments, sources, where, _parse_returning(cursor), (), position)


def parse_delete(cursor: Cursor) -> ast.Delete:
    """`DELETE FROM table [[AS] alias] [USING ...] [WHERE ...] [RETURNING ...]`."""
    position = cursor.advance().position
    cursor.expect("FROM")
    table = parse_changed_table(cursor)
    sources = parse_sources(cursor) if cursor.accept("USING") else ()
    where = _parse_where(cursor)
    return ast.Delete(table, sources, where, _parse_returning(cursor), (), position)


# --- shared parts ---------------------------------------------------------------------------------------------------


def _parse_set(cursor: Cursor) -> tuple[ast.Assignment | ast.RowAssignment, ...]:
    """`SET column = value, ...`."""
    cursor.expect("SET")
    assignments = _parse_assignments(cursor)
    while cursor.accept(","):
        assignments += _parse_assignments(cursor)
    return tuple(assignments)


def _parse_assignments(cursor: Cursor) -> list[ast.Assignment | ast.RowAssignment]:
    """`column = value`, or `(columns) = (values | query)`."""
    if cursor.symbol != "(":
        return [_parse_assignment(cursor)]
    position = cursor.token.position
    columns = parse_columns(cursor)
    cursor.expect("=")
    is_row = cursor.accept("ROW")
    cursor.expect("(")
    if not is_row and at_query(cursor):
        query = parse_query(cursor)
        cursor.expect(")")
        return [ast.RowAssignment(columns, query)]
    values = [_parse_value(cursor)]
    while cursor.accept(","):
        values.append(_parse_value(cursor))
    cursor.expect(")")
    if len(values) != len(columns):
        raise SqlSyntaxError("number of columns does not match number of values", position=position)
    return [ast.Assignment(column, value) for column, value in zip(columns, values, strict=True)]


def _parse_assignment(cursor: Cursor) -> ast.Assignment:
    column = parse_column(cursor)
    if cursor.symbol == ".":
        raise cursor.error("=", hint="write the column's name without its table's")
    cursor.expect("=")
    return ast.Assignment(column, _parse_value(cursor))


def _parse_value(cursor: Cursor) -> ast.Expression | ast.Default:
    return ast.Default(cursor.advance().position) if cursor.symbol == "DEFAULT" else parse_expression(cursor)


def _parse_where(cursor: Cursor) -> ast.Expression | None:
    return parse_expression(cursor) if cursor.accept("WHERE") else None


def _parse_returning(cursor: Cursor) -> tuple[ast.SelectItem, ...]:
    return parse_select_list(cursor) if cursor.accept("RETURNING") else ()
