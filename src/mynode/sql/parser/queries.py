"""SELECT and VALUES, with what may follow them."""

from __future__ import annotations

from typing import Final

from mynode.base.errors import SqlSyntaxError
from mynode.sql import ast
from mynode.sql.keywords import BARE_ALIASES
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import parse_expression, parse_qualified_column
from mynode.sql.parser.names import parse_named_table
from mynode.sql.tokens import END, IDENTIFIER

_JOINS: Final = frozenset({",", "CROSS", "FULL", "INNER", "JOIN", "LEFT", "NATURAL", "RIGHT"})
_SET_OPERATIONS: Final = frozenset({"EXCEPT", "INTERSECT", "UNION"})
_NOT_AN_ALIAS: Final = frozenset({"(", ")", ",", ".", END})
QUERY_STARTS: Final = frozenset({"SELECT", "VALUES", "WITH", "TABLE", "("})
QUERY_TAILS: Final = _SET_OPERATIONS | {"ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"}
"""The words that go on with a query after its SELECT or VALUES."""


def parse_query(cursor: Cursor) -> ast.Query:
    """`SELECT ...` or `VALUES ...`, with ORDER BY, LIMIT and OFFSET."""
    position = cursor.token.position
    match cursor.symbol:
        case "SELECT":
            return parse_query_tail(cursor, _parse_select(cursor), position)
        case "VALUES":
            return parse_query_tail(cursor, parse_values(cursor), position)
        case "WITH":
            raise cursor.unsupported("WITH is")
        case "(":
            raise cursor.unsupported("queries in parentheses are")
        case "TABLE":
            raise cursor.unsupported("TABLE as a query is")
        case _:
            raise cursor.error("SELECT", "VALUES")


def parse_query_tail(cursor: Cursor, body: ast.QueryBody, position: int) -> ast.Query:
    """`[ORDER BY ...] [LIMIT ...] [OFFSET ...]` after `body`; LIMIT and OFFSET in either order."""
    if cursor.symbol in _SET_OPERATIONS:
        raise cursor.unsupported(f"{cursor.symbol} is")
    order_by = _parse_order_by(cursor) if cursor.accept_words("ORDER", "BY") else ()
    limit = offset = None
    limited = skipped = False
    while True:
        if not limited and cursor.accept("LIMIT"):
            limited = True
            limit = None if cursor.accept("ALL") else parse_expression(cursor)
            if cursor.symbol == ",":
                raise cursor.error(hint="write LIMIT count OFFSET count")
        elif not skipped and cursor.accept("OFFSET"):
            skipped = True
            offset = parse_expression(cursor)
            if cursor.symbol in ("ROW", "ROWS"):
                cursor.advance()
        else:
            break
    if cursor.symbol in ("FETCH", "FOR"):
        raise cursor.unsupported(f"{cursor.symbol} is")
    return ast.Query(body, order_by, limit, offset, (), position)


def _parse_order_by(cursor: Cursor) -> tuple[ast.OrderItem, ...]:
    items = [_parse_order_item(cursor)]
    while cursor.accept(","):
        items.append(_parse_order_item(cursor))
    return tuple(items)


def _parse_order_item(cursor: Cursor) -> ast.OrderItem:
    position = cursor.token.position
    expression = parse_expression(cursor)
    if cursor.symbol == "USING":
        raise cursor.unsupported("ORDER BY ... USING is")
    descending = not cursor.accept("ASC") and cursor.accept("DESC")
    nulls_first = None
    if cursor.accept("NULLS"):
        nulls_first = cursor.accept("FIRST")
        if not nulls_first:
            cursor.expect("LAST")
    return ast.OrderItem(expression, descending, nulls_first, position)


# --- SELECT ---------------------------------------------------------------------------------------------------------


def _parse_select(cursor: Cursor) -> ast.Select:
    position = cursor.advance().position
    if cursor.symbol == "DISTINCT":
        raise cursor.unsupported("SELECT DISTINCT is")
    cursor.accept("ALL")
    items = [_parse_item(cursor)]
    while cursor.accept(","):
        items.append(_parse_item(cursor))
    if cursor.symbol == "INTO":
        raise cursor.unsupported("SELECT INTO is")
    sources = (_parse_source(cursor),) if cursor.accept("FROM") else ()
    where = parse_expression(cursor) if cursor.accept("WHERE") else None
    if cursor.symbol in ("GROUP", "HAVING", "WINDOW"):
        raise cursor.unsupported({"GROUP": "GROUP BY is"}.get(cursor.symbol, f"{cursor.symbol} is"))
    return ast.Select(tuple(items), sources, where, (), None, False, position)


def _parse_item(cursor: Cursor) -> ast.SelectItem:
    """`*`, `table.*`, or `expression [[AS] alias]`."""
    position = cursor.token.position
    left = None
    if cursor.symbol == "*":
        cursor.advance()
        return ast.Star(None, position)
    if cursor.following.symbol == "." and cursor.at_name():
        table = cursor.advance()
        cursor.advance()
        if cursor.accept("*"):
            return ast.Star(table.value, position)
        left = parse_qualified_column(cursor, table)
    expression = parse_expression(cursor, left=left)
    return ast.SelectExpression(expression, _parse_column_alias(cursor), position)


def _parse_column_alias(cursor: Cursor) -> str | None:
    """After AS any word may stand, without AS only one that cannot be meant otherwise."""
    if cursor.accept("AS"):
        if cursor.symbol != IDENTIFIER and not cursor.symbol.isupper():
            raise cursor.error("an alias")
        return cursor.advance().value
    if cursor.symbol == IDENTIFIER or cursor.symbol in BARE_ALIASES:
        return cursor.advance().value
    return None


def _parse_source(cursor: Cursor) -> ast.TableReference:
    if cursor.symbol == "(":
        raise cursor.unsupported("sub-queries are")
    if cursor.symbol in ("LATERAL", "ONLY"):
        raise cursor.unsupported(f"{cursor.symbol} is")
    if cursor.following.symbol == "(" and cursor.at_name():
        raise cursor.unsupported("functions as tables are")
    source = parse_named_table(cursor)
    if cursor.symbol in _JOINS:
        raise cursor.unsupported("joins are")
    if cursor.symbol == "TABLESAMPLE":
        raise cursor.unsupported("TABLESAMPLE is")
    return source


# --- VALUES ---------------------------------------------------------------------------------------------------------


def parse_values(cursor: Cursor, *, allow_default: bool = False) -> ast.Values:
    """`VALUES (...), (...)`.

    Args:
        allow_default: DEFAULT may stand for a value, as in INSERT.
    """
    position = cursor.advance().position
    rows = [_parse_row(cursor, allow_default)]
    length = len(rows[0])
    while cursor.accept(","):
        row_position = cursor.token.position
        row = _parse_row(cursor, allow_default)
        if len(row) != length:
            raise SqlSyntaxError("VALUES lists must all be the same length", position=row_position)
        rows.append(row)
    return ast.Values(tuple(rows), position)


def _parse_row(cursor: Cursor, allow_default: bool) -> tuple[ast.Expression | ast.Default, ...]:
    cursor.expect("(")
    row: list[ast.Expression | ast.Default] = []
    while True:
        if allow_default and cursor.symbol == "DEFAULT":
            row.append(ast.Default(cursor.advance().position))
        else:
            row.append(parse_expression(cursor))
        if cursor.symbol != ",":
            cursor.expect(")")
            return tuple(row)
        cursor.advance()
