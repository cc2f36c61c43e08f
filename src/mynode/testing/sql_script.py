"""Golden scripts of SQL: statements and what they answer, as text.

A script is a text of blocks with a blank line between: statements, each with its `;`, a line `----`, and what they
print. A block that begins with `#` is a comment. All blocks run in one database, one after another; its plans do not
depend on how many rows there are. A line `-- values: [1, "x", null]` gives the next statement the values of its
parameters, as a JSON array.

Rows print below the names of their columns, NULL as `NULL` and text as SQL writes it; then comes the command tag. An
error prints as its class, SQLSTATE and message, the place it points at, its detail and hint.

In the script of a rule of the optimizer each EXPLAIN prints the plan without the rule and with it. Every other
statement must answer the same in both ways.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

from mynode.base.invariant import invariant
from mynode.base.sql_errors import SqlError
from mynode.sql.caret import caret
from mynode.sql.expression_text import literal
from mynode.sql.optimizer.rewriting import Rule
from mynode.sql.tokens import split_statements
from mynode.testing.sql_database import Result, SqlDatabase
from mynode.values.types import Row

_Run: TypeAlias = Callable[[str, Row], list[str]]
"""From a statement and its parameters to what it prints."""

_ERROR: Final = re.compile(r"\w+Error [0-9A-Z]{5}: ")
_VALUES: Final = re.compile(r"^-- values: (\[.*\])\n", re.MULTILINE)


def run_sql_script(script: str) -> str:
    """The script with its outputs as they are now."""
    database = SqlDatabase(counts_rows=False)
    return _run_script(script, lambda sql, parameters: _printed(sql, parameters, database))


def run_rule_script(script: str, rule: Rule) -> str:
    """The script of a rule with its outputs as they are now."""
    database, other = SqlDatabase(counts_rows=False), SqlDatabase(counts_rows=False, without_rule=rule)

    def run(sql: str, parameters: Row) -> list[str]:
        after, before = (_printed(sql, parameters, one) for one in (database, other))
        if not sql.startswith("EXPLAIN"):
            failed = any(_ERROR.match(line) for line in (*before, *after))  # what is left out cannot fail
            invariant(failed or Counter(before) == Counter(after), f"the rule changes what this answers: {sql}")
            return after
        if before == after:
            return ["not changed:", *_indented(after)]
        return ["before:", *_indented(before), "after:", *_indented(after)]

    return _run_script(script, run)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _run_script(script: str, run: _Run) -> str:
    blocks = [block.partition("\n----")[0] for block in script.strip("\n").split("\n\n")]
    return "\n\n".join(_with_output(block, run) for block in blocks if block) + "\n"


def _with_output(block: str, run: _Run) -> str:
    if block.startswith("#"):
        return block
    before, *given = _VALUES.split(block)
    output = _outputs(before, (), run)
    for values, statements in zip(given[::2], given[1::2], strict=True):
        output += _outputs(statements, tuple(json.loads(values)), run)
    return "\n".join([block, "----", *output])


def _outputs(text: str, first_parameters: Row, run: _Run) -> list[str]:
    """What the statements print, of which the first has parameters."""
    statements = [sql.strip() for sql in split_statements(text)]
    return [line for number, sql in enumerate(statements) for line in run(sql, () if number else first_parameters)]


def _printed(sql: str, parameters: Row, database: SqlDatabase) -> list[str]:
    try:
        return _describe(database.execute(sql, parameters))
    except SqlError as error:
        return _describe_error(error, sql)


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
