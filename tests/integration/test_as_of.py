"""AS OF SYSTEM TIME on a cluster of real actors in virtual time: every node sees the same past, before and after it
started anew."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from mynode.session.api import Row
from mynode.testing.in_process import InProcessCluster, SqlClient

STEPS = 8


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
