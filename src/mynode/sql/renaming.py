"""Names inside of SQL text that the schema keeps: which it uses, and the same text with another one."""

from __future__ import annotations

from mynode.sql import ast
from mynode.sql.names import quoted
from mynode.sql.parser import parse_stored_expression
from mynode.sql.tokens import tokenize


def rename_column(expression: str, old: str, new: str) -> str:
    """The stored expression with another name for a column."""
    return _rewritten(expression, {("column", old): new})


def rename_table(expression: str, old: str, new: str) -> str:
    """The stored expression with another name for the table, as in `table.column`."""
    return _rewritten(expression, {("table", old): new})


def _rewritten(text: str, names: dict[tuple[str, str], str]) -> str:
    tokens = list(tokenize(text))
    at = {token.position: place for place, token in enumerate(tokens)}
    found: list[tuple[int, str]] = []
    for reference in ast.walk(parse_stored_expression(text)):
        if not isinstance(reference, ast.ColumnReference):
            continue
        place = at[reference.position]
        if reference.table is not None:
            if ("table", reference.table) in names:
                found.append((place, names["table", reference.table]))
            place += 2
        if ("column", reference.column) in names:
            found.append((place, names["column", reference.column]))
    for place, name in sorted(found, reverse=True):
        token = tokens[place]
        start = token.position - 1
        text = text[:start] + quoted(name) + text[start + len(token.text) :]
    return text
