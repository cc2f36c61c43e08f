"""FROM: tables, sub-queries and joins."""

from __future__ import annotations

from typing import Final

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import QUERY_TAILS, at_query, parse_expression
from mynode.sql.parser.names import parse_alias, parse_columns, parse_table

_KINDS: Final = {
    "CROSS": ast.JoinKind.CROSS,
    "FULL": ast.JoinKind.FULL,
    "INNER": ast.JoinKind.INNER,
    "LEFT": ast.JoinKind.LEFT,
    "RIGHT": ast.JoinKind.RIGHT,
}
_JOINS: Final = frozenset({"JOIN", "NATURAL", *_KINDS})
_OUTER: Final = frozenset({"FULL", "LEFT", "RIGHT"})


def parse_sources(cursor: Cursor) -> tuple[ast.TableReference, ...]:
    """`source, ...` after FROM or USING."""
    sources = [_parse_source(cursor)]
    while cursor.accept(","):
        sources.append(_parse_source(cursor))
    return tuple(sources)


def _parse_source(cursor: Cursor) -> ast.TableReference:
    """A table or a chain of joins."""
    tallest_before = cursor.open(1)
    source = _parse_joins(cursor, _parse_table_or_parenthesis(cursor))
    cursor.close(1, tallest_before)
    return source


def _parse_joins(cursor: Cursor, left: ast.TableReference) -> ast.TableReference:
    """The joins that follow `left`."""
    while cursor.symbol in _JOINS:
        left = _parse_join(cursor, left)
        cursor.grow()
    cursor.hint("JOIN")
    return left


def _parse_join(cursor: Cursor, left: ast.TableReference) -> ast.Join:
    position = cursor.token.position
    natural = cursor.accept("NATURAL")
    kind = ast.JoinKind.INNER
    if cursor.symbol in _KINDS and not (natural and cursor.symbol == "CROSS"):
        first = cursor.advance().symbol
        kind = _KINDS[first]
        if first in _OUTER:
            cursor.accept("OUTER")
    cursor.expect("JOIN")
    right = _parse_table_or_parenthesis(cursor)
    if natural or kind is ast.JoinKind.CROSS:
        return ast.Join(kind, left, right, None, (), natural, position)
    if cursor.symbol in _JOINS:  # `a JOIN b JOIN c ON x ON y`: the inner join comes first
        tallest_before = cursor.open(1)
        right = _parse_joins(cursor, right)
        cursor.close(1, tallest_before)
    if cursor.accept("USING"):
        using = parse_columns(cursor)
        if cursor.symbol == "AS":
            raise cursor.unsupported("aliases of joins are")
        return ast.Join(kind, left, right, None, using, natural, position)
    cursor.expect("ON")
    return ast.Join(kind, left, right, parse_expression(cursor), (), natural, position)


# --- tables and parentheses -----------------------------------------------------------------------------------------


def _parse_table_or_parenthesis(cursor: Cursor) -> ast.TableReference:
    if cursor.symbol != "(":
        return _parse_named_table(cursor)
    position = cursor.token.position
    return _as_table(cursor, _parse_parenthesis(cursor), position)


def _as_table(cursor: Cursor, found: ast.Query | ast.TableReference, position: int) -> ast.TableReference:
    """What stood in parentheses at `position`, with its alias."""
    if isinstance(found, ast.Query):
        return ast.DerivedTable(found, *_parse_alias(cursor), position)
    if cursor.symbol == "AS" or cursor.at_name():
        raise cursor.unsupported("aliases of joins are")
    return found


def _parse_parenthesis(cursor: Cursor) -> ast.Query | ast.TableReference:
    """`(query)` or `(joins)`; at `((` only what follows the inner ones tells which."""
    cursor.advance()
    tallest_before = cursor.open(1)
    found: ast.Query | ast.TableReference
    if at_query(cursor):
        found = cursor.query_parser(cursor)
    elif cursor.symbol == "(":
        position = cursor.token.position
        found = _parse_parenthesis(cursor)
        if not isinstance(found, ast.Query) or (cursor.symbol not in QUERY_TAILS and cursor.symbol != ")"):
            found = _parse_joins(cursor, _as_table(cursor, found, position))
        elif cursor.symbol != ")":
            found = cursor.query_parser(cursor, found)
    else:
        found = _parse_joins(cursor, _parse_named_table(cursor))
        if not isinstance(found, ast.Join):
            raise cursor.error(hint="parentheses stand around joins and queries, not around a table")
    cursor.expect(")")
    cursor.close(1, tallest_before)
    return found


def _parse_named_table(cursor: Cursor) -> ast.NamedTable:
    if cursor.symbol in ("LATERAL", "ONLY"):
        raise cursor.unsupported(f"{cursor.symbol} is")
    if cursor.following.symbol == "(" and cursor.at_name():
        raise cursor.unsupported("functions as tables are")
    table = parse_table(cursor)
    named = ast.NamedTable(table, *_parse_alias(cursor), table.position)
    if cursor.symbol == "TABLESAMPLE":
        raise cursor.unsupported("TABLESAMPLE is")
    return named


def _parse_alias(cursor: Cursor) -> tuple[str | None, tuple[ast.Identifier, ...]]:
    """`[[AS] alias [(columns)]]`."""
    alias = parse_alias(cursor)
    columns = parse_columns(cursor) if alias is not None and cursor.symbol == "(" else ()
    return alias, columns
