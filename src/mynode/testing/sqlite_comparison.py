"""Random statements run here and in Python's sqlite3: queries answer alike, changes leave the same rows.

| case    | what is random, and what is compared                                                                    |
|---------|---------------------------------------------------------------------------------------------------------|
| queries | rows, keys, indexes and views; then queries of them: their rows, in any order                            |
| changes | constraints; then changes, transactions and savepoints: who refuses, how many rows a statement changes, |
|         | what it returns, and after each the rows of all tables                                                  |

    python -m mynode.testing.sqlite_comparison [--statements 100000] [--seed S]
    python -m mynode.testing.sqlite_comparison --case C
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from random import Random
from typing import Final

from mynode.base.errors import InvariantViolation, MyNodeError
from mynode.base.sql_errors import CardinalityError, NumericOutOfRangeError
from mynode.testing.random_cases import Mismatch, Tally, bag, command
from mynode.testing.sql_changes import TABLES, ChangeGenerator
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_queries import TABLE, TEXTS, Columns, Dialect, QueryGenerator
from mynode.testing.sql_sessions import SessionDatabase, StatementAnswer
from mynode.values.types import Row, Value

MODULE: Final = "mynode.testing.sqlite_comparison"
QUERIES_PER_CASE: Final = 15
CHANGES_PER_CASE: Final = 60
ROWS_AT_FIRST: Final = 12

_KEYS: Final = ("", ", PRIMARY KEY (id)", ", PRIMARY KEY (id)", ", UNIQUE (id)", ", UNIQUE (a, id)")
_NOT_UNDERSTOOD: Final = (sqlite3.OperationalError, sqlite3.NotSupportedError)
"""SQLite has limits of its own: its parser's stack, joins of 64 tables. An unknown savepoint is one of these too."""


def run_case(case: int, tally: Tally) -> None:
    """Raises `Mismatch`, or the error of what is no mistake of a statement."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as other:
        other.execute("PRAGMA case_sensitive_like = ON")
        other.execute("PRAGMA foreign_keys = ON")
        if case % 4:
            _Queries(case, tally, other).run()
        else:
            _Changes(case, tally, other).run()


class _Queries:
    def __init__(self, case: int, tally: Tally, other: sqlite3.Connection) -> None:
        self._random = Random(case)
        self._tally = tally
        self._database, self._other = SqlDatabase(), other
        self._relations: dict[str, Columns] = {}
        self._setup: list[str] = []

    def run(self) -> None:
        for table in ("t", "u", "e"):
            self._make_table(table)
        for number in range(self._random.randint(0, 2)):
            self._make_view(f"v{number}")
        for _ in range(QUERIES_PER_CASE):
            self._compare()

    def _make_table(self, table: str) -> None:
        columns = ", ".join(f"{name} {kind.value}{' NOT NULL' * (name == 'id')}" for name, kind in TABLE)
        create = f"CREATE TABLE {table} ({columns}{self._random.choice(_KEYS)})"
        self._database.execute(create)
        self._other.execute(create)
        insert = f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?)"
        rows = self._rows(0 if table == "e" else self._random.choice((0, 1, 5, 9)))
        for row in rows:
            self._database.execute(insert, row)
            self._other.execute(insert, row)
        self._setup += [f"{create};", *(f"{insert}; -- {row}" for row in rows)]
        for number in range(self._random.randint(0, 2)):
            columns = ", ".join(
                name + self._random.choice(("", "", " DESC")) for name, _ in self._random.sample(TABLE, 2)
            )
            index = f"CREATE INDEX {table}_{number} ON {table} ({columns})"
            self._database.execute(index)
            self._setup.append(f"{index};")
        self._relations[table] = TABLE

    def _rows(self, count: int) -> list[Row]:
        def or_null(value: Value) -> Value:
            return None if self._random.random() < 0.2 else value

        return [
            (
                number,
                or_null(self._random.randint(-3, 3)),
                or_null(self._random.randint(-100, 100)),
                or_null(self._random.choice(TEXTS)),
                or_null(self._random.randint(-8, 8) / 4),
                or_null(self._random.random() < 0.5),
            )
            for number in range(count)
        ]

    def _generators(self) -> tuple[QueryGenerator, QueryGenerator]:
        seed = self._random.randrange(2**40)
        return (
            QueryGenerator(Random(seed), Dialect.MYNODE, self._relations),
            QueryGenerator(Random(seed), Dialect.SQLITE, self._relations),
        )

    def _make_view(self, name: str) -> None:
        ours, theirs = self._generators()
        (query, columns), (other_query, _) = ours.view(), theirs.view()
        try:
            self._other.execute(f"CREATE VIEW {name} AS {other_query}")
        except _NOT_UNDERSTOOD:
            self._tally.left_out["views"] += 1
            return
        self._setup.append(f"CREATE VIEW {name} AS {query};")
        self._database.execute(f"CREATE VIEW {name} AS {query}")
        self._relations[name] = columns

    def _compare(self) -> None:
        ours, theirs = self._generators()
        query, other_query = ours.query(), theirs.query()
        self._tally.statements += 1
        try:
            expected = bag(self._other.execute(other_query).fetchall())
        except _NOT_UNDERSTOOD:
            self._tally.left_out["queries that SQLite refuses"] += 1
            return
        found = bag(self._database.rows(query))
        if found != expected:
            raise Mismatch("\n".join([*self._setup, f"{query};", f"  here: {found}", f"  SQLite: {expected}"]))
        self._tally.checks["query"] += 1


class _Changes:
    def __init__(self, case: int, tally: Tally, other: sqlite3.Connection) -> None:
        self._random = Random(case)
        self._tally = tally
        self._other = other
        self._session = SessionDatabase().session()
        seed = self._random.randrange(2**40)
        self._ours = ChangeGenerator(Random(seed), Dialect.MYNODE)
        self._theirs = ChangeGenerator(Random(seed), Dialect.SQLITE)
        self._log: list[str] = []

    def run(self) -> None:
        for ours, theirs in zip(self._ours.tables(), self._theirs.tables(), strict=True):
            self._log.append(f"{ours};")
            self._session.execute(ours)
            self._other.execute(theirs)
        for _ in range(ROWS_AT_FIRST):
            self._compare(self._ours.row(), self._theirs.row())
        failed = False
        for _ in range(CHANGES_PER_CASE):
            statement, other_statement = self._next(failed=failed)
            outcome = self._compare(statement, other_statement)
            if outcome is None:
                return
            failed = not outcome

    def _next(self, *, failed: bool) -> tuple[str, str]:
        in_transaction = self._other.in_transaction
        if failed and in_transaction:
            return self._ours.recovery(), self._theirs.recovery()
        if self._random.random() < 0.2:
            return self._ours.control(in_transaction=in_transaction), self._theirs.control(
                in_transaction=in_transaction
            )
        return self._ours.change(), self._theirs.change()

    def _compare(self, statement: str, other_statement: str) -> bool | None:
        """Whether both took it; None if the case cannot go on."""
        self._tally.statements += 1
        self._log.append(f"{statement};")
        word = statement.split()[0]
        try:
            cursor = self._other.execute(other_statement)
            rows = cursor.fetchall()
        except _NOT_UNDERSTOOD as error:
            if "savepoint" not in str(error):
                self._tally.left_out["changes that SQLite refuses"] += 1
                return None
            refusal: sqlite3.Error | None = error
        except sqlite3.Error as error:
            refusal = error
        else:
            refusal = None
        answer = self._session.answer(statement)
        if isinstance(answer.error, CardinalityError | NumericOutOfRangeError) and refusal is None:
            self._tally.left_out["a row changed twice, or a number too large"] += 1
            return None
        self._equal("error", answer.error is None, refusal is None, f"{answer.error} / {refusal}")
        if refusal is not None:
            self._tally.checks[f"{word} refused"] += 1
            return False
        if word == "DELETE":  # SQLite shows a row as the action for an earlier one has left it, or not at all
            self._equal("rows deleted", bag(row[:1] for row in rows) <= bag(row[:1] for row in answer.rows), True)
            self._equal("count", cursor.rowcount <= _count(answer), True, f"{answer.tag} / {cursor.rowcount}")
        else:
            self._equal("rows returned", bag(answer.rows), bag(rows))
        if word in ("INSERT", "UPDATE"):
            self._equal("count", _count(answer), cursor.rowcount)
        for table in TABLES:
            query = f"SELECT * FROM {table}"
            self._equal(table, bag(self._session.execute(query)), bag(self._other.execute(query).fetchall()))
        self._tally.checks[word] += 1
        return True

    def _equal(self, what: str, one: object, other: object, about: str = "") -> None:
        if one != other:
            raise Mismatch("\n".join([*self._log, f"{what} {about}", f"  here: {one}", f"  SQLite: {other}"]))


def _count(answer: StatementAnswer) -> int:
    if isinstance(answer.error, InvariantViolation | MyNodeError):
        raise answer.error
    return int(answer.tag.split()[-1])


def main(arguments: list[str]) -> int:
    return command(MODULE, "Compare SQL with Python's sqlite3.", run_case, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
