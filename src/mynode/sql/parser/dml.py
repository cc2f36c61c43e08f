"""INSERT, UPDATE and DELETE."""

from __future__ import annotations

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import parse_expression
from mynode.sql.parser.names import parse_changed_table, parse_column, parse_columns, parse_table
from mynode.sql.parser.queries import QUERY_STARTS, parse_insert_values, parse_query


def parse_insert(cursor: Cursor) -> ast.Insert:
    """`INSERT INTO table [AS alias] [(columns)] VALUES ... | SELECT ...`."""
    position = cursor.advance().position
    cursor.expect("INTO")
    name = parse_table(cursor)
    alias = cursor.name("an alias").value if cursor.accept("AS") else None
    columns = None
    if cursor.symbol == "(" and cursor.following.symbol not in QUERY_STARTS - {"VALUES"}:
        columns = parse_columns(cursor)
    source = _parse_insert_source(cursor)
    if cursor.symbol == "ON":
        raise cursor.unsupported("ON CONFLICT is")
    _refuse_returning(cursor)
    table = ast.NamedTable(name, alias, (), name.position)
    return ast.Insert(table, columns, source, None, (), (), position)


def _parse_insert_source(cursor: Cursor) -> ast.Values | ast.Query:
    if cursor.symbol == "DEFAULT" and cursor.following.symbol == "VALUES":
        raise cursor.unsupported("DEFAULT VALUES is")
    return parse_insert_values(cursor) if cursor.symbol == "VALUES" else parse_query(cursor)


def parse_update(cursor: Cursor) -> ast.Update:
    """`UPDATE table [[AS] alias] SET column = value, ... [WHERE ...]`."""
    position = cursor.advance().position
    table = parse_changed_table(cursor)
    cursor.expect("SET")
    assignments = [_parse_assignment(cursor)]
    while cursor.accept(","):
        assignments.append(_parse_assignment(cursor))
    if cursor.symbol == "FROM":
        raise cursor.unsupported("UPDATE ... FROM is")
    where = parse_expression(cursor) if cursor.accept("WHERE") else None
    _refuse_returning(cursor)
    return ast.Update(table, tuple(assignments), (), where, (), (), position)


def _parse_assignment(cursor: Cursor) -> ast.Assignment:
    if cursor.symbol == "(":
        raise cursor.unsupported("assignments to several columns at once are")
    column = parse_column(cursor)
    if cursor.symbol == ".":
        raise cursor.error("=", hint="write the column's name without its table's")
    cursor.expect("=")
    if cursor.symbol == "DEFAULT":
        return ast.Assignment(column, ast.Default(cursor.advance().position))
    return ast.Assignment(column, parse_expression(cursor))


def parse_delete(cursor: Cursor) -> ast.Delete:
    """`DELETE FROM table [[AS] alias] [WHERE ...]`."""
    position = cursor.advance().position
    cursor.expect("FROM")
    table = parse_changed_table(cursor)
    if cursor.symbol == "USING":
        raise cursor.unsupported("DELETE ... USING is")
    where = parse_expression(cursor) if cursor.accept("WHERE") else None
    _refuse_returning(cursor)
    return ast.Delete(table, (), where, (), (), position)


def _refuse_returning(cursor: Cursor) -> None:
    if cursor.symbol == "RETURNING":
        raise cursor.unsupported("RETURNING is")
