"""Many clients and one row, on a cluster of real actors in virtual time, while nodes die and the network is cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.base.ids import NodeId
from mynode.client.client import open_client
from mynode.client.options import ClientOptions
from mynode.testing.counting import Counting
from mynode.testing.in_process import InProcessCluster, SqlClient

WORKERS = 24


@asynccontextmanager
async def counting(size: int, *, seed: int) -> AsyncIterator[InProcessCluster]:
    """A cluster with one row to count in."""
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(size, seed=seed, nursery=nursery)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        for statement in Counting.SCHEMA:
            await client.execute(statement)
        yield cluster
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def at_work(cluster: InProcessCluster) -> AsyncIterator[Counting]:
    """Workers on all nodes; at the end they stop and what they did is checked."""
    options = ClientOptions(spread="round_robin", timeout=120)
    async with open_client(cluster.transports(), options, random=Random(1)) as client:
        counting = Counting(client)
        async with trio.open_nursery() as workers:
            for _ in range(WORKERS):
                workers.start_soon(counting.work)
            yield counting
            counting.stop.set()
        await counting.check()


async def test_no_client_sees_an_error_and_batches_carry_the_load(autojump_clock: MockClock) -> None:
    async with counting(5, seed=1) as cluster:
        async with at_work(cluster) as work:
            await work.reach(100)
            started, before = trio.current_time(), (await cluster.nodes[1].status()).applied_index
            await work.reach(500)
            entries = (await cluster.nodes[1].status()).applied_index - before
            assert trio.current_time() - started < 2
        assert not work.uncertain
        assert entries < 250


@pytest.mark.parametrize("seed", range(3))
async def test_each_counts_once_while_leaders_crash(autojump_clock: MockClock, seed: int) -> None:
    async with counting(3, seed=seed) as cluster, at_work(cluster) as work:
        for _ in range(2):
            await work.reach(60)
            leader = await cluster.leader()
            await cluster.crash(leader)
            await work.reach(30)
            await cluster.start(leader)
            await work.reach(30)


@pytest.mark.parametrize("seed", range(3))
async def test_each_counts_once_while_leaders_are_cut_off(autojump_clock: MockClock, seed: int) -> None:
    """A leader that was cut off still holds batches, whose statements were meanwhile executed elsewhere."""
    async with counting(3, seed=seed) as cluster, at_work(cluster) as work:
        for number in range(2):
            await work.reach(60)
            leader = await cluster.leader()
            others: list[NodeId] = [node_id for node_id in cluster.nodes if node_id != leader]
            if number % 2:
                cluster.network.cut = {(leader, other) for other in others}
            else:
                cluster.network.partition([leader], others)
            await work.reach(30)
            await trio.sleep(3)
            cluster.network.heal()
            await work.reach(30)


async def test_a_leader_that_loses_its_answers_leaves_the_sessions_to_themselves(autojump_clock: MockClock) -> None:
    """Its batches are applied, and what its sessions hear of them is lost for a while, with all else it sends."""
    async with counting(3, seed=3) as cluster, at_work(cluster) as work:
        for _ in range(4):
            await work.reach(50)
            leader = await cluster.leader()
            for other in cluster.nodes:
                if other != leader:
                    cluster.network.cut = {(leader, other)}
                    await trio.sleep(0.3)
            cluster.network.heal()
