"""What the SQL layer costs a statement, in µs: the best of some runs, in one process, without consensus and disk.

python benches/sql.py [NAME …]
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import Final

from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.sql.engine import ExecutionContext, SqlEngine
from mynode.storage.tree import Tree
from mynode.values.types import Row

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ROWS: Final = 100_000
_STATEMENTS: Final = 20_000
_TRIES: Final = 3


class Database:
    """A tree and an engine; statements commit at once."""

    def __init__(self) -> None:
        self.engine = SqlEngine()
        self.view = ReadView(0, Tree.empty())
        self._random = random.Random(1)

    def read(self, sql: str, parameters: Row = ()) -> list[Row]:
        return self._run(sql, Transaction(self.view, record_reads=False), parameters)

    def write(self, sql: str, parameters: Row = ()) -> Transaction:
        """The transaction, not committed."""
        transaction = Transaction(self.view)
        self._run(sql, transaction, parameters)
        return transaction

    def commit(self, transaction: Transaction) -> None:
        version = self.view.version + 1
        editor = self.view.tree.edit()
        for key, value in transaction.writes.in_order():
            editor.put(key, version, value)
        self.view = ReadView(version, editor.commit())

    def _run(self, sql: str, transaction: Transaction, parameters: Row) -> list[Row]:
        prepared = self.engine.prepare(self.engine.parse(sql), transaction, parameters)
        rows: list[Row] = []
        for batch in prepared.run(ExecutionContext(transaction, parameters, _NOW, self._random)):
            rows += batch
        return rows


def loaded() -> Database:
    """A database with a table of `_ROWS` rows."""
    database = Database()
    database.commit(database.write("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL, number FLOAT)"))
    for start in range(0, _ROWS, 1_000):
        transaction = Transaction(database.view)
        prepared = database.engine.prepare(
            database.engine.parse("INSERT INTO t VALUES ($1, $2, $3)"), transaction, (1, "", 0.5)
        )
        for number in range(start, start + 1_000):
            row: Row = (number, f"{number:064d}", number / 7)
            list(prepared.run(ExecutionContext(transaction, row, _NOW, random.Random(1))))
        database.commit(transaction)
    return database


def measure(name: str, things: int, run: Callable[[], object]) -> None:
    """Prints the µs for each of the `things` that one call of `run` does."""
    best = min(_seconds(run) for _ in range(_TRIES))
    print(f"{name:42} {best / things * 1e6:10.2f} µs")  # noqa: T201


def _seconds(run: Callable[[], object]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def main(names: list[str]) -> None:
    database = loaded()
    keys = [random.Random(2).randrange(_ROWS) for _ in range(_STATEMENTS)]

    unseen = count()

    def each_key(run: Callable[[int], object]) -> Callable[[], object]:
        return lambda: [run(key) for key in keys]

    benches: dict[str, tuple[int, Callable[[], object]]] = {
        "tree get": (_STATEMENTS, each_key(lambda key: database.view.get(b"\x02\0\0\0\1\x20" + bytes(8)))),
        "select by key": (_STATEMENTS, each_key(lambda k: database.read("SELECT value FROM t WHERE id = $1", (k,)))),
        "insert one row": (
            _STATEMENTS,
            each_key(lambda k: database.write("INSERT INTO t VALUES ($1, $2, $3)", (_ROWS + k, "x" * 64, 0.5))),
        ),
        "update by key": (
            _STATEMENTS,
            each_key(lambda k: database.write("UPDATE t SET value = $2 WHERE id = $1", (k, "y"))),
        ),
        "delete by key": (_STATEMENTS, each_key(lambda k: database.write("DELETE FROM t WHERE id = $1", (k,)))),
        "select by key, text never seen": (
            1_000,
            lambda: [database.read(f"SELECT value FROM t WHERE id = {next(unseen)}") for _ in range(1_000)],
        ),
        "full scan, a row": (_ROWS, lambda: database.read("SELECT * FROM t")),
        "filter, a row": (_ROWS, lambda: database.read("SELECT id FROM t WHERE number * 2 > $1 AND id % 2 = 0", (9,))),
        "count(*), a row": (_ROWS, lambda: database.read("SELECT count(*) FROM t")),
        "sum and avg, a row": (_ROWS, lambda: database.read("SELECT sum(id), avg(number) FROM t")),
        "order by, a row": (_ROWS, lambda: database.read("SELECT id FROM t ORDER BY number DESC")),
    }
    for name, (things, run) in benches.items():
        if not names or any(name.startswith(wanted) for wanted in names):
            measure(name, things, run)


if __name__ == "__main__":
    main(sys.argv[1:])
