"""Handing leadership over, and stopping nodes without a failed request, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import ConnectionFailedError, NotLeaderError, OperationRefusedError, ShuttingDownError
from mynode.base.limits import ELECTION_TICKS, TICK_MS
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.testing.in_process import InProcessCluster, SqlClient
from mynode.testing.load import load

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"
ELECTION_TIMEOUT_S = ELECTION_TICKS * TICK_MS / 1000


@asynccontextmanager
async def cluster_of(size: int) -> AsyncIterator[InProcessCluster]:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(size, seed=1, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        yield cluster
        nursery.cancel_scope.cancel()


async def test_leadership_goes_to_whom_it_is_given(autojump_clock: MockClock) -> None:
    async with cluster_of(5) as cluster:
        leader = await cluster.leader()
        for to in [node_id for node_id in cluster.nodes if node_id != leader]:
            before = trio.current_time()
            assert await cluster.nodes[leader].transfer_leadership(to) == to
            assert trio.current_time() - before < ELECTION_TIMEOUT_S / 2, "nobody waited for an election"
            leader = to
        assert await cluster.leader() == leader
        assert await cluster.nodes[leader].transfer_leadership(leader) == leader


async def test_what_cannot_be_is_refused_and_the_leader_leads_on(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        follower, down = [node_id for node_id in cluster.nodes if node_id != leader]
        with pytest.raises(NotLeaderError):
            await cluster.nodes[follower].transfer_leadership(leader)
        with pytest.raises(OperationRefusedError, match="no member has this number"):
            await cluster.nodes[leader].transfer_leadership(9)
        await cluster.crash(down)
        with pytest.raises(OperationRefusedError, match="it did not take over in time"):
            await cluster.nodes[leader].transfer_leadership(down)
        await trio.sleep(2 * ELECTION_TIMEOUT_S)
        before = trio.current_time()
        with pytest.raises(OperationRefusedError, match="it has not been heard of lately"):
            await cluster.nodes[leader].transfer_leadership(down)
        assert trio.current_time() == before, "no write waits for a node that is known to be away"
        assert await cluster.leader() == leader
        assert await SqlClient(cluster.nodes[leader]).execute("SELECT 1") == [(1,)]


async def test_a_transfer_under_way_ends_with_the_node(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        follower = next(node_id for node_id in cluster.nodes if node_id != leader)
        cluster.network.partition([leader], [node_id for node_id in cluster.nodes if node_id != leader])
        async with trio.open_nursery() as nursery:

            async def transfer() -> None:
                with pytest.raises(ShuttingDownError):
                    await cluster.nodes[leader].transfer_leadership(follower)

            nursery.start_soon(transfer)
            await trio.sleep(0.1)
            await cluster.crash(leader)


async def test_a_rolling_restart_fails_no_request(autojump_clock: MockClock) -> None:
    """Every node is stopped as by SIGTERM and started again, while clients write and read: none sees an error."""
    async with cluster_of(5) as cluster:
        options = ClientOptions(spread="round_robin")
        async with open_client(cluster.transports(), options) as client, load(client) as work:
            for node_id in list(cluster.nodes):
                await cluster.stop(node_id)
                before = trio.current_time()
                await cluster.leader()
                assert trio.current_time() - before < ELECTION_TIMEOUT_S / 2, "the leader handed over before it ended"
                await trio.sleep(0.5)
                await cluster.start(node_id)
                await trio.sleep(1)
        assert len(work.written) > 100
        for node in cluster.nodes.values():
            assert {row[0] for row in await SqlClient(node).execute("SELECT id FROM load")} == set(work.written)


async def test_an_open_transaction_may_end_on_a_node_that_stops(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        client = SqlClient(cluster.nodes[leader])
        await client.execute(CREATE)
        idle = SqlClient(cluster.nodes[leader])
        await idle.execute("SELECT 1")
        await client.execute("BEGIN")
        await client.execute("INSERT INTO t VALUES (1, 'before')")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.stop, leader)
            await trio.sleep(1)
            with pytest.raises(ShuttingDownError):
                await idle.execute("SELECT 1")
            await client.execute("INSERT INTO t VALUES (2, 'while it stops')")
            await client.execute("COMMIT")
            with pytest.raises((ShuttingDownError, ConnectionFailedError)):
                await client.execute("SELECT 1")
        rows = await SqlClient(cluster.nodes[await cluster.leader()]).execute("SELECT id FROM t ORDER BY id")
        assert rows == [(1,), (2,)]


async def test_a_transaction_that_does_not_end_is_rolled_back(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        client = SqlClient(cluster.nodes[leader])
        await client.execute(CREATE)
        await client.execute("BEGIN")
        await client.execute("INSERT INTO t VALUES (1, 'lost')")
        with trio.fail_after(10):
            await cluster.stop(leader)
        assert await SqlClient(cluster.nodes[await cluster.leader()]).execute("SELECT id FROM t") == []
