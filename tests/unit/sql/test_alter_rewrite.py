"""ALTER TABLE that writes rows anew: how far it goes, and that it leaves no number to be given twice."""

from __future__ import annotations

import pytest

from mynode.base.limits import MAX_TRANSACTION_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.testing.sql_database import SqlDatabase
from mynode.testing.sql_sessions import SessionDatabase


def test_a_table_too_large_to_be_rewritten_stays_as_it_is() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)")
    length = 500_000
    count = MAX_TRANSACTION_BYTES // length + 1
    for number in range(count):
        database.execute(f"INSERT INTO t VALUES ({number}, repeat('x', {length}))")
    with pytest.raises(ProgramLimitExceededError, match="too large to be rewritten") as caught:
        database.execute("ALTER TABLE t ADD COLUMN r FLOAT DEFAULT random()")
    assert caught.value.hint is not None
    assert [column.name for column in database.execute("SELECT * FROM t LIMIT 1").columns] == ["id", "s"]
    database.execute("ALTER TABLE t ADD COLUMN r FLOAT DEFAULT 0.5")
    assert database.execute("SELECT count(*) FROM t WHERE r = 0.5").rows == [(count,)]


def test_numbers_taken_before_the_commit_are_not_given_again() -> None:
    database = SessionDatabase()
    one, other = database.session(), database.session()
    one.execute("CREATE TABLE t (s TEXT)")
    one.execute("INSERT INTO t VALUES ('a'), ('b'), ('c')")
    one.execute("BEGIN")
    one.execute("ALTER TABLE t ADD COLUMN id SERIAL")
    one.execute("INSERT INTO t (s) VALUES ('d')")
    one.execute("COMMIT")
    for number in range(40):
        other.execute(f"INSERT INTO t (s) VALUES ('{number}')")
    numbers = [row[0] for row in one.answer("SELECT id FROM t ORDER BY s DESC").rows]
    assert len(set(numbers)) == len(numbers) == 44
    assert numbers[:4] == [4, 3, 2, 1]


def test_numbers_go_on_behind_those_of_the_rows_that_were_there() -> None:
    database = SqlDatabase()
    database.execute("CREATE TABLE t (s TEXT)")
    database.execute("INSERT INTO t SELECT 'x' FROM (VALUES (1), (2), (3)) AS a, (VALUES (1), (2), (3)) AS b")
    database.execute("ALTER TABLE t ADD COLUMN id SERIAL PRIMARY KEY")
    database.execute("INSERT INTO t (s) VALUES ('y'), ('z')")
    assert database.execute("SELECT id FROM t ORDER BY id").rows == [(number,) for number in range(1, 12)]
