"""CREATE, DROP and TRUNCATE."""

from __future__ import annotations

from typing import Final

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.names import parse_cascade, parse_column, parse_columns, parse_table, parse_tables
from mynode.sql.parser.order import parse_direction
from mynode.sql.parser.queries import parse_query
from mynode.sql.parser.tables import parse_create_table
from mynode.sql.tokens import IDENTIFIER

_LATER_CREATES: Final = {
    "FOREIGN": "foreign tables are",
    "GLOBAL": "temporary tables are",
    "LOCAL": "temporary tables are",
    "MATERIALIZED": "materialized views are",
    "RECURSIVE": "recursive views are",
    "TEMP": "temporary tables are",
    "TEMPORARY": "temporary tables are",
    "UNLOGGED": "unlogged tables are",
}
_LATER_OBJECTS: Final = {
    "AGGREGATE": "aggregates of one's own are",
    "CAST": "casts of one's own are",
    "COLLATION": "collations are",
    "DATABASE": "more databases than one are",
    "DOMAIN": "domains are",
    "EVENT": "triggers are",
    "EXTENSION": "extensions are",
    "FUNCTION": "functions of one's own are",
    "GROUP": "roles are",
    "MATERIALIZED": "materialized views are",
    "OPERATOR": "operators of one's own are",
    "POLICY": "policies are",
    "PROCEDURE": "procedures are",
    "ROLE": "roles are",
    "RULE": "rules are",
    "SCHEMA": "more schemas than public are",
    "SEQUENCE": "sequences apart from identity columns are",
    "STATISTICS": "statistics are",
    "TABLESPACE": "tablespaces are",
    "TRIGGER": "triggers are",
    "TYPE": "types of one's own are",
    "USER": "roles are",
}
"""What PostgreSQL can CREATE, ALTER and DROP besides."""

# --- CREATE ---------------------------------------------------------------------------------------------------------


def parse_create(cursor: Cursor) -> ast.CreateTable | ast.CreateTableAs | ast.CreateIndex | ast.CreateView:
    position = cursor.advance().position
    if cursor.symbol in _LATER_CREATES:
        raise cursor.unsupported(_LATER_CREATES[cursor.symbol])
    if cursor.accept("TABLE"):
        return parse_create_table(cursor, position)
    if cursor.accept("VIEW"):
        return _parse_create_view(cursor, or_replace=False, position=position)
    if cursor.accept("INDEX"):
        return _parse_create_index(cursor, unique=False, position=position)
    if cursor.accept("UNIQUE"):
        cursor.expect("INDEX")
        return _parse_create_index(cursor, unique=True, position=position)
    if cursor.accept_words("OR", "REPLACE"):
        refuse_later_object(cursor)
        cursor.expect("VIEW")
        return _parse_create_view(cursor, or_replace=True, position=position)
    refuse_later_object(cursor)
    raise cursor.error()


def refuse_later_object(cursor: Cursor) -> None:
    """Raises `FeatureNotSupportedError` for a kind of object that PostgreSQL has."""
    unsupported = _LATER_OBJECTS.get(cursor.token.value.upper())
    if unsupported is not None:
        raise cursor.unsupported(unsupported)


def _parse_create_index(cursor: Cursor, *, unique: bool, position: int) -> ast.CreateIndex:
    """`[IF NOT EXISTS] [name] ON table [USING btree] (column, ...)` after CREATE INDEX."""
    if cursor.symbol == "CONCURRENTLY":
        raise cursor.unsupported("CONCURRENTLY is")
    if_not_exists = cursor.accept_words("IF", "NOT", "EXISTS")
    name = None
    if if_not_exists or cursor.symbol != "ON":
        token = cursor.name("an index name")
        name = ast.Identifier(token.value, token.position)
    cursor.expect("ON")
    table = parse_table(cursor)
    if cursor.accept("USING"):
        if cursor.token.value != "btree":
            raise cursor.unsupported("a method of indexes other than btree is")
        cursor.advance()
    cursor.expect("(")
    columns = [_parse_index_column(cursor)]
    while cursor.accept(","):
        columns.append(_parse_index_column(cursor))
    cursor.expect(")")
    if cursor.symbol in ("NULLS", "WITH", "WHERE") or cursor.token.value in ("include", "tablespace"):
        raise cursor.unsupported(f"{cursor.token.value.upper()} of an index is")
    return ast.CreateIndex(name, unique, if_not_exists, table, tuple(columns), position)


def _parse_index_column(cursor: Cursor) -> ast.IndexColumn:
    if cursor.symbol == "(" or cursor.following.symbol == "(":
        raise cursor.unsupported("indexes on expressions are")
    column = parse_column(cursor)
    if cursor.symbol == "COLLATE":
        raise cursor.unsupported("COLLATE is")
    if cursor.symbol == IDENTIFIER:
        raise cursor.unsupported("operator classes are")
    return ast.IndexColumn(column, *parse_direction(cursor))


def _parse_create_view(cursor: Cursor, *, or_replace: bool, position: int) -> ast.CreateView:
    """`view [(columns)] AS query` after CREATE VIEW."""
    view = parse_table(cursor)
    columns = parse_columns(cursor) if cursor.symbol == "(" else ()
    if cursor.symbol == "WITH":
        raise cursor.unsupported("options of views are")
    cursor.expect("AS")
    start = cursor.token.position
    with cursor.without_parameters():
        query = parse_query(cursor)
    text = cursor.text_since(start)
    if cursor.symbol == "WITH":
        raise cursor.unsupported("WITH CHECK OPTION is")
    return ast.CreateView(view, or_replace, columns, query, text, position)


# --- DROP and TRUNCATE ----------------------------------------------------------------------------------------------


def parse_drop(cursor: Cursor) -> ast.DropTable | ast.DropIndex | ast.DropView:
    """`DROP TABLE | INDEX | VIEW [IF EXISTS] name, ... [CASCADE | RESTRICT]`."""
    position = cursor.advance().position
    kind: type[ast.DropTable | ast.DropIndex | ast.DropView]
    if cursor.accept("TABLE"):
        kind = ast.DropTable
    elif cursor.accept("INDEX"):
        kind = ast.DropIndex
    else:
        refuse_later_object(cursor)
        cursor.expect("VIEW")
        kind = ast.DropView
    if cursor.symbol == "CONCURRENTLY":
        raise cursor.unsupported("CONCURRENTLY is")
    if_exists = cursor.accept_words("IF", "EXISTS")
    return kind(parse_tables(cursor), if_exists, parse_cascade(cursor), position)


def parse_truncate(cursor: Cursor) -> ast.Truncate:
    """`TRUNCATE [TABLE] table, ... [RESTART IDENTITY | CONTINUE IDENTITY] [CASCADE | RESTRICT]`."""
    position = cursor.advance().position
    cursor.accept("TABLE")
    if cursor.symbol == "ONLY":
        raise cursor.unsupported("ONLY is")
    tables = parse_tables(cursor)
    restart_identity = cursor.accept_words("RESTART", "IDENTITY")
    if not restart_identity:
        cursor.accept_words("CONTINUE", "IDENTITY")
    return ast.Truncate(tables, restart_identity, parse_cascade(cursor), position)
