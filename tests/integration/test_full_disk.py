"""A full disk of one node is that node's trouble: the others go on, and it answers for itself (in virtual time)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import NoQuorumError, OutcomeUnknownError
from mynode.testing.in_process import InProcessCluster, SqlClient

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"
INSERT = "INSERT INTO t VALUES (?, ?)"
LONG = "x" * 2_000
"""A few dozen of them are more than what the log has reserved ahead of its end."""


def fill(disk: MemoryDisk) -> None:
    disk.capacity_bytes = 0


async def test_the_cluster_goes_on_without_the_disk_of_its_leader(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=1, nursery=nursery)
        await cluster.start_all()
        full = await cluster.leader()
        healthy = next(node_id for node_id in cluster.nodes if node_id != full)
        client = SqlClient(cluster.nodes[healthy])
        await client.execute(CREATE)
        fill(cluster.disks[full])
        for number in range(100):
            await client.execute(INSERT, number, LONG)
        await trio.sleep(2)
        assert await cluster.leader() != full

        await trio.sleep(600)
        began = trio.current_time()
        status = await cluster.nodes[full].status()
        assert trio.current_time() - began < 0.1
        assert status.commit_index > status.last_log_index
        with pytest.raises(OutcomeUnknownError):
            await SqlClient(cluster.nodes[full]).execute(INSERT, 100, LONG, timeout_s=5)
        with pytest.raises(NoQuorumError):
            await SqlClient(cluster.nodes[full]).execute("SELECT count(*) FROM t", timeout_s=5)
        assert trio.current_time() - began < 11

        cluster.disks[full].capacity_bytes = None
        await trio.sleep(5)
        assert await SqlClient(cluster.nodes[full]).execute("SELECT count(*) FROM t") == [(101,)]
        await SqlClient(cluster.nodes[full]).execute(INSERT, 101, LONG)
        nursery.cancel_scope.cancel()


async def test_a_single_node_with_a_full_disk_still_reads(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        client = SqlClient(cluster.nodes[1])
        await client.execute(CREATE)
        await client.execute(INSERT, 1, "x")
        fill(cluster.disks[1])
        with pytest.raises(OutcomeUnknownError):
            await client.execute("UPDATE t SET value = ?", "y" * 100_000, timeout_s=60)
        assert await client.execute("SELECT value FROM t") == [("x",)]
        cluster.disks[1].capacity_bytes = None
        await trio.sleep(2)
        assert await client.execute("SELECT value FROM t") == [("y" * 100_000,)]
        nursery.cancel_scope.cancel()
