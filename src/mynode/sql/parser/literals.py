"""Literals and parameters."""

from __future__ import annotations

from typing import Final

from mynode.sql import ast
from mynode.sql.parser.cursor import Cursor

_MAX_BIGINT: Final = 2**63 - 1
_BIGINT_DIGITS: Final = len(str(_MAX_BIGINT))


def parse_integer(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return integer_literal(token.value, token.position)


def integer_literal(text: str, position: int) -> ast.IntegerLiteral | ast.DecimalLiteral:
    """`text`, perhaps with a minus, as an integer if 64 bits hold it."""
    digits = text.lstrip("-0")
    if len(digits) <= _BIGINT_DIGITS:
        value = int(digits or "0") if text[0] != "-" else -int(digits or "0")
        if -_MAX_BIGINT - 1 <= value <= _MAX_BIGINT:
            return ast.IntegerLiteral(value, position)
    return ast.DecimalLiteral(text, position)


def parse_decimal(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.DecimalLiteral(token.value, token.position)


def parse_string(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.StringLiteral(token.value, token.position)


def parse_bytes(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.BytesLiteral(bytes.fromhex(token.value), token.position)


def parse_null(cursor: Cursor) -> ast.Expression:
    return ast.NullLiteral(cursor.advance().position)


def parse_boolean(cursor: Cursor) -> ast.Expression:
    token = cursor.advance()
    return ast.BooleanLiteral(token.symbol == "TRUE", token.position)


def parse_parameter(cursor: Cursor) -> ast.Expression:
    position = cursor.token.position
    return ast.Parameter(cursor.parameter(), position)
