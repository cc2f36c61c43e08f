"""Queries checked against one another, without an oracle, on random tables, rows, indexes and conditions.

| check     | says                                                                                               |
|-----------|----------------------------------------------------------------------------------------------------|
| NoREC     | as many rows pass a condition in WHERE as those for which it is TRUE in the select list            |
| TLP       | the rows for which a condition is TRUE, FALSE and NULL are all rows; so for joins, DISTINCT, groups |
| indexes   | a query answers the same with the indexes as without them                                          |
| rules     | a query answers the same with all rules of the optimizer as without any one of them                |

NoREC and TLP are those of SQLancer (Rigger and Su, "Detecting Optimization Bugs in Database Engines via
Non-Optimizing Reference Engine Construction", ESEC/FSE 2020; "Finding Bugs in Database Systems via Query
Partitioning", OOPSLA 2020).

    python -m mynode.testing.metamorphic [--statements 100000] [--seed S]
    python -m mynode.testing.metamorphic --case C
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final, TypeAlias

from mynode.base.errors import InvariantViolation, MyNodeError
from mynode.sql.optimizer.optimizer import ALL_RULES
from mynode.testing.random_cases import Mismatch, Tally, bag, command
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_generator import INSERT, SqlGenerator
from mynode.testing.typed_cases import TypedCase
from mynode.values.types import Row

MODULE: Final = "mynode.testing.metamorphic"
CHECKS_PER_CASE: Final = 12

_COLUMNS: Final = "id INTEGER NOT NULL, k TEXT NOT NULL, a INTEGER, b INTEGER, s TEXT, f FLOAT, p BOOLEAN"
_KEYS: Final = ("", ", PRIMARY KEY (id, k)", ", PRIMARY KEY (k, id)", ", UNIQUE (id, k)")
_INDEXED: Final = ("id", "k", "a", "b", "s", "f", "p")
_AGGREGATES: Final = "count(*), count(a), sum(a), min(b), max(b), min(s), max(s), min(f), max(f)"
_Combine: TypeAlias = Callable[[list[Any]], object]
_COMBINED: Final[tuple[_Combine, ...]] = (sum, sum, sum, min, max, min, max, min, max)
_JOINED: Final = ("x.a > y.b", "z.s = x.s", "y.p", "x.id + z.id > 3", "y.a IS NULL OR z.a = 1", "x.k IN ('a', z.s)")


class Case:
    """One table with rows and indexes, its twin without indexes, and checks on them, all from one seed."""

    def __init__(self, seed: int, tally: Tally) -> None:
        self._random = Random(seed)
        self._tally = tally
        self._generator = SqlGenerator(self._random)
        self._setup: list[str] = []
        self._database, self._plain = SqlDatabase(), SqlDatabase()
        key = self._random.choice(_KEYS)
        self._do(f"CREATE TABLE t ({_COLUMNS}{key})", f"CREATE TABLE t ({_COLUMNS})")
        rows = self._generator.rows(12)
        if not key:
            rows += self._random.choices(rows, k=3) if rows else []
        for row in rows:
            self._setup.append(f"{INSERT}; -- {row}")
            for database in (self._database, self._plain):
                database.execute(INSERT, row)
        for number in range(self._random.randint(0, 4)):
            columns = self._random.sample(_INDEXED, self._random.randint(1, 3))
            written = ", ".join(column + self._random.choice(("", "", " DESC")) for column in columns)
            self._do(f"CREATE INDEX t_{number} ON t ({written})")

    def run(self) -> None:
        """Raises `Mismatch`, or the error of what is no mistake of a query."""
        checks = (
            self._norec,
            self._tlp,
            self._tlp_join,
            self._tlp_distinct,
            self._tlp_aggregate,
            self._indexes,
            self._rules,
        )
        for _ in range(CHECKS_PER_CASE):
            check = self._random.choice(checks)
            try:
                check()
            except InvariantViolation:
                raise
            except MyNodeError:
                self._tally.left_out["checks with a query that failed"] += 1
            else:
                self._tally.checks[check.__name__.strip("_")] += 1

    # --- checks -------------------------------------------------------------------------------------------------------

    def _norec(self) -> None:
        condition = self._generator.condition()
        found = self._rows(f"SELECT * FROM t WHERE {condition}")
        tested = self._rows(f"SELECT ({condition}) IS TRUE FROM t")
        self._equal(len(found), sum(row == (True,) for row in tested), condition)

    def _tlp(self) -> None:
        condition = self._generator.condition()
        whole = bag(self._rows("SELECT * FROM t"))
        self._equal(whole, bag(self._parts("SELECT * FROM t", condition)), condition)

    def _tlp_join(self) -> None:
        query = self._generator.joined().partition(" WHERE ")[0]
        condition = self._random.choice(_JOINED)
        whole = bag(self._rows(query))
        self._equal(whole, bag(self._parts(query, condition)), f"{query} / {condition}")

    def _tlp_distinct(self) -> None:
        query, condition = self._generator.distinct().partition(" WHERE ")[0], self._generator.condition()
        whole = bag(self._rows(query))
        self._equal(whole.keys(), bag(self._parts(query, condition)).keys(), f"{query} / {condition}")
        self._equal(set(whole.values()) <= {1}, True, f"{query}: each row once")

    def _tlp_aggregate(self) -> None:
        condition, key = self._generator.condition(), self._random.choice(("a", "s", "p", "id", "k"))
        query = f"SELECT {key}, {_AGGREGATES} FROM t"
        whole = bag(self._rows(f"{query} GROUP BY {key}"))
        groups: dict[object, list[Row]] = {}
        for part in _partitions(condition):
            for row in self._rows(f"{query} WHERE {part} GROUP BY {key}"):
                groups.setdefault(row[0], []).append(row)
        joined = [
            (group, *(_combine(how, column) for how, column in zip(_COMBINED, zip(*rows, strict=True), strict=False)))
            for group, rows in ((group, [row[1:] for row in rows]) for group, rows in groups.items())
        ]
        self._equal(whole, bag(joined), f"{query} / {condition}")

    def _indexes(self) -> None:
        generator = self._generator
        make = self._random.choice(
            (generator.select, generator.joined, generator.limited, generator.aggregate, generator.grouped)
        )
        sql = make()
        self._tally.statements += 2
        self._equal(bag(self._database.rows(sql)), bag(self._plain.rows(sql)), sql)

    def _rules(self) -> None:
        generator = self._generator
        rule = self._random.choice(ALL_RULES)
        make = self._random.choice(
            (generator.select, generator.joined, generator.limited, generator.aggregate, generator.grouped)
        )
        sql = make()
        other = SqlDatabase(without_rule=rule)
        other.view = self._database.view
        self._tally.statements += 2
        self._equal(bag(self._database.rows(sql)), bag(other.rows(sql)), f"without {rule.__name__}: {sql}")

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _do(self, sql: str, plain_sql: str = "") -> None:
        self._setup.append(f"{sql};")
        self._database.execute(sql)
        if plain_sql:
            self._plain.execute(plain_sql)

    def _rows(self, sql: str) -> list[Row]:
        self._tally.statements += 1
        return self._database.rows(sql)

    def _parts(self, query: str, condition: str) -> list[Row]:
        return [row for part in _partitions(condition) for row in self._rows(f"{query} WHERE {part}")]

    def _equal(self, one: object, other: object, about: str) -> None:
        if one != other:
            raise Mismatch("\n".join([*self._setup, about, f"  one way:   {one}", f"  the other: {other}"]))


def _partitions(condition: str) -> tuple[str, str, str]:
    return f"({condition})", f"NOT ({condition})", f"({condition}) IS NULL"


def _combine(how: _Combine, values: Iterable[object]) -> object:
    """An aggregate of partitions' aggregates; of no values at all NULL."""
    known = [value for value in values if value is not None]
    return how(known) if known else None


def run_case(case: int, tally: Tally) -> None:
    """One of two of the kind above, else one of `typed_cases`."""
    (Case if case % 2 else TypedCase)(case, tally).run()


def main(arguments: list[str]) -> int:
    return command(MODULE, "Check SQL by itself.", run_case, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
