"""Five real processes and concurrent transfers: the sum holds at every read, on every node, while leaders die."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio_util import AsyncValue

import mynode.trio
from mynode.base.errors import MyNodeError, OutcomeUnknownError
from mynode.base.ids import NodeId
from mynode.client.client import Client
from mynode.client.session import Session
from mynode.testing.cluster import RealCluster, real_cluster

pytestmark = pytest.mark.cluster

ACCOUNTS = 20
BALANCE = 100
WORKERS = 8
KILLS = 2


class Bank:
    """Accounts, and a ledger with a row for each transfer, which the transfer's transaction writes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._random = Random(5)
        self._numbers = iter(range(1_000_000))
        self.done: AsyncValue[int] = AsyncValue(0)
        self.committed: set[int] = set()
        self.uncertain: set[int] = set()

    async def open(self) -> None:
        await self._client.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
        await self._client.execute("CREATE TABLE ledger (id INTEGER PRIMARY KEY, giver INTEGER, taker INTEGER)")
        rows = ", ".join(f"({account}, {BALANCE})" for account in range(ACCOUNTS))
        await self._client.execute(f"INSERT INTO account VALUES {rows}")

    async def transfer_until(self, stop: trio.Event) -> None:
        while not stop.is_set():
            number = next(self._numbers)
            giver, taker = self._random.sample(range(ACCOUNTS), 2)

            async def transfer(session: Session, number: int = number, giver: int = giver, taker: int = taker) -> None:
                result = await session.execute("SELECT balance FROM account WHERE id = ?", (giver,))
                balance = result.rows[0][0]
                assert isinstance(balance, int)
                await session.execute("UPDATE account SET balance = ? WHERE id = ?", (balance - 1, giver))
                await session.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (taker,))
                await session.execute("INSERT INTO ledger VALUES (?, ?, ?)", (number, giver, taker))

            try:
                await self._client.in_transaction(transfer, timeout=60)
            except OutcomeUnknownError:
                self.uncertain.add(number)
            else:
                self.committed.add(number)
                self.done.value += 1


async def check(client: Client) -> set[int]:
    """Read accounts and ledger in one transaction; they agree. The ledger's numbers."""
    async with client.transaction(read_only=True) as session:
        rows = (await session.execute("SELECT id, balance FROM account ORDER BY id")).rows
        ledger = (await session.execute("SELECT id, giver, taker FROM ledger")).rows
    expected = dict.fromkeys(range(ACCOUNTS), BALANCE)
    numbers: set[int] = set()
    for number, giver, taker in ledger:
        assert isinstance(number, int)
        assert isinstance(giver, int)
        assert isinstance(taker, int)
        numbers.add(number)
        expected[giver] -= 1
        expected[taker] += 1
    assert rows == list(expected.items())
    return numbers


async def watch(cluster: RealCluster, node_id: NodeId, checks: AsyncValue[int]) -> None:
    """Check through one node, over and over; it may be down."""
    async with mynode.trio.connect(str(cluster.plan.members[node_id]), timeout=5) as client:
        while True:
            try:
                await check(client)
                checks.value += 1
            except MyNodeError:
                await trio.sleep(0.2)


async def test_the_sum_holds_while_leaders_die(tmp_path: Path) -> None:
    async with real_cluster(tmp_path) as cluster:
        await cluster.wait_for_leader()
        targets = ",".join(str(address) for address in cluster.plan.members.values())
        async with mynode.trio.connect(targets, spread="round_robin") as client:
            bank = Bank(client)
            await bank.open()
            stop = trio.Event()
            checks = {node_id: AsyncValue(0) for node_id in cluster.node_ids}
            async with trio.open_nursery() as watchers:
                for node_id in cluster.node_ids:
                    watchers.start_soon(watch, cluster, node_id, checks[node_id])
                async with trio.open_nursery() as workers:
                    for _ in range(WORKERS):
                        workers.start_soon(bank.transfer_until, stop)
                    for _ in range(KILLS):
                        before = bank.done.value
                        await bank.done.wait_value(lambda count, before=before: count > before + 50)
                        leader = await cluster.wait_for_leader()
                        await cluster.kill(leader)
                        before = bank.done.value
                        await bank.done.wait_value(lambda count, before=before: count > before + 50)
                        await cluster.start(leader)
                    stop.set()
                for node_id in cluster.node_ids:
                    before = checks[node_id].value
                    await checks[node_id].wait_value(lambda count, before=before: count > before)
                watchers.cancel_scope.cancel()
            numbers = await check(client)
            assert bank.committed <= numbers <= bank.committed | bank.uncertain
