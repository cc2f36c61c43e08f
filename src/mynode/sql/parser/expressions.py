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
from mynode.sql.parser.names import parse_type
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
_COLLATE: Final = 11
_SIGN: Final = 12
_SUBSCRIPT: Final = 13
_CAST: Final = 14

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
    while (infix := _INFIXES.get(cursor.symbol) or _negated_infix(cursor)) and infix.power > power:
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


def _negated_infix(cursor: Cursor) -> _Infix | None:
    """The infix that NOT begins, as NOT IN. (A NOT after a column's DEFAULT begins NOT NULL instead.)"""
    return _NEGATABLE.get(cursor.following.symbol) if cursor.symbol == "NOT" else None


# --- literals and parameters ----------------------------------------------------------------------------------------

_MAX_BIGINT: Final = 2**63 - 1
_BIGINT_DIGITS: Final = len(str(_MAX_BIGINT))


def _integer(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return _integer_literal(token.value, token.position)


def _integer_literal(text: str, position: int) -> ast.IntegerLiteral | ast.DecimalLiteral:
    """`text`, perhaps with a minus, as an integer if 64 bits hold it."""
    digits = text.lstrip("-0")
    if len(digits) <= _BIGINT_DIGITS:
        value = int(digits or "0") if text[0] != "-" else -int(digits or "0")
        if -_MAX_BIGINT - 1 <= value <= _MAX_BIGINT:
            return ast.IntegerLiteral(value, position)
    return ast.DecimalLiteral(text, position)


def _decimal(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.DecimalLiteral(token.value, token.position)


def _string(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.StringLiteral(token.value, token.position)


def _bytes(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.BytesLiteral(bytes.fromhex(token.value), token.position)


def _null(cursor: Cursor) -> ast.Expression:
    return ast.NullLiteral(cursor.advance().position)


def _boolean(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.BooleanLiteral(token.symbol == "TRUE", token.position)


def _parameter(cursor: Cursor) -> ast.Expression:
    position = cursor.token.position
    return ast.Parameter(cursor.parameter(), position)


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
    if symbol == STRING:
        type_name = ast.TypeName(token.value, (), token.position)
        return ast.Cast(_string(cursor), type_name, token.position)
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
    return ast.FunctionCall(token.value, (), distinct=False, star=False, filter=None, position=token.position)


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
            return _integer_literal(str(-value), position)
        case ast.DecimalLiteral(text=text):
            negated = text[1:] if text[0] == "-" else f"-{text}"
            return (
                _integer_literal(negated, position) if negated[1:].isdigit() else ast.DecimalLiteral(negated, position)
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
    INTEGER: _integer,
    DECIMAL: _decimal,
    STRING: _string,
    BYTES: _bytes,
    PARAMETER: _parameter,
    "NULL": _null,
    "TRUE": _boolean,
    "FALSE": _boolean,
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
