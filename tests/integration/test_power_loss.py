"""Power loss at every operation of a whole node's disk, raft log and page file: each acknowledged transaction is there,
and every other one wholly or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from mynode.base.errors import DiskError, MyNodeError
from mynode.testing.in_process import InProcessCluster, SqlClient

TRANSACTIONS = 12
TRANSACTIONS_PER_CHECKPOINT = 4


@asynccontextmanager
async def bank(seed: int) -> AsyncIterator[InProcessCluster]:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(1, seed=seed, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        client = SqlClient(cluster.nodes[1])
        await client.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
        await client.execute("CREATE TABLE ledger (number INTEGER PRIMARY KEY)")
        await client.execute("INSERT INTO account VALUES (1, 0), (2, 0)")
        yield cluster
        nursery.cancel_scope.cancel()


async def transfer_until_power_fails(cluster: InProcessCluster) -> set[int]:
    """The numbers of the transactions that were acknowledged."""
    acknowledged: set[int] = set()
    client = SqlClient(cluster.nodes[1])
    for number in range(TRANSACTIONS):
        with trio.move_on_after(5) as scope:
            try:
                await client.execute("BEGIN")
                await client.execute("INSERT INTO ledger VALUES (?)", number)
                await client.execute("UPDATE account SET balance = balance - 1 WHERE id = 1")
                await client.execute("UPDATE account SET balance = balance + 1 WHERE id = 2")
                await client.execute("COMMIT")
                acknowledged.add(number)
                if number % TRANSACTIONS_PER_CHECKPOINT == TRANSACTIONS_PER_CHECKPOINT - 1:
                    cluster.engines[1].checkpoint()
            except (MyNodeError, DiskError):
                return acknowledged
        if scope.cancelled_caught:
            return acknowledged
    return acknowledged


async def operations_of_a_run() -> int:
    async with bank(0) as cluster:
        before = cluster.disks[1].operations
        assert len(await transfer_until_power_fails(cluster)) == TRANSACTIONS
        return cluster.disks[1].operations - before


async def test_power_loss_at_every_operation(autojump_clock: MockClock) -> None:
    operations = await operations_of_a_run()
    assert operations > 3 * TRANSACTIONS
    for after in range(operations):
        async with bank(after) as cluster:
            cluster.disks[1].fail_power_after(after)
            acknowledged = await transfer_until_power_fails(cluster)
            await cluster.crash(1)
            reader = SqlClient(await cluster.start(1))
            await cluster.leader()
            numbers = {number for (number,) in await reader.execute("SELECT number FROM ledger")}
            assert acknowledged <= numbers <= set(range(len(acknowledged) + 1)), f"power lost after {after} operations"
            balances = await reader.execute("SELECT balance FROM account ORDER BY id")
            assert balances == [(-len(numbers),), (len(numbers),)]
