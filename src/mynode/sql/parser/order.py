"""ORDER BY, of queries and among the arguments of aggregates."""

from __future__ import annotations

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor


def parse_order_by(cursor: Cursor) -> tuple[ast.OrderItem, ...]:
    """`expression [ASC | DESC] [NULLS FIRST | LAST], ...` after ORDER BY."""
    items = [_parse_order_item(cursor)]
    while cursor.accept(","):
        items.append(_parse_order_item(cursor))
    return tuple(items)


def _parse_order_item(cursor: Cursor) -> ast.OrderItem:
    position = cursor.token.position
    expression = cursor.expression_parser(cursor)
    if cursor.symbol == "USING":
        raise cursor.unsupported("ORDER BY ... USING is")
    return ast.OrderItem(expression, *parse_direction(cursor), position)


def parse_direction(cursor: Cursor) -> tuple[bool, bool | None]:
    """`[ASC | DESC] [NULLS FIRST | LAST]`: whether it descends, and whether NULLs come first, if that is said."""
    descending = not cursor.accept("ASC") and cursor.accept("DESC")
    if not cursor.accept("NULLS"):
        return descending, None
    nulls_first = cursor.accept("FIRST")
    if not nulls_first:
        cursor.expect("LAST")
    return descending, nulls_first
