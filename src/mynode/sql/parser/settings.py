"""SET, RESET, ALTER SYSTEM and SHOW: of settings, and of tables and columns as in MySQL."""

from __future__ import annotations

from typing import Final

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.names import parse_table
from mynode.sql.tokens import DECIMAL, IDENTIFIER, INTEGER, STRING

_NUMBERS: Final = frozenset({INTEGER, DECIMAL})


def parse_set(cursor: Cursor) -> ast.SetVariable:
    """`SET [SESSION | LOCAL] {name {TO | =} value, ... | TIME ZONE value}`."""
    position = cursor.advance().position
    local = False
    if cursor.symbol in ("LOCAL", "SESSION") and cursor.following.symbol not in ("TO", "=", "."):
        local = cursor.advance().symbol == "LOCAL"
    if cursor.symbol == "TRANSACTION" or cursor.token.value == "characteristics":
        raise cursor.unsupported("SET TRANSACTION is")
    if cursor.symbol == "TIME" and cursor.following.symbol == "ZONE":
        name = _parse_name(cursor)
    else:
        name = _parse_name(cursor)
        if not cursor.accept("TO"):
            cursor.expect("=")
    return ast.SetVariable(name, _parse_values(cursor), local, position)


def parse_reset(cursor: Cursor) -> ast.SetVariable:
    """`RESET name | ALL`."""
    position = cursor.advance().position
    name = None if cursor.accept("ALL") else _parse_name(cursor)
    return ast.SetVariable(name, None, local=False, position=position)


def parse_alter_system(cursor: Cursor, position: int) -> ast.AlterSystem:
    """`SYSTEM {SET name {TO | =} value, ... | RESET name}`, behind ALTER."""
    cursor.advance()
    if cursor.accept("RESET"):
        return ast.AlterSystem(_parse_name(cursor), None, position)
    cursor.expect("SET")
    name = _parse_name(cursor)
    if not cursor.accept("TO"):
        cursor.expect("=")
    return ast.AlterSystem(name, _parse_values(cursor), position)


def parse_show(cursor: Cursor) -> ast.Show | ast.ShowTables | ast.ShowColumns | ast.ShowIndexes:
    """`SHOW {name | ALL | TABLES | COLUMNS FROM table | INDEXES FROM table}`."""
    position = cursor.advance().position
    word = cursor.token.text.lower()
    if word in ("columns", "indexes") and cursor.following.symbol == "FROM":
        cursor.advance()
        cursor.expect("FROM")
        table = parse_table(cursor)
        return ast.ShowColumns(table, position) if word == "columns" else ast.ShowIndexes(table, position)
    if word == "tables" and cursor.following.symbol != ".":
        cursor.advance()
        return ast.ShowTables(position)
    return ast.Show(None if cursor.accept("ALL") else _parse_name(cursor), position)


def _parse_name(cursor: Cursor) -> str:
    """`name`, `name.name`, or one of the names of several words that SQL has."""
    if cursor.symbol == "TIME" and cursor.accept_words("TIME", "ZONE"):
        return "timezone"
    if cursor.symbol == "TRANSACTION" and cursor.accept_words("TRANSACTION", "ISOLATION", "LEVEL"):
        return "transaction_isolation"
    name = cursor.name("a name of a setting").value
    while cursor.symbol == ".":
        cursor.advance()
        name += f".{cursor.name('a name of a setting').value}"
    return name.lower()


def _parse_values(cursor: Cursor) -> tuple[str, ...] | None:
    if cursor.accept("DEFAULT"):
        return None
    values = [_parse_value(cursor)]
    while cursor.accept(","):
        values.append(_parse_value(cursor))
    return tuple(values)


def _parse_value(cursor: Cursor) -> str:
    """A string, a number, or a word, reserved (`ON`, `TRUE`) or not."""
    sign = cursor.advance().text if cursor.symbol in ("-", "+") else ""
    if cursor.symbol in _NUMBERS:
        return sign.strip("+") + cursor.advance().value
    if sign or not (cursor.symbol in (STRING, IDENTIFIER) or cursor.symbol.isupper()):
        raise cursor.error("a number" if sign else "a value")
    return cursor.advance().value
