"""Explicit transactions on a cluster of real actors, in virtual time: how they end, and who holds them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import NoQuorumError, OutcomeUnknownError
from mynode.base.ids import NodeId
from mynode.base.limits import IDLE_IN_TRANSACTION_TIMEOUT_S
from mynode.base.sql_errors import (
    DivisionByZeroError,
    FeatureNotSupportedError,
    IdleInTransactionTimeoutError,
    InFailedTransactionError,
    SerializationFailureError,
)
from mynode.client.client import Client, open_client
from mynode.client.options import ClientOptions
from mynode.client.session import Session
from mynode.testing.in_process import InProcessCluster, SqlClient

ACCOUNTS = 10
BALANCE = 100


@asynccontextmanager
async def bank(size: int, *, seed: int = 1) -> AsyncIterator[InProcessCluster]:
    """A cluster with accounts 0 to 9 of 100 each."""
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(size, seed=seed, nursery=nursery)
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
        for account in range(ACCOUNTS):
            await client.execute("INSERT INTO account VALUES (?, ?)", account, BALANCE)
        yield cluster
        nursery.cancel_scope.cancel()


def client_of(
    cluster: InProcessCluster, *, first: NodeId = 1, timeout: float = 30.0
) -> AbstractAsyncContextManager[Client]:
    """A client that goes to node `first` while that is well."""
    transports = cluster.transports()
    return open_client(
        [*transports[first - 1 :], *transports[: first - 1]], ClientOptions(timeout=timeout), random=Random(1)
    )


async def balance_of(cluster: InProcessCluster, account: int) -> object:
    node = cluster.nodes[min(cluster.nodes)]
    rows = await SqlClient(node).execute("SELECT balance FROM account WHERE id = ?", account)
    return rows[0][0]


async def test_a_commit_shows_on_every_node_and_a_rollback_on_none(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster:
        for node_id, node in cluster.nodes.items():
            client = SqlClient(node)
            for end in ("COMMIT", "ROLLBACK"):
                await client.execute("BEGIN")
                await client.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
                await client.execute(end)
            for reader in cluster.nodes.values():
                rows = await SqlClient(reader).execute("SELECT balance FROM account WHERE id = 0")
                assert rows == [(BALANCE + node_id,)]


async def test_of_two_that_change_what_both_read_one_fails(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster:
        first, second = SqlClient(cluster.nodes[1]), SqlClient(cluster.nodes[2])
        for client in (first, second):
            await client.execute("BEGIN")
            await client.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
        await first.execute("COMMIT")
        with pytest.raises(SerializationFailureError):
            await second.execute("COMMIT")
        assert await balance_of(cluster, 0) == BALANCE + 1


async def test_a_lost_client_leaves_nothing(autojump_clock: MockClock) -> None:
    async with bank(1) as cluster:
        node = cluster.nodes[1]
        before = node.front.session_count
        client = SqlClient(node)
        await client.execute("BEGIN")
        await client.execute("UPDATE account SET balance = 0")
        assert node.front.session_count == before + 1
        client.connection.close()
        await trio.sleep(1)
        assert node.front.session_count == before
        assert await balance_of(cluster, 0) == BALANCE


async def test_an_idle_transaction_ends_and_a_busy_one_does_not(autojump_clock: MockClock) -> None:
    async with bank(1) as cluster:
        client = SqlClient(cluster.nodes[1])
        await client.execute("BEGIN")
        for _ in range(3):
            await trio.sleep(IDLE_IN_TRANSACTION_TIMEOUT_S - 1)
            await client.execute("UPDATE account SET balance = 0 WHERE id = 0")
        await trio.sleep(IDLE_IN_TRANSACTION_TIMEOUT_S + 1)
        with pytest.raises(IdleInTransactionTimeoutError):
            await client.execute("COMMIT")
        assert await balance_of(cluster, 0) == BALANCE
        await trio.sleep(2 * IDLE_IN_TRANSACTION_TIMEOUT_S)
        await client.execute("SELECT 1")


async def test_a_statement_over_its_time_fails_its_transaction(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster:
        client = SqlClient(cluster.nodes[1])
        await client.execute("BEGIN")
        cluster.network.partition([1], [2, 3])
        with pytest.raises(NoQuorumError):
            await client.execute("SELECT balance FROM account", timeout_s=1)
        cluster.network.heal()
        with pytest.raises(InFailedTransactionError):
            await client.execute("SELECT balance FROM account")
        await client.execute("ROLLBACK")
        assert len(await client.execute("SELECT balance FROM account")) == ACCOUNTS


# --- a COMMIT without an answer --------------------------------------------------------------------------------------


async def cut_off_while_committing(cluster: InProcessCluster, node_id: NodeId) -> SqlClient:
    """A client whose node lost the others before its COMMIT came, and still holds that."""
    client = SqlClient(cluster.nodes[node_id])
    await client.execute("BEGIN")
    await client.execute("UPDATE account SET balance = 0 WHERE id = 0")
    cluster.network.partition([node_id], [other for other in cluster.nodes if other != node_id])
    with pytest.raises((OutcomeUnknownError, NoQuorumError)):
        await client.execute("COMMIT", timeout_s=1)
    return client


async def test_a_commit_settled_elsewhere_as_rolled_back_is_never_applied(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster:
        old_leader = await cluster.leader()
        client = await cut_off_while_committing(cluster, old_leader)
        other = next(node_id for node_id in cluster.nodes if node_id != old_leader)
        elsewhere = SqlClient(cluster.nodes[other], session_id=client.session_id, sequence=client.sequence)
        with pytest.raises(SerializationFailureError, match="lost before COMMIT"):
            await elsewhere.retry("COMMIT", timeout_s=20)
        cluster.network.heal()
        await trio.sleep(10)
        assert await balance_of(cluster, 0) == BALANCE
        with pytest.raises(SerializationFailureError):
            await client.retry("COMMIT")


async def test_a_commit_settled_elsewhere_as_committed_is_applied_once(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster:
        client = SqlClient(cluster.nodes[1])
        await client.execute("BEGIN")
        await client.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
        await client.execute("COMMIT")
        for node_id in (2, 3):
            again = SqlClient(cluster.nodes[node_id], session_id=client.session_id, sequence=client.sequence)
            await again.retry("COMMIT")
        assert await balance_of(cluster, 0) == BALANCE + 1


# --- the client ------------------------------------------------------------------------------------------------------


async def test_the_block_commits_or_rolls_back(autojump_clock: MockClock) -> None:
    async def crash(session: Session) -> None:
        await session.execute("UPDATE account SET balance = 2 WHERE id = 0")
        raise ZeroDivisionError

    async def swallow(session: Session) -> None:
        await session.execute("UPDATE account SET balance = 3 WHERE id = 0")
        with pytest.raises(DivisionByZeroError):
            await session.execute("SELECT 1 / 0")

    async with bank(3) as cluster, client_of(cluster) as client:
        async with client.transaction() as session:
            await session.execute("UPDATE account SET balance = 1 WHERE id = 0")
        with pytest.raises(ZeroDivisionError):
            await client.in_transaction(crash)
        with pytest.raises(InFailedTransactionError):
            await client.in_transaction(swallow)
        with trio.move_on_after(5) as scope:
            async with client.transaction() as session:
                await session.execute("UPDATE account SET balance = 4 WHERE id = 0")
                await trio.sleep(10)
        assert scope.cancelled_caught
        assert (await client.execute("SELECT balance FROM account WHERE id = 0")).rows == [(1,)]


async def test_a_pooled_session_keeps_no_transaction(autojump_clock: MockClock) -> None:
    async with bank(1) as cluster, client_of(cluster) as client:
        with pytest.raises(FeatureNotSupportedError, match="commits by itself"):
            await client.execute("BEGIN")
        await client.execute("UPDATE account SET balance = 1 WHERE id = 0")
        assert await balance_of(cluster, 0) == 1


async def test_a_transaction_dies_with_its_node_and_is_not_continued_elsewhere(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster, client_of(cluster) as client, client.session(node=0) as session:
        await session.begin()
        await session.execute("UPDATE account SET balance = 0 WHERE id = 0")
        await cluster.crash(1)
        await cluster.start(1)
        with pytest.raises(SerializationFailureError, match="the connection to its node was lost"):
            await session.execute("UPDATE account SET balance = 0 WHERE id = 1")
        with pytest.raises(InFailedTransactionError):
            await session.execute("UPDATE account SET balance = 0 WHERE id = 1")
        with pytest.raises(SerializationFailureError):
            await session.commit()
        await session.execute("UPDATE account SET balance = 7 WHERE id = 2")
        rows = (await session.execute("SELECT balance FROM account WHERE id < 3")).rows
        assert rows == [(BALANCE,), (BALANCE,), (7,)]


async def test_a_statement_given_up_leaves_no_transaction_behind(autojump_clock: MockClock) -> None:
    async with bank(1) as cluster, client_of(cluster) as client, client.session() as session:
        for sql in ("BEGIN", "/* so to say */ BEGIN"):
            with trio.move_on_after(0):
                await session.execute(sql)
            with trio.move_on_after(0.0011):
                await session.execute(sql)
            await session.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
        await session.begin()
        with trio.move_on_after(0.0011):
            await session.execute("UPDATE account SET balance = 0 WHERE id = 0")
        with pytest.raises(InFailedTransactionError):
            await session.execute("SELECT 1")
        await session.rollback()
        await session.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
        assert await balance_of(cluster, 0) == BALANCE + 3


async def test_a_commit_without_an_answer_is_settled_through_another_node(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster, client_of(cluster) as client, client.session() as session:
        await session.begin()
        await session.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
        cluster.muted.add(1)
        assert (await session.commit()).tag == "COMMIT"
        assert await balance_of(cluster, 0) == BALANCE + 1


async def test_a_commit_held_by_a_node_that_is_cut_off_is_settled_as_rolled_back(autojump_clock: MockClock) -> None:
    async with bank(3) as cluster:
        leader = await cluster.leader()
        async with client_of(cluster, first=leader) as client, client.session() as session:
            await session.begin()
            await session.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")
            cluster.muted.add(leader)
            cluster.network.partition([leader], [node_id for node_id in cluster.nodes if node_id != leader])
            with pytest.raises(SerializationFailureError, match="lost before COMMIT"):
                await session.commit()
            await session.execute("UPDATE account SET balance = balance + 10 WHERE id = 0")
        cluster.network.heal()
        await trio.sleep(10)
        assert await balance_of(cluster, 0) == BALANCE + 10


@pytest.mark.parametrize("delay_ms", [0.5, 1.2, 1.7, 2.2, 2.7, 3.2, 3.7, 4.2, 4.7, 5.5, 7])
@pytest.mark.parametrize("at_leader", [True, False])
async def test_a_leader_that_dies_during_commit(autojump_clock: MockClock, delay_ms: float, at_leader: bool) -> None:
    """Whenever it dies, the client learns whether its transaction is there, and that is so."""
    async with bank(3) as cluster:
        leader = await cluster.leader()
        async with (
            client_of(cluster, first=leader if at_leader else leader % 3 + 1) as client,
            client.session() as session,
            trio.open_nursery() as nursery,
        ):
            await session.begin()
            await session.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")

            async def crash() -> None:
                await trio.sleep(delay_ms / 1000)
                await cluster.crash(leader)

            nursery.start_soon(crash)
            try:
                await session.commit()
                expected = BALANCE + 1
            except SerializationFailureError:
                expected = BALANCE
        await cluster.leader()
        assert await balance_of(cluster, 0) == expected
        await cluster.start(leader)
        await trio.sleep(10)
        assert await balance_of(cluster, 0) == expected


async def test_transfers_keep_the_sum_while_leaders_die(autojump_clock: MockClock) -> None:
    random = Random(7)
    async with bank(3) as cluster, client_of(cluster, timeout=120) as client:
        done = 0

        async def transfer(session: Session) -> None:
            giver, taker = random.sample(range(ACCOUNTS), 2)
            ((balance,),) = (await session.execute("SELECT balance FROM account WHERE id = ?", (giver,))).rows
            assert isinstance(balance, int)
            await session.execute("UPDATE account SET balance = ? WHERE id = ?", (balance - 1, giver))
            await session.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (taker,))
            await session.execute("UPDATE account SET balance = balance + 1 WHERE id = 0")

        async def work() -> None:
            nonlocal done
            for _ in range(6):
                await client.in_transaction(transfer)
                done += 1

        async def halves(session: Session) -> tuple[object, object]:
            low = (await session.execute("SELECT sum(balance) FROM account WHERE id < 5")).rows[0][0]
            return low, (await session.execute("SELECT sum(balance) FROM account WHERE id >= 5")).rows[0][0]

        async def watch() -> None:
            while True:
                low, high = await client.in_transaction(halves, read_only=True)
                assert isinstance(low, int)
                assert isinstance(high, int)
                assert 0 <= low + high - ACCOUNTS * BALANCE <= 24
                await trio.sleep(0.05)

        async def kill() -> None:
            for _ in range(3):
                await trio.sleep(0.02)
                leader = await cluster.leader()
                await cluster.crash(leader)
                await trio.sleep(1)
                await cluster.start(leader)

        with trio.CancelScope() as watching:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                async with trio.open_nursery() as workers:
                    workers.start_soon(kill)
                    for _ in range(4):
                        workers.start_soon(work)
                watching.cancel()
        total = (await client.execute("SELECT sum(balance) FROM account")).rows
        assert done == 24
        assert total == [(ACCOUNTS * BALANCE + done,)]
