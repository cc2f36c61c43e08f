"""Random changes of the schema by two sessions, with rows, views, indexes and foreign keys: every view keeps its
columns and can be read, every index has the entries of its rows, and in the end nothing is left of what was dropped.
"""

from __future__ import annotations

from random import Random

import pytest

from mynode.base.sql_errors import SqlError
from mynode.machine.machine import Machine
from mynode.mvcc import keyspace
from mynode.relation.catalog import Catalog
from mynode.relation.index_check import check_indexes
from mynode.session.api import TransactionStatus
from mynode.storage.engine import MemoryEngine
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

STEPS = 250
RETENTION_ENTRIES = 30
CHANGES = (
    *2
    * ("CREATE TABLE {t} (a INTEGER PRIMARY KEY, b INTEGER DEFAULT 3, c TEXT)", "CREATE TABLE {t} (a INTEGER, b TEXT)"),
    "CREATE TABLE {t} AS SELECT * FROM {u}",
    "DROP TABLE {t}",
    "DROP TABLE {t} CASCADE",
    "TRUNCATE {t} CASCADE",
    "ALTER TABLE {t} RENAME TO {u}",
    *3 * ("ALTER TABLE {t} RENAME {x} TO {y}",),
    "ALTER TABLE {t} ADD COLUMN {x} INTEGER DEFAULT {n}",
    "ALTER TABLE {t} ADD COLUMN {x} FLOAT DEFAULT random()",
    "ALTER TABLE {t} ADD COLUMN {x} SERIAL",
    "ALTER TABLE {t} DROP COLUMN {x}",
    "ALTER TABLE {t} DROP COLUMN {x} CASCADE",
    "ALTER TABLE {t} ALTER {x} TYPE TEXT",
    "ALTER TABLE {t} ALTER {x} TYPE INTEGER USING length({x}::TEXT)",
    "ALTER TABLE {t} ADD UNIQUE ({x})",
    "ALTER TABLE {t} ADD PRIMARY KEY ({x})",
    "ALTER TABLE {t} ADD CONSTRAINT key{n} PRIMARY KEY ({x}, {y})",
    "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey",
    "ALTER TABLE {t} DROP CONSTRAINT {t}_{x}_key CASCADE",
    "ALTER TABLE {t} ADD CHECK ({x} IS NOT NULL OR {y} IS NOT NULL)",
    "ALTER TABLE {t} ADD FOREIGN KEY ({x}) REFERENCES {u} ({y}) ON DELETE CASCADE",
    "CREATE INDEX ON {t} ({x} DESC, {y})",
    "CREATE UNIQUE INDEX ON {t} ({x})",
    "DROP INDEX {t}_{x}_{y}_idx",
    *3 * ("CREATE VIEW {v} AS SELECT * FROM {t}", "CREATE VIEW {v} (p) AS SELECT {x} FROM {t} AS q (a, b)"),
    "CREATE VIEW {v} AS SELECT {x} FROM {t} NATURAL JOIN {u}",
    "CREATE VIEW {v} AS SELECT count(*) AS n FROM {t}, {u} WHERE {x} IS NOT NULL",
    "CREATE VIEW {v} AS SELECT * FROM {w}",
    "DROP VIEW {v}",
    "DROP VIEW {v} CASCADE",
)
ROWS = (
    *3 * ("INSERT INTO {t} VALUES ({n}, {m})", "INSERT INTO {t} SELECT * FROM {t} WHERE {x} IS NULL"),
    "UPDATE {t} SET {x} = {y}",
    "UPDATE {t} SET {x} = NULL",
    "DELETE FROM {t} WHERE {x} IS NOT NULL",
    "INSERT INTO {t} SELECT * FROM {v}",
)
BLOCKS = ("BEGIN", "SAVEPOINT s", "ROLLBACK TO s", "COMMIT", "COMMIT", "ROLLBACK")


def statement(random: Random) -> str:
    template = random.choice(random.choice((CHANGES, CHANGES, ROWS, ROWS, BLOCKS)))
    t, u = random.sample(("t0", "t1", "t2"), 2)
    v, w = random.sample(("v0", "v1"), 2)
    x, y = random.sample("abc", 2)
    return template.format(t=t, u=u, v=v, w=w, x=x, y=y, n=random.randrange(5), m=random.randrange(5))


def check(database: SessionDatabase, reader: LocalSession) -> int:
    """That views have their columns and can be read, and that indexes are right; how many views there are."""
    view = database.machine.view()
    assert check_indexes(view) == []
    views = Catalog.load(view).views
    for name, found in views.items():
        answer = reader.answer(f"SELECT * FROM {name}")
        assert answer.error is None, (name, found, answer.error)
        assert [column.name for column in answer.columns] == [column.name for column in found.columns]
    return len(views)


@pytest.mark.parametrize("seed", range(4))
def test_views_and_indexes_stay_whole(seed: int) -> None:
    random = Random(seed)
    database = SessionDatabase(random=random, machine=Machine(MemoryEngine(), retention_entries=RETENTION_ENTRIES))
    sessions = [database.session() for _ in range(2)]
    reader = database.session()
    done = views = 0
    for _ in range(STEPS):
        session = random.choice(sessions)
        answer = session.answer(statement(random))
        assert answer.error is None or isinstance(answer.error, SqlError), answer.error
        done += answer.error is None
        if answer.status is TransactionStatus.FAILED and random.random() < 0.7:
            session.execute("ROLLBACK")
        views += check(database, reader)
    database.machine.check_invariants()
    assert done > STEPS // 5
    assert views > STEPS // 5
    for session in sessions:
        session.answer("ROLLBACK")
    for name in [*Catalog.load(database.machine.view()).tables]:
        reader.answer(f"DROP TABLE {name} CASCADE")
    for number in range(RETENTION_ENTRIES + 150):
        reader.execute(f"CREATE OR REPLACE VIEW clock AS SELECT {number} AS n")
    database.machine.check_invariants()
    left = [key for key, _ in database.machine.view().scan(keyspace.ROWS, keyspace.MACHINE)]
    assert all(key.startswith(keyspace.COUNTERS) for key in left)
