"""Names, and the calls that begin with one, those among them whose arguments SQL parts by words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mynode.sql import ast
from mynode.sql.keywords import COLUMN_ONLY, FUNCTION_ONLY
from mynode.sql.parser import powers
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.literals import parse_string
from mynode.sql.parser.names import TIMES, parse_time_zone, parse_type_arguments
from mynode.sql.parser.order import parse_order_by
from mynode.sql.tokens import IDENTIFIER, STRING, Token


def parse_name(cursor: Cursor) -> ast.Expression:
    """A column, a function call, or a type before a string: `boolean 'yes'`."""
    token = cursor.advance()
    symbol = cursor.symbol
    if symbol == "(" and token.symbol not in COLUMN_ONLY:
        return _call(cursor, token)
    if symbol == "." and token.symbol not in FUNCTION_ONLY:
        cursor.advance()
        return parse_qualified_column(cursor, token)
    type_name = token.value
    if symbol in ("WITH", "WITHOUT") and cursor.following.symbol == "TIME" and type_name in TIMES:
        type_name += parse_time_zone(cursor)
        if cursor.symbol != STRING:
            raise cursor.error("a string")
    if cursor.symbol == STRING:
        return ast.Cast(parse_string(cursor), ast.TypeName(type_name, (), token.position), token.position)
    if token.symbol in FUNCTION_ONLY:
        raise cursor.error("(")
    return ast.ColumnReference(None, token.value, token.position)


def parse_qualified_column(cursor: Cursor, table: Token) -> ast.ColumnReference:
    """The column of `table.column`, the point having been taken."""
    column = cursor.name("a column name")
    if cursor.symbol == ".":
        raise cursor.unsupported("columns qualified with a schema are")
    if cursor.symbol == "(":
        raise cursor.unsupported("functions qualified with a schema are")
    return ast.ColumnReference(table.value, column.value, table.position)


def _call(cursor: Cursor, name: Token) -> ast.Expression:
    cursor.advance()
    if name.value in _CALLS_WITH_WORDS and name.text[0] != '"' and cursor.symbol != ")":
        function, spelled = _CALLS_WITH_WORDS[name.value](cursor)
        cursor.expect(")")
        return function_call(function, spelled, name.position)
    arguments: list[ast.Expression] = []
    distinct = star = False
    if cursor.symbol == "*":
        cursor.advance()
        star = True
    elif cursor.symbol != ")":
        distinct = cursor.accept("DISTINCT")
        if not distinct:
            cursor.accept("ALL")
        arguments.append(cursor.expression_parser(cursor))
        while cursor.accept(","):
            arguments.append(cursor.expression_parser(cursor))
    order_by = parse_order_by(cursor) if arguments and cursor.accept_words("ORDER", "BY") else ()
    cursor.expect(")")
    if cursor.symbol == STRING and all(isinstance(one, ast.IntegerLiteral) for one in arguments):
        modifiers = tuple(one.value for one in arguments if isinstance(one, ast.IntegerLiteral))
        return ast.Cast(parse_string(cursor), ast.TypeName(name.value, modifiers, name.position), name.position)
    if cursor.token.value == "within" and cursor.following.symbol == "GROUP":
        raise cursor.unsupported("WITHIN GROUP is")
    condition = _filter(cursor) if cursor.symbol == "FILTER" and cursor.following.symbol == "(" else None
    if cursor.symbol == "OVER" and cursor.following.symbol in ("(", IDENTIFIER):
        raise cursor.unsupported("window functions are")
    return ast.FunctionCall(name.value, tuple(arguments), distinct, star, condition, order_by, name.position)


def _filter(cursor: Cursor) -> ast.Expression:
    """`FILTER (WHERE condition)`."""
    cursor.advance()
    cursor.expect("(")
    cursor.expect("WHERE")
    condition = cursor.expression_parser(cursor)
    cursor.expect(")")
    return condition


def parse_bare_call(cursor: Cursor) -> ast.Expression:
    """A function that SQL calls without parentheses, such as `current_date`."""
    token = cursor.advance()
    called = function_call(token.value, (), token.position)
    if cursor.symbol != "(":
        return called
    if token.symbol not in _WITH_PRECISION:
        raise cursor.unsupported(f"a precision of {token.symbol} is")
    type_name = ast.TypeName(_WITH_PRECISION[token.symbol], parse_type_arguments(cursor), token.position)
    return ast.Cast(called, type_name, token.position)


_WITH_PRECISION: Final = {"CURRENT_TIMESTAMP": "timestamp with time zone", "LOCALTIMESTAMP": "timestamp"}
"""The type of which a precision makes a shorter one."""


def function_call(name: str, arguments: tuple[ast.Expression, ...], position: int) -> ast.FunctionCall:
    return ast.FunctionCall(name, arguments, distinct=False, star=False, filter=None, order_by=(), position=position)


# --- calls whose arguments SQL parts by words -----------------------------------------------------------------------

_Call: TypeAlias = tuple[str, tuple[ast.Expression, ...]]
"""The name of the function that is meant, and its arguments in the order of its usual form."""


def _rest_of_arguments(cursor: Cursor, *first: ast.Expression) -> tuple[ast.Expression, ...]:
    """`, expression ...` after the first ones."""
    arguments = list(first)
    while cursor.accept(","):
        arguments.append(cursor.expression_parser(cursor))
    return tuple(arguments)


def _extract(cursor: Cursor) -> _Call:
    """`extract(field FROM source)` is `extract('field', source)`."""
    if cursor.following.symbol != "FROM" or not (cursor.symbol == STRING or cursor.at_name()):
        return "extract", _rest_of_arguments(cursor, cursor.expression_parser(cursor))
    token = cursor.advance()
    cursor.advance()
    return "extract", (ast.StringLiteral(token.value, token.position), cursor.expression_parser(cursor))


def _position(cursor: Cursor) -> _Call:
    """`position(part IN text)` is `strpos(text, part)`, which lists its arguments the other way round."""
    part = cursor.expression_parser(cursor, powers.RANGE)
    cursor.expect("IN")
    return "position", (cursor.expression_parser(cursor, powers.RANGE), part)


def _substring(cursor: Cursor) -> _Call:
    """`substring(text FROM start FOR count)` is `substring(text, start, count)`; each of both may be left out."""
    text = cursor.expression_parser(cursor)
    if cursor.symbol not in ("FROM", "FOR"):
        return "substring", _rest_of_arguments(cursor, text)
    return "substring", (text, *_from_and_for(cursor))


def _overlay(cursor: Cursor) -> _Call:
    """`overlay(text PLACING part FROM start FOR count)` is `overlay(text, part, start, count)`."""
    text = cursor.expression_parser(cursor)
    if not cursor.accept("PLACING"):
        return "overlay", _rest_of_arguments(cursor, text)
    part = cursor.expression_parser(cursor)
    if cursor.symbol != "FROM":
        raise cursor.error("FROM")
    return "overlay", (text, part, *_from_and_for(cursor))


def _from_and_for(cursor: Cursor) -> tuple[ast.Expression, ...]:
    """`FROM start`, `FOR count` or both, in either order: the start, 1 if not said, and the count, if said."""
    position = cursor.token.position
    start = count = None
    while cursor.symbol in ("FROM", "FOR"):
        if start is None and cursor.accept("FROM"):
            start = cursor.expression_parser(cursor)
        elif count is None and cursor.accept("FOR"):
            count = cursor.expression_parser(cursor)
        else:
            raise cursor.error()
    start = ast.IntegerLiteral(1, position) if start is None else start
    return (start,) if count is None else (start, count)


def _normalize(cursor: Cursor) -> _Call:
    """`normalize(text, NFC)` is `normalize(text, 'NFC')`."""
    text = cursor.expression_parser(cursor)
    if not cursor.accept(","):
        return "normalize", (text,)
    form = cursor.name("a normal form")
    return "normalize", (text, ast.StringLiteral(form.value, form.position))


_TRIMS: Final = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}


def _trim(cursor: Cursor) -> _Call:
    """`trim([BOTH | LEADING | TRAILING] [characters] FROM text)` is `btrim(text, characters)` or the like."""
    side = _TRIMS.get(cursor.symbol)
    if side is not None:
        cursor.advance()
    first = () if cursor.symbol == "FROM" else (cursor.expression_parser(cursor),)
    if cursor.accept("FROM"):
        return side or "btrim", (*_rest_of_arguments(cursor, cursor.expression_parser(cursor)), *first)
    return side or "trim", _rest_of_arguments(cursor, *first)


_CALLS_WITH_WORDS: Final[dict[str, Callable[[Cursor], _Call]]] = {
    "extract": _extract,
    "normalize": _normalize,
    "overlay": _overlay,
    "position": _position,
    "substring": _substring,
    "trim": _trim,
}
