"""AS OF SYSTEM TIME with versions, statement by statement, on one state machine."""

from __future__ import annotations

import pytest

from mynode.base.errors import MyNodeError, OutcomeUnknownError
from mynode.base.limits import HISTORY_VALUE_BYTES
from mynode.base.sql_errors import (
    FeatureNotSupportedError,
    InvalidDatetimeError,
    InvalidParameterValueError,
    SerializationFailureError,
    SnapshotTooOldError,
    SqlSyntaxError,
    UndefinedTableError,
)
from mynode.machine.machine import Machine
from mynode.raft.messages import Entry, EntryKind
from mynode.session.api import Row
from mynode.storage.engine import MemoryEngine
from mynode.testing.sql_sessions import LocalSession, SessionDatabase


@pytest.fixture
def session() -> LocalSession:
    session = SessionDatabase().session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")
    return session


def version(session: LocalSession) -> int:
    return session.answer("SELECT 1").version


def rows(session: LocalSession, at: int | str) -> list[Row]:
    when = at if isinstance(at, int) else f"'{at}'"
    return session.execute(f"SELECT * FROM t AS OF SYSTEM TIME {when} ORDER BY id")


def test_each_version_stays_as_it_was(session: LocalSession) -> None:
    states: list[tuple[int, list[Row]]] = []
    for sql in (
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
        "UPDATE t SET value = value || '!' WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t VALUES (2, 'again'), (3, 'c')",
        "UPDATE t SET id = id + 10",
        "DELETE FROM t",
    ):
        session.execute(sql)
        states.append((version(session), session.execute("SELECT * FROM t ORDER BY id")))
    for at, expected in states:
        answer = session.answer(f"SELECT * FROM t AS OF SYSTEM TIME {at} ORDER BY id")
        assert (answer.rows, answer.version) == (expected, at)


def test_the_schema_is_that_of_the_version(session: LocalSession) -> None:
    session.execute("INSERT INTO t VALUES (1, 'a')")
    first = version(session)
    session.execute("CREATE INDEX by_value ON t (value)")
    session.execute("UPDATE t SET value = 'b'")
    second = version(session)
    session.execute("DROP TABLE t")
    session.execute("CREATE TABLE t (other INTEGER)")
    session.execute("DROP TABLE t")
    assert rows(session, first) == [(1, "a")]
    assert rows(session, second) == [(1, "b")]
    by_index = "SELECT id FROM t AS OF SYSTEM TIME {} WHERE value = 'a'"
    assert session.execute(by_index.format(first)) == [(1,)]
    assert session.execute(by_index.format(second)) == []
    for sql in ("SELECT * FROM t", "SELECT * FROM t AS OF SYSTEM TIME 0"):
        with pytest.raises(UndefinedTableError):
            session.execute(sql)


def test_it_counts_for_the_whole_query(session: LocalSession) -> None:
    session.execute("INSERT INTO t VALUES (1, 'a')")
    at = version(session)
    session.execute("UPDATE t SET value = 'b'")
    both = f"SELECT a.value, b.value FROM t a JOIN t b ON a.id = b.id AS OF SYSTEM TIME {at} WHERE a.id = 1"
    assert session.execute(both) == [("a", "a")]
    inner = f"SELECT (SELECT max(value) FROM t), value FROM (SELECT value FROM t AS OF SYSTEM TIME {at}) AS old"
    assert session.execute(inner) == [("a", "a")]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT * FROM t AS OF SYSTEM TIME 1000000", InvalidParameterValueError),
        ("SELECT * FROM t AS OF SYSTEM TIME -1", SnapshotTooOldError),
        ("SELECT * FROM t AS OF SYSTEM TIME '-1h'", SnapshotTooOldError),
        ("SELECT * FROM t AS OF SYSTEM TIME '2999-01-01'", InvalidParameterValueError),
        ("SELECT * FROM t AS OF SYSTEM TIME 'yesterday'", InvalidDatetimeError),
        ("SELECT * FROM t AS OF SYSTEM TIME 1 + 1", FeatureNotSupportedError),
        ("SELECT * FROM t AS OF SYSTEM 3", SqlSyntaxError),
        ("UPDATE t SET value = (SELECT max(value) FROM t AS OF SYSTEM TIME 1)", FeatureNotSupportedError),
        ("CREATE VIEW v AS SELECT * FROM t AS OF SYSTEM TIME 1", FeatureNotSupportedError),
        (
            "SELECT * FROM t AS OF SYSTEM TIME 1 UNION SELECT * FROM t AS OF SYSTEM TIME 2",
            FeatureNotSupportedError,
        ),
    ],
)
def test_what_cannot_be_read_is_an_error(session: LocalSession, sql: str, error: type[MyNodeError]) -> None:
    with pytest.raises(error):
        session.execute(sql)


def test_a_transaction_has_one_view_already(session: LocalSession) -> None:
    at = version(session)
    session.execute("BEGIN")
    with pytest.raises(FeatureNotSupportedError):
        rows(session, at)


def test_an_alias_may_be_of_without_as(session: LocalSession) -> None:
    session.execute("INSERT INTO t VALUES (1, 'a')")
    assert session.execute("SELECT of.id FROM t of") == [(1,)]


def test_only_so_much_is_kept() -> None:
    session = SessionDatabase(machine=Machine(MemoryEngine(), history_records=3)).session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")
    session.execute("INSERT INTO t VALUES (1, '0')")
    versions = []
    for number in range(1, 8):
        session.execute("UPDATE t SET value = ?", str(number))
        versions.append(version(session))
    assert rows(session, versions[-3]) == [(1, "5")]
    with pytest.raises(SnapshotTooOldError) as caught:
        rows(session, versions[0])
    assert caught.value.hint == f"The oldest is version {versions[-4]}."
    assert rows(session, versions[-4]) == [(1, "4")]


def test_the_oldest_version_follows_the_retention() -> None:
    database = SessionDatabase()
    session = database.session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")
    session.execute("INSERT INTO t VALUES (1, 'a')")
    at = version(session)
    session.execute("UPDATE t SET value = 'b'")
    session.execute("ALTER SYSTEM SET history_retention = 1000")
    pass_by(database, at + 1000)
    assert rows(session, at) == [(1, "a")]
    session.execute("ALTER SYSTEM RESET history_retention")
    for _ in range(2):
        with pytest.raises(SnapshotTooOldError) as caught:
            rows(session, at)
        assert caught.value.hint == f"The oldest is version {at + 1}.", "what is gone stays gone"
        session.execute("UPDATE t SET value = 'c'")
    assert rows(session, at + 1) == [(1, "b")]


def pass_by(database: SessionDatabase, version: int) -> None:
    """Let the log grow."""
    first = database.machine.applied + 1
    database.machine.apply([Entry(1, index, EntryKind.NOOP, b"", b"") for index in range(first, version + 1)])


def test_a_shorter_retention_ends_what_is_open() -> None:
    database = SessionDatabase()
    session = database.session()
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (1, 'a')")
    pass_by(database, 1100)
    database.session().execute("ALTER SYSTEM SET history_retention = 1000")
    with pytest.raises(SerializationFailureError, match="age"):
        session.execute("COMMIT")


def test_alter_system_applies_once() -> None:
    database = SessionDatabase()
    session, other = database.session(), database.session()
    database.loses_outcomes = True
    assert isinstance(session.answer("ALTER SYSTEM SET history_retention = 2000").error, OutcomeUnknownError)
    database.loses_outcomes = False
    late = database.held.pop()
    assert session.answer("ALTER SYSTEM SET history_retention = 2000", is_retry=True).tag == "ALTER SYSTEM"
    other.execute("ALTER SYSTEM SET history_retention = 3000")
    database.apply(late)
    assert other.execute("SHOW history_retention") == [("3000",)]


def test_what_was_before_a_long_value_was_replaced_is_not_kept(session: LocalSession) -> None:
    session.execute("INSERT INTO t VALUES (1, ?)", "x" * HISTORY_VALUE_BYTES)
    at = version(session)
    assert len(rows(session, at)) == 1
    session.execute("DELETE FROM t")
    with pytest.raises(SnapshotTooOldError):
        rows(session, at)
    assert rows(session, version(session)) == []
