"""Text to syntax tree: recursive descent for statements, a Pratt parser for expressions; one module an area.

Each function takes the `Cursor` at the first token of what it parses and leaves it at the first token after.
"""

from __future__ import annotations

from dataclasses import replace

from mynode.base.limits import MAX_STATEMENT_BYTES
from mynode.base.sql_errors import (
    FeatureNotSupportedError,
    ProgramLimitExceededError,
    SqlSyntaxError,
    StatementTooComplexError,
)
from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor
from mynode.sql.parser.expressions import parse_expression
from mynode.sql.parser.queries import parse_query
from mynode.sql.parser.statements import parse_statement
from mynode.sql.tokens import END


def parse(text: str) -> ast.Statement:
    """The one statement of `text`, which a semicolon may end.

    Raises:
        SqlSyntaxError: with the position of the first token that cannot be, and a hint that says what could.
        FeatureNotSupportedError: SQL that this database does not know yet, with the position.
        ProgramLimitExceededError: longer than `MAX_STATEMENT_BYTES`, or too many parameters.
        StatementTooComplexError: nested deeper than `MAX_NESTING`.
        NameTooLongError, UndefinedParameterError: with the position.
    """
    _check_size(text)
    cursor = Cursor(text, parse_query, parse_expression)
    if cursor.symbol in (";", END):
        raise SqlSyntaxError("the statement is empty", position=1)
    try:
        statement = parse_statement(cursor)
    except RecursionError:
        # Only a caller that is itself deep in the stack gets here: MAX_NESTING is far below Python's limit.
        raise StatementTooComplexError("the statement is nested too deeply for this place") from None
    ended = cursor.accept(";")
    while ended and cursor.accept(";"):
        pass
    if ended and cursor.symbol != END:
        raise SqlSyntaxError("only one statement can be executed at a time", position=cursor.token.position)
    if cursor.symbol != END:
        raise cursor.error(END)
    if cursor.as_of is None:
        return statement
    if not isinstance(statement, ast.Query):
        raise FeatureNotSupportedError("AS OF SYSTEM TIME is for queries only", position=cursor.as_of.position)
    return replace(statement, as_of=cursor.as_of)


def parse_stored_expression(text: str) -> ast.Expression:
    """The expression that a `StoredExpression` of the syntax tree has as its text."""
    cursor = Cursor(text, parse_query, parse_expression)
    expression = parse_expression(cursor)
    cursor.expect(END)
    return expression


def parse_stored_query(text: str) -> ast.Query:
    """The query that the `CreateView` of a syntax tree has as its text."""
    cursor = Cursor(text, parse_query, parse_expression)
    query = parse_query(cursor)
    cursor.expect(END)
    return query


def _check_size(text: str) -> None:
    size = len(text)
    if size <= MAX_STATEMENT_BYTES and not text.isascii():
        size = len(text.encode(errors="surrogatepass"))
    if size > MAX_STATEMENT_BYTES:
        raise ProgramLimitExceededError(f"the statement is longer than {MAX_STATEMENT_BYTES:,} bytes")
