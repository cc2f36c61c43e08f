"""Expressions, by Pratt's method ("Top Down Operator Precedence", 1973) with PostgreSQL's precedences.

From the loosest to the tightest; each row's operators associate to the left, except where the last column says else:

| level | operators | |
|---|---|---|
| OR | `OR` | one flat node |
| AND | `AND` | one flat node |
| NOT | `NOT` | prefix |
| IS | `IS ...`, `ISNULL`, `NOTNULL` | `IS DISTINCT FROM` does not chain |
| COMPARISON | `= <> < <= > >=` | do not chain: `a < b < c` is an error |
| RANGE | `[NOT] BETWEEN`, `[NOT] IN`, `[NOT] LIKE`, `[NOT] ILIKE` | do not chain |
| OTHER | the other operators: `\\|\\|` | |
| ADDITIVE | `+ -` | |
| MULTIPLICATIVE | `* / %` | |
| POWER | `^` | |
| AT | `AT TIME ZONE` | |
| COLLATE | `COLLATE` | |
| SIGN | `+ -` | prefix: `-2 ^ 2` is 4 |
| SUBSCRIPT | `[ ]` | |
| CAST | `::` | |

One difference: the lower bound of BETWEEN is read at the level OTHER, so a comparison in it needs parentheses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mynode.base.limits import MAX_NESTING
from mynode.sql import ast
from mynode.sql.keywords import COLUMN_ONLY, FUNCTION_ONLY, TABLE_OR_COLUMN_NAMES
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.literals import (
    integer_literal,
    parse_boolean,
    parse_bytes,
    parse_decimal,
    parse_integer,
    parse_null,
    parse_parameter,
    parse_string,
)
from mynode.sql.parser.names import TIMES, parse_time_zone, parse_type
from mynode.sql.tokens import BYTES, DECIMAL, IDENTIFIER, INTEGER, PARAMETER, STRING, Token

_OR: Final = 1
_AND: Final = 2
_NOT: Final = 3
_IS: Final = 4
_COMPARISON: Final = 5
_RANGE: Final = 6
_OTHER: Final = 7
_ADDITIVE: Final = 8
_MULTIPLICATIVE: Final = 9
_POWER: Final = 10
_AT: Final = 11
_COLLATE: Final = 12
_SIGN: Final = 13
_SUBSCRIPT: Final = 14
_CAST: Final = 15

QUERY_TAILS: Final = frozenset({"EXCEPT", "INTERSECT", "UNION", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"})
"""The words that go on with a query after its SELECT or VALUES."""

_Prefix: TypeAlias = Callable[[Cursor], ast.Expression]


class _Infix(NamedTuple):
    """What may follow a left operand: it binds at `power`, and `parse` takes it with its right operands."""

    power: int
    parse: Callable[[Cursor, ast.Expression], ast.Expression]


def parse_expression(cursor: Cursor, power: int = 0, left: ast.Expression | None = None) -> ast.Expression:
    """The longest expression whose operators bind tighter than `power`.

    Args:
        left: the first operand, if it has been parsed already.

    Raises:
        SqlSyntaxError, StatementTooComplexError, FeatureNotSupportedError: with the position.
    """
    cursor.depth += 1
    if cursor.depth > MAX_NESTING:
        raise cursor.too_complex()
    tallest_before, cursor.height = cursor.height, 0
    if left is None:
        parse_prefix = _PREFIXES.get(cursor.symbol)
        if parse_prefix is None:
            raise cursor.error("an expression")
        left = parse_prefix(cursor)
    height = cursor.height + 1
    unchainable = 0
    while (infix := _INFIXES.get(cursor.symbol) or _infix_of_words(cursor)) and infix.power > power:
        if infix.power == unchainable:
            raise cursor.error(hint="such operators do not chain: use AND or parentheses")
        left = infix.parse(cursor, left)
        unchainable = infix.power if isinstance(left, _UNCHAINABLE) and infix.power <= _RANGE else 0
        height = max(height, cursor.height) + 1
        if height + cursor.depth > MAX_NESTING:
            raise cursor.too_complex()
    cursor.height = max(tallest_before, height)
    cursor.depth -= 1
    return left


def _infix_of_words(cursor: Cursor) -> _Infix | None:
    """The infix whose first word alone means nothing: NOT IN and the like, AT TIME ZONE.

    (A NOT after a column's DEFAULT begins NOT NULL instead, and `at` may be an alias.)
    """
    if cursor.symbol == "NOT":
        return _NEGATABLE.get(cursor.following.symbol)
    return _AT_TIME_ZONE if cursor.symbol == "AT" and cursor.following.symbol == "TIME" else None


# --- names and calls ------------------------------------------------------------------------------------------------


def _name(cursor: Cursor) -> ast.Expression:
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
        return _function(function, spelled, name.position)
    arguments: list[ast.Expression] = []
    distinct = star = False
    if cursor.symbol == "*":
        cursor.advance()
        star = True
    elif cursor.symbol != ")":
        distinct = cursor.accept("DISTINCT")
        if not distinct:
            cursor.accept("ALL")
        arguments.append(parse_expression(cursor))
        while cursor.accept(","):
            arguments.append(parse_expression(cursor))
    if cursor.symbol == "ORDER":
        raise cursor.unsupported("ORDER BY among a function's arguments is")
    cursor.expect(")")
    condition = _filter(cursor) if cursor.symbol == "FILTER" and cursor.following.symbol == "(" else None
    if cursor.symbol == "OVER" and cursor.following.symbol in ("(", IDENTIFIER):
        raise cursor.unsupported("window functions are")
    return ast.FunctionCall(name.value, tuple(arguments), distinct, star, condition, name.position)


def _filter(cursor: Cursor) -> ast.Expression:
    """`FILTER (WHERE condition)`."""
    cursor.advance()
    cursor.expect("(")
    cursor.expect("WHERE")
    condition = parse_expression(cursor)
    cursor.expect(")")
    return condition


def _bare_call(cursor: Cursor) -> ast.Expression:
    """A function that SQL calls without parentheses, such as `current_date`."""
    token = cursor.advance()
    if cursor.symbol == "(":
        raise cursor.unsupported(f"a precision of {token.symbol} is")
    return _function(token.value, (), token.position)


def _function(name: str, arguments: tuple[ast.Expression, ...], position: int) -> ast.FunctionCall:
    return ast.FunctionCall(name, arguments, distinct=False, star=False, filter=None, position=position)


# --- calls whose arguments SQL parts by words -----------------------------------------------------------------------

_Call: TypeAlias = tuple[str, tuple[ast.Expression, ...]]
"""The name of the function that is meant, and its arguments in the order of its usual form."""


def _rest_of_arguments(cursor: Cursor, *first: ast.Expression) -> tuple[ast.Expression, ...]:
    """`, expression ...` after the first ones."""
    arguments = list(first)
    while cursor.accept(","):
        arguments.append(parse_expression(cursor))
    return tuple(arguments)


def _extract(cursor: Cursor) -> _Call:
    """`extract(field FROM source)` is `extract('field', source)`."""
    if cursor.following.symbol != "FROM" or not (cursor.symbol == STRING or cursor.at_name()):
        return "extract", _rest_of_arguments(cursor, parse_expression(cursor))
    token = cursor.advance()
    cursor.advance()
    return "extract", (ast.StringLiteral(token.value, token.position), parse_expression(cursor))


def _position(cursor: Cursor) -> _Call:
    """`position(part IN text)` is `strpos(text, part)`, which lists its arguments the other way round."""
    part = parse_expression(cursor, _RANGE)
    cursor.expect("IN")
    return "position", (parse_expression(cursor, _RANGE), part)


def _substring(cursor: Cursor) -> _Call:
    """`substring(text FROM start FOR count)` is `substring(text, start, count)`; each of both may be left out."""
    text = parse_expression(cursor)
    if cursor.symbol not in ("FROM", "FOR"):
        return "substring", _rest_of_arguments(cursor, text)
    return "substring", (text, *_from_and_for(cursor))


def _overlay(cursor: Cursor) -> _Call:
    """`overlay(text PLACING part FROM start FOR count)` is `overlay(text, part, start, count)`."""
    text = parse_expression(cursor)
    if not cursor.accept("PLACING"):
        return "overlay", _rest_of_arguments(cursor, text)
    part = parse_expression(cursor)
    if cursor.symbol != "FROM":
        raise cursor.error("FROM")
    return "overlay", (text, part, *_from_and_for(cursor))


def _from_and_for(cursor: Cursor) -> tuple[ast.Expression, ...]:
    """`FROM start`, `FOR count` or both, in either order: the start, 1 if not said, and the count, if said."""
    position = cursor.token.position
    start = count = None
    while cursor.symbol in ("FROM", "FOR"):
        if start is None and cursor.accept("FROM"):
            start = parse_expression(cursor)
        elif count is None and cursor.accept("FOR"):
            count = parse_expression(cursor)
        else:
            raise cursor.error()
    start = ast.IntegerLiteral(1, position) if start is None else start
    return (start,) if count is None else (start, count)


_TRIMS: Final = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}


def _trim(cursor: Cursor) -> _Call:
    """`trim([BOTH | LEADING | TRAILING] [characters] FROM text)` is `btrim(text, characters)` or the like."""
    side = _TRIMS.get(cursor.symbol)
    if side is not None:
        cursor.advance()
    first = () if cursor.symbol == "FROM" else (parse_expression(cursor),)
    if cursor.accept("FROM"):
        return side or "btrim", (*_rest_of_arguments(cursor, parse_expression(cursor)), *first)
    return side or "trim", _rest_of_arguments(cursor, *first)


_CALLS_WITH_WORDS: Final[dict[str, Callable[[Cursor], _Call]]] = {
    "extract": _extract,
    "overlay": _overlay,
    "position": _position,
    "substring": _substring,
    "trim": _trim,
}


# --- prefixes -------------------------------------------------------------------------------------------------------


def _parenthesis(cursor: Cursor) -> ast.Expression:
    """An expression or a query in parentheses; at `((` only what follows the inner ones tells which."""
    position = cursor.advance().position
    if at_query(cursor):
        return ast.ScalarSubquery(_rest_of_subquery(cursor), position)
    inner = parse_expression(cursor)
    if isinstance(inner, ast.ScalarSubquery) and cursor.symbol in QUERY_TAILS:
        return ast.ScalarSubquery(_rest_of_subquery(cursor, inner.query), position)
    if cursor.symbol == ",":
        raise cursor.unsupported("row values are")
    cursor.expect(")")
    return inner


def at_query(cursor: Cursor) -> bool:
    """Whether a query begins here. (VALUES may be a column, too.)"""
    return cursor.symbol in ("SELECT", "WITH", "TABLE") or (
        cursor.symbol == "VALUES" and cursor.following.symbol == "("
    )


def _subquery(cursor: Cursor) -> ast.Query:
    """`(query)`."""
    cursor.expect("(")
    return _rest_of_subquery(cursor)


def _rest_of_subquery(cursor: Cursor, left: ast.Query | None = None) -> ast.Query:
    """`query)`, of which `left`, if given, has been parsed already."""
    query = cursor.query_parser(cursor, left)
    cursor.expect(")")
    return query


def _minus(cursor: Cursor) -> ast.Expression:
    position = cursor.advance().position
    operand = parse_expression(cursor, _SIGN)
    match operand:
        case ast.IntegerLiteral(value=value):
            return integer_literal(str(-value), position)
        case ast.DecimalLiteral(text=text):
            negated = text[1:] if text[0] == "-" else f"-{text}"
            return (
                integer_literal(negated, position) if negated[1:].isdigit() else ast.DecimalLiteral(negated, position)
            )
        case _:
            return ast.Unary(ast.UnaryOperator.MINUS, operand, position)


def _plus(cursor: Cursor) -> ast.Expression:
    position = cursor.advance().position
    return ast.Unary(ast.UnaryOperator.PLUS, parse_expression(cursor, _SIGN), position)


def _not(cursor: Cursor) -> ast.Expression:
    position = cursor.advance().position
    return ast.Unary(ast.UnaryOperator.NOT, parse_expression(cursor, _NOT), position)


def _case(cursor: Cursor) -> ast.Expression:
    position = cursor.advance().position
    operand = None if cursor.symbol == "WHEN" else parse_expression(cursor)
    branches: list[ast.CaseBranch] = []
    while not branches or cursor.symbol == "WHEN":
        cursor.expect("WHEN")
        condition = parse_expression(cursor)
        cursor.expect("THEN")
        branches.append(ast.CaseBranch(condition, parse_expression(cursor)))
    otherwise = parse_expression(cursor) if cursor.accept("ELSE") else None
    if cursor.symbol != "END":
        raise cursor.error("END") if otherwise else cursor.error("WHEN", "END")
    cursor.advance()
    return ast.Case(operand, tuple(branches), otherwise, position)


def _cast(cursor: Cursor) -> ast.Expression:
    position = cursor.advance().position
    cursor.expect("(")
    operand = parse_expression(cursor)
    cursor.expect("AS")
    type_name = parse_type(cursor)
    cursor.expect(")")
    return ast.Cast(operand, type_name, position)


def _exists(cursor: Cursor) -> ast.Expression:
    if cursor.following.symbol != "(":
        return _name(cursor)
    position = cursor.advance().position
    return ast.Exists(_subquery(cursor), position)


def _row(cursor: Cursor) -> ast.Expression:
    if cursor.following.symbol == "(":
        raise cursor.unsupported("row values are")
    return _name(cursor)


def _array(cursor: Cursor) -> ast.Expression:
    raise cursor.unsupported("arrays are")


def _default(cursor: Cursor) -> ast.Expression:
    raise cursor.error(hint="DEFAULT stands only for a whole value of INSERT or UPDATE")


_PREFIXES: Final[dict[str, _Prefix]] = {
    **dict.fromkeys({IDENTIFIER} | TABLE_OR_COLUMN_NAMES | FUNCTION_ONLY, _name),
    INTEGER: parse_integer,
    DECIMAL: parse_decimal,
    STRING: parse_string,
    BYTES: parse_bytes,
    PARAMETER: parse_parameter,
    "NULL": parse_null,
    "TRUE": parse_boolean,
    "FALSE": parse_boolean,
    "(": _parenthesis,
    "-": _minus,
    "+": _plus,
    "NOT": _not,
    "CASE": _case,
    "CAST": _cast,
    "EXISTS": _exists,
    "ROW": _row,
    "ARRAY": _array,
    "DEFAULT": _default,
    "CURRENT_DATE": _bare_call,
    "CURRENT_TIME": _bare_call,
    "CURRENT_TIMESTAMP": _bare_call,
    "LOCALTIME": _bare_call,
    "LOCALTIMESTAMP": _bare_call,
    "CURRENT_USER": _bare_call,
    "SESSION_USER": _bare_call,
}


# --- infixes --------------------------------------------------------------------------------------------------------


def _binary(operator: ast.BinaryOperator, power: int) -> _Infix:
    def parse(cursor: Cursor, left: ast.Expression) -> ast.Expression:
        position = cursor.advance().position
        if power == _COMPARISON and cursor.symbol in _QUANTIFIERS:
            return _quantified(cursor, operator, left, position)
        return ast.Binary(operator, left, parse_expression(cursor, power), position)

    return _Infix(power, parse)


_QUANTIFIERS: Final = {"ALL": ast.Quantifier.ALL, "ANY": ast.Quantifier.ANY, "SOME": ast.Quantifier.ANY}


def _quantified(
    cursor: Cursor, operator: ast.BinaryOperator, left: ast.Expression, position: int
) -> ast.QuantifiedComparison:
    """`ANY | SOME | ALL (query)` after `left operator`."""
    quantifier = _QUANTIFIERS[cursor.advance().symbol]
    cursor.expect("(")
    if cursor.symbol != "(" and not at_query(cursor):
        raise cursor.unsupported("arrays are")
    return ast.QuantifiedComparison(operator, quantifier, left, _rest_of_subquery(cursor), position)


def _logical(operator: ast.LogicalOperator, power: int) -> _Infix:
    def parse(cursor: Cursor, left: ast.Expression) -> ast.Expression:
        position = cursor.token.position
        operands = [left]
        while cursor.symbol == operator.value:
            cursor.advance()
            operands.append(parse_expression(cursor, power))
        return ast.Logical(operator, tuple(operands), position)

    return _Infix(power, parse)


def _is(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    position = cursor.advance().position
    negated = cursor.accept("NOT")
    if cursor.accept("NULL"):
        return ast.IsNull(left, negated, position)
    if cursor.symbol in _TRUTHS:
        return ast.IsTruth(left, _TRUTHS[cursor.advance().symbol], negated, position)
    if cursor.accept_words("DISTINCT", "FROM"):
        return ast.IsDistinct(left, parse_expression(cursor, _IS), negated, position)
    raise cursor.error(*_TRUTHS)


_TRUTHS: Final[dict[str, bool | None]] = {"TRUE": True, "FALSE": False, "UNKNOWN": None}


def _is_null(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    token = cursor.advance()
    return ast.IsNull(left, token.symbol == "NOTNULL", token.position)


def _take_range_words(cursor: Cursor) -> tuple[bool, int]:
    """Take `[NOT] BETWEEN`, `[NOT] IN` or the like; whether NOT was there, and the position of the first word."""
    token = cursor.advance()
    negated = token.symbol == "NOT"
    if negated:
        cursor.advance()
    return negated, token.position


def _between(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    negated, position = _take_range_words(cursor)
    symmetric = cursor.accept("SYMMETRIC")
    if not symmetric:
        cursor.accept("ASYMMETRIC")
    low = parse_expression(cursor, _RANGE)
    cursor.expect("AND")
    high = parse_expression(cursor, _RANGE)
    return ast.Between(left, low, high, negated, symmetric, position)


def _in(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    negated, position = _take_range_words(cursor)
    cursor.expect("(")
    if at_query(cursor):
        return ast.InSubquery(left, _rest_of_subquery(cursor), negated, position)
    items = [parse_expression(cursor)]
    if isinstance(items[0], ast.ScalarSubquery) and cursor.symbol != ",":  # as in `IN ((SELECT 1))`
        return ast.InSubquery(left, _rest_of_subquery(cursor, items[0].query), negated, position)
    while cursor.accept(","):
        items.append(parse_expression(cursor))
    cursor.expect(")")
    return ast.InList(left, tuple(items), negated, position)


def _like(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    case_insensitive = "ILIKE" in (cursor.symbol, cursor.following.symbol)
    negated, position = _take_range_words(cursor)
    pattern = parse_expression(cursor, _RANGE)
    escape = parse_expression(cursor, _RANGE) if cursor.accept("ESCAPE") else None
    return ast.Like(left, pattern, escape, case_insensitive, negated, position)


def _similar(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    raise cursor.unsupported("SIMILAR TO is")


def _typecast(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    position = cursor.advance().position
    return ast.Cast(left, parse_type(cursor), position)


def _at_time_zone(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    """`left AT TIME ZONE zone` calls `timezone(zone, left)`, as in PostgreSQL."""
    position = cursor.advance().position
    cursor.expect("TIME")
    cursor.expect("ZONE")
    return _function("timezone", (parse_expression(cursor, _AT), left), position)


def _collate(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    raise cursor.unsupported("COLLATE is")


def _subscript(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    raise cursor.unsupported("arrays are")


_UNCHAINABLE: Final = (ast.Binary, ast.IsDistinct, ast.Between, ast.Like)
"""What ends with an operand, so that at the levels up to RANGE the next operator of the same level is ambiguous."""

_NEGATABLE: Final[dict[str, _Infix]] = {
    "BETWEEN": _Infix(_RANGE, _between),
    "IN": _Infix(_RANGE, _in),
    "LIKE": _Infix(_RANGE, _like),
    "ILIKE": _Infix(_RANGE, _like),
    "SIMILAR": _Infix(_RANGE, _similar),
}

_AT_TIME_ZONE: Final = _Infix(_AT, _at_time_zone)

_INFIXES: Final[dict[str, _Infix]] = {
    "OR": _logical(ast.LogicalOperator.OR, _OR),
    "AND": _logical(ast.LogicalOperator.AND, _AND),
    "IS": _Infix(_IS, _is),
    "ISNULL": _Infix(_IS, _is_null),
    "NOTNULL": _Infix(_IS, _is_null),
    **_NEGATABLE,
    "=": _binary(ast.BinaryOperator.EQUAL, _COMPARISON),
    "<>": _binary(ast.BinaryOperator.NOT_EQUAL, _COMPARISON),
    "<": _binary(ast.BinaryOperator.LESS, _COMPARISON),
    "<=": _binary(ast.BinaryOperator.LESS_OR_EQUAL, _COMPARISON),
    ">": _binary(ast.BinaryOperator.GREATER, _COMPARISON),
    ">=": _binary(ast.BinaryOperator.GREATER_OR_EQUAL, _COMPARISON),
    "||": _binary(ast.BinaryOperator.CONCATENATE, _OTHER),
    "+": _binary(ast.BinaryOperator.ADD, _ADDITIVE),
    "-": _binary(ast.BinaryOperator.SUBTRACT, _ADDITIVE),
    "*": _binary(ast.BinaryOperator.MULTIPLY, _MULTIPLICATIVE),
    "/": _binary(ast.BinaryOperator.DIVIDE, _MULTIPLICATIVE),
    "%": _binary(ast.BinaryOperator.MODULO, _MULTIPLICATIVE),
    "^": _binary(ast.BinaryOperator.POWER, _POWER),
    "COLLATE": _Infix(_COLLATE, _collate),
    "[": _Infix(_SUBSCRIPT, _subscript),
    "::": _Infix(_CAST, _typecast),
}
