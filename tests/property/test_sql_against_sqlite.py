"""Random statements give the same here and in Python's sqlite3, and, without any oracle, the same told differently."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from mynode.testing.random_cases import Mismatch, Tally
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_generator import CREATE, INSERT, SqlGenerator
from mynode.testing.sqlite_comparison import main, run_case
from mynode.values.types import Row

RANDOMS = st.integers(0, 2**32).map(Random)
"""Seeds shrink to nothing smaller, and are many times faster than hypothesis' own `Random`."""


@contextmanager
def both(generator: SqlGenerator) -> Iterator[tuple[SqlDatabase, sqlite3.Connection]]:
    """The same table in both databases."""
    database = SqlDatabase()
    with closing(sqlite3.connect(":memory:")) as other:
        other.execute("PRAGMA case_sensitive_like = ON")
        database.execute(CREATE)
        other.execute(CREATE)
        for row in generator.rows(12):
            database.execute(INSERT, row)
            other.execute(INSERT, row)
        yield database, other


def plain(rows: list[Row]) -> list[tuple[object, ...]]:
    """Rows with booleans as SQLite has them, NUMERICs as the floats that it has, and floats rounded a little."""
    return [
        tuple(round(float(value), 9) if isinstance(value, float | Decimal) else value for value in row) for row in rows
    ]


@settings(max_examples=200, deadline=None)
@given(RANDOMS)
def test_queries_answer_as_in_sqlite(random: Random) -> None:
    generator = SqlGenerator(random)
    with both(generator) as (database, other):
        for _ in range(5):
            sql = generator.select()
            note(sql)
            assert plain(database.rows(sql)) == plain(other.execute(sql).fetchall())


@settings(max_examples=60, deadline=None)
@given(RANDOMS)
def test_aggregates_answer_as_in_sqlite(random: Random) -> None:
    generator = SqlGenerator(random)
    with both(generator) as (database, other):
        for _ in range(5):
            sql = generator.aggregate()
            note(sql)
            assert plain(database.rows(sql)) == plain(other.execute(sql).fetchall())


@settings(max_examples=100, deadline=None)
@given(RANDOMS)
def test_groups_answer_as_in_sqlite(random: Random) -> None:
    generator = SqlGenerator(random)
    with both(generator) as (database, other):
        for _ in range(5):
            sql = generator.grouped()
            note(sql)
            assert plain(database.rows(sql)) == plain(other.execute(sql).fetchall())
            sql = generator.distinct()
            note(sql)
            assert Counter(plain(database.rows(sql))) == Counter(plain(other.execute(sql).fetchall()))


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 39), reason="SQLite has had RIGHT and FULL joins since 3.39")
@settings(max_examples=200, deadline=None)
@given(RANDOMS)
def test_joins_answer_as_in_sqlite(random: Random) -> None:
    generator = SqlGenerator(random)
    with both(generator) as (database, other):
        for _ in range(5):
            sql = generator.joined()
            note(sql)
            assert Counter(plain(database.rows(sql))) == Counter(plain(other.execute(sql).fetchall()))


@settings(max_examples=60, deadline=None)
@given(RANDOMS)
def test_changes_leave_what_they_leave_in_sqlite(random: Random) -> None:
    generator = SqlGenerator(random)
    with both(generator) as (database, other):
        for _ in range(5):
            sql = generator.change()
            note(sql)
            assert database.execute(sql).completion.rows_affected == other.execute(sql).rowcount
            all_rows = "SELECT * FROM t ORDER BY id, k"
            assert plain(database.rows(all_rows)) == plain(other.execute(all_rows).fetchall())


@settings(max_examples=100, deadline=None)
@given(RANDOMS)
def test_a_condition_is_true_false_or_unknown(random: Random) -> None:
    """TLP (Rigger and Su, OOPSLA 2020): the three parts of a table together are the table."""
    generator = SqlGenerator(random)
    with both(generator) as (database, _):
        condition = generator.condition()
        note(condition)
        parts = [f"({condition})", f"NOT ({condition})", f"({condition}) IS NULL"]
        found: Counter[Row] = Counter()
        for part in parts:
            found.update(database.rows(f"SELECT * FROM t WHERE {part}"))
        assert found == Counter(database.rows("SELECT * FROM t"))


@settings(max_examples=100, deadline=None)
@given(RANDOMS)
def test_a_condition_means_the_same_where_nothing_can_be_optimized(random: Random) -> None:
    """NoREC (Rigger and Su, ESEC/FSE 2020): a filter finds as many rows as the condition's value is TRUE for."""
    generator = SqlGenerator(random)
    with both(generator) as (database, _):
        condition = generator.condition()
        note(condition)
        found = database.rows(f"SELECT id, k FROM t WHERE {condition} ORDER BY id DESC, k DESC")
        values = database.rows(f"SELECT id, k, ({condition}) FROM t")
        assert found == [row[:2] for row in reversed(values) if row[2] is True]
        unindexed = f"SELECT id, k FROM t WHERE CASE WHEN {condition} THEN TRUE END ORDER BY id + 0 DESC, k || '' DESC"
        assert found == database.rows(unindexed)


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 39), reason="SQLite has had RIGHT and FULL joins since 3.39")
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40))
def test_whole_statements_do_as_in_sqlite(case: int) -> None:
    """Queries of all parts, and changes under constraints; `make comparison` is the long run."""
    tally = Tally()
    run_case(case, tally)
    assert tally.statements


def test_a_difference_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlDatabase, "rows", lambda *_: [(42,)])
    with pytest.raises(Mismatch, match=r"(?s)CREATE TABLE t .* here: .*42.*SQLite: "):
        run_case(1, Tally())


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "4", "--statements", "20"]) == 0
    assert "checks: " in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(3))
def test_the_generator_is_deterministic(seed: int) -> None:
    assert SqlGenerator(Random(seed)).select() == SqlGenerator(Random(seed)).select()
