"""Names of tables, columns and types."""

from __future__ import annotations

from typing import Final

from mynode.base.sql_errors import SqlSyntaxError, UndefinedTypeError
from mynode.sql import ast
from mynode.sql.keywords import FUNCTION_ONLY, UNRESERVED
from mynode.sql.other_databases import hint_for_type
from mynode.sql.parser.cursor import Cursor
from mynode.sql.tokens import IDENTIFIER, INTEGER

_TYPE_NAMES: Final = UNRESERVED | FUNCTION_ONLY | {IDENTIFIER, "INTERVAL"}
_SECOND_WORDS: Final = frozenset({("double", "PRECISION"), ("character", "VARYING"), ("char", "VARYING")})
TIMES: Final = frozenset({"time", "timestamp"})
_MAX_ARGUMENT_DIGITS: Final = 9


def parse_column(cursor: Cursor) -> ast.Identifier:
    token = cursor.name("a column name")
    return ast.Identifier(token.value, token.position)


def parse_columns(cursor: Cursor) -> tuple[ast.Identifier, ...]:
    """`(name, ...)`."""
    cursor.expect("(")
    return parse_names(cursor)


def parse_names(cursor: Cursor) -> tuple[ast.Identifier, ...]:
    """`name, ...)`."""
    columns = [parse_column(cursor)]
    while cursor.accept(","):
        columns.append(parse_column(cursor))
    cursor.expect(")")
    return tuple(columns)


def parse_table(cursor: Cursor) -> ast.TableName:
    """`name` or `schema.name`."""
    first = cursor.name("a table name")
    if cursor.symbol != ".":
        return ast.TableName(None, first.value, first.position)
    cursor.advance()
    second = cursor.name("a table name")
    if cursor.symbol == ".":
        raise cursor.unsupported("names with more than two parts are")
    return ast.TableName(first.value, second.value, first.position)


def parse_tables(cursor: Cursor) -> tuple[ast.TableName, ...]:
    """`table, ...`."""
    tables = [parse_table(cursor)]
    while cursor.accept(","):
        tables.append(parse_table(cursor))
    return tuple(tables)


def parse_cascade(cursor: Cursor) -> bool:
    """`[CASCADE | RESTRICT]`: whether it is CASCADE."""
    cascade = cursor.accept("CASCADE")
    if not cascade:
        cursor.accept("RESTRICT")
    return cascade


def parse_alias(cursor: Cursor) -> str | None:
    """`[AS] alias` of a table, if there is one. AS OF begins something else, so `of` is an alias only without AS."""
    if cursor.symbol == "AS" and cursor.following.value == "of":
        return None
    if cursor.accept("AS"):
        return cursor.name("an alias").value
    return cursor.advance().value if cursor.at_name() else None


def parse_changed_table(cursor: Cursor) -> ast.NamedTable:
    """`table [[AS] alias]` of an UPDATE or DELETE, where SET is no alias."""
    table = parse_table(cursor)
    alias = None if cursor.symbol == "SET" else parse_alias(cursor)
    return ast.NamedTable(table, alias, (), table.position)


def parse_type(cursor: Cursor) -> ast.TypeName:
    """`name [(numbers)]`, where `name` may have several words."""
    if cursor.symbol not in _TYPE_NAMES:
        raise cursor.error("a type")
    token = cursor.advance()
    name = token.value
    if (name, cursor.symbol) in _SECOND_WORDS:
        name += f" {cursor.advance().value}"
    if cursor.symbol == "(" and cursor.following.symbol != INTEGER and hint_for_type(name) is not None:
        raise UndefinedTypeError(f'type "{name}" does not exist', position=token.position, hint=hint_for_type(name))
    arguments = parse_type_arguments(cursor)
    if name in TIMES and cursor.symbol in ("WITH", "WITHOUT") and cursor.following.symbol == "TIME":
        name += parse_time_zone(cursor)
    if cursor.symbol in ("[", "ARRAY"):
        raise cursor.unsupported("arrays are")
    return ast.TypeName(name, arguments, token.position)


def parse_time_zone(cursor: Cursor) -> str:
    """`WITH | WITHOUT TIME ZONE`, as the end of a type's name."""
    word = cursor.advance().value
    cursor.expect("TIME")
    cursor.expect("ZONE")
    return f" {word} time zone"


def parse_type_arguments(cursor: Cursor) -> tuple[int, ...]:
    """`[(number, ...)]`."""
    if cursor.symbol != "(":
        return ()
    cursor.advance()
    arguments = [_type_argument(cursor)]
    while cursor.accept(","):
        arguments.append(_type_argument(cursor))
    cursor.expect(")")
    return tuple(arguments)


def _type_argument(cursor: Cursor) -> int:
    token = cursor.expect(INTEGER)
    if len(token.value) > _MAX_ARGUMENT_DIGITS:
        raise SqlSyntaxError("a number after a type is too large", position=token.position)
    return int(token.value)
