"""Metamorphic checks on a table with a column of every type that can be a key, and indexes of all kinds on them.

As in `metamorphic`: the table has a twin without a key and without indexes, and all comes from one seed. Conditions are
of comparisons, lists, ranges and functions of the types, which an index can serve in part.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from mynode.base.sql_errors import NotNullViolationError, UniqueViolationError
from mynode.testing.random_cases import Mismatch, Tally
from mynode.testing.sql_database import SqlDatabase
from mynode.values.types import Row, Value

CHECKS_PER_CASE: Final = 12

_COMPARISONS: Final = ("=", "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
_DAY: Final = date(2026, 2, 27)


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column with a few values, so that there are equal ones, and expressions of its type on it."""

    name: str
    type: str
    values: tuple[Value, ...]
    forms: tuple[str, ...]


COLUMNS: Final = (
    TypedColumn("i", "INTEGER", (-(2**63), -2, 0, 1, 2, 3, 2**63 - 1), ("i", "i", "i / 2", "coalesce(i, 0)", "i % 3")),
    TypedColumn(
        "n",
        "NUMERIC(30, 3)",
        tuple(map(Decimal, ("-10.5", "0", "0.000", "0.125", "3", "1e20", "NaN"))),
        ("n", "n", "n * 1.0", "n + 0.125", "abs(n)", "round(n)"),
    ),
    TypedColumn("f", "FLOAT", (float("-inf"), -1.5, -0.0, 0.0, 2.25, float("nan")), ("f", "f", "f * 2", "abs(f)")),
    TypedColumn("s", "TEXT", ("", "a", "ab", "b", "Ä", "a\x01", "\U0001f600"), ("s", "s", "s || ''", "upper(s)")),
    TypedColumn("v", "VARCHAR(3)", ("", "a", "a ", "abc"), ("v", "v", "lower(v)", "substr(v, 1, 1)")),
    TypedColumn("p", "BOOLEAN", (False, True), ("p", "p", "NOT p", "(p IS NOT TRUE)")),
    TypedColumn("d", "DATE", tuple(_DAY + timedelta(days=days) for days in range(4)), ("d", "d", "d + 1", "d - 30")),
    TypedColumn(
        "m",
        "TIMESTAMP",
        (datetime(1, 1, 1), datetime(2026, 2, 27), datetime(2026, 2, 27, 12, 0, 0, 1), datetime(9999, 12, 31)),
        ("m", "m", "date_trunc('day', m)", "coalesce(m, TIMESTAMP '2026-02-27')"),
    ),
    TypedColumn("g", "UUID", tuple(uuid.UUID(int=number) for number in (0, 1, 2**127)), ("g", "g")),
    TypedColumn("y", "BYTEA", (b"", b"\0", b"\0\xff", b"\xff", b"\xff\xff"), ("y", "y", "y || '\\x00'::BYTEA")),
)
_CREATE: Final = f"CREATE TABLE r ({', '.join(f'{column.name} {column.type}' for column in COLUMNS)}"
_INSERT: Final = f"INSERT INTO r VALUES ({', '.join('?' * len(COLUMNS))})"
_ORDERED: Final = tuple(column.name for column in COLUMNS if column.name not in ("p", "g", "y"))
"""The columns that have `min` and `max`."""


class TypedCase:
    """One table with rows and indexes, its twin without, and checks on them, all from one seed."""

    def __init__(self, seed: int, tally: Tally) -> None:
        self._random = Random(seed)
        self._tally = tally
        self._setup: list[str] = []
        self._database, self._plain = SqlDatabase(), SqlDatabase()
        key = self._random.sample(COLUMNS, self._random.randint(0, 2))
        keys = f", {self._random.choice(('PRIMARY KEY', 'UNIQUE'))} ({_names(key)})" if key else ""
        self._plain.execute(f"{_CREATE})")
        self._do(f"{_CREATE}{keys})")
        for number in range(self._random.randint(0, 4)):
            columns = self._random.sample(COLUMNS, self._random.randint(1, 3))
            unique = self._random.choice(("", "", "", "UNIQUE "))
            self._do(f"CREATE {unique}INDEX r_{number} ON r ({', '.join(map(self._index_column, columns))})")
        for _ in range(self._random.randint(0, 15)):
            self._insert(tuple(self._value(column) for column in COLUMNS))

    def run(self) -> None:
        """Raises `Mismatch`."""
        checks = (self._norec, self._tlp, self._distinct, self._groups, self._having, self._ordered, self._extremes)
        for _ in range(CHECKS_PER_CASE):
            check = self._random.choice(checks)
            check()
            self._tally.checks[f"typed {check.__name__.strip('_')}"] += 1

    # --- the table ----------------------------------------------------------------------------------------------------

    def _index_column(self, column: TypedColumn) -> str:
        return column.name + self._random.choice(("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"))

    def _value(self, column: TypedColumn) -> Value:
        return None if self._random.random() < 0.2 else self._random.choice(column.values)

    def _do(self, sql: str) -> None:
        self._setup.append(f"{sql};")
        self._database.execute(sql)

    def _insert(self, row: Row) -> None:
        """Into both, unless a key or a unique index is in the way."""
        try:
            self._database.execute(_INSERT, row)
        except (UniqueViolationError, NotNullViolationError):
            return
        self._setup.append(f"{_INSERT}; -- {row}")
        self._plain.execute(_INSERT, row)

    # --- conditions ---------------------------------------------------------------------------------------------------

    def _condition(self, depth: int = 2) -> str:
        if depth and self._random.random() < 0.6:
            below, other = self._condition(depth - 1), self._condition(depth - 1)
            return self._random.choice(
                (f"({below} AND {other})", f"({below} AND {other})", f"({below} OR {other})", f"(NOT {below})")
            )
        column = self._random.choice(COLUMNS)
        operand = self._random.choice(column.forms)
        one, two, three = (self._constant(column) for _ in range(3))
        word = self._random.choice(("", "", "NOT "))
        return self._random.choice(
            (
                f"{operand} {self._random.choice(_COMPARISONS)} {one}",
                f"{operand} {self._random.choice(_COMPARISONS)} {one}",
                f"{one} {self._random.choice(_COMPARISONS)} {operand}",
                f"{operand} {self._random.choice(_COMPARISONS)} {self._random.choice(column.forms)}",
                f"{operand} {word}IN ({one}, {two}, {three})",
                f"{operand} {word}BETWEEN {one} AND {two}",
                f"({operand}) IS {word}NULL",
            )
        )

    def _constant(self, column: TypedColumn) -> str:
        value = self._value(column)
        if value is None:
            return f"CAST(NULL AS {column.type})"
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        return f"CAST('{value}' AS {column.type})"

    # --- checks -------------------------------------------------------------------------------------------------------

    def _norec(self) -> None:
        condition = self._condition()
        found = self._rows(f"SELECT count(*) FROM r WHERE {condition}")
        tested = self._rows(f"SELECT ({condition}) IS TRUE FROM r")
        self._equal(found, [(tested.count((True,)),)], condition)

    def _tlp(self) -> None:
        condition = self._condition()
        self._equal(self._bag("SELECT * FROM r"), self._in_parts("SELECT * FROM r WHERE {}", condition), condition)

    def _distinct(self) -> None:
        condition, names = self._condition(), _names(self._random.sample(COLUMNS, 2))
        query = f"SELECT DISTINCT {names} FROM r"
        whole = self._bag(query)
        self._equal(whole.keys(), self._in_parts(f"{query} WHERE {{}}", condition).keys(), f"{query} / {condition}")
        self._equal(set(whole.values()) <= {1}, True, query)

    def _groups(self) -> None:
        """Groups are those of the plain table, whatever order an index gives."""
        names = _names(self._random.sample(COLUMNS, self._random.randint(1, 2)))
        calls = ", ".join(
            f"{self._random.choice(('min', 'max', 'count', 'count'))}({self._random.choice(_ORDERED)})" for _ in "ab"
        )
        self._in_both(f"SELECT {names}, count(*), {calls} FROM r WHERE {self._condition()} GROUP BY {names}")

    def _having(self) -> None:
        """The three parts of the groups are all groups."""
        name, condition = self._random.choice(COLUMNS).name, f"max({self._random.choice(_ORDERED)}) IS NULL"
        condition = self._random.choice((condition, "count(*) > 1", "sum(f) > 0", "min(n) < max(n)", "bool_and(p)"))
        query = f"SELECT {name}, count(*) FROM r GROUP BY {name}"
        self._equal(self._bag(query), self._in_parts(f"{query} HAVING {{}}", condition), f"{query} / {condition}")

    def _ordered(self) -> None:
        """The first rows by some columns have the same values in these."""
        columns = self._random.sample(COLUMNS, self._random.randint(1, 3))
        order = ", ".join(map(self._index_column, columns))
        limit = f" LIMIT {self._random.randint(0, 6)} OFFSET {self._random.randint(0, 2)}"
        sql = f"SELECT {_names(columns)} FROM r WHERE {self._condition()} ORDER BY {order}{limit}"
        found, expected = self._rows(sql), self._plain.rows(sql)
        self._tally.statements += 1
        self._equal([_plain(row) for row in found], [_plain(row) for row in expected], sql)

    def _extremes(self) -> None:
        calls = ", ".join(f"{self._random.choice(('min', 'max'))}({name})" for name in self._random.sample(_ORDERED, 2))
        self._in_both(f"SELECT {calls} FROM r")
        self._in_both(f"SELECT {calls} FROM r WHERE {self._condition(1)}")

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _rows(self, sql: str) -> list[Row]:
        self._tally.statements += 1
        return self._database.rows(sql)

    def _bag(self, sql: str) -> Counter[Row]:
        return Counter(map(_plain, self._rows(sql)))

    def _in_parts(self, query: str, condition: str) -> Counter[Row]:
        found: Counter[Row] = Counter()
        for part in (f"({condition})", f"NOT ({condition})", f"({condition}) IS NULL"):
            found.update(self._bag(query.format(part)))
        return found

    def _in_both(self, sql: str) -> None:
        self._tally.statements += 1
        self._equal(self._bag(sql), Counter(map(_plain, self._plain.rows(sql))), sql)

    def _equal(self, one: object, other: object, about: str) -> None:
        if one != other:
            raise Mismatch("\n".join([*self._setup, about, f"  one way:   {one}", f"  the other: {other}"]))


def _names(columns: list[TypedColumn]) -> str:
    return ", ".join(column.name for column in columns)


def _plain(row: Row) -> Row:
    """The row with values that equal themselves: NaN is a text. Zeros of a NUMERIC and both of a FLOAT are one."""
    return tuple(
        "NaN" if value != value else value + 0 if isinstance(value, float | Decimal) else value for value in row
    )
