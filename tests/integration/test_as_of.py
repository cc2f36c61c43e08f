"""AS OF SYSTEM TIME on a cluster of real actors in virtual time: every node sees the same past, before and after it
started anew."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from mynode.base.sql_errors import SnapshotTooOldError
from mynode.session.api import Row
from mynode.testing.in_process import InProcessCluster, SqlClient

STEPS = 8
ENTRIES = 1_200


async def test_every_node_sees_the_same_past(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=1, nursery=nursery)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        await client.execute("INSERT INTO t VALUES (1, 0)")
        began = trio.current_time()
        for step in range(1, STEPS):
            await trio.sleep_until(began + 10 * step)
            await client.execute("UPDATE t SET value = ? WHERE id = 1", step)
            if step % 3 == 0:
                cluster.engines[1].checkpoint()
        await trio.sleep_until(began + 10 * STEPS)

        async def seen(node_id: int) -> list[list[Row]]:
            """What the table held 5 s after each step, and 5 s before the last."""
            reader = SqlClient(cluster.nodes[node_id])
            past = []
            for step in range(1, STEPS):
                ago_ms = round(1000 * (trio.current_time() - began - 10 * step - 5))
                past.append(await reader.execute(f"SELECT value FROM t AS OF SYSTEM TIME '-{ago_ms}ms'"))
            return past

        expected: list[list[Row]] = [[(step,)] for step in range(1, STEPS)]
        for node_id in cluster.nodes:
            assert await seen(node_id) == expected
        for node_id in (1, 2, 3):
            await cluster.crash(node_id)
            await cluster.start(node_id)
            await cluster.leader()
            assert await seen(node_id) == expected
        nursery.cancel_scope.cancel()


async def test_every_node_forgets_alike(autojump_clock: MockClock) -> None:
    """The retention goes down and up while a node is away and others start anew."""
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=2, nursery=nursery)
        await cluster.start_all()
        leader = await cluster.leader()
        away = leader % 3 + 1
        client = SqlClient(cluster.nodes[leader])
        await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        await client.execute("INSERT INTO t VALUES (1, 0)")
        first = cluster.engines[leader].applied_index
        for value in range(1, ENTRIES + 1):
            if value == ENTRIES // 3:
                await cluster.crash(away)
            if value == ENTRIES // 2:
                await client.execute("ALTER SYSTEM SET history_retention = 1000")
            await client.execute("UPDATE t SET value = ? WHERE id = 1", value)
        newest = cluster.engines[leader].applied_index
        await client.execute("ALTER SYSTEM SET history_retention = 50000")
        cluster.engines[leader].checkpoint()
        await cluster.crash(leader)
        for node_id in (away, leader):
            await cluster.start(node_id)
        await cluster.leader()

        async def asked(node_id: int, version: int) -> list[Row] | str:
            try:
                sql = f"SELECT value FROM t AS OF SYSTEM TIME {version}"
                return await SqlClient(cluster.nodes[node_id]).execute(sql)
            except SnapshotTooOldError as error:
                return str(error)

        for version in range(first, newest + 1, 50):
            answers = [await asked(node_id, version) for node_id in cluster.nodes]
            assert answers == [answers[0]] * 3
            assert isinstance(answers[0], str) == (version < newest + 1 - 1000)
        for node_id in cluster.nodes:
            assert await SqlClient(cluster.nodes[node_id]).execute("SHOW history_retention") == [("50000",)]
        trees = [list(engine.tree.scan(b"", None)) for engine in cluster.engines.values()]
        assert trees == [trees[0]] * 3
        nursery.cancel_scope.cancel()
