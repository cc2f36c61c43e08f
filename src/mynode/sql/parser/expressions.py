"""Expressions, by Pratt's method ("Top Down Operator Precedence", 1973) with the precedences of `powers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mynode.base.limits import MAX_NESTING
from mynode.sql import ast
from mynode.sql.keywords import FUNCTION_ONLY, TABLE_OR_COLUMN_NAMES
from mynode.sql.parser import powers
from mynode.sql.parser.calls import function_call, parse_bare_call, parse_name
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
from mynode.sql.parser.names import parse_type
from mynode.sql.tokens import BYTES, DECIMAL, IDENTIFIER, INTEGER, PARAMETER, STRING

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
        unchainable = infix.power if isinstance(left, _UNCHAINABLE) and infix.power <= powers.RANGE else 0
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
        return ast.RowValue(_rest_of_row(cursor, inner), position)
    cursor.expect(")")
    return inner


def _rest_of_row(cursor: Cursor, first: ast.Expression) -> tuple[ast.Expression, ...]:
    """`, entry ...)` after the first entry."""
    entries = [first]
    while cursor.accept(","):
        entries.append(parse_expression(cursor))
    cursor.expect(")")
    return tuple(entries)


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
    operand = parse_expression(cursor, powers.SIGN)
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
    return ast.Unary(ast.UnaryOperator.PLUS, parse_expression(cursor, powers.SIGN), position)


def _prefixed(operator: ast.UnaryOperator) -> _Prefix:
    def parse(cursor: Cursor) -> ast.Expression:
        position = cursor.advance().position
        return ast.Unary(operator, parse_expression(cursor, powers.OTHER), position)

    return parse


def _not(cursor: Cursor) -> ast.Expression:
    position = cursor.advance().position
    return ast.Unary(ast.UnaryOperator.NOT, parse_expression(cursor, powers.NOT), position)


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
        return parse_name(cursor)
    position = cursor.advance().position
    return ast.Exists(_subquery(cursor), position)


def _row(cursor: Cursor) -> ast.Expression:
    if cursor.following.symbol == "(":
        position = cursor.advance().position
        cursor.advance()
        if cursor.symbol == ")":
            raise cursor.unsupported("row values without entries are")
        return ast.RowValue(_rest_of_row(cursor, parse_expression(cursor)), position)
    return parse_name(cursor)


def _array(cursor: Cursor) -> ast.Expression:
    raise cursor.unsupported("arrays are")


def _default(cursor: Cursor) -> ast.Expression:
    raise cursor.error(hint="DEFAULT stands only for a whole value of INSERT or UPDATE")


_PREFIXES: Final[dict[str, _Prefix]] = {
    **dict.fromkeys({IDENTIFIER} | TABLE_OR_COLUMN_NAMES | FUNCTION_ONLY, parse_name),
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
    **{
        operator.value: _prefixed(operator)
        for operator in (
            ast.UnaryOperator.BIT_NOT,
            ast.UnaryOperator.ABSOLUTE,
            ast.UnaryOperator.SQUARE_ROOT,
            ast.UnaryOperator.CUBE_ROOT,
        )
    },
    "NOT": _not,
    "CASE": _case,
    "CAST": _cast,
    "EXISTS": _exists,
    "ROW": _row,
    "ARRAY": _array,
    "DEFAULT": _default,
    "CURRENT_DATE": parse_bare_call,
    "CURRENT_TIME": parse_bare_call,
    "CURRENT_TIMESTAMP": parse_bare_call,
    "LOCALTIME": parse_bare_call,
    "LOCALTIMESTAMP": parse_bare_call,
    "CURRENT_USER": parse_bare_call,
    "SESSION_USER": parse_bare_call,
}


# --- infixes --------------------------------------------------------------------------------------------------------


def _binary(operator: ast.BinaryOperator, power: int) -> _Infix:
    def parse(cursor: Cursor, left: ast.Expression) -> ast.Expression:
        position = cursor.advance().position
        if power == powers.COMPARISON and cursor.symbol in _QUANTIFIERS:
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
        return ast.IsDistinct(left, parse_expression(cursor, powers.IS), negated, position)
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
    low = parse_expression(cursor, powers.RANGE)
    cursor.expect("AND")
    high = parse_expression(cursor, powers.RANGE)
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
    pattern = parse_expression(cursor, powers.RANGE)
    escape = parse_expression(cursor, powers.RANGE) if cursor.accept("ESCAPE") else None
    return ast.Like(left, pattern, escape, case_insensitive, negated, position)


def _regular_expression(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    raise cursor.unsupported("regular expressions are")


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
    return function_call("timezone", (parse_expression(cursor, powers.AT), left), position)


def _collate(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    raise cursor.unsupported("COLLATE is")


def _subscript(cursor: Cursor, left: ast.Expression) -> ast.Expression:
    raise cursor.unsupported("arrays are")


_UNCHAINABLE: Final = (ast.Binary, ast.IsDistinct, ast.Between, ast.Like)
"""What ends with an operand, so that at the levels up to RANGE the next operator of the same level is ambiguous."""

_NEGATABLE: Final[dict[str, _Infix]] = {
    "BETWEEN": _Infix(powers.RANGE, _between),
    "IN": _Infix(powers.RANGE, _in),
    "LIKE": _Infix(powers.RANGE, _like),
    "ILIKE": _Infix(powers.RANGE, _like),
    "SIMILAR": _Infix(powers.RANGE, _similar),
}

_AT_TIME_ZONE: Final = _Infix(powers.AT, _at_time_zone)

_INFIXES: Final[dict[str, _Infix]] = {
    "OR": _logical(ast.LogicalOperator.OR, powers.OR),
    "AND": _logical(ast.LogicalOperator.AND, powers.AND),
    "IS": _Infix(powers.IS, _is),
    "ISNULL": _Infix(powers.IS, _is_null),
    "NOTNULL": _Infix(powers.IS, _is_null),
    **_NEGATABLE,
    "=": _binary(ast.BinaryOperator.EQUAL, powers.COMPARISON),
    "<>": _binary(ast.BinaryOperator.NOT_EQUAL, powers.COMPARISON),
    "<": _binary(ast.BinaryOperator.LESS, powers.COMPARISON),
    "<=": _binary(ast.BinaryOperator.LESS_OR_EQUAL, powers.COMPARISON),
    ">": _binary(ast.BinaryOperator.GREATER, powers.COMPARISON),
    ">=": _binary(ast.BinaryOperator.GREATER_OR_EQUAL, powers.COMPARISON),
    **{
        operator.value: _binary(operator, powers.OTHER)
        for operator in (
            ast.BinaryOperator.CONCATENATE,
            ast.BinaryOperator.BIT_AND,
            ast.BinaryOperator.BIT_OR,
            ast.BinaryOperator.BIT_XOR,
            ast.BinaryOperator.SHIFT_LEFT,
            ast.BinaryOperator.SHIFT_RIGHT,
        )
    },
    "~": _Infix(powers.OTHER, _regular_expression),
    "+": _binary(ast.BinaryOperator.ADD, powers.ADDITIVE),
    "-": _binary(ast.BinaryOperator.SUBTRACT, powers.ADDITIVE),
    "*": _binary(ast.BinaryOperator.MULTIPLY, powers.MULTIPLICATIVE),
    "/": _binary(ast.BinaryOperator.DIVIDE, powers.MULTIPLICATIVE),
    "%": _binary(ast.BinaryOperator.MODULO, powers.MULTIPLICATIVE),
    "^": _binary(ast.BinaryOperator.POWER, powers.POWER),
    "COLLATE": _Infix(powers.COLLATE, _collate),
    "[": _Infix(powers.SUBSCRIPT, _subscript),
    "::": _Infix(powers.CAST, _typecast),
}
