"""Reads by a leader's lease, in virtual time: they cost no message. That they are never stale is tests/property."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import NoQuorumError
from mynode.base.limits import HEARTBEAT_TICKS, TICK_MS
from mynode.node import Timing
from mynode.testing.in_process import LATENCY_S, InProcessCluster, SqlClient

HEARTBEATS_S = 3 * HEARTBEAT_TICKS * TICK_MS / 1000
CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)"


@asynccontextmanager
async def cluster_with(*, lease_reads: bool) -> AsyncIterator[InProcessCluster]:
    """Three nodes and a table t of one row (1, 0), which all of them have applied."""
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=1, nursery=nursery, lease_reads=lease_reads)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute(CREATE)
        await client.execute("INSERT INTO t VALUES (1, 0)")
        await trio.sleep(HEARTBEATS_S)
        yield cluster
        nursery.cancel_scope.cancel()


async def time_of_read(cluster: InProcessCluster, node_id: int) -> float:
    """Virtual seconds, of which the network alone takes any."""
    client = SqlClient(cluster.nodes[node_id])
    before = trio.current_time()
    assert await client.execute("SELECT value FROM t WHERE id = 1") == [(0,)]
    return trio.current_time() - before


@pytest.mark.parametrize("lease_reads", [False, True])
async def test_what_a_read_waits_for(lease_reads: bool, autojump_clock: MockClock) -> None:
    async with cluster_with(lease_reads=lease_reads) as cluster:
        leader = await cluster.leader()
        follower = next(node_id for node_id in cluster.nodes if node_id != leader)
        round_trips = 0 if lease_reads else 1
        assert await time_of_read(cluster, leader) == pytest.approx(2 * LATENCY_S * round_trips)
        assert await time_of_read(cluster, follower) == pytest.approx(2 * LATENCY_S * (1 + round_trips))


async def test_a_leader_that_is_cut_off_reads_no_longer_than_its_lease(autojump_clock: MockClock) -> None:
    async with cluster_with(lease_reads=True) as cluster:
        leader = await cluster.leader()
        cluster.network.partition([leader], [node_id for node_id in cluster.nodes if node_id != leader])
        assert await time_of_read(cluster, leader) == 0
        await trio.sleep(Timing().promise_ms / 1000)
        with pytest.raises(NoQuorumError):
            await SqlClient(cluster.nodes[leader]).execute("SELECT value FROM t WHERE id = 1")
