"""RETURNING: rows of a statement that writes come when it is committed, and again for a retry."""

from __future__ import annotations

import pytest

from mynode.base.errors import OutcomeUnknownError
from mynode.base.limits import MAX_STORED_RESULT_BYTES
from mynode.base.sql_errors import ProgramLimitExceededError
from mynode.session.api import ColumnInfo
from mynode.testing.sql_sessions import SessionDatabase

COLUMNS = (ColumnInfo("id", "INTEGER"), ColumnInfo("name", "TEXT"))
INSERT = "INSERT INTO t VALUES (1, 'one'), (2, NULL) RETURNING *"


@pytest.fixture
def database() -> SessionDatabase:
    database = SessionDatabase()
    database.session().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    return database


def test_rows_come_with_the_completion(database: SessionDatabase) -> None:
    answer = database.session().answer(INSERT)
    assert (answer.columns, answer.rows, answer.tag) == (COLUMNS, [(1, "one"), (2, None)], "INSERT 0 2")
    answer = database.session().answer("DELETE FROM t WHERE id > 5 RETURNING *")
    assert (answer.columns, answer.rows, answer.tag) == (COLUMNS, [], "DELETE 0")


def test_a_retry_has_the_rows_of_the_first_attempt(database: SessionDatabase) -> None:
    session = database.session()
    database.loses_outcomes = True
    with pytest.raises(OutcomeUnknownError):
        session.execute(INSERT)
    database.loses_outcomes = False
    database.apply(database.held.pop())
    answer = session.answer(INSERT, is_retry=True)
    assert (answer.columns, answer.rows, answer.tag) == (COLUMNS, [(1, "one"), (2, None)], "INSERT 0 2")
    assert session.answer(INSERT, is_retry=True).rows == answer.rows


def test_rows_after_a_conflict_are_those_of_the_attempt_that_commits(database: SessionDatabase) -> None:
    session = database.session()
    session.execute(INSERT)
    other = database.session()
    other.execute("BEGIN")
    assert other.execute("UPDATE t SET name = 'other' WHERE id = 1 RETURNING name") == [("other",)]
    assert session.execute("UPDATE t SET name = name || '!' WHERE id = 1 RETURNING name") == [("one!",)]
    assert other.answer("COMMIT").error is not None


def test_too_many_rows_to_keep_change_nothing(database: SessionDatabase) -> None:
    session = database.session()
    session.execute(INSERT)
    text = "x" * (MAX_STORED_RESULT_BYTES // 2)
    with pytest.raises(ProgramLimitExceededError, match="rows returned"):
        session.execute(f"UPDATE t SET name = '{text}' RETURNING name, name")
    assert session.execute("SELECT name FROM t") == [("one",), (None,)]
    session.execute("BEGIN")
    assert len(session.execute(f"UPDATE t SET name = '{text}' RETURNING name, name")) == 2
