"""Nodes restart from their last checkpoint and the log after it; real actors in virtual time."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from mynode.actors.checkpointer import CHECKPOINT_INTERVAL_S
from mynode.storage.pages import PageEngine
from mynode.storage.pages.check import check_pages
from mynode.testing.in_process import InProcessCluster, SqlClient


async def test_a_cluster_restarts_from_its_checkpoints(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=1, nursery=nursery)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)")
        for number in range(20):
            await client.execute("INSERT INTO t VALUES (?, 'before')", number)
        await trio.sleep(2 * CHECKPOINT_INTERVAL_S)
        await client.execute("UPDATE t SET value = 'after' WHERE id = 7")
        await client.execute("DELETE FROM t WHERE id = 8")
        for node_id in tuple(cluster.nodes):
            await cluster.crash(node_id)
            assert check_pages(cluster.disks[node_id]).problems == []
            assert PageEngine.look(cluster.disks[node_id]).applied_index >= 21
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        expected = [(number, "after" if number == 7 else "before") for number in range(20) if number != 8]
        assert await client.execute("SELECT id, value FROM t ORDER BY id") == expected
        nursery.cancel_scope.cancel()
