"""Dropped tables, indexes and counters leave nothing behind, once nobody can read them any more."""

from __future__ import annotations

import pytest

from mynode.machine.machine import Machine
from mynode.mvcc import keyspace
from mynode.storage.engine import MemoryEngine
from mynode.testing.sql_sessions import SessionDatabase

RETENTION = 10
MADE = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, n SERIAL, s TEXT UNIQUE)",
    "CREATE INDEX t_n ON t (n)",
    "INSERT INTO t (id, s) SELECT a * 10 + b, a || '-' || b FROM (VALUES (1), (2), (3), (4), (5)) AS x (a), "
    "(VALUES (1), (2), (3), (4), (5)) AS y (b)",
    "DELETE FROM t WHERE id < 20",
)


def keys(database: SessionDatabase) -> list[bytes]:
    """Those of rows, index entries and counters, tombstones too, and what is noted as garbage."""
    return [key for key, _ in database.machine.view().tree.scan(keyspace.ROWS, keyspace.MACHINE)]


def settle(database: SessionDatabase) -> None:
    """Entries enough for all garbage to go."""
    session = database.session()
    for number in range(40):
        session.execute(f"CREATE OR REPLACE VIEW clock AS SELECT {number} AS n")
        database.machine.check_invariants()


def made() -> SessionDatabase:
    database = SessionDatabase(machine=Machine(MemoryEngine(), retention_entries=RETENTION))
    session = database.session()
    for sql in MADE:
        session.execute(sql)
    return database


@pytest.mark.parametrize(
    "drop",
    [
        ("DROP TABLE t",),
        ("TRUNCATE t RESTART IDENTITY", "DROP TABLE t"),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey", "DROP TABLE t"),
        ("ALTER TABLE t RENAME TO u", "DROP TABLE u"),
        (
            "BEGIN",
            "DROP TABLE t",
            "CREATE TABLE t (id SERIAL PRIMARY KEY)",
            "INSERT INTO t DEFAULT VALUES",
            "DROP TABLE t",
            "COMMIT",
        ),
    ],
)
def test_nothing_is_left_of_a_table(drop: tuple[str, ...]) -> None:
    database = made()
    session = database.session()
    for sql in drop:
        session.execute(sql)
    assert keys(database)
    settle(database)
    assert keys(database) == []


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        (("DROP INDEX t_n",), 20 + 20 + 1),
        (("ALTER TABLE t DROP COLUMN s",), 20 + 20 + 1),
        (("ALTER TABLE t DROP COLUMN n",), 20 + 20),
        (("ALTER TABLE t DROP CONSTRAINT t_s_key, DROP COLUMN n",), 20),
        (("ALTER TABLE t DROP CONSTRAINT t_pkey",), 20 + 20 + 20 + 1),
        (("TRUNCATE t",), 1),
        (("BEGIN", "DROP TABLE t", "ROLLBACK"), 20 + 20 + 20 + 1),
        (("BEGIN", "SAVEPOINT a", "DROP TABLE t", "ROLLBACK TO a", "DROP INDEX t_n", "COMMIT"), 20 + 20 + 1),
    ],
)
def test_what_is_used_stays(drop: tuple[str, ...], left: int) -> None:
    database = made()
    session = database.session()
    for sql in drop:
        session.execute(sql)
    settle(database)
    assert len(keys(database)) == left


def test_the_past_has_its_tables_as_long_as_it_is_kept() -> None:
    database = made()
    session = database.session()
    version = database.machine.applied
    session.execute("DROP TABLE t")
    for number in range(RETENTION - 2):
        assert session.answer(f"SELECT count(*) FROM t AS OF SYSTEM TIME {version}").rows == [(20,)]
        session.execute(f"CREATE OR REPLACE VIEW clock AS SELECT {number} AS n")
    settle(database)
    # Nothing is left of it. A session refuses to look that far back, but not here: only this machine knows the limit.
    assert session.answer(f"SELECT count(*) FROM t AS OF SYSTEM TIME {version}").rows != [(20,)]
