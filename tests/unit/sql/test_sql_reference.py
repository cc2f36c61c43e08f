"""docs/sql.md says what happens: its examples run in their order, its list of reserved words is the parser's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from mynode.base.errors import SqlError
from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.sql.engine import SqlEngine
from mynode.sql.executor.context import ExecutionContext
from mynode.sql.keywords import FUNCTION_ONLY, RESERVED
from mynode.sql.tokens import END, tokenize
from mynode.storage.tree import Tree
from mynode.values.types import Row, Value

REFERENCE = (Path(__file__).parents[3] / "docs" / "sql.md").read_text()


class Database:
    """An engine on a tree; a statement that succeeds makes the next version of it."""

    def __init__(self) -> None:
        self._engine = SqlEngine()
        self._tree = Tree.empty()
        self._version = 1

    def answer(self, sql: str) -> list[str]:
        """A line for each row, or the command tag if the statement has no columns, or the error."""
        transaction = Transaction(ReadView(self._version, self._tree))
        try:
            prepared = self._engine.prepare(self._engine.parse(sql), transaction)
            rows: list[Row] = []
            run = prepared.run(ExecutionContext(transaction, (), datetime(2026, 1, 1, tzinfo=UTC), Random(1)))
            while True:
                try:
                    rows += next(run)
                except StopIteration as stop:
                    tag: str = stop.value.tag
                    break
        except SqlError as error:
            return [f"ERROR {error.sqlstate}: {error.message}"]
        self._version += 1
        editor = self._tree.edit()
        for key, value in transaction.writes.in_order():
            editor.put(key, self._version, value)
        self._tree = editor.commit()
        return [" | ".join(map(shown, row)) for row in rows] if prepared.columns else [tag]


def shown(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
    return str(value)


def examples() -> list[tuple[str, list[str]]]:
    """The statements of the page, each with the comments that follow it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```sql\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("-- "):
                found[-1][1].append(line[3:])
            else:
                found.append((line, []))
    return found


def test_the_examples_answer_what_the_page_says() -> None:
    database = Database()
    for statement, expected in examples():
        assert (statement, database.answer(statement)) == (statement, expected)


def test_each_example_is_one_statement_in_one_line() -> None:
    assert len(examples()) > 35
    for statement, _ in examples():
        symbols = [token.symbol for token in tokenize(statement)]
        assert symbols[-2:] == [";", END]


def test_the_reserved_words_are_those_of_the_parser() -> None:
    listed = REFERENCE.split("<!-- reserved words")[1].split("## Types")[0]
    assert set(re.findall("`([A-Z_]+)`", listed)) == RESERVED | FUNCTION_ONLY
