"""Every operator that can take long pauses often, and a statement ends at the pause in which it is cancelled.

How much is done between two pauses is counted in calls of functions, Python's and C's, so that no clock is needed. A
million of them take about a tenth of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from mynode.base.errors import QueryCanceledError
from mynode.mvcc import readset
from mynode.session.api import StatementReply
from mynode.session.effects import Answer, Emit, Pause
from mynode.testing.sql_sessions import LocalSession, SessionDatabase

ROWS = 6_000
MOST_CALLS = 60_000
"""Operators pause by time, so a fast machine makes more calls in a portion: up to 36,000 were counted."""

STATEMENTS = {
    "scan": "SELECT id FROM t WHERE note = 'no'",
    "range": "SELECT id FROM t WHERE a BETWEEN 1 AND 900 AND note = 'no'",
    "points": f"SELECT id FROM t WHERE id IN ({', '.join(map(str, range(ROWS)))}) AND note = 'no'",
    "sort": "SELECT id FROM t ORDER BY note || a, id DESC",
    "top": "SELECT id FROM t ORDER BY note || a LIMIT 5",
    "hash build": "SELECT count(*) FROM t JOIN t AS s ON t.b = s.b + 0",
    "full join": "SELECT count(*) FROM t FULL JOIN t AS s ON t.b = s.b + 1",
    "skewed join": "SELECT count(*) FROM t JOIN t AS s ON t.c = s.c WHERE t.id < 50",
    "skewed outer join": "SELECT count(*) FROM t LEFT JOIN t AS s ON t.c = s.c AND t.a < s.a WHERE t.id < 50",
    "semi-join": "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t AS s WHERE s.c = t.c AND s.a > t.a + 999) AND id < 90",
    "nested loop": "SELECT count(*) FROM t, t AS s WHERE t.a + s.a > 3000 AND s.id < 40",
    "look-up join": "SELECT count(*) FROM t JOIN t AS s ON s.id = t.b + 1 WHERE t.id > 0",
    "group": "SELECT b, count(*), sum(a) FROM t GROUP BY b",
    "one group": "SELECT count(DISTINCT b), string_agg(note, ','), stddev(a) FROM t",
    "ordered aggregate": "SELECT string_agg(note, ',' ORDER BY b DESC) FROM t",
    "distinct": "SELECT count(*) FROM (SELECT DISTINCT b, note FROM t) AS s",
    "except": "SELECT id FROM t EXCEPT SELECT b + 1 FROM t",
    "intersect all": "SELECT id FROM t INTERSECT ALL SELECT b FROM t",
    "union": "SELECT id FROM t UNION SELECT b FROM t",
    "with": "WITH w AS (SELECT b, count(*) AS n FROM t GROUP BY b) SELECT count(*) FROM w AS x JOIN w AS y USING (b)",
    "in sub-query": "SELECT count(*) FROM t WHERE (b IN (SELECT id FROM t)) IS NOT FALSE",
    "any": "SELECT count(*) FROM t WHERE (a > ANY (SELECT b + 99999 FROM t WHERE id < 500)) IS NOT TRUE AND id < 900",
    "correlated": "SELECT id FROM t WHERE (SELECT sum(s.a) FROM t AS s WHERE s.id < t.id % 40) > 5 AND t.id < 1000",
    "nested correlated": "SELECT count(*) FROM t WHERE 3 < (SELECT count(*) FROM t AS s WHERE s.id < 20 AND s.a <"
    " (SELECT max(u.a) FROM t AS u WHERE u.id < s.id + t.id % 9)) AND t.id < 100",
    "long function": "SELECT sum(exp((id % 50)::NUMERIC / 7)) FROM t WHERE id < 2000",
    "insert select": "INSERT INTO u SELECT id, b FROM t",
    "upsert": "INSERT INTO t (id, a) SELECT id, b FROM t ON CONFLICT (id) DO UPDATE SET a = excluded.a",
    "update": "UPDATE t SET a = a + 1 RETURNING id",
    "update of keys": "UPDATE t SET id = id + 1",
    "update by a join": "UPDATE t SET a = s.b FROM t AS s WHERE s.id = t.b",
    "delete": "DELETE FROM t RETURNING *",
    "cascade": "DELETE FROM parent",
    "restrict": "DELETE FROM kept",
    "add check": "ALTER TABLE t ADD CONSTRAINT positive CHECK (a >= 0)",
    "add foreign key": "ALTER TABLE t ADD CONSTRAINT refers FOREIGN KEY (b) REFERENCES t",
    "small index": "CREATE INDEX u_x ON v (x)",
    "index": "CREATE INDEX t_b ON t (b)",
    "explain": "EXPLAIN ANALYZE SELECT b, count(*) FROM t GROUP BY b ORDER BY 2 LIMIT 3",
    "catalog": "SELECT count(*) FROM information_schema.columns AS a, information_schema.columns AS b, t WHERE a < b",
}


def row(number: int) -> str:
    return f"({number}, {number * 7 % 997}, {number * 7919 % ROWS}, {number % 2}, '{number}')"


@pytest.fixture(scope="module")
def database() -> SessionDatabase:
    database = SessionDatabase()
    session = database.session()
    for sql in (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER, note TEXT)",
        "CREATE INDEX t_a ON t (a)",
        "CREATE TABLE u (id INTEGER PRIMARY KEY, b INTEGER UNIQUE)",
        "CREATE TABLE v (x INTEGER)",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent ON DELETE CASCADE)",
        "CREATE TABLE kept (id INTEGER PRIMARY KEY)",
        "CREATE TABLE keeping (id INTEGER PRIMARY KEY, up INTEGER REFERENCES kept)",
        f"INSERT INTO t VALUES {', '.join(map(row, range(ROWS)))}",
    ):
        session.execute(sql)
    for sql in (
        "INSERT INTO v SELECT id FROM t WHERE id < 4000",
        "INSERT INTO parent SELECT id FROM t",
        "INSERT INTO child SELECT id, id FROM t",
        "INSERT INTO kept SELECT id FROM t",
        "INSERT INTO keeping (id) SELECT id FROM t",
    ):
        session.execute(sql)
    return database


class Calls:
    """Counts calls since the last `take`, apart from those of the read set, which is coarsened in one go."""

    def __init__(self) -> None:
        self._count = 0
        self._of_read_set = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            if frame.f_code.co_filename == readset.__file__:
                self._of_read_set += 1
            else:
                self._count += 1

    def take(self) -> tuple[int, int]:
        taken = self._count, self._of_read_set
        self._count = self._of_read_set = 0
        return taken


def replies_and_pauses(
    database: SessionDatabase, session: LocalSession, sql: str, calls: Calls | None = None
) -> Iterator[StatementReply | None]:
    """Run a statement: its replies, and None for each pause. Closed at a pause, it is cancelled there."""
    steps = session.session.execute(session.request(sql))
    answer: Answer = None
    while True:
        sys.setprofile(calls)
        try:
            effect = steps.send(answer)
        except StopIteration:
            return
        finally:
            sys.setprofile(None)
        answer = None
        if isinstance(effect, Emit):
            yield effect.reply
        elif isinstance(effect, Pause):
            try:
                yield None
            except GeneratorExit:
                final = steps.throw(QueryCanceledError("canceled"))
                assert isinstance(final, Emit), "nothing is done first"
                assert final.reply.error is not None
                assert final.reply.error.sqlstate == QueryCanceledError.sqlstate
                assert next(steps, None) is None
                raise
        else:
            answer = database.perform(effect)


def begin(session: LocalSession, name: str) -> None:
    if name != "index":
        session.execute("BEGIN")


def undo(session: LocalSession, name: str) -> None:
    session.execute("DROP INDEX IF EXISTS t_b" if name == "index" else "ROLLBACK")


@pytest.mark.parametrize("name", STATEMENTS)
def test_little_is_done_between_two_pauses(database: SessionDatabase, name: str) -> None:
    session = database.session()
    begin(session, name)
    calls, pauses = Calls(), 0
    for reply in replies_and_pauses(database, session, STATEMENTS[name], calls):
        assert reply is None or reply.error is None
        pauses += reply is None
        count, of_read_set = calls.take()
        assert count <= MOST_CALLS
        assert of_read_set <= 4 * MOST_CALLS
    undo(session, name)
    assert pauses >= 3


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_cancelled_statement_ends_at_once(database: SessionDatabase, name: str) -> None:
    session = database.session()
    begin(session, name)
    running = replies_and_pauses(database, session, STATEMENTS[name])
    for _ in range(3):
        while next(running) is not None:
            pass
    running.close()
    undo(session, name)
