"""The real actors of several nodes in one Trio run, over an in-memory network and disks, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import MyNodeError, NoQuorumError, OutcomeUnknownError, QueryCanceledError
from mynode.base.ids import NodeId
from mynode.base.sql_errors import NotNullViolationError
from mynode.session.api import CancelRequest, StatementRequest
from mynode.testing.in_process import InProcessCluster, SqlClient

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)"


@asynccontextmanager
async def cluster_of(size: int, *, seed: int = 1) -> AsyncIterator[InProcessCluster]:
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(size, seed=seed, nursery=nursery)
        await cluster.start_all()
        await cluster.leader()
        yield cluster
        nursery.cancel_scope.cancel()


async def rows_of(cluster: InProcessCluster, node_id: NodeId) -> list[int]:
    rows = await SqlClient(cluster.nodes[node_id]).execute("SELECT id FROM t ORDER BY id")
    return [row[0] for row in rows if isinstance(row[0], int)]


@pytest.mark.parametrize("size", [1, 3, 5])
async def test_every_node_writes_and_reads(size: int, autojump_clock: MockClock) -> None:
    async with cluster_of(size) as cluster:
        clients = {node_id: SqlClient(node) for node_id, node in cluster.nodes.items()}
        await clients[1].execute(CREATE)
        for node_id, client in clients.items():
            await client.execute("INSERT INTO t VALUES (?, ?)", node_id, f"by node {node_id}")
            for reader in clients.values():
                assert await reader.execute("SELECT value FROM t WHERE id = ?", node_id) == [(f"by node {node_id}",)]


async def test_a_write_survives_the_leader_and_a_restart_of_all(autojump_clock: MockClock) -> None:
    async with cluster_of(5) as cluster:
        first = await cluster.leader()
        await SqlClient(cluster.nodes[first]).execute(CREATE)
        await SqlClient(cluster.nodes[first]).execute("INSERT INTO t VALUES (1, 'before')")
        await cluster.crash(first)
        second = await cluster.leader()
        assert second != first
        await SqlClient(cluster.nodes[second]).execute("INSERT INTO t VALUES (2, 'after')")
        for node_id in list(cluster.nodes):
            await cluster.crash(node_id)
        await cluster.start_all()
        for node_id in cluster.nodes:
            assert await rows_of(cluster, node_id) == [1, 2]


async def test_without_a_quorum_writes_say_so_and_go_on_when_it_returns(autojump_clock: MockClock) -> None:
    async with cluster_of(5) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        for node_id in (3, 4, 5):
            await cluster.crash(node_id)
        client = SqlClient(cluster.nodes[1])
        with pytest.raises((NoQuorumError, OutcomeUnknownError), match="no quorum"):
            await client.execute("INSERT INTO t VALUES (1, 'lonely')", timeout_s=8)
        with pytest.raises(NoQuorumError, match="no quorum"):
            await SqlClient(cluster.nodes[2]).execute("SELECT id FROM t", timeout_s=8)
        await cluster.start(3)
        await cluster.leader()
        await client.retry("INSERT INTO t VALUES (1, 'lonely')")
        assert await rows_of(cluster, 2) == [1]


async def test_a_retry_through_another_node_applies_once(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        client = SqlClient(cluster.nodes[1])
        await client.execute("INSERT INTO t VALUES (7, 'once')")
        for node_id in (2, 3):
            again = SqlClient(cluster.nodes[node_id], session_id=client.session_id, sequence=client.sequence)
            await again.retry("INSERT INTO t VALUES (7, 'once')")
        assert await rows_of(cluster, 3) == [7]


async def test_concurrent_increments_lose_nothing(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute("CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        await SqlClient(cluster.nodes[1]).execute("INSERT INTO c VALUES (1, 0)")

        async def increment(node_id: NodeId) -> None:
            client = SqlClient(cluster.nodes[node_id])
            for _ in range(5):
                await client.execute("UPDATE c SET n = n + 1 WHERE id = 1")

        async with trio.open_nursery() as nursery:
            for worker in range(9):
                nursery.start_soon(increment, 1 + worker % 3)
        assert await SqlClient(cluster.nodes[2]).execute("SELECT n FROM c") == [(45,)]


async def test_a_stop_under_load_answers_every_statement_once(autojump_clock: MockClock) -> None:
    """64 sessions write while their node stops: each statement in flight gets one final reply, none two."""
    async with cluster_of(3) as cluster:
        node = cluster.nodes[1]
        await SqlClient(node).execute(CREATE)
        sent = 0
        answered = 0

        async def write(worker: int) -> None:
            nonlocal sent, answered
            client = SqlClient(node)
            for number in range(10_000):
                sent += 1
                try:
                    await client.execute("INSERT INTO t VALUES (?, 'x')", worker * 10_000 + number)
                except MyNodeError:
                    answered += 1
                    break
                answered += 1
            while extra := await client.connection.replies():
                assert not [reply for reply in extra if reply.is_final]

        async with trio.open_nursery() as nursery:
            for worker in range(64):
                nursery.start_soon(write, worker)
            await trio.sleep(0.5)
            with trio.fail_after(5):
                await node.front.stop()
        assert answered == sent > 64


async def test_a_partitioned_leader_serves_nothing_stale(autojump_clock: MockClock) -> None:
    async with cluster_of(5) as cluster:
        old = await cluster.leader()
        others = [node_id for node_id in cluster.nodes if node_id != old]
        await SqlClient(cluster.nodes[old]).execute(CREATE)
        cluster.network.partition([old], others)
        await SqlClient(cluster.nodes[others[0]]).execute("INSERT INTO t VALUES (1, 'new')", timeout_s=20)
        with pytest.raises(NoQuorumError):
            await SqlClient(cluster.nodes[old]).execute("SELECT id FROM t", timeout_s=3)
        cluster.network.heal()
        assert await rows_of(cluster, old) == [1]


async def test_a_retry_that_changes_nothing_still_bars_the_first_attempt(autojump_clock: MockClock) -> None:
    """The retry finds no row and says so; the first attempt, which another node held up, must not be applied later."""
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        client = SqlClient(cluster.nodes[1], sequence=1)
        await client.retry("UPDATE t SET value = 'late' WHERE id = 1")
        await SqlClient(cluster.nodes[2]).execute("INSERT INTO t VALUES (1, 'new')")
        held_up = SqlClient(cluster.nodes[3], session_id=client.session_id, sequence=1)
        await held_up.retry("UPDATE t SET value = 'late' WHERE id = 1", is_retry=False)
        assert await SqlClient(cluster.nodes[2]).execute("SELECT value FROM t") == [("new",)]


async def test_a_retry_repeats_the_error_of_the_first_attempt(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        client = SqlClient(cluster.nodes[1], sequence=1)
        for _ in range(2):
            with pytest.raises(NotNullViolationError, match="null value"):
                await client.retry("INSERT INTO t VALUES (1, NULL)")


async def test_a_node_that_is_cut_off_says_so_before_the_deadline(autojump_clock: MockClock) -> None:
    async with cluster_of(3) as cluster:
        await SqlClient(cluster.nodes[1]).execute(CREATE)
        cluster.network.partition([1], [2, 3])
        began = trio.current_time()
        with pytest.raises(NoQuorumError):
            await SqlClient(cluster.nodes[1]).execute("SELECT id FROM t", timeout_s=60)
        with pytest.raises(MyNodeError, match="no quorum"):
            await SqlClient(cluster.nodes[1]).execute("INSERT INTO t VALUES (1, 'x')", timeout_s=60)
        assert trio.current_time() - began < 15


async def test_reads_do_not_hold_up_the_repair_of_a_lost_append(autojump_clock: MockClock) -> None:
    """Read rounds at every tick must not keep the leader from noticing that an append was lost."""
    async with cluster_of(3) as cluster:
        leader = await cluster.leader()
        follower, other = (node_id for node_id in cluster.nodes if node_id != leader)
        await SqlClient(cluster.nodes[leader]).execute(CREATE)
        await cluster.crash(other)
        stop = trio.Event()

        async def read() -> None:
            client = SqlClient(cluster.nodes[leader])
            while not stop.is_set():
                await client.execute("SELECT count(*) FROM t")

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(read)
            cluster.network.cut = {(leader, follower)}
            nursery.start_soon(SqlClient(cluster.nodes[leader]).execute, "INSERT INTO t VALUES (1, 'lost at first')")
            await trio.sleep(0.01)
            cluster.network.heal()
            with trio.fail_after(3):
                while await rows_of(cluster, leader) != [1]:
                    await trio.lowlevel.checkpoint()
            stop.set()


async def test_a_cancelled_statement_does_not_run_again(autojump_clock: MockClock) -> None:
    """The cancel meets an UPDATE at a pause, and a concurrent change would have it run again on a newer view."""
    async with cluster_of(3) as cluster:
        client, other = SqlClient(cluster.nodes[1]), SqlClient(cluster.nodes[1])
        await client.execute("CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER)")
        for start in range(0, 3_000, 500):
            rows = ", ".join(f"({number}, 0)" for number in range(start, start + 500))
            await client.execute(f"INSERT INTO c VALUES {rows}")
        await other.execute("SELECT 1")
        for each, sql in ((client, "UPDATE c SET n = n + 1"), (other, "UPDATE c SET n = 10 WHERE id = 0")):
            each.sequence += 1
            each.connection.submit([StatementRequest(each.session_id, each.sequence, sql, (), 2_000, False, 0)])
        for _ in range(6):
            await trio.lowlevel.checkpoint()
        client.connection.submit([CancelRequest(client.session_id, client.sequence)])
        (reply,) = await client.connection.replies()
        assert reply.error is not None
        assert reply.error.sqlstate == QueryCanceledError.sqlstate
        assert await other.execute("SELECT min(n), max(n) FROM c") == [(0, 10)]
