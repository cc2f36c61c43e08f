"""Five real processes: one is down while the log is cut, gets a snapshot, and both sides are killed in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import mynode
import mynode.trio
from mynode.base.disk_real import RealDisk
from mynode.base.exit_codes import EXIT_DONE
from mynode.base.ids import NodeId
from mynode.client.client import Client
from mynode.inspect.check import run_check
from mynode.storage.incoming_snapshot import is_part
from mynode.testing.cluster import RealCluster, real_cluster

pytestmark = pytest.mark.cluster

SETTINGS: dict[str, str | int] = {
    "tick_ms": 10,  # so that the log is kept for a silent node for six seconds only
    "heartbeat_ticks": 10,
    "election_ticks": 120,
    "checkpoint_entries": 300,
    "log_segment_bytes": 512 * 1024,
}
VALUE = "v" * 8_000
WRITERS = 8


def addresses(cluster: RealCluster, *node_ids: NodeId) -> str:
    return ",".join(str(cluster.plan.members[node_id]) for node_id in node_ids or cluster.node_ids)


async def insert(client: Client, first: int, count: int) -> None:
    async def insert_every(start: int) -> None:
        for number in range(start, first + count, WRITERS):
            statement = "INSERT INTO t VALUES (?, ?) ON CONFLICT DO NOTHING"
            await client.execute(statement, (number, f"{number} {VALUE}"), timeout=60)

    async with trio.open_nursery() as nursery:
        for writer in range(WRITERS):
            nursery.start_soon(insert_every, first + writer)


async def first_indexes(cluster: RealCluster) -> dict[NodeId, int]:
    """Where the log begins on each running node."""
    reports = dict(zip(cluster.node_ids, await cluster.status(), strict=True))
    return {id_: status.first_log_index for id_ in cluster.running if (status := reports[id_].status) is not None}


async def wait_for_a_part(directory: Path) -> None:
    """Wait until some of a snapshot has arrived there."""
    disk = RealDisk(directory)
    with trio.fail_after(60):
        while not any(disk.open(name).size() for name in disk.list() if is_part(name)):  # noqa: ASYNC110
            await trio.sleep(0.002)


async def test_a_snapshot_is_sent_to_a_node_that_was_down_though_both_sides_are_killed(tmp_path: Path) -> None:
    async with real_cluster(tmp_path, settings=SETTINGS) as cluster:
        leader = await cluster.wait_for_leader()
        down = next(node_id for node_id in cluster.node_ids if node_id != leader)
        async with mynode.trio.connect(addresses(cluster)) as client:
            await client.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT NOT NULL)")
            await insert(client, 0, 100)
            await cluster.wait_until_caught_up()
            await cluster.kill(down)
            rows = 100
            with trio.fail_after(120):
                while min((await first_indexes(cluster)).values()) < 200:
                    await insert(client, rows, 400)
                    rows += 400
            leader = await cluster.wait_for_leader()
            await cluster.start(down)
            await wait_for_a_part(cluster.plan.node_directory(down))
            await cluster.kill(down, leader)
            assert "snapshot installed" not in cluster.log(down), "the kill came in the middle"
            await cluster.start(down, leader)
            await insert(client, rows, 200)
            rows += 200
        await cluster.wait_until_caught_up(timeout_s=120)
        assert (await first_indexes(cluster))[down] >= 200, "its log begins after a snapshot"
        for node_id in cluster.node_ids:
            async with mynode.trio.connect(addresses(cluster, node_id)) as client:
                result = await client.execute("SELECT id, value FROM t ORDER BY id")
            assert result.rows == [(number, f"{number} {VALUE}") for number in range(rows)]
        await cluster.kill()
        assert run_check(tmp_path) == EXIT_DONE
