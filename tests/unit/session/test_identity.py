"""Columns that count by themselves: no number twice, whatever becomes of statements, transactions and nodes."""

from __future__ import annotations

from random import Random

import pytest

from mynode.base.limits import FIRST_COUNTER_BLOCK
from mynode.base.sql_errors import DivisionByZeroError
from mynode.session.api import Row
from mynode.sql.engine import SqlEngine
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

INSERT = "INSERT INTO t (name) VALUES ('x') RETURNING id"


@pytest.fixture
def database() -> SessionDatabase:
    database = SessionDatabase()
    database.session().execute("CREATE TABLE t (id SERIAL PRIMARY KEY, name TEXT)")
    return database


def session_on_another_node(database: SessionDatabase) -> LocalSession:
    database.engine = SqlEngine()
    return database.session()


def numbers(rows: list[Row]) -> list[object]:
    return [row[0] for row in rows]


def test_sessions_of_a_node_share_its_numbers(database: SessionDatabase) -> None:
    first, second = database.session(), database.session()
    found = [number for _ in range(3) for one in (first, second) for number in numbers(one.execute(INSERT))]
    assert found == [1, 2, 3, 4, 5, 6]


def test_nodes_count_side_by_side(database: SessionDatabase) -> None:
    here, there = database.session(), session_on_another_node(database)
    found = [number for _ in range(100) for one in (here, there) for number in numbers(one.execute(INSERT))]
    assert len(set(found)) == 200
    assert found[:4] == [1, FIRST_COUNTER_BLOCK + 1, 2, FIRST_COUNTER_BLOCK + 2]


def test_open_transactions_do_not_meet(database: SessionDatabase) -> None:
    sessions = [database.session(), session_on_another_node(database), database.session()]
    for session in sessions:
        session.execute("BEGIN")
    found = [number for _ in range(40) for one in sessions for number in numbers(one.execute(INSERT))]
    assert len(set(found)) == 120
    for session in sessions:
        assert session.answer("COMMIT").error is None


def test_what_is_rolled_back_leaves_a_gap(database: SessionDatabase) -> None:
    session = database.session()
    session.execute("BEGIN")
    session.execute("SAVEPOINT a")
    assert session.execute(INSERT) == [(1,)]
    session.execute("ROLLBACK TO a")
    assert session.execute(INSERT) == [(2,)]
    session.execute("ROLLBACK")
    with pytest.raises(DivisionByZeroError):
        session.execute("INSERT INTO t (name) SELECT 1 / (2 - x) FROM (VALUES (1), (2)) AS v (x)")
    (number,) = numbers(session.execute(INSERT))
    assert number not in (1, 2)


def test_a_table_made_in_the_same_transaction_counts(database: SessionDatabase) -> None:
    for end in ("ROLLBACK", "COMMIT"):
        session = database.session()
        session.execute("BEGIN")
        session.execute("CREATE TABLE fresh (id SERIAL, a INTEGER)")
        assert len(session.execute("INSERT INTO fresh (a) VALUES (1), (2) RETURNING id")) == 2
        session.execute(end)
    assert len(set(session.execute("SELECT id FROM fresh"))) == 2


def test_a_block_is_drawn_once_in_many_statements(database: SessionDatabase) -> None:
    session = database.session()
    session.execute(INSERT)
    before = database.proposals
    for _ in range(1_000):
        session.execute(INSERT)
    assert database.proposals - before < 1_010


@pytest.mark.parametrize("seed", range(5))
def test_old_views_draw_no_block_twice(seed: int) -> None:
    database = SessionDatabase(random=Random(seed))
    database.session().execute("CREATE TABLE t (id INTEGER GENERATED ALWAYS AS IDENTITY, name TEXT)")
    sessions = [session_on_another_node(database) for _ in range(4)]
    random = Random(seed)
    found: list[object] = []
    for _ in range(100):
        found += numbers(random.choice(sessions).execute(INSERT))
    assert len(set(found)) == 100
