"""Indexes change no answer: random statements on two databases, of which one has indexes that come and go."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mynode.base.sql_errors import UniqueViolationError
from mynode.mvcc.transaction import Transaction
from mynode.relation.index_check import check_indexes
from mynode.testing.sql_database import SqlDatabase

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c TEXT, d FLOAT)"
CREATE_WITHOUT_KEY = "CREATE TABLE t (id INTEGER, a INTEGER, b INTEGER, c TEXT, d FLOAT)"
COLUMNS = ("id", "a", "b", "c", "d")
TEXTS = ("''", "'x'", "'xy'", "'y'")


class Statements:
    """Makes random statements."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.next_id = 1

    def value(self, column: str) -> str:
        pick = self.random.choice
        match column:
            case "c":
                return pick(TEXTS)
            case "d":
                return pick(("0.0", "-0.0", "1.5", "'NaN'", "'-Infinity'"))
            case "id":
                return str(self.random.randint(0, 30))
        return str(self.random.randint(-2, 3))

    def value_or_null(self, column: str) -> str:
        return "NULL" if self.random.random() < 0.2 else self.value(column)

    def comparison(self) -> str:
        column = self.random.choice(COLUMNS)
        match self.random.randrange(8):
            case 0 | 1 | 2:
                return f"{column} = {self.value_or_null(column)}"
            case 3:
                items = ", ".join(self.value(column) for _ in range(self.random.randint(1, 3)) if column != "d")
                return f"{column} IN ({items})" if items else f"{column} IS NULL"
            case 4 | 5:
                return f"{column} {self.random.choice(('<', '<=', '>', '>='))} {self.value(column)}"
            case 6:
                return f"{column} BETWEEN {self.value(column)} AND {self.value(column)}"
        return f"{column} IS {self.random.choice(('', 'NOT '))}NULL"

    def condition(self) -> str:
        parts = [self.comparison() for _ in range(self.random.choice((1, 1, 2, 2, 3, 4)))]
        text = parts[0]
        for part in parts[1:]:
            text = f"{text} {self.random.choice(('AND', 'AND', 'OR'))} {part}"
        return text

    def change(self) -> str:
        match self.random.randrange(6):
            case 0 | 1 | 2:
                rows = []
                for _ in range(self.random.randint(1, 4)):
                    values = ", ".join(self.value_or_null(column) for column in COLUMNS[1:])
                    rows.append(f"({self.next_id}, {values})")
                    self.next_id += 1
                return f"INSERT INTO t VALUES {', '.join(rows)}"
            case 3 | 4:
                column = self.random.choice(COLUMNS[1:])
                value = f"{column} + 1" if column in "ab" and self.random.random() < 0.5 else self.value_or_null(column)
                return f"UPDATE t SET {column} = {value} WHERE {self.condition()}"
        return f"DELETE FROM t WHERE {self.condition()} AND id % 3 = 0"

    def index(self, name: str) -> str:
        columns = self.random.sample(COLUMNS, self.random.randint(1, 3))
        orders = [self.random.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST")) for _ in columns]
        listed = ", ".join(map("".join, zip(columns, orders, strict=True)))
        return f"CREATE INDEX {name} ON t ({listed})"

    def query(self) -> str:
        where = f" WHERE {self.condition()}" if self.random.random() < 0.9 else ""
        match self.random.randrange(6):
            case 0:
                column = self.random.choice(COLUMNS)
                return f"SELECT min({column}), max({column}), count(*) FROM t{where}"
            case 1:
                return f"SELECT * FROM (VALUES (1), (2), (NULL)) v (n) LEFT JOIN t ON t.a = n AND ({self.condition()})"
        return f"SELECT * FROM t{where}"

    def order(self) -> str:
        columns = [*self.random.sample(COLUMNS, self.random.randint(1, 2)), "id"]
        orders = [self.random.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST")) for _ in columns]
        return f" ORDER BY {', '.join(map(''.join, zip(columns, orders, strict=True)))}"


def shown(rows: list[tuple[object, ...]]) -> list[str]:
    return [repr(row).replace("-0.0", "0.0") for row in rows]


@pytest.mark.parametrize("create", [CREATE, CREATE_WITHOUT_KEY], ids=["with a key", "without a key"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_answers_are_the_same_with_indexes_and_without(create: str, seed: int) -> None:
    random = Random(seed)
    make = Statements(random)
    plain, indexed = SqlDatabase(), SqlDatabase()
    for database in (plain, indexed):
        database.execute(create)
    indexes: list[str] = []
    for step in range(30):
        if random.random() < 0.2:
            indexes.append(f"i{step}")
            indexed.execute(make.index(indexes[-1]))
        if indexes and random.random() < 0.05:
            indexed.execute(f"DROP INDEX {indexes.pop(random.randrange(len(indexes)))}")
        change = make.change()
        if random.random() < 0.2:
            given_up = Transaction(indexed.view)
            indexed.run(given_up, make.change())
        assert plain.execute(change).completion == indexed.execute(change).completion, change
        query = make.query()
        assert sorted(shown(plain.rows(query))) == sorted(shown(indexed.rows(query))), query
        if query.startswith("SELECT * FROM t"):
            ordered = query + make.order()
            assert shown(plain.rows(ordered)) == shown(indexed.rows(ordered)), ordered
            limited = f"{ordered} LIMIT {random.randint(0, 3)} OFFSET {random.randint(0, 2)}"
            assert shown(plain.rows(limited)) == shown(indexed.rows(limited)), limited
        assert check_indexes(indexed.view) == []


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_unique_index_forbids_just_what_it_should(seed: int) -> None:
    random = Random(seed)
    make = Statements(random)
    database = SqlDatabase()
    database.execute(CREATE)
    database.execute("CREATE UNIQUE INDEX u ON t (a DESC, c NULLS FIRST)")
    for _ in range(30):
        statement = make.change()
        free = Transaction(database.view)
        without = SqlDatabase()
        without.view = database.view
        without.execute("DROP INDEX u")
        without.execute(statement)
        pairs = [row for row in without.rows("SELECT a, c FROM t") if None not in row]
        if len(set(pairs)) == len(pairs):
            assert database.run(free, statement).completion
            assert database.commit(free)
        else:
            with pytest.raises(UniqueViolationError):
                database.run(free, statement)
        assert check_indexes(database.view) == []
