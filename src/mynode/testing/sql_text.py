"""Syntax trees and errors of the parser as text, for golden scripts.

A node prints as its class and what its fields say: `InList(a, [1, 2], negated)`. None, False and empty fields are left
out, and the next ones then have their names; True prints as the field's name. Operators print as `(a + 1)`, in
parentheses always, so that precedence shows. What does not fit a line prints its fields on lines of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Final

from mynode.base.sql_errors import SqlError
from mynode.sql import ast
from mynode.sql.caret import caret
from mynode.sql.parser import parse

_WIDTH: Final = 116


def run_parser_script(script: str) -> str:
    """The script with its outputs as they are now.

    A script is a text of blocks with a blank line between: a statement, a line `----`, and its tree or error.
    """
    blocks = [block.partition("\n----")[0] for block in script.strip("\n").split("\n\n")]
    return (
        "\n\n".join(block if block.startswith("#") else f"{block}\n----\n{describe_parse(block)}" for block in blocks)
        + "\n"
    )


def describe_parse(text: str) -> str:
    """What `parse` makes of `text`: the tree, or the error with its caret."""
    try:
        return "\n".join(_lines("", parse(text)))
    except SqlError as error:
        shown = [f"{type(error).__name__} {error.sqlstate}: {error}"]
        if error.position is not None:
            shown.append(caret(text, error.position))
        if error.hint is not None:
            shown.append(f"hint: {error.hint}")
        return "\n".join(shown)


def _lines(label: str, value: object) -> Iterator[str]:
    whole = label + _inline(value)
    if len(whole) <= _WIDTH or not (isinstance(value, tuple) or is_dataclass(value)):
        yield whole
    elif isinstance(value, tuple):
        yield label.rstrip()
        for item in value:
            yield from ("  " + line for line in _lines("", item))
    else:
        yield label + type(value).__name__
        for name, child in _children(value):
            yield from ("  " + line for line in _lines(f"{name}: ", child))


def _inline(value: object) -> str:
    match value:
        case ast.IntegerLiteral() | ast.BooleanLiteral() | ast.StringLiteral() | ast.BytesLiteral():
            return repr(value.value)
        case ast.DecimalLiteral(text=text):
            return f"Decimal {text}"
        case ast.NullLiteral():
            return "NULL"
        case ast.Identifier(name=name) | ast.TableName(schema=None, name=name):
            return name
        case ast.TableName(schema=schema, name=name):
            return f"{schema}.{name}"
        case ast.ColumnReference(table=table, column=column):
            return column if table is None else f"{table}.{column}"
        case ast.Parameter(number=number):
            return f"${number}"
        case ast.Unary(operator=operator, operand=operand):
            return f"({operator.value} {_inline(operand)})"
        case ast.Binary(operator=operator, left=left, right=right):
            return f"({_inline(left)} {operator.value} {_inline(right)})"
        case ast.Logical(operator=operator, operands=operands):
            return f"({f' {operator.value} '.join(map(_inline, operands))})"
        case tuple():
            return f"[{', '.join(map(_inline, value))}]"
        case Enum():
            return value.name
    return _inline_node(value) if is_dataclass(value) else repr(value)


def _inline_node(node: object) -> str:
    shown: list[str] = []
    for name, child in _children(node):
        in_order = len(shown) == list(_fields(node)).index(name)
        shown.append(name if child is True else _inline(child) if in_order else f"{name}={_inline(child)}")
    return f"{type(node).__name__}({', '.join(shown)})"


def _children(node: object) -> Iterator[tuple[str, object]]:
    """The fields that say something. False says something only where it is not the usual case."""
    for name, kind in _fields(node).items():
        child = getattr(node, name)
        if child is not None and child != () and not (child is False and kind == "bool"):
            yield name, child


def _fields(node: object) -> dict[str, object]:
    assert is_dataclass(node)
    return {field.name: field.type for field in fields(node) if field.name != "position"}
