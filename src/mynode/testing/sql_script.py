"""Golden scripts of SQL: statements and what they answer, as text.

A script is a text of blocks with a blank line between: statements, each with its `;`, a line `----`, and what they
print. A block that begins with `#` is a comment. All blocks run in one database, one after another; its plans do not
depend on how many rows there are. A line `-- values: [1, "x", null]` gives the next statement the values of its
parameters, as a JSON array.

Rows print below the names of their columns, NULL as `NULL` and text as SQL writes it; then comes the command tag. An
error prints as its class, SQLSTATE and message, the place it points at, its detail and hint.
"""

from __future__ import annotations

import json
import re
from typing import Final

from mynode.base.sql_errors import SqlError
from mynode.sql.caret import caret
from mynode.sql.expression_text import literal
from mynode.sql.tokens import split_statements
from mynode.testing.sql_database import Result, SqlDatabase
from mynode.values.types import Row

_VALUES: Final = re.compile(r"^-- values: (\[.*\])\n", re.MULTILINE)


def run_sql_script(script: str) -> str:
    """The script with its outputs as they are now."""
    database = SqlDatabase(counts_rows=False)
    blocks = [block.partition("\n----")[0] for block in script.strip("\n").split("\n\n")]
    return "\n\n".join(_with_output(block, database) for block in blocks if block) + "\n"


def _with_output(block: str, database: SqlDatabase) -> str:
    if block.startswith("#"):
        return block
    before, *given = _VALUES.split(block)
    output = _run(before, (), database)
    for values, statements in zip(given[::2], given[1::2], strict=True):
        output += _run(statements, tuple(json.loads(values)), database)
    return "\n".join([block, "----", *output])


def _run(text: str, first_parameters: Row, database: SqlDatabase) -> list[str]:
    """What the statements print, of which the first has parameters."""
    output: list[str] = []
    for number, sql in enumerate(split_statements(text)):
        try:
            output += _describe(database.execute(sql.strip(), () if number else first_parameters))
        except SqlError as error:
            output += _describe_error(error, sql.strip())
    return output


def _describe(result: Result) -> list[str]:
    tag = result.completion.tag
    if not result.columns:
        return [tag]
    if tag == "EXPLAIN":
        return [str(row[0]) for row in result.rows]
    names = [f"{column.name}:{column.type_name.lower()}" for column in result.columns]
    table = [names, *(list(map(literal, row)) for row in result.rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return [*lines, tag]


def _describe_error(error: SqlError, sql: str) -> list[str]:
    lines = [f"{type(error).__name__} {error.sqlstate}: {error.message}"]
    if error.position is not None:
        lines += caret(sql, error.position).split("\n")
    lines += [f"{word}: {text}" for word, text in (("detail", error.detail), ("hint", error.hint)) if text]
    return lines
