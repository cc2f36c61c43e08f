"""How long one statement keeps a node's loop from everything else: `python benches/loop_stalls.py [rows] [name …]`.

Runs one embedded node and, for each statement, prints how long it took, how late a task was that wanted to wake up each
10 ms (a heartbeat, say), and the longest step that any task took without giving way: its CPU time, and the task's name.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import trio

from mynode.base.errors import MyNodeError
from mynode.base.limits import SWITCH_INTERVAL_S
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.client.session import Session
from mynode.cluster.node_process import collect_garbage_seldom
from mynode.embedded import open_embedded

BEAT_S = 0.01
INSERTED_AT_ONCE = 40_000


@dataclass(frozen=True, slots=True)
class Case:
    """A statement to measure; `undo` puts things back."""

    name: str
    sql: str
    undo: str | None = None


def cases(rows: int) -> list[Case]:
    some = min(rows, 40_000)
    tuples = ", ".join(f"({number},{number}+1)" for number in range(60_000))
    values = f"INSERT INTO u (id, a) VALUES {tuples[:1_000_000].rpartition(', ')[0]}"
    return [
        Case("long-values", values, "DELETE FROM u"),
        Case("long-in-list", f"SELECT count(*) FROM t WHERE a + 1 IN ({', '.join(map(str, range(120_000)))})"),
        Case("long-sum", f"SELECT {' + '.join(['1'] * 150)} IN ({', '.join(['2 + 3'] * 100_000)})"),
        Case("long-wrong", f"SELECT {'1, ' * 300_000}"),
        Case("insert-select", f"INSERT INTO u SELECT id, a FROM t WHERE id < {some}"),
        Case("update", "UPDATE u SET a = a + 1"),
        Case("update-keys", f"UPDATE u SET id = id + {rows}"),
        Case("returning", "UPDATE u SET a = a + 1 WHERE a % 2 = 0 RETURNING id"),
        Case("delete", "DELETE FROM u"),
        Case("insert-50k", f"INSERT INTO u SELECT id, a FROM t WHERE id < {some}"),
        Case("cascade", "DELETE FROM parent"),
        Case("scan", "SELECT count(*) FROM t WHERE note LIKE '%x%y%'"),
        Case("sort", "SELECT count(*) FROM (SELECT a, id FROM t ORDER BY a, id DESC OFFSET 1) AS s"),
        Case("sort-text", "SELECT count(*) FROM (SELECT note FROM t ORDER BY note || a OFFSET 1) AS s"),
        Case("top-n", "SELECT id FROM t ORDER BY a LIMIT 10"),
        Case("hash-join", "SELECT count(*) FROM t JOIN t AS s ON t.a + 0 = s.id + 0"),
        Case("full-join", "SELECT count(*) FROM t FULL JOIN t AS s ON t.a + 0 = s.id + 1"),
        Case("skewed-join", "SELECT count(*) FROM t LEFT JOIN t AS s ON t.a % 2 = s.id - s.id WHERE t.id < 30"),
        Case("group-by", "SELECT count(*) FROM (SELECT a, count(*), sum(id) FROM t GROUP BY a) AS s"),
        Case("group-all", "SELECT count(DISTINCT a), string_agg(note, ','), avg(a), stddev(a) FROM t"),
        Case("distinct", "SELECT count(*) FROM (SELECT DISTINCT a, id FROM t) AS s"),
        Case("except", "SELECT count(*) FROM (SELECT id FROM t EXCEPT SELECT a FROM t) AS s"),
        Case("in-subquery", "SELECT count(*) FROM t WHERE (a IN (SELECT id FROM t)) IS NOT FALSE"),
        Case("correlated", "SELECT count(*) FROM t WHERE (SELECT max(a) FROM t AS s WHERE s.id < t.id % 100) > 5"),
        Case("nested-loop", "SELECT count(*) FROM t, t AS s WHERE s.id < 50 AND t.a + s.id > t.id + s.a"),
        Case("numeric", "SELECT sum(exp((id % 50)::NUMERIC / 7)) FROM t WHERE id < 300"),
        Case("numeric-big", "SELECT max(exp(3000 + id::NUMERIC)) FROM t WHERE id < 50"),
        Case("numeric-power", "SELECT max(1.0000001 ^ (1000000.5 + id::NUMERIC)) FROM t WHERE id < 50"),
        Case("text-functions", "SELECT max(length(replace(repeat(note, 3000), 'a', 'bb'))) FROM t WHERE id < 3000"),
        Case("like", f"SELECT count(*) FROM t WHERE repeat('ab', 50) || id LIKE '{'%a' * 8}%c' AND id < 2000"),
        Case("explain", "EXPLAIN ANALYZE SELECT a, count(*) FROM t GROUP BY a ORDER BY 2 LIMIT 3"),
        Case("index", "CREATE INDEX t_a ON t (a)", "DROP INDEX t_a"),
        Case("view", "CREATE VIEW v AS SELECT a, count(*) AS c FROM t GROUP BY a", "DROP VIEW v"),
        Case("add-column", "ALTER TABLE w ADD COLUMN c INTEGER DEFAULT 5"),
        Case("add-check", "ALTER TABLE t ADD CONSTRAINT t_pos CHECK (a >= 0)", "ALTER TABLE t DROP CONSTRAINT t_pos"),
        Case("truncate", "TRUNCATE w"),
    ]


class Watch(trio.abc.Instrument):
    """The longest step of a task of the node since `reset`, in the thread's CPU time: others may use the machine."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.task = ""
        self._began = time.thread_time()

    def reset(self) -> None:
        self.longest_s = 0.0
        self.task = ""

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took_s = time.thread_time() - self._began
        if took_s > self.longest_s and not task.name.startswith("__main__"):
            self.longest_s, self.task = took_s, task.name.rpartition("mynode.")[2]


class Beat:
    """A task that wakes up each 10 ms."""

    def __init__(self) -> None:
        self.latest_s = 0.0

    async def run(self) -> None:
        while True:
            due = trio.current_time() + BEAT_S
            await trio.sleep_until(due)
            self.latest_s = max(self.latest_s, trio.current_time() - due)


async def load(session: Session, rows: int) -> None:
    await session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, note TEXT)")
    await session.execute("CREATE TABLE u (id INTEGER PRIMARY KEY, a INTEGER)")
    await session.execute("CREATE TABLE w (id INTEGER PRIMARY KEY, a INTEGER)")
    await session.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    await session.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent ON DELETE CASCADE)")
    first = min(rows, 1_000)
    await session.execute(f"INSERT INTO t VALUES {', '.join(f'({n}, {n * 7919 % rows}, NULL)' for n in range(first))}")
    loaded = first
    while loaded < rows:
        added = min(loaded, rows - loaded, INSERTED_AT_ONCE)
        copy = f"SELECT id + {loaded}, (id + {loaded}) * 7919 % {rows}, 'a row' FROM t WHERE id < {added}"
        await session.execute(f"INSERT INTO t {copy}", timeout=300)
        loaded += added
    await session.execute("INSERT INTO w SELECT id, a FROM t WHERE id < 20000")
    await session.execute("INSERT INTO parent SELECT id FROM t WHERE id < 15000")
    await session.execute("INSERT INTO child SELECT id, id FROM parent")


async def measure(case: Case, session: Session, watch: Watch, beat: Beat) -> None:
    watch.reset()
    beat.latest_s = 0.0
    began = time.perf_counter()
    try:
        result = (await session.execute(case.sql, timeout=600)).tag
    except MyNodeError as error:
        result = f"{error.sqlstate} {error.message}"[:48]
    took_s = time.perf_counter() - began
    await trio.sleep(2 * BEAT_S)
    late_ms, step_ms = 1_000 * beat.latest_s, 1_000 * watch.longest_s
    sys.stdout.write(f"{case.name:15} {took_s:8.2f} s {late_ms:8.1f} ms {step_ms:8.1f} ms  {watch.task:32} {result}\n")
    sys.stdout.flush()
    if case.undo is not None and not result[0].isdigit():
        await session.execute(case.undo, timeout=600)


async def main(rows: int, names: list[str]) -> None:
    collect_garbage_seldom()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    watch, beat = Watch(), Beat()
    trio.lowlevel.add_instrument(watch)
    with tempfile.TemporaryDirectory() as directory:
        async with (
            open_embedded(Path(directory)) as transport,
            open_client([transport], ClientOptions(), random=Random(1)) as client,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(beat.run)
            async with client.session() as session:
                began = time.perf_counter()
                await load(session, rows)
                late_ms, step_ms = 1_000 * beat.latest_s, 1_000 * watch.longest_s
                sys.stdout.write(f"{'statement':15} {'took':>10} {'late':>11} {'step':>11}  of task\n")
                took_s = time.perf_counter() - began
                sys.stdout.write(f"{'load':15} {took_s:8.2f} s {late_ms:8.1f} ms {step_ms:8.1f} ms  {watch.task}\n")
                for case in cases(rows):
                    if not names or case.name in names:
                        await measure(case, session, watch, beat)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    wanted = sys.argv[1:]
    trio.run(main, int(wanted.pop(0)) if wanted else 200_000, wanted)
