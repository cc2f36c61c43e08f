"""MyNode's SQL layer beside Python's sqlite3: the same queries on the same rows, in one process, in memory.

python benches/sql_against_sqlite.py [ROWS]    ROWS of the table that is grouped, 1,000,000 unless said otherwise

Prints seconds of CPU, the best of some runs, and how many times sqlite3's each is. Answers are compared.
"""

from __future__ import annotations

import gc
import random
import sqlite3
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import process_time
from typing import Final

from mynode.mvcc.transaction import Transaction
from mynode.mvcc.view import ReadView
from mynode.relation.catalog import Catalog
from mynode.relation.rows import TableRows
from mynode.sql.engine import ExecutionContext, SqlEngine
from mynode.storage.tree import Tree
from mynode.values.types import Row

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_JOINED: Final = 100_000
_LOOKUPS: Final = 100_000
_TRIES: Final = 3

_TABLES: Final = (
    "CREATE TABLE big (id INTEGER PRIMARY KEY, k INTEGER NOT NULL, v INTEGER NOT NULL)",
    "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, v INTEGER NOT NULL)",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, a_n INTEGER NOT NULL, v INTEGER NOT NULL)",
)
_QUERIES: Final = {
    "group by, 1,000 groups": "SELECT k, count(*), sum(v) FROM big GROUP BY k",
    "group by, 10 groups": "SELECT k % 10, count(*), min(v), max(v) FROM big GROUP BY k % 10",
    "count(*)": "SELECT count(*) FROM big",
    "distinct": "SELECT DISTINCT k FROM big",
    "order by, limit 10": "SELECT id, v FROM big ORDER BY v, id LIMIT 10",
    "filter": "SELECT id, v FROM big WHERE k < 50 AND v % 2 = 0",
    "filter and sum": "SELECT sum(v) FROM big WHERE k < 500 AND v % 2 = 0",
    "hash join 100,000 x 100,000": "SELECT count(*), sum(a.v + b.v) FROM a JOIN b ON b.a_n = a.n",
}
_LOOKUP: Final = "SELECT v FROM a WHERE id = ?"


class Database:
    """A tree with an engine."""

    def __init__(self) -> None:
        self.engine = SqlEngine()
        self.view = ReadView(0, Tree.empty())
        self._random = random.Random(1)

    def create(self, sql: str) -> None:
        transaction = Transaction(self.view)
        self._run(sql, transaction, ())
        editor = self.view.tree.edit()
        for key, value in transaction.writes.in_order():
            editor.put(key, self.view.version + 1, value)
        self.view = ReadView(self.view.version + 1, editor.commit())

    def load(self, table: str, rows: Iterable[Row]) -> None:
        """Puts rows where INSERT would, without its work."""
        access = TableRows(Catalog.load(self.view).tables[table])
        version = self.view.version + 1
        editor = self.view.tree.edit()
        for row in rows:
            editor.put(access.key_of(row), version, access.encode(row))
        self.view = ReadView(version, editor.commit())

    def rows(self, sql: str, parameters: Row = ()) -> list[Row]:
        return self._run(sql, Transaction(self.view, record_reads=False), parameters)

    def _run(self, sql: str, transaction: Transaction, parameters: Row) -> list[Row]:
        prepared = self.engine.prepare(self.engine.parse(sql), transaction, parameters)
        rows: list[Row] = []
        for batch in prepared.run(ExecutionContext(transaction, parameters, _NOW, self._random)):
            rows += batch
        return rows


def main(big_rows: int) -> None:
    gc.set_threshold(2_000, 20, 1_250)  # as a node has it
    numbers = random.Random(3)
    tables: dict[str, list[Row]] = {
        "big": [(place, numbers.randrange(1_000), numbers.randrange(1_000)) for place in range(big_rows)],
        "a": [(place, place * 7 % _JOINED, numbers.randrange(100)) for place in range(_JOINED)],
        "b": [(place, numbers.randrange(_JOINED), numbers.randrange(100)) for place in range(_JOINED)],
    }
    database, other = Database(), sqlite3.connect(":memory:")
    for create, (name, rows) in zip(_TABLES, tables.items(), strict=True):
        database.create(create)
        database.load(name, rows)
        other.execute(create)
        other.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", rows)
    print(f"{'':32} {'MyNode s':>10} {'sqlite3 s':>10} {'times':>7}")  # noqa: T201
    for name, sql in _QUERIES.items():
        if sorted(database.rows(sql)) != sorted(other.execute(sql).fetchall()):
            raise SystemExit(f"the answers differ: {sql}")
        _report(name, lambda sql=sql: database.rows(sql), lambda sql=sql: other.execute(sql).fetchall())
    keys = [numbers.randrange(_JOINED) for _ in range(_LOOKUPS)]
    _report(
        "100,000 look-ups by key, cached",
        lambda: [database.rows(_LOOKUP, (key,)) for key in keys],
        lambda: [other.execute(_LOOKUP, (key,)).fetchall() for key in keys],
    )


def _report(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    our_s, their_s = (min(_seconds(run) for _ in range(_TRIES)) for run in (ours, theirs))
    print(f"{name:32} {our_s:10.3f} {their_s:10.3f} {our_s / their_s:7.1f}")  # noqa: T201


def _seconds(run: Callable[[], object]) -> float:
    start = process_time()
    run()
    return process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 1_000_000)
