"""Queries: SELECT and VALUES, joined by set operations, with what may stand around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mynode.base.sql_errors import FeatureNotSupportedError, SqlSyntaxError
from mynode.sql import ast
from mynode.sql.keywords import BARE_ALIASES
from mynode.sql.parser.calls import parse_qualified_column
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import QUERY_TAILS, parse_expression
from mynode.sql.parser.names import parse_columns, parse_table
from mynode.sql.parser.order import parse_order_by
from mynode.sql.parser.sources import parse_sources
from mynode.sql.tokens import IDENTIFIER

QUERY_STARTS: Final = frozenset({"SELECT", "VALUES", "WITH", "TABLE", "("})
_QUERY_LEVELS: Final = 4
"""What a query counts as in MAX_NESTING: it takes that many times the stack of an expression."""
_SET_POWERS: Final = {"UNION": 1, "EXCEPT": 1, "INTERSECT": 2}


def parse_query(
    cursor: Cursor, left: ast.Query | None = None, common_tables: tuple[ast.CommonTable, ...] = ()
) -> ast.Query:
    """`[WITH ...] body [ORDER BY ...] [LIMIT ...] [OFFSET ...]`.

    Args:
        left: a query in parentheses that has been parsed already, with which this one begins.
        common_tables: its WITH, if that has been parsed already.
    """
    position = cursor.token.position if left is None else left.position
    tallest_before = cursor.open(_QUERY_LEVELS)
    if left is not None:
        cursor.height = tallest_before
    if cursor.symbol == "WITH" and not common_tables and left is None:
        common_tables = parse_with(cursor)
    body = _parse_set_operations(cursor, 0, None if left is None else _as_operand(left))
    query = _parse_tail(cursor, body, common_tables, position)
    cursor.close(_QUERY_LEVELS, tallest_before)
    return query


def parse_insert_values(cursor: Cursor) -> ast.Values | ast.Query:
    """`VALUES ...` in which DEFAULT may stand, alone or as the beginning of a query."""
    values = _parse_values(cursor, allow_default=True)
    if cursor.symbol not in QUERY_TAILS:
        return values
    return parse_query(cursor, ast.Query(values, (), None, None, (), values.position))


# --- WITH -----------------------------------------------------------------------------------------------------------


def parse_with(cursor: Cursor) -> tuple[ast.CommonTable, ...]:
    """`WITH name [(columns)] AS (query), ...`."""
    cursor.advance()
    if cursor.symbol == "RECURSIVE":
        raise cursor.unsupported("WITH RECURSIVE is")
    tables = [_parse_common_table(cursor)]
    while cursor.accept(","):
        tables.append(_parse_common_table(cursor))
    return tuple(tables)


def _parse_common_table(cursor: Cursor) -> ast.CommonTable:
    name = cursor.name("a name of a query")
    columns = parse_columns(cursor) if cursor.symbol == "(" else ()
    cursor.expect("AS")
    materialized = None
    if cursor.accept("MATERIALIZED"):
        materialized = True
    elif cursor.accept_words("NOT", "MATERIALIZED"):
        materialized = False
    cursor.expect("(")
    if cursor.symbol in ("INSERT", "UPDATE", "DELETE"):
        raise cursor.unsupported(f"{cursor.symbol} in WITH is")
    query = parse_query(cursor)
    cursor.expect(")")
    return ast.CommonTable(name.value, columns, query, materialized, name.position)


# --- set operations -------------------------------------------------------------------------------------------------


def _parse_set_operations(
    cursor: Cursor, power: int, left: ast.QueryBody | ast.Query | None = None
) -> ast.QueryBody | ast.Query:
    """Operands and the operators that bind tighter than `power`. INTERSECT does so, the others go from the left."""
    if left is None:
        left = _parse_operand(cursor)
    while (own_power := _SET_POWERS.get(cursor.symbol, 0)) > power:
        token = cursor.advance()
        distinct = not cursor.accept("ALL")
        if distinct:
            cursor.accept("DISTINCT")
        right = _parse_set_operations(cursor, own_power)
        left = ast.SetOperation(ast.SetOperator(token.symbol), left, right, distinct, token.position)
        cursor.grow()
    cursor.hint(*_SET_POWERS)
    return left


def _parse_operand(cursor: Cursor) -> ast.QueryBody | ast.Query:
    match cursor.symbol:
        case "SELECT":
            return _parse_select(cursor)
        case "VALUES":
            return _parse_values(cursor)
        case "TABLE":
            position = cursor.advance().position
            table = parse_table(cursor)
            source = ast.NamedTable(table, None, (), table.position)
            return ast.Select((ast.Star(None, position),), (source,), None, (), None, False, position)
        case "(":
            cursor.advance()
            query = parse_query(cursor)
            cursor.expect(")")
            return _as_operand(query)
        case _:
            raise cursor.error("SELECT", "VALUES")


def _as_operand(query: ast.Query) -> ast.QueryBody | ast.Query:
    """What stands in parentheses needs them no more if nothing stands around its body."""
    plain = not query.order_by and query.limit is None and query.offset is None and not query.common_tables
    return query.body if plain else query


# --- ORDER BY, LIMIT, OFFSET and FETCH ------------------------------------------------------------------------------


def _parse_tail(
    cursor: Cursor,
    body: ast.QueryBody | ast.Query,
    common_tables: tuple[ast.CommonTable, ...],
    position: int,
) -> ast.Query:
    """`[ORDER BY ...] [LIMIT ...] [OFFSET ...]`, the latter two in either order."""
    places: dict[str, int] = {"WITH": position} if common_tables else {}
    order_by: tuple[ast.OrderItem, ...] = ()
    order_position = cursor.token.position
    if cursor.accept_words("ORDER", "BY"):
        places["ORDER BY"] = order_position
        order_by = parse_order_by(cursor)
    limit = offset = None
    with_ties = False
    while True:
        clause_position = cursor.token.position
        if "LIMIT" not in places and cursor.accept("LIMIT"):
            places["LIMIT"] = clause_position
            limit = _parse_limit(cursor)
        elif "LIMIT" not in places and cursor.accept("FETCH"):
            places["LIMIT"] = clause_position
            limit, with_ties = _parse_fetch(cursor)
        elif "OFFSET" not in places and cursor.accept("OFFSET"):
            places["OFFSET"] = clause_position
            offset = parse_expression(cursor)
            if cursor.symbol in ("ROW", "ROWS"):
                cursor.advance()
        else:
            break
    if cursor.symbol == "FOR":
        raise cursor.unsupported("FOR is")
    inner = body.body if isinstance(body, ast.Query) else body
    query = ast.Query(inner, order_by, limit, offset, common_tables, position, with_ties=with_ties)
    if isinstance(body, ast.Query):
        query = _merged(body, query, places)
    if query.with_ties and not query.order_by:
        raise SqlSyntaxError("WITH TIES cannot be specified without ORDER BY clause", position=places.get("LIMIT"))
    return query


def _merged(inner: ast.Query, outer: ast.Query, places: dict[str, int]) -> ast.Query:
    """One query in parentheses and what stands around them: together they are one, as in PostgreSQL."""
    given = {
        "ORDER BY": bool(inner.order_by),
        "OFFSET": inner.offset is not None,
        "LIMIT": inner.limit is not None,
        "WITH": bool(inner.common_tables),
    }
    for clause, position in places.items():
        if given[clause]:
            raise SqlSyntaxError(f"multiple {clause} clauses not allowed", position=position)
    return replace(
        outer,
        order_by=outer.order_by or inner.order_by,
        limit=inner.limit if outer.limit is None else outer.limit,
        with_ties=inner.with_ties or outer.with_ties,
        offset=inner.offset if outer.offset is None else outer.offset,
        common_tables=outer.common_tables or inner.common_tables,
    )


def _parse_limit(cursor: Cursor) -> ast.Expression | None:
    limit = None if cursor.accept("ALL") else parse_expression(cursor)
    if cursor.symbol == ",":
        raise cursor.error(hint="write LIMIT count OFFSET count")
    return limit


def _parse_fetch(cursor: Cursor) -> tuple[ast.Expression, bool]:
    """`FIRST | NEXT [count] ROW | ROWS ONLY | WITH TIES`: the count, and whether WITH TIES is said."""
    if not cursor.accept("FIRST"):
        cursor.expect("NEXT")
    position = cursor.token.position
    if cursor.symbol in ("ROW", "ROWS"):
        limit: ast.Expression = ast.IntegerLiteral(1, position)
    else:
        limit = parse_expression(cursor)
    if not cursor.accept("ROWS"):
        cursor.expect("ROW")
    if cursor.symbol == "WITH" and cursor.following.value == "ties":
        cursor.advance()
        cursor.advance()
        return limit, True
    cursor.expect("ONLY")
    return limit, False


# --- SELECT ---------------------------------------------------------------------------------------------------------


def _parse_select(cursor: Cursor) -> ast.Select:
    position = cursor.advance().position
    distinct = cursor.accept("DISTINCT")
    if not distinct:
        cursor.accept("ALL")
    distinct_on = _parse_distinct_on(cursor) if distinct and cursor.accept("ON") else ()
    items = parse_select_list(cursor)
    if cursor.symbol == "INTO":
        raise cursor.unsupported("SELECT INTO is")
    sources = parse_sources(cursor) if cursor.accept("FROM") else ()
    if cursor.symbol == "AS":
        _parse_as_of(cursor)
    where = parse_expression(cursor) if cursor.accept("WHERE") else None
    group_by = _parse_group_by(cursor) if cursor.accept_words("GROUP", "BY") else ()
    having = parse_expression(cursor) if cursor.accept("HAVING") else None
    if cursor.symbol == "WINDOW":
        raise cursor.unsupported("WINDOW is")
    return ast.Select(items, sources, where, group_by, having, distinct, position, distinct_on)


def _parse_distinct_on(cursor: Cursor) -> tuple[ast.Expression, ...]:
    """`(expression, ...)`."""
    cursor.expect("(")
    expressions = [parse_expression(cursor)]
    while cursor.accept(","):
        expressions.append(parse_expression(cursor))
    cursor.expect(")")
    return tuple(expressions)


def _parse_as_of(cursor: Cursor) -> None:
    """`AS OF SYSTEM TIME version | 'time' | '-interval'`: it counts for the whole statement, wherever it stands."""
    position = cursor.advance().position
    for word in ("of", "system", "time"):
        if cursor.token.value != word:
            raise cursor.error(word.upper())
        cursor.advance()
    time = parse_expression(cursor)
    if not isinstance(time, ast.IntegerLiteral | ast.StringLiteral):
        raise FeatureNotSupportedError(
            "AS OF SYSTEM TIME takes a version, or a time or an interval in quotes", position=position
        )
    if cursor.as_of is not None and cursor.as_of != time:
        raise FeatureNotSupportedError("a statement reads one point in time", position=position)
    cursor.as_of = time


def _parse_group_by(cursor: Cursor) -> tuple[ast.Expression, ...]:
    expressions: list[ast.Expression] = []
    while not expressions or cursor.accept(","):
        symbol, following = cursor.symbol, cursor.following
        if (symbol == "(" and following.symbol == ")") or (
            cursor.token.text.lower() in _GROUPING_SETS and (following.symbol == "(" or following.value == "sets")
        ):
            raise cursor.unsupported("grouping sets are")
        expression = parse_expression(cursor)
        expressions += expression.entries if isinstance(expression, ast.RowValue) else (expression,)
    return tuple(expressions)


_GROUPING_SETS: Final = frozenset({"cube", "grouping", "rollup"})


def parse_select_list(cursor: Cursor) -> tuple[ast.SelectItem, ...]:
    """`item, ...` after SELECT or RETURNING."""
    items = [_parse_item(cursor)]
    while cursor.accept(","):
        items.append(_parse_item(cursor))
    return tuple(items)


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


# --- VALUES ---------------------------------------------------------------------------------------------------------


def _parse_values(cursor: Cursor, *, allow_default: bool = False) -> ast.Values:
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
