"""PEP 249's transactions, on a node inside this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mynode
from mynode import dbapi


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"file:{tmp_path_factory.mktemp('node')}"


@pytest.fixture
def connection(target: str) -> Iterator[dbapi.Connection]:
    """A connection with autocommit off and an empty table t (id, value) of a node that is there for this test."""
    with mynode.connect(target) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER)")
        connection.commit()
        yield connection
        connection.rollback()


def ids(connection: dbapi.Connection) -> list[object]:
    return [row[0] for row in connection.cursor().execute("SELECT id FROM t").fetchall()]


def test_the_first_statement_begins_and_commit_ends(connection: dbapi.Connection) -> None:
    assert (connection.autocommit, connection.in_transaction) == (False, False)
    connection.commit()
    connection.rollback()
    cursor = connection.cursor()
    cursor.execute("INSERT INTO t VALUES (?, ?)", (1, 1))
    assert connection.in_transaction
    connection.rollback()
    assert not connection.in_transaction
    assert ids(connection) == []
    connection.commit()
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [(2, 2), (3, 3)])
    connection.commit()
    connection.rollback()
    assert ids(connection) == [2, 3]


def test_a_failed_transaction_waits_for_its_rollback(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(dbapi.ProgrammingError) as caught:
        cursor.execute("SELECT 1")
    assert caught.value.sqlstate == "25P02"
    with pytest.raises(dbapi.ProgrammingError, match="was rolled back"):
        connection.commit()
    assert not connection.in_transaction
    assert ids(connection) == []


def test_statements_about_transactions_work_too(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("BEGIN READ WRITE")
    cursor.execute("INSERT INTO t VALUES (1, 1)")
    cursor.execute("SAVEPOINT a")
    cursor.execute("DELETE FROM t")
    cursor.execute("ROLLBACK TO a")
    cursor.execute("COMMIT")
    assert not connection.in_transaction
    assert ids(connection) == [1]


def test_autocommit_is_set_between_transactions(connection: dbapi.Connection) -> None:
    connection.cursor().execute("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(dbapi.ProgrammingError):
        connection.autocommit = True
    connection.rollback()
    connection.autocommit = True
    connection.cursor().execute("INSERT INTO t VALUES (2, 2)")
    assert not connection.in_transaction
    connection.cursor().execute("BEGIN")
    connection.cursor().execute("INSERT INTO t VALUES (3, 3)")
    connection.rollback()
    assert ids(connection) == [2]


def test_threads_share_one_transaction(connection: dbapi.Connection) -> None:
    def insert(number: int) -> None:
        connection.cursor().execute("INSERT INTO t VALUES (?, ?)", (number, number))

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connection.in_transaction
    connection.commit()
    assert sorted(map(str, ids(connection))) == list("01234")


def test_the_block_commits_or_rolls_back(tmp_path: Path) -> None:
    target = f"file:{tmp_path / 'node'}"
    with mynode.connect(target) as connection:
        connection.cursor().execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    with pytest.raises(ZeroDivisionError), mynode.connect(target) as connection:  # noqa: PT012
        connection.cursor().execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError
    connection = mynode.connect(target)
    connection.cursor().execute("INSERT INTO t VALUES (2)")
    connection.close()
    with mynode.connect(target) as connection:
        assert ids(connection) == []
