"""Explicit transactions of a session, statement by statement, on one state machine."""

from __future__ import annotations

import pytest

from mynode.base.errors import MyNodeError, OutcomeUnknownError, QueryCanceledError
from mynode.base.limits import MAX_SAVEPOINTS
from mynode.base.sql_errors import (
    ActiveTransactionError,
    IdleInTransactionTimeoutError,
    InFailedTransactionError,
    InvalidSavepointError,
    NoActiveTransactionError,
    ProgramLimitExceededError,
    ReadOnlyTransactionError,
    SerializationFailureError,
    UndefinedTableError,
    UniqueViolationError,
)
from mynode.machine.machine import Machine
from mynode.session.api import Row, TransactionStatus
from mynode.session.effects import Emit, OpenFreshView
from mynode.storage.engine import MemoryEngine
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

IDLE, OPEN, FAILED = TransactionStatus


@pytest.fixture
def database() -> SessionDatabase:
    database = SessionDatabase()
    session = database.session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
    session.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    database.proposals = 0
    return database


@pytest.fixture
def session(database: SessionDatabase) -> LocalSession:
    return database.session()


def rows(database: SessionDatabase) -> list[Row]:
    return database.session().execute("SELECT id, value FROM t ORDER BY id")


def fails(session: LocalSession, sql: str, error: type[MyNodeError], status: TransactionStatus) -> MyNodeError:
    answer = session.answer(sql)
    assert isinstance(answer.error, error), answer
    assert answer.status is status
    return answer.error


# --- commit and rollback ---------------------------------------------------------------------------------------------


def test_a_transaction_is_one_entry_and_shows_itself_its_writes_only(
    database: SessionDatabase, session: LocalSession
) -> None:
    assert session.answer("BEGIN").status is OPEN
    session.execute("INSERT INTO t VALUES (3, 30)")
    session.execute("UPDATE t SET value = value + 1 WHERE id = 3")
    session.execute("DELETE FROM t WHERE id = 1")
    assert session.execute("SELECT id, value FROM t") == [(2, 20), (3, 31)]
    assert rows(database) == [(1, 10), (2, 20)]
    assert database.proposals == 0
    commit = session.answer("COMMIT")
    assert (commit.tag, commit.status, commit.error) == ("COMMIT", IDLE, None)
    assert commit.version == database.machine.applied
    assert database.proposals == 1
    assert rows(database) == [(2, 20), (3, 31)]


@pytest.mark.parametrize("end", ["ROLLBACK", "ABORT"])
def test_a_rollback_leaves_nothing(database: SessionDatabase, session: LocalSession, end: str) -> None:
    session.execute("START TRANSACTION")
    session.execute("INSERT INTO t VALUES (3, 30)")
    answer = session.answer(end)
    assert (answer.tag, answer.status) == ("ROLLBACK", IDLE)
    assert database.proposals == 0
    assert rows(database) == [(1, 10), (2, 20)]


def test_all_statements_read_the_state_of_the_first(database: SessionDatabase, session: LocalSession) -> None:
    session.execute("BEGIN")
    database.session().execute("UPDATE t SET value = 11 WHERE id = 1")
    assert session.execute("SELECT value FROM t WHERE id = 1") == [(11,)], "BEGIN alone opens no view"
    database.session().execute("UPDATE t SET value = 12 WHERE id = 1")
    assert session.execute("SELECT value FROM t WHERE id = 1") == [(11,)]
    assert session.answer("COMMIT").tag == "COMMIT"
    assert session.execute("SELECT value FROM t WHERE id = 1") == [(12,)]


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN READ ONLY"])
def test_a_transaction_without_writes_commits_without_a_proposal(
    database: SessionDatabase, session: LocalSession, begin: str
) -> None:
    session.execute(begin)
    session.execute("SELECT value FROM t")
    database.session().execute("UPDATE t SET value = 0")
    database.proposals = 0
    assert session.answer("COMMIT").error is None
    session.execute("BEGIN")
    assert session.answer("COMMIT").tag == "COMMIT"
    assert database.proposals == 0


def test_a_conflict_rolls_back_and_hints_to_run_it_again(database: SessionDatabase, session: LocalSession) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE t SET value = value + 1 WHERE id = 1")
    database.session().execute("UPDATE t SET value = value + 1 WHERE id = 1")
    commit = session.answer("COMMIT")
    assert isinstance(commit.error, SerializationFailureError)
    assert commit.error.hint is not None
    assert (commit.status, commit.retryable) == (IDLE, False)
    assert rows(database) == [(1, 11), (2, 20)]


def test_a_transaction_older_than_what_is_kept_cannot_commit() -> None:
    database = SessionDatabase(machine=Machine(MemoryEngine(), retention_entries=3))
    session = database.session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (100)")
    for number in range(5):
        database.session().execute("INSERT INTO t VALUES (?)", number)
    assert "age" in str(fails(session, "COMMIT", SerializationFailureError, IDLE))


def test_schema_changes_belong_to_the_transaction(database: SessionDatabase, session: LocalSession) -> None:
    session.execute("BEGIN")
    session.execute("CREATE TABLE u (id INTEGER PRIMARY KEY)")
    session.execute("INSERT INTO u SELECT id FROM t")
    assert session.execute("SELECT id FROM u") == [(1,), (2,)]
    fails(database.session(), "SELECT id FROM u", UndefinedTableError, IDLE)
    session.execute("ROLLBACK")
    fails(session, "SELECT id FROM u", UndefinedTableError, IDLE)
    for sql in ("BEGIN", "CREATE TABLE u (id TEXT)", "DROP TABLE t", "COMMIT"):
        session.execute(sql)
    assert database.session().execute("SELECT id FROM u") == []
    fails(database.session(), "SELECT id FROM t", UndefinedTableError, IDLE)


def test_a_schema_change_by_another_conflicts(database: SessionDatabase, session: LocalSession) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (3, 30)")
    database.session().execute("DROP TABLE t")
    fails(session, "COMMIT", SerializationFailureError, IDLE)


# --- failure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (4, 1), (1, 1)", "SELEC", "SELECT FROM u", "SELECT 1 / 0"])
def test_after_a_failure_only_a_rollback_helps(database: SessionDatabase, session: LocalSession, sql: str) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (3, 30)")
    assert session.answer(sql).status is FAILED
    for ignored in ("SELECT 1", "BEGIN", "SAVEPOINT a", "RELEASE a", "INSERT INTO t VALUES (5, 5)"):
        fails(session, ignored, InFailedTransactionError, FAILED)
    commit = session.answer("COMMIT")
    assert (commit.tag, commit.status, commit.error) == ("ROLLBACK", IDLE, None)
    assert rows(database) == [(1, 10), (2, 20)]
    assert database.proposals == 0


def test_no_error_inside_a_transaction_is_worth_sending_again(session: LocalSession) -> None:
    session.execute("BEGIN")
    steps = session.session.execute(session.request("SELECT value FROM t"))
    assert isinstance(next(steps), OpenFreshView)
    final = steps.throw(QueryCanceledError("too late"))
    assert isinstance(final, Emit)
    assert final.reply.error is not None
    assert not final.reply.error.retryable
    assert final.reply.transaction is FAILED


def test_a_crash_of_ours_fails_the_transaction(session: LocalSession) -> None:
    session.execute("BEGIN")
    steps = session.session.execute(session.request("SELECT value FROM t"))
    next(steps)
    with pytest.raises(ZeroDivisionError):
        steps.throw(ZeroDivisionError())
    fails(session, "SELECT 1", InFailedTransactionError, FAILED)


def test_begin_inside_and_commit_outside_are_errors(session: LocalSession) -> None:
    fails(session, "COMMIT", NoActiveTransactionError, IDLE)
    assert session.answer("ROLLBACK").tag == "ROLLBACK"
    for sql in ("SAVEPOINT a", "ROLLBACK TO a", "RELEASE a"):
        fails(session, sql, NoActiveTransactionError, IDLE)
    session.execute("BEGIN")
    fails(session, "BEGIN", ActiveTransactionError, FAILED)
    session.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("sql", "command"),
    [
        ("INSERT INTO t VALUES (9, 9)", "INSERT"),
        ("CREATE TABLE u (id INTEGER)", "CREATE TABLE"),
        ("DELETE FROM t", "DELETE"),
    ],
)
def test_a_read_only_transaction_does_not_write(session: LocalSession, sql: str, command: str) -> None:
    session.execute("BEGIN READ ONLY")
    assert session.execute("SELECT value FROM t") == [(10,), (20,)]
    error = fails(session, sql, ReadOnlyTransactionError, FAILED)
    assert error.message == f"cannot execute {command} in a read-only transaction"


def test_an_idle_transaction_is_gone_and_says_so(database: SessionDatabase, session: LocalSession) -> None:
    for end in ("COMMIT", "ROLLBACK"):
        assert not session.session.can_time_out
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (3, 30)")
        session.execute("SAVEPOINT a")
        assert session.session.can_time_out
        session.session.time_out_transaction()
        assert not session.session.can_time_out
        for sql in ("SELECT 1", "INSERT INTO t VALUES (4, 4)", "ROLLBACK TO a"):
            fails(session, sql, IdleInTransactionTimeoutError, FAILED)
        if end == "COMMIT":
            fails(session, end, IdleInTransactionTimeoutError, IDLE)
        else:
            assert session.answer(end).status is IDLE
    assert rows(database) == [(1, 10), (2, 20)]


# --- savepoints ------------------------------------------------------------------------------------------------------


def test_a_savepoint_undoes_writes_and_failure(database: SessionDatabase, session: LocalSession) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (3, 30)")
    session.execute("SAVEPOINT a")
    session.execute("DELETE FROM t")
    fails(session, "INSERT INTO t VALUES (3, 3), (3, 4)", UniqueViolationError, FAILED)
    assert session.answer("ROLLBACK TO a").status is OPEN
    assert session.execute("SELECT id FROM t") == [(1,), (2,), (3,)]
    session.execute("UPDATE t SET value = 31 WHERE id = 3")
    assert session.answer("ROLLBACK TO SAVEPOINT a").tag == "ROLLBACK"
    assert session.answer("RELEASE a").tag == "RELEASE"
    assert session.answer("COMMIT").error is None
    assert rows(database) == [(1, 10), (2, 20), (3, 30)]


def test_a_savepoint_hides_an_older_one_of_its_name(session: LocalSession) -> None:
    session.execute("BEGIN")
    for value in (1, 2, 3):
        session.execute("UPDATE t SET value = ? WHERE id = 1", value)
        session.execute("SAVEPOINT a")
    session.execute("UPDATE t SET value = 4 WHERE id = 1")
    for expected in (3, 2, 1):
        session.execute("ROLLBACK TO a")
        assert session.execute("SELECT value FROM t WHERE id = 1") == [(expected,)]
        session.execute("RELEASE a")
    fails(session, "ROLLBACK TO a", InvalidSavepointError, FAILED)


def test_what_was_read_before_a_rollback_to_a_savepoint_still_counts(
    database: SessionDatabase, session: LocalSession
) -> None:
    session.execute("BEGIN")
    session.execute("SAVEPOINT a")
    seen = session.execute("SELECT value FROM t WHERE id = 1")
    session.execute("ROLLBACK TO a")
    session.execute("INSERT INTO t VALUES (3, ?)", seen[0][0])
    database.session().execute("UPDATE t SET value = 11 WHERE id = 1")
    fails(session, "COMMIT", SerializationFailureError, IDLE)


def test_a_schema_change_is_undone_by_a_savepoint(session: LocalSession) -> None:
    session.execute("BEGIN")
    session.execute("SAVEPOINT a")
    session.execute("DROP TABLE t")
    session.execute("CREATE TABLE t (name TEXT)")
    assert session.execute("SELECT name FROM t") == []
    session.execute("ROLLBACK TO a")
    assert session.execute("SELECT value FROM t WHERE id = 1") == [(10,)]
    assert session.answer("COMMIT").error is None


def test_savepoints_are_bounded(session: LocalSession) -> None:
    session.execute("BEGIN")
    for _ in range(MAX_SAVEPOINTS):
        session.execute("SAVEPOINT a")
    fails(session, "SAVEPOINT a", ProgramLimitExceededError, FAILED)


# --- a COMMIT whose answer is lost -----------------------------------------------------------------------------------


@pytest.fixture
def lost(database: SessionDatabase, session: LocalSession) -> LocalSession:
    """A session whose COMMIT got no answer; its entry is in `database.held`."""
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (3, 30)")
    database.loses_outcomes = True
    answer = session.answer("COMMIT")
    assert isinstance(answer.error, OutcomeUnknownError)
    assert answer.status is IDLE
    database.loses_outcomes = False
    return session


def elsewhere(database: SessionDatabase, session: LocalSession) -> LocalSession:
    other = database.session(session_id=session.id)
    other.sequence = session.sequence
    return other


def test_a_commit_that_was_applied_is_found(database: SessionDatabase, lost: LocalSession) -> None:
    database.apply(database.held[0])
    database.proposals = 0
    answer = elsewhere(database, lost).answer("COMMIT", is_retry=True)
    assert (answer.tag, answer.error, database.proposals) == ("COMMIT", None, 0)
    assert rows(database)[-1] == (3, 30)


def test_a_commit_that_was_not_applied_never_will_be(database: SessionDatabase, lost: LocalSession) -> None:
    first = elsewhere(database, lost).answer("COMMIT", is_retry=True)
    assert isinstance(first.error, SerializationFailureError)
    assert not first.retryable
    database.apply(database.held[0])
    assert rows(database) == [(1, 10), (2, 20)]
    again = elsewhere(database, lost).answer("COMMIT", is_retry=True)
    assert isinstance(again.error, SerializationFailureError)


def test_the_log_decides_between_a_commit_and_its_retry(database: SessionDatabase, lost: LocalSession) -> None:
    """The retry is in the log behind the COMMIT, though its node had not applied that when it proposed."""
    database.loses_outcomes = True
    assert isinstance(elsewhere(database, lost).answer("COMMIT", is_retry=True).error, OutcomeUnknownError)
    commit, retry = database.held
    database.apply(commit)
    database.apply(retry)
    database.loses_outcomes = False
    assert elsewhere(database, lost).answer("COMMIT", is_retry=True).tag == "COMMIT"
    assert rows(database)[-1] == (3, 30)


def test_a_commit_in_the_log_does_not_touch_what_came_after_the_verdict(
    database: SessionDatabase, lost: LocalSession
) -> None:
    other = elsewhere(database, lost)
    other.answer("COMMIT", is_retry=True)
    other.execute("INSERT INTO t VALUES (3, 33)")
    database.apply(database.held[0])
    assert rows(database)[-1] == (3, 33)


def test_a_retry_of_commit_on_the_session_that_holds_the_transaction_commits_it(
    database: SessionDatabase, session: LocalSession
) -> None:
    """Its first sending was refused before it reached the session."""
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (3, 30)")
    session.sequence += 1
    assert session.answer("COMMIT", is_retry=True).error is None
    assert rows(database)[-1] == (3, 30)
