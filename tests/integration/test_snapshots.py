"""Nodes behind the log's cut catch up by a snapshot, whatever dies meanwhile; real actors in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from mynode.base.errors import ConnectionFailedError, NoQuorumError, OutcomeUnknownError, ShuttingDownError
from mynode.base.ids import NodeId
from mynode.base.limits import FOLLOWER_PATIENCE_TICKS, SNAPSHOT_IDLE_S, TICK_MS
from mynode.base.sql_errors import UniqueViolationError
from mynode.inspect.check import check_disk
from mynode.session.api import Row
from mynode.storage.incoming_snapshot import INSTALL_NAME, is_part
from mynode.testing.in_process import InProcessCluster, SqlClient

CHECKPOINT_ENTRIES = 20
SEGMENT_BYTES = 4_096
PATIENCE_S = FOLLOWER_PATIENCE_TICKS * TICK_MS / 1000 + 1
"""The log is not kept for a node that was silent for so long."""
LONG = "x" * 1_500
HUGE = "x" * 40_000
ALL_ROWS = "SELECT id, value FROM t ORDER BY id"


@asynccontextmanager
async def small_logs(seed: int) -> AsyncIterator[InProcessCluster]:
    """Three nodes that checkpoint and cut often, with a table `t`."""
    async with trio.open_nursery() as nursery:
        cluster = InProcessCluster(
            3, seed=seed, nursery=nursery, checkpoint_entries=CHECKPOINT_ENTRIES, segment_bytes=SEGMENT_BYTES
        )
        await cluster.start_all()
        client = SqlClient(cluster.nodes[await cluster.leader()])
        await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)")
        yield cluster
        nursery.cancel_scope.cancel()


async def write(cluster: InProcessCluster, first: int, rows: int, *, value: str = LONG) -> None:
    """Insert rows over a few checkpoints; the leader may die meanwhile."""
    for number in range(first, first + rows):
        while True:
            try:
                client = SqlClient(cluster.nodes[await cluster.leader()])
                await client.execute("INSERT INTO t VALUES (?, ?)", number, f"{number} {value}", timeout_s=2)
            except UniqueViolationError:
                break  # by an attempt before, whose answer was lost
            except (NoQuorumError, OutcomeUnknownError, ConnectionFailedError, ShuttingDownError, KeyError):
                await trio.sleep(0.2)
            else:
                break
        if number % 10 == 0:
            await trio.sleep(1)


async def rows_on(cluster: InProcessCluster, node_id: NodeId) -> list[Row]:
    return await SqlClient(cluster.nodes[node_id]).execute(ALL_ROWS, timeout_s=60)


async def wait_until_cut_beyond(cluster: InProcessCluster, index: int) -> None:
    """Wait until no running node's log holds the entry after `index`, so that only a snapshot helps who is there."""
    for _ in range(5):
        statuses = [await node.status() for node in cluster.nodes.values()]
        if all(status.first_log_index > index + 1 for status in statuses):
            return
        await trio.sleep(1)
    raise AssertionError([status.first_log_index for status in statuses])


async def a_follower(cluster: InProcessCluster) -> NodeId:
    leader = await cluster.leader()
    return next(node_id for node_id in cluster.nodes if node_id != leader)


async def assert_all_agree(cluster: InProcessCluster, rows: int, *, value: str = LONG) -> None:
    expected = [(number, f"{number} {value}") for number in range(rows)]
    for node_id in cluster.nodes:
        assert await rows_on(cluster, node_id) == expected
    for node_id in tuple(cluster.nodes):
        await cluster.crash(node_id)
        assert check_disk(cluster.disks[node_id]).problems == []


async def test_a_node_that_was_down_catches_up_by_a_snapshot(autojump_clock: MockClock) -> None:
    async with small_logs(1) as cluster:
        down = await a_follower(cluster)
        behind = (await cluster.nodes[down].status()).last_log_index
        await cluster.crash(down)
        await trio.sleep(PATIENCE_S)
        await write(cluster, 0, 150)
        await wait_until_cut_beyond(cluster, behind)
        await cluster.start(down)
        await write(cluster, 150, 30)
        status = await cluster.nodes[down].status()
        assert status.first_log_index > behind + 1, "the log begins after the snapshot"
        await assert_all_agree(cluster, 180)


async def test_a_node_that_was_cut_off_serves_old_views_while_it_gets_a_snapshot(autojump_clock: MockClock) -> None:
    async with small_logs(2) as cluster:
        await write(cluster, 0, 5)
        lonely = await a_follower(cluster)
        reader = SqlClient(cluster.nodes[lonely])
        await reader.execute("BEGIN")
        before = await reader.execute(ALL_ROWS)
        behind = (await cluster.nodes[lonely].status()).last_log_index
        others = [node_id for node_id in cluster.nodes if node_id != lonely]
        cluster.network.partition([lonely], others)
        for _ in range(3):
            await trio.sleep(PATIENCE_S / 3)
            assert await reader.execute(ALL_ROWS) == before
        await write(cluster, 5, 120)
        cluster.network.heal()
        await trio.sleep(5)
        assert (await cluster.nodes[lonely].status()).first_log_index > behind + 1
        assert await reader.execute(ALL_ROWS) == before, "the transaction's view outlives the file that it reads"
        await reader.execute("COMMIT")
        await write(cluster, 125, 5)
        await assert_all_agree(cluster, 130)


async def test_the_past_comes_with_a_snapshot(autojump_clock: MockClock) -> None:
    """Also what a node never saw by itself, and what is deleted or overwritten by the time of the snapshot."""
    async with small_logs(8) as cluster:
        down = await a_follower(cluster)
        behind = (await cluster.nodes[down].status()).last_log_index
        await cluster.crash(down)
        await trio.sleep(PATIENCE_S)
        past: dict[int, list[Row]] = {}
        client = SqlClient(cluster.nodes[await cluster.leader()])
        for step in range(4):
            await write(cluster, 40 * step, 40)
            await client.execute("UPDATE t SET value = ? WHERE id % 5 = 1", f"step {step}")
            await client.execute("DELETE FROM t WHERE id % 5 = ?", step)
            version = (await cluster.nodes[await cluster.leader()].status()).applied_index
            past[version] = await client.execute(ALL_ROWS)
        await wait_until_cut_beyond(cluster, behind)
        await cluster.start(down)
        reader = SqlClient(cluster.nodes[down])
        assert await reader.execute(ALL_ROWS, timeout_s=60) == past[version]
        assert (await cluster.nodes[down].status()).first_log_index > behind + 1, "it got a snapshot"
        for at, rows in past.items():
            assert await reader.execute(f"SELECT id, value FROM t AS OF SYSTEM TIME {at} ORDER BY id") == rows
        await cluster.crash(down)
        await cluster.start(down)
        reader = SqlClient(cluster.nodes[down])
        for at, rows in past.items():
            assert await reader.execute(f"SELECT id, value FROM t AS OF SYSTEM TIME {at} ORDER BY id") == rows


async def test_a_cluster_restarts_with_cut_logs(autojump_clock: MockClock) -> None:
    async with small_logs(3) as cluster:
        for round_ in range(3):
            await write(cluster, round_ * 60, 60)
            for node_id in tuple(cluster.nodes):
                await cluster.crash(node_id)
                assert check_disk(cluster.disks[node_id]).problems == []
            await cluster.start_all()
        await wait_until_cut_beyond(cluster, 5)
        await assert_all_agree(cluster, 180)


async def test_a_part_that_nobody_goes_on_with_is_deleted(autojump_clock: MockClock) -> None:
    async with small_logs(8) as cluster:
        await write(cluster, 0, 5)
        node_id = await a_follower(cluster)
        await cluster.crash(node_id)
        disk = cluster.disks[node_id]
        disk.create("snapshot-9-5-1.part").write(0, b"some part")
        await cluster.start(node_id)
        await trio.sleep(SNAPSHOT_IDLE_S / 2)
        assert any(map(is_part, disk.list()))
        await trio.sleep(SNAPSHOT_IDLE_S)
        assert not any(map(is_part, disk.list()))


async def test_the_log_on_disk_stays_bounded_under_load(autojump_clock: MockClock) -> None:
    async with small_logs(4) as cluster:
        sizes: list[int] = []
        for round_ in range(8):
            await write(cluster, round_ * 40, 40)
            sizes.append(max([(await node.status()).log_bytes for node in cluster.nodes.values()]))
        entry_bytes = len(LONG) + 500
        assert max(sizes) < 4 * CHECKPOINT_ENTRIES * entry_bytes + 2 * SEGMENT_BYTES
        assert 320 * len(LONG) > 3 * max(sizes), "the whole history would be several times as long"


async def test_a_node_that_was_away_for_a_moment_needs_no_snapshot(autojump_clock: MockClock) -> None:
    async with small_logs(5) as cluster:
        await write(cluster, 0, 60)
        down = await a_follower(cluster)
        first = (await cluster.nodes[down].status()).first_log_index
        await cluster.crash(down)
        await write(cluster, 60, CHECKPOINT_ENTRIES // 2)
        await cluster.start(down)
        await trio.sleep(1)
        status = await cluster.nodes[down].status()
        assert status.first_log_index == first
        await assert_all_agree(cluster, 60 + CHECKPOINT_ENTRIES // 2)


async def a_node_behind_the_cut(cluster: InProcessCluster) -> NodeId:
    """A node that is down, and needs a snapshot of a few parts."""
    down = await a_follower(cluster)
    behind = (await cluster.nodes[down].status()).last_log_index
    await cluster.crash(down)
    await trio.sleep(PATIENCE_S)
    await write(cluster, 0, 60, value=HUGE)
    await wait_until_cut_beyond(cluster, behind)
    return down


@pytest.mark.parametrize("start", range(3))
async def test_power_loss_of_the_receiver_at_any_operation(autojump_clock: MockClock, start: int) -> None:
    """For every third operation of its disk, from `start` on, until there are no more."""
    parts, installs = 0, 0
    for operations in count(start, 3):
        async with small_logs(operations) as cluster:
            down = await a_node_behind_the_cut(cluster)
            disk = cluster.disks[down]
            await cluster.start(down)
            disk.fail_power_after(operations)
            with trio.move_on_after(4) as survived:
                await cluster.ended(down).wait()
            names = [] if survived.cancelled_caught else sorted(disk.copy().list())
            parts += any(map(is_part, names))
            installs += INSTALL_NAME in names
            await cluster.crash(down)
            await cluster.start(down)
            await write(cluster, 60, 5, value=HUGE)
            await assert_all_agree(cluster, 65, value=HUGE)
        if survived.cancelled_caught:
            break
    assert parts >= 2, "the power went in the middle of the transfer"
    assert installs >= 1, "the power went in the middle of an install"


@pytest.mark.parametrize("both", [False, True])
async def test_the_sender_dies_in_the_middle_of_a_transfer(autojump_clock: MockClock, both: bool) -> None:
    async with small_logs(7) as cluster:
        down = await a_node_behind_the_cut(cluster)
        leader = await cluster.leader()
        await cluster.start(down)
        disk = cluster.disks[down]
        while not any(disk.open(name).size() for name in disk.list() if is_part(name)):  # noqa: ASYNC110
            await trio.sleep(0.001)
        killed = [leader, down] if both else [leader]
        for node_id in killed:
            await cluster.crash(node_id)
        for node_id in killed:
            await cluster.start(node_id)
        await write(cluster, 60, 5, value=HUGE)
        await assert_all_agree(cluster, 65, value=HUGE)
