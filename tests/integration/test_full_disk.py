"""A full disk of one node is that node's trouble: the others go on, and it answers for itself (in virtual time)."""

from __future__ import annotations

from random import Random

import pytest
import trio
from structlog.testing import CapturingLogger
from trio.testing import MockClock

from mynode.actors import checkpointer, log_store
from mynode.base.disk_memory import MemoryDisk
from mynode.base.errors import DiskFullError, OutcomeUnknownError
from mynode.client.client import open_client
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
        assert status.disk_full
        with pytest.raises(DiskFullError, match=r"^this node's disk is full"):
            await SqlClient(cluster.nodes[full]).execute(INSERT, 100, LONG, timeout_s=5)
        with pytest.raises(DiskFullError, match=r"^this node's disk is full"):
            await SqlClient(cluster.nodes[full]).execute("SELECT count(*) FROM t", timeout_s=5)
        assert trio.current_time() - began < 1, "it says so at once"

        cluster.disks[full].capacity_bytes = None
        await trio.sleep(5)
        assert not (await cluster.nodes[full].status()).disk_full
        assert await SqlClient(cluster.nodes[full]).execute("SELECT count(*) FROM t") == [(100,)]
        await SqlClient(cluster.nodes[full]).execute(INSERT, 101, LONG)
        nursery.cancel_scope.cancel()


async def test_a_node_that_lost_power_starts_though_its_disk_is_full(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=1, nursery=nursery)
        await cluster.start_all()
        full = await cluster.leader()
        healthy = next(node_id for node_id in cluster.nodes if node_id != full)
        client = SqlClient(cluster.nodes[healthy])
        await client.execute(CREATE)
        fill(cluster.disks[full])
        for number in range(60):
            await client.execute(INSERT, number, LONG)
        await cluster.crash(full)
        await cluster.start(full)
        await trio.sleep(5)
        assert (await cluster.nodes[full].status()).disk_full

        cluster.disks[full].capacity_bytes = None
        await trio.sleep(5)
        assert await SqlClient(cluster.nodes[full]).execute("SELECT count(*) FROM t") == [(60,)]
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
        with pytest.raises(OutcomeUnknownError, match="disk is full"):
            await client.execute("UPDATE t SET value = ?", "y" * 100_000, timeout_s=60)
        with pytest.raises(DiskFullError):
            await client.execute("DELETE FROM t", timeout_s=60)
        assert await client.execute("SELECT value FROM t") == [("x",)]
        cluster.disks[1].capacity_bytes = None
        await trio.sleep(2)
        assert await client.execute("SELECT value FROM t") == [("y" * 100_000,)]
        nursery.cancel_scope.cancel()


async def test_a_client_of_all_nodes_does_not_notice_one_full_disk(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=3, nursery=nursery)
        await cluster.start_all()
        full = await cluster.leader()
        async with open_client(cluster.transports(), random=Random(1)) as client:
            await client.execute(CREATE)
            fill(cluster.disks[full])
            for number in range(60):
                await client.execute(INSERT, (number, LONG), timeout=20)
            result = await client.execute("SELECT count(*) FROM t", timeout=20)
            assert result.rows == [(60,)]
        nursery.cancel_scope.cancel()


async def test_a_full_disk_is_logged_once(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = CapturingLogger()
    monkeypatch.setattr(log_store, "log", logger)
    monkeypatch.setattr(checkpointer, "log", logger)
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=1, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        client = SqlClient(cluster.nodes[1])
        await client.execute(CREATE)
        fill(cluster.disks[1])
        with pytest.raises(OutcomeUnknownError):
            await client.execute(INSERT, 1, LONG * 50)
        await trio.sleep(300)
        cluster.disks[1].capacity_bytes = None
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    logged = [call.args[0] for call in logger.calls]
    assert logged.count("the disk is full: writes wait for room") == 1
    assert logged.count("the disk is full: the checkpoint waits for room") == 1
    assert logged.count("the disk has room again") == 1
