"""The workloads of shared rows on a cluster of real actors, in virtual time, and what their verification finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.bench.runner import Runner, Tally
from mynode.bench.shared_rows import IncrementWorkload, TransferWorkload
from mynode.bench.workload import VerificationError, Workload
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.testing.in_process import InProcessCluster


@asynccontextmanager
async def opened() -> AsyncIterator[Client]:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(3, seed=1, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        async with open_client(cluster.transports(), ClientOptions(spread="round_robin"), random=Random(1)) as client:
            yield client
        nursery.cancel_scope.cancel()


async def measured(client: Client, workload: Workload, *, workers: int, count: int) -> Tally:
    await workload.prepare(client)
    runner = Runner(client, workload, workers=workers, seconds=None, count=count, on_second=lambda _, tally: None)
    return await runner.run()


@pytest.mark.parametrize("rows", [1, 8])
async def test_increments_lose_nothing(autojump_clock: MockClock, rows: int) -> None:
    async with opened() as client:
        workload = IncrementWorkload(Random(1), rows)
        total = await measured(client, workload, workers=8, count=40)
        assert (total.latencies.count, total.errors) == (40, 0)
        assert await workload.verify(client) == f"40 increments in {rows} rows, every acknowledged one exactly once"


async def test_transfers_keep_the_sum_and_count_their_aborts(autojump_clock: MockClock) -> None:
    async with opened() as client:
        workload = TransferWorkload(Random(1), 2)
        total = await measured(client, workload, workers=4, count=20)
        assert (total.latencies.count, total.errors) == (20, 0)
        assert total.retries > 0
        assert f"of {20 + total.retries} transactions were aborted" in await workload.verify(client)


async def test_a_lost_and_an_invented_increment_are_found(autojump_clock: MockClock) -> None:
    async with opened() as client:
        workload = IncrementWorkload(Random(1), 1)
        await measured(client, workload, workers=1, count=5)
        await client.execute("UPDATE bench_increment SET value = value - 1")
        with pytest.raises(VerificationError, match="lost 1 acknowledged"):
            await workload.verify(client)
        await client.execute("UPDATE bench_increment SET value = value + 2")
        with pytest.raises(VerificationError, match="1 increments too many"):
            await workload.verify(client)


async def test_money_that_came_from_nowhere_is_found(autojump_clock: MockClock) -> None:
    async with opened() as client:
        workload = TransferWorkload(Random(1), 2)
        await measured(client, workload, workers=1, count=5)
        await client.execute("UPDATE bench_transfer SET value = value + 1 WHERE id = 1")
        with pytest.raises(VerificationError, match="hold 2001 together, not 2000"):
            await workload.verify(client)
